//! BATCH: cumulative, in order, safe to be said again.

use crate::common::{Bench, life, recipe, roomy, secs, sender};
use nexus_abi::ExitReason;
use nexus_wire::metrics::{HistogramItem, Item, Recorded, Request, SparseBuckets};
use nexus_wire::{Kind, LossReason, MetricStatus, NameBytes, Reason, SeriesId, SpanId, TraceId};
use proptest::prelude::*;

fn histogram(bench: &mut Bench, seq: u32, series: SeriesId, sum: u64, totals: &[(u8, u64)]) -> u32 {
    let mut buffer = [0; 300];
    let buckets = SparseBuckets::encode(totals.iter().copied(), &mut buffer).unwrap();
    let item = Item::Histogram(HistogramItem { series, sum, buckets });
    let (status, ack) = bench.batch(sender("execd"), seq, |batch| assert!(batch.item(&item)));
    assert_eq!((status, ack.applied_seq), (MetricStatus::Ok, seq));
    ack.refused_items
}

#[test]
fn differences_of_totals_are_applied_and_a_repeat_changes_nothing() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let counter = bench.register(who, Kind::Counter, "n", "");
    let gauge = bench.register(who, Kind::Gauge, "level", "");
    let first = [(counter, 10), (gauge, (-3i64).cast_unsigned())];
    let second = [(counter, 25), (gauge, 4)];
    assert_eq!(bench.values(who, 1, &first).1.applied_seq, 1);
    assert_eq!(bench.values(who, 2, &second).1.applied_seq, 2);
    assert_eq!(bench.one(who, "n", "").value, 25);
    for (seq, values) in [(1, &first), (2, &second), (2, &first)] {
        let (status, ack) = bench.values(who, seq, values);
        assert_eq!((status, ack.applied_seq), (MetricStatus::Ok, 2));
    }
    assert_eq!((bench.one(who, "n", "").value, bench.one(who, "level", "").value), (25, 4));
    let row = bench.ledger(who);
    assert_eq!((row.accepted, row.repeated, row.offered), (4, 6, 4));
}

#[test]
fn a_batch_that_comes_too_early_is_out_of_order_and_changes_nothing() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let counter = bench.register(who, Kind::Counter, "n", "");
    for seq in [2, 3, u32::MAX] {
        let (status, ack) = bench.values(who, seq, &[(counter, 7)]);
        assert_eq!((status, ack.applied_seq), (MetricStatus::OutOfOrder, 0));
    }
    assert_eq!(bench.one(who, "n", "").value, 0);
    assert_eq!(bench.refusals(who, Reason::NotReady), 3);
    assert_eq!(bench.values(who, 1, &[(counter, 7)]).0, MetricStatus::Ok);
    assert_eq!(bench.one(who, "n", "").value, 7);
}

#[test]
fn a_total_may_go_round_the_end_of_64_bits_and_never_back() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let counter = bench.register(who, Kind::Counter, "n", "");
    let half = u64::MAX / 2;
    for (seq, total) in [(1, half), (2, 2 * half), (3, 4)] {
        assert_eq!(bench.values(who, seq, &[(counter, total)]).1.refused_items, 0);
    }
    assert_eq!(bench.one(who, "n", "").value, i128::from(u64::MAX), "it stays at the end");
    let other = bench.register(who, Kind::Counter, "other", "");
    bench.values(who, 4, &[(other, 5)]);
    let (status, ack) = bench.values(who, 5, &[(other, 4)]);
    assert_eq!((status, ack.refused_items), (MetricStatus::Ok, 1), "a total never falls");
    bench.values(who, 6, &[(other, 7)]);
    assert_eq!(bench.one(who, "other", "").value, 7);
    assert_eq!(bench.refusals(who, Reason::Invalid), 1);
}

/// STATUS: clients that told, and what is missing of their counts, observations and sums.
fn told(bench: &mut Bench) -> [String; 4] {
    ["told", "missing_counted", "missing_observed", "missing_sum"]
        .map(|what| bench.state(&format!("clients_{what}")))
}

#[test]
fn what_a_client_says_it_has_recorded_is_compared_with_what_has_come() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let counter = bench.register(who, Kind::Counter, "n", "");
    let sizes = bench.register(who, Kind::Histogram, "sizes", "");
    assert_eq!(told(&mut bench), ["0", "0", "0", "0"]);
    histogram(&mut bench, 1, sizes, 70, &[(0, 1), (5, 3)]);
    let recorded = Item::Recorded(Recorded { counted: 9, observed: 4, sum: 70 });
    bench.batch(who, 2, |batch| {
        assert!(batch.value(counter, 9));
        assert!(batch.item(&recorded));
    });
    assert_eq!(told(&mut bench), ["1", "0", "0", "0"], "in the same BATCH, and before");
    bench.values(who, 3, &[(counter, 11)]);
    bench.batch(who, 4, |batch| assert!(batch.item(&recorded)));
    assert_eq!(told(&mut bench), ["1", "0", "0", "0"], "more has come than was told: it rises");
}

#[test]
fn an_update_that_got_lost_on_the_way_is_missing_and_its_client_named() {
    let mut bench = Bench::new(&recipe(&[]));
    let (who, other) = (sender("execd"), life("timed", 3));
    let counter = bench.register(who, Kind::Counter, "n", "");
    let theirs = bench.register(other, Kind::Counter, "n", "");
    bench.values(other, 1, &[(theirs, 50)]);
    bench.batch(who, 1, |batch| {
        // The second counter's total is one that somebody else was given the number for.
        assert!(batch.value(counter, 9));
        assert!(batch.value(theirs, 60));
        assert!(batch.item(&Item::Recorded(Recorded { counted: 19, observed: 2, sum: 30 })));
    });
    assert_eq!(told(&mut bench), ["1", "10", "2", "30"]);
    let id = format!("{:016x}", who.service().raw());
    assert_eq!(bench.state("clients_missing_who"), id);
    bench.gone(who, ExitReason::Exited(0));
    assert_eq!(told(&mut bench), ["0", "10", "2", "30"], "the end of a life hides nothing");
    assert_eq!(bench.state("clients_missing_who"), id);
}

#[test]
fn whoever_lost_an_update_and_then_its_seat_is_not_named_any_more() {
    let mut bench = Bench::new(&roomy(&[("senders", "16"), ("sessions", "16")]));
    let who = sender("stranger");
    let recorded = Item::Recorded(Recorded { counted: 1, observed: 0, sum: 0 });
    bench.batch(who, 1, |batch| assert!(batch.item(&recorded)));
    bench.gone(who, ExitReason::Exited(0));
    for n in 0..40 {
        bench.pause(secs(60));
        bench.inc(sender(&format!("s{n}")), "n", "", 1);
    }
    assert_eq!(told(&mut bench), ["0", "1", "0", "0"]);
    assert_eq!(bench.try_state("clients_missing_who"), None, "its seat is another's");
}

#[test]
fn updates_that_come_one_by_one_are_counted_as_untold() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    bench.inc(who, "n", "", 3);
    bench.inc(who, "n", "", 3);
    bench.observe(who, "sizes", "", 3);
    bench.set(who, "depth", "", 3);
    bench.inc(who, "n", "no label", 3);
    let counter = bench.register(who, Kind::Counter, "n", "");
    bench.values(who, 1, &[(counter, 9)]);
    assert_eq!(bench.state("single_updates"), "3", "two of a counter, one observation");
    assert_eq!(
        bench.status_of(who, &Request::Update { series: counter, value: 1 }),
        MetricStatus::Ok
    );
    assert_eq!(bench.state("single_updates"), "4");
}

#[test]
fn a_client_may_claim_to_have_lost_anything() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let (status, _) = bench.batch(who, 1, |batch| {
        for reason in LossReason::ALL {
            assert!(batch.item(&Item::Lost { reason: *reason, count: u64::MAX }));
        }
    });
    assert_eq!(status, MetricStatus::Ok);
    assert_eq!(bench.ledger(who).lost_by_client, u64::MAX);
}

#[test]
fn a_sum_rises_with_its_observations_only() {
    let mut bench = Bench::new(&recipe(&[]));
    let series = bench.register(sender("execd"), Kind::Histogram, "h", "");
    assert_eq!(histogram(&mut bench, 1, series, u64::MAX, &[]), 1);
    assert_eq!(histogram(&mut bench, 2, series, 10, &[(0, 1)]), 1);
    assert_eq!(histogram(&mut bench, 3, series, 20, &[(0, 0)]), 2, "a count never falls");
    assert_eq!(histogram(&mut bench, 4, series, 30, &[(0, 2)]), 2);
}

#[test]
fn refused_items_are_counted_one_by_one_and_the_others_applied() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let counter = bench.register(who, Kind::Counter, "n", "");
    let histogram = bench.register(who, Kind::Histogram, "h", "");
    let stale = SeriesId::from_raw(counter.raw() + (5 << 32)).unwrap();
    let (status, ack) =
        bench.values(who, 1, &[(stale, 1), (counter, 2), (histogram, 3), (counter, 4)]);
    assert_eq!((status, ack.applied_seq, ack.refused_items), (MetricStatus::Ok, 1, 2));
    assert_eq!(bench.one(who, "n", "").value, 4);
    let row = bench.ledger(who);
    assert_eq!((row.offered, row.accepted), (4, 2));
    assert_eq!(bench.refusals(who, Reason::NotFound), 1);
    assert_eq!(bench.refusals(who, Reason::Invalid), 1);
    assert_eq!(bench.values(who, 2, &[(stale, 1)]).1.refused_items, 3);
}

#[test]
fn buckets_come_as_totals_too() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let series = bench.register(who, Kind::Histogram, "timed_coalesce_ns", "");
    assert_eq!(histogram(&mut bench, 1, series, 500, &[(0, 1), (1, 2)]), 0);
    assert_eq!(histogram(&mut bench, 2, series, 900_500, &[(1, 3), (7, 1)]), 0);
    assert_eq!(histogram(&mut bench, 3, series, 900_500, &[(1, 3), (7, 1)]), 0);
    let seen = bench.one(who, "timed_coalesce_ns", "");
    let counts: Vec<u64> = seen.buckets.iter().map(|(_, count)| *count).collect();
    assert_eq!((counts, seen.value), (vec![1, 3, 0, 0, 0, 0, 0, 1], 900_500));
    // Bucket 8 is beyond this histogram's last: refused, and nothing of the item is applied.
    assert_eq!(histogram(&mut bench, 4, series, 1_000_000, &[(1, 9), (8, 1)]), 1);
    assert_eq!(bench.one(who, "timed_coalesce_ns", ""), seen);
    bench.pause(secs(10));
    let window = bench.one(who, "timed_coalesce_ns", "").short;
    assert_eq!((window.count, window.sum, window.min), (5, 900_500, 0));
    assert_eq!(window.max, 8_000_001, "what the last bucket holds at least");
}

#[test]
fn what_a_client_lost_itself_is_on_the_ledger() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let lost = |count| Item::Lost { reason: LossReason::SpanRingFull, count };
    for (seq, count) in [(1, 5), (2, 5), (3, 9)] {
        bench.batch(who, seq, |batch| assert!(batch.item(&lost(count))));
    }
    assert_eq!(bench.ledger(who).lost_by_client, 9);
}

#[test]
fn spans_come_whole_or_in_two_parts() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let (service, name) = (who.service(), NameBytes::new(b"load").unwrap());
    let span = |local| (SpanId::new(service, local), TraceId::new(service, 1));
    let (a, trace) = span(2);
    let whole = Item::plain_span(a, trace, name, 5, 9).unwrap();
    let foreign = SpanId::new(sender("timed").service(), 2);
    let stolen = Item::plain_span(foreign, trace, name, 5, 9).unwrap();
    let (_, ack) = bench.batch(who, 1, |batch| {
        assert!(batch.item(&whole) && batch.item(&stolen));
    });
    assert_eq!(ack.refused_items, 1);
    assert_eq!((bench.ledger(who).accepted, bench.refusals(who, Reason::Identity)), (1, 1));
}

#[test]
fn what_a_cap_keeps_out_is_counted_through_its_number() {
    let mut bench = Bench::new(&roomy(&[("series_per_metric", "1")]));
    let who = sender("execd");
    let inside = bench.register(who, Kind::Counter, "n", "k=0\n");
    let (status, outside) = bench.try_register(who, Kind::Counter, "n", "k=1\n");
    assert_eq!(status, MetricStatus::Folded);
    let (_, further) = bench.try_register(who, Kind::Counter, "n", "k=2\n");
    let (outside, further) = (outside.unwrap(), further.unwrap());
    assert_ne!(outside, further, "each has its own total");
    bench.values(who, 1, &[(inside, 1), (outside, 10), (further, 100)]);
    bench.values(who, 2, &[(inside, 2), (outside, 11), (further, 107)]);
    assert_eq!(bench.update(who, further, 1000), MetricStatus::Folded);
    let overflow = bench.scrape(who).into_iter().find(|series| series.overflow).unwrap();
    assert_eq!((overflow.value, bench.one(who, "n", "k=0\n").value), (1118, 2));
    let row = bench.ledger(who);
    assert_eq!((row.accepted, row.folded), (2, 5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However often and in whatever order frames arrive, each is applied once and in order.
    #[test]
    fn resends_and_reordering_change_nothing(
        steps in prop::collection::vec(0u64..1000, 1..20),
        arrivals in prop::collection::vec(0usize..20, 0..80),
    ) {
        let mut bench = Bench::new(&roomy(&[]));
        let who = sender("execd");
        let series = bench.register(who, Kind::Counter, "n", "");
        let totals: Vec<u64> = steps
            .iter()
            .scan(0, |total, step| { *total += step; Some(*total) })
            .collect();
        let mut applied = 0;
        let everything = arrivals.into_iter().chain(0..totals.len());
        for index in everything.filter(|index| *index < totals.len()) {
            let (status, ack) = bench.values(who, index as u32 + 1, &[(series, totals[index])]);
            if index == applied {
                applied += 1;
            }
            let early = index > applied;
            prop_assert_eq!(status == MetricStatus::OutOfOrder, early);
            prop_assert_eq!(ack.applied_seq as usize, applied);
            let total = applied.checked_sub(1).map_or(0, |last| totals[last]);
            prop_assert_eq!(bench.one(who, "n", "").value, i128::from(total));
        }
    }
}
