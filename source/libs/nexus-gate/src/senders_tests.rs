use super::*;
use nexus_abi::{Incarnation, Rights, Sender};
use std::string::ToString;

const TIGHT: Budget =
    Budget { events_per_s: 1, events_burst: 2, bytes_per_s: 1000, bytes_burst: 2000 };

fn senders(capacity: u32) -> Senders {
    Senders::new(capacity, Nanos::from_secs(60), Budgets::common(TIGHT))
}

fn id(n: u32) -> SenderId {
    let service = ServiceId::from_name(&n.to_string());
    Sender::stamped(service, 1, Incarnation::new(1), Rights::NONE).id
}

#[test]
fn a_sender_keeps_its_seat() {
    let mut senders = senders(4);
    let first = senders.seat(id(1), Mono(1)).slot;
    let second = senders.seat(id(2), Mono(2)).slot;
    assert_ne!(first, second);
    assert_eq!(senders.seat(id(1), Mono(3)), Seat { slot: first, displaced: None });
    assert_eq!(senders.find(id(3)), None);
}

#[test]
fn a_newcomer_takes_the_seat_of_the_longest_silent_and_its_ledger_is_kept() {
    let mut senders = senders(2);
    let quiet = senders.seat(id(1), Mono(1)).slot;
    senders.offer(quiet, 12, 0, Mono(1));
    senders.accepted(quiet, 7);
    senders.refused(quiet, Reason::Invalid, 2);
    senders.repeated(quiet, 3);
    senders.seat(id(2), Mono(2));
    let seat = senders.seat(id(3), Mono(3));
    assert_eq!(seat, Seat { slot: quiet, displaced: Some(id(1)) });
    let evicted = senders.row(SenderSlot::EVICTED, 0, Mono(3));
    assert_eq!((evicted.offered, evicted.accepted, evicted.refused_total()), (9, 7, 2));
    assert_eq!(senders.row(quiet, 0, Mono(3)).offered, 0);
    assert_eq!(senders.find(id(1)), None);
    assert_eq!(senders.displacements(), (1, 1));
}

#[test]
fn strangers_however_many_displace_strangers_only() {
    let budgets = Budgets::naming(&["1", "2"], TIGHT);
    let mut senders = Senders::new(3, Nanos::from_secs(60), budgets);
    let named = [id(1), id(2)].map(|id| senders.seat(id, Mono(1)).slot);
    let stranger = senders.seat(id(10), Mono(2)).slot;
    for n in 11..200 {
        assert_eq!(senders.seat(id(n), Mono(u64::from(n))).slot, stranger);
    }
    assert_eq!([id(1), id(2)].map(|id| senders.find(id)), named.map(Some));
}

#[test]
fn a_new_name_is_no_new_budget() {
    let mut senders = senders(1);
    let slot = senders.seat(id(1), Mono(0)).slot;
    assert!(senders.offer(slot, 2, 0, Mono(0)));
    let slot = senders.seat(id(2), Mono(0)).slot;
    assert!(!senders.offer(slot, 1, 0, Mono(0)), "the seat's budget is used up");
    assert!(senders.offer(slot, 1, 0, Mono(1_000_000_000)));
}

#[test]
fn a_client_may_claim_any_loss() {
    let mut senders = senders(1);
    let slot = senders.seat(id(1), Mono(0)).slot;
    senders.lost_by_client(slot, u64::MAX);
    senders.lost_by_client(slot, u64::MAX);
    assert_eq!(senders.row(slot, 0, Mono(0)).lost_by_client, u64::MAX);
    senders.seat(id(2), Mono(1));
    senders.lost_by_client(slot, u64::MAX);
    senders.seat(id(3), Mono(2));
    assert_eq!(senders.row(SenderSlot::EVICTED, 0, Mono(2)).lost_by_client, u64::MAX);
}

#[test]
fn both_budgets_are_charged_or_none() {
    let mut senders = senders(2);
    let slot = senders.seat(id(1), Mono(0)).slot;
    assert!(!senders.offer(slot, 1, 2001, Mono(0)), "too many bytes");
    assert!(!senders.offer(slot, 3, 1, Mono(0)), "too many events");
    assert!(senders.offer(slot, 2, 2000, Mono(0)), "nothing was charged before");
    assert!(!senders.offer(slot, 1, 0, Mono(999_999_999)));
    assert!(senders.offer(slot, 1, 0, Mono(1_000_000_000)));
}

#[test]
fn what_is_dropped_was_accepted_before() {
    let mut senders = senders(1);
    let slot = senders.seat(id(1), Mono(0)).slot;
    senders.offer(slot, 5, 0, Mono(0));
    senders.accepted(slot, 5);
    senders.dropped(slot, 2);
    let row = senders.row(slot, 3, Mono(0));
    assert_eq!((row.offered, row.accepted, row.dropped, row.kept), (5, 3, 2, 3));
    assert!(row.balances());
}

#[test]
fn a_question_and_a_repeat_offer_nothing_once_they_are_answered() {
    let mut senders = senders(1);
    let slot = senders.seat(id(1), Mono(0)).slot;
    senders.offer(slot, 1, 0, Mono(0));
    assert_eq!(senders.row(slot, 0, Mono(0)).uncounted(), 1, "as long as it is open");
    senders.answered(slot);
    senders.offer(slot, 4, 0, Mono(0));
    senders.repeated(slot, 4);
    let row = senders.row(slot, 0, Mono(0));
    assert_eq!((row.offered, row.repeated), (0, 4));
    senders.check_invariants();
}

#[test]
fn what_the_budget_does_not_allow_was_offered_all_the_same() {
    let mut senders = senders(1);
    let slot = senders.seat(id(1), Mono(0)).slot;
    assert!(!senders.offer(slot, 3, 0, Mono(0)));
    senders.refused(slot, Reason::RateLimited, 3);
    assert_eq!(senders.row(slot, 0, Mono(0)).offered, 3);
    senders.check_invariants();
}

#[test]
#[should_panic(expected = "1 of 3 items have no outcome")]
fn an_outcome_that_is_left_out_is_noticed() {
    let mut senders = senders(2);
    let slot = senders.seat(id(1), Mono(0)).slot;
    senders.offer(slot, 3, 0, Mono(0));
    senders.accepted(slot, 2);
    senders.check_invariants();
}

#[test]
#[should_panic(expected = "-1 of 2 items have no outcome")]
fn an_outcome_that_is_counted_twice_is_noticed_also_of_the_evicted() {
    let mut senders = senders(1);
    let slot = senders.seat(id(1), Mono(0)).slot;
    senders.offer(slot, 2, 0, Mono(0));
    senders.accepted(slot, 2);
    senders.folded(slot, 1);
    senders.seat(id(2), Mono(1));
    senders.check_invariants();
}

proptest::proptest! {
    #[test]
    fn every_sender_finds_its_own_seat_and_no_item_is_lost(
        steps in proptest::collection::vec((0u32..12, 0u32..5), 1..300),
    ) {
        let mut senders = senders(5);
        let mut offered = 0;
        for (at, (who, items)) in (0u64..).zip(steps) {
            let seat = senders.seat(id(who), Mono(at));
            proptest::prop_assert_eq!(senders.id(seat.slot), Some(id(who)));
            proptest::prop_assert_eq!(senders.find(id(who)), Some(seat.slot));
            senders.offer(seat.slot, items, 0, Mono(at));
            senders.accepted(seat.slot, items.into());
            senders.check_invariants();
            offered += u64::from(items);
            let slots: std::vec::Vec<_> = senders.slots().collect();
            let sum: u64 = slots.iter().map(|s| senders.row(*s, 0, Mono(at)).offered).sum();
            proptest::prop_assert_eq!(sum, offered);
        }
    }
}
