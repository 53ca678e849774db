//! Senders that mean ill, or whose memory is broken: nobody else notices.

use nexus_abi::{Rights, Sender};
use nexus_wire::LogStatus;
use nexus_wire::logs::{AppendBatchWriter, RecordText, Request, Search, encode};
use proptest::prelude::*;

use crate::rig::*;

/// An APPEND_BATCH of so many records, every other of which is to be refused.
fn batch(records: usize) -> Vec<u8> {
    let mut frame = [0; 512];
    let mut writer = AppendBatchWriter::new(V2.nonce, &mut frame);
    for fields in ["a=1\n", "service=1\n"].into_iter().cycle().take(records) {
        assert!(writer.record(&record("s", "message", fields)));
    }
    writer.finish().unwrap().to_vec()
}

/// Frames that are random, or nearly right: one of ours, cut, extended, or with bytes changed.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let ours = (0usize..9, any::<u64>()).prop_map(|(which, number)| {
        if which == 8 {
            return batch(number as usize % 4);
        }
        let mut text = [0; size_of::<RecordText>()];
        let request = match which {
            0 => Request::Append(record("s", "message", "a=1\nb=2\n").join(&mut text).unwrap()),
            1 => Request::Query { since_ns: number, max: 7 },
            2 => Request::Search(Search { since_ns: number, gaps: true, ..Search::ALL }),
            3 => Request::Audit { cursor: number as u32 },
            4 => Request::Status,
            5 => Request::Anchors,
            6 => Request::Stats,
            _ => Request::Hello,
        };
        let mut frame = [0; 512];
        encode(&request, V2, &mut frame).unwrap().to_vec()
    });
    let changed = (ours, prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4));
    let changed = changed.prop_map(|(mut frame, changes)| {
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        frame
    });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        changed.clone(),
        (changed.clone(), any::<prop::sample::Index>()).prop_map(|(mut frame, cut)| {
            frame.truncate(cut.index(frame.len()));
            frame
        }),
        (changed, prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(frame, more)| [frame, more].concat()),
    ]
}

proptest! {
    #[test]
    fn any_frame_gets_one_reply_and_the_ledger_adds_up(
        frames in prop::collection::vec((frame(), 0usize..30, any::<bool>()), 1..80),
    ) {
        let mut rig = Rig::new(&recipe());
        rig.accept(producer("timed"), record("s", "mine", ""));
        for (frame, name, may_read) in frames {
            let rights = if may_read { Rights::QUERY } else { Rights::NONE };
            let from = Sender { rights, ..producer(&format!("hostile{name}")) };
            rig.wait(SECOND / 50);
            let reply = rig.raw(from, &frame);
            prop_assert!(reply.starts_with(b"LO") && reply.len() <= 4096);
        }
        let rows = rig.audit();
        prop_assert!(rows.iter().all(nexus_wire::LedgerRow::balances));
        prop_assert!(rows.iter().all(|row| row.accepted == row.kept));
        let stats = rig.stats();
        let kept = rows.iter().map(|row| row.kept).sum::<u64>();
        prop_assert_eq!(kept, u64::from(stats.used_records));
        prop_assert_eq!(kept + stats.dropped, stats.total);
    }
}

#[test]
fn a_question_offers_nothing_unless_it_is_refused_and_a_batch_each_of_its_records() {
    let mut rig = Rig::new(&recipe());
    let who = Sender { rights: Rights::QUERY, ..producer(PRODUCER) };
    for question in [
        Request::Stats,
        Request::Hello,
        Request::Query { since_ns: 0, max: 1 },
        Request::Search(Search::ALL),
        Request::Audit { cursor: 0 },
        Request::Status,
        Request::Anchors,
    ] {
        rig.ask(who, V2, question, |status, _| assert_eq!(status, LogStatus::Ok));
    }
    rig.raw(who, &batch(0));
    assert_eq!(rig.row(PRODUCER).offered, 0);

    rig.raw(who, &batch(3));
    rig.ask(producer(PRODUCER), V2, Request::Status, |status, _| {
        assert_eq!(status, LogStatus::Denied);
    });
    let row = rig.row(PRODUCER);
    assert_eq!((row.offered, row.accepted, row.refused_total()), (4, 2, 2));
}

#[test]
fn a_flood_of_one_sender_costs_nobody_else_a_record_within_its_share() {
    let mut rig = Rig::new(&recipe());
    let mine = (0..4)
        .map(|n| rig.accept(producer("timed"), record("s", &format!("mine {n}"), "")).0)
        .collect::<Vec<_>>();
    for n in 0..2000_u64 {
        rig.wait(SECOND);
        rig.accept(producer(PRODUCER), record("s", &"x".repeat(n as usize % 256), ""));
    }
    let service = Some(producer("timed").service());
    let found = rig.search_all(Search { service, gaps: true, ..Search::ALL });
    assert_eq!(found.iter().map(|seen| seen.id).collect::<Vec<_>>(), mine);
    assert_eq!(rig.row("timed").dropped, 0);
}

#[test]
fn a_crowd_of_senders_locks_no_newcomer_out() {
    let mut rig = Rig::new(&recipe());
    for n in 0..1000 {
        rig.wait(SECOND / 100);
        rig.accept(producer(&format!("uid.{n}")), record("s", "m", ""));
    }
    assert_eq!(rig.audit().len(), 17);
    assert_eq!(rig.status_of("senders_displaced"), (1000 + 2 - 16).to_string());
    let rows = rig.audit();
    assert!(rows.iter().all(nexus_wire::LedgerRow::balances));
    assert_eq!(rows.iter().map(|row| row.accepted + row.dropped).sum::<u64>(), 1001);
}
