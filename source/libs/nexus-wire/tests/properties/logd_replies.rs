//! Replies of logd.

use nexus_wire::logs::{
    AppendReply, BatchReply, ClockAnchor, Found, Head, HelloReply, Op, QueryWriter, Record,
    Refusal, Reply, SearchWriter, StatsReply, Version, decode_reply, encode_anchors, encode_status,
};
use nexus_wire::{AuditReply, LogStatus};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::any::{fields, incarnation, level, log_status, record_id, rights, rows, service, text};
use crate::logd::{head, head_v2};

fn record() -> impl Strategy<Value = Record<'static>> {
    (record_id(), any::<u64>(), service(), level(), text(64), text(256), fields(512)).prop_map(
        |(id, ts_ns, service, level, scope, message, fields)| Record {
            id,
            ts_ns,
            service,
            level,
            scope,
            message,
            fields,
        },
    )
}

fn stats() -> impl Strategy<Value = StatsReply> {
    any::<(u64, u64, u32, u32, u32, u32)>().prop_map(
        |(total, dropped, cap_records, cap_bytes, used_records, used_bytes)| StatsReply {
            total,
            dropped,
            cap_records,
            cap_bytes,
            used_records,
            used_bytes,
        },
    )
}

/// The reply decodes with its own operation and head, with no other, and not when it is cut.
fn decoded(op: Op, head: Head, frame: &[u8]) -> (LogStatus, Reply<'_>) {
    for other in Op::ALL.iter().copied().filter(|other| *other != op && op != Op::Stats) {
        assert_eq!(decode_reply(other, head, frame), None);
    }
    let strange = Head { version: Version::V2, nonce: head.nonce ^ 1 };
    assert_eq!(decode_reply(op, strange, frame), None);
    assert!((0..frame.len()).all(|len| decode_reply(op, head, &frame[..len]).is_none()));
    decode_reply(op, head, frame).unwrap()
}

proptest! {
    #[test]
    fn a_refusal_of_any_operation_decodes(
        op in select(Op::ALL),
        asked in select(Op::ALL),
        head in head(),
        status in log_status(),
        now in any::<u64>(),
    ) {
        prop_assume!(op.version_is_legal(head.version) && status != LogStatus::Ok);
        let mut out = [0; 64];
        let frame = Refusal { head, op, status }.encode(now, &mut out).unwrap();
        let (got, reply) = decoded(op, head, frame);
        prop_assert_eq!(got, status);
        match (op, reply) {
            (Op::Append, Reply::Append(AppendReply { id, dropped })) => {
                prop_assert_eq!((id.0, dropped), (0, now));
            }
            (Op::Query, Reply::Query(records)) => {
                prop_assert_eq!((records.total, records.dropped), (0, 0));
                prop_assert_eq!(records.iter().count(), 0);
            }
            (Op::Stats, Reply::Stats(stats)) => {
                prop_assert_eq!(stats, StatsReply::default());
                // A reply in this shape answers whatever was refused before it was understood.
                prop_assert_eq!(decode_reply(asked, head, frame), Some((status, reply)));
            }
            (_, reply) => prop_assert_eq!(reply, Reply::Plain),
        }
    }

    #[test]
    fn an_append_reply_comes_back(
        head in head(),
        status in log_status(),
        id in record_id(),
        dropped in any::<u64>(),
    ) {
        let reply = AppendReply { id, dropped };
        let mut out = [0; 64];
        let frame = reply.encode(head, status, &mut out).unwrap();
        prop_assert_eq!(decoded(Op::Append, head, frame), (status, Reply::Append(reply)));
    }

    #[test]
    fn stats_come_back(head in head(), status in log_status(), stats in stats()) {
        let mut out = [0; 64];
        let frame = stats.encode(head, status, &mut out).unwrap();
        prop_assert_eq!(decoded(Op::Stats, head, frame), (status, Reply::Stats(stats)));
    }

    /// At most 16 records and 2048 bytes, whatever the buffer; what is there is whole.
    #[test]
    fn queried_records_come_back_whole(
        head in head(),
        records in vec(record(), 0..20),
        numbers in any::<(u64, u64)>(),
        large in any::<bool>(),
    ) {
        let (total, dropped) = numbers;
        let mut out = vec![0; if large { 8192 } else { 700 }];
        let mut writer = QueryWriter::new(head, LogStatus::Ok, total, dropped, &mut out);
        let written = records.iter().take_while(|record| writer.record(record)).count();
        let frame = writer.finish().unwrap();
        prop_assert!(frame.len() <= 2048 && written <= 16);
        let (LogStatus::Ok, Reply::Query(reply)) = decoded(Op::Query, head, frame) else {
            panic!("not a QUERY reply");
        };
        prop_assert_eq!((reply.total, reply.dropped), (total, dropped));
        prop_assert_eq!(reply.iter().collect::<Vec<_>>(), &records[..written]);
    }

    #[test]
    fn a_hello_reply_comes_back(
        head in head_v2(),
        who in (service(), incarnation(), rights()),
        numbers in any::<(u32, u32, u32, u64)>(),
    ) {
        let (service, incarnation, rights) = who;
        let (boot, events_per_s, bytes_per_s, now_ns) = numbers;
        let hello =
            HelloReply { boot, service, incarnation, rights, events_per_s, bytes_per_s, now_ns };
        let mut out = [0; 64];
        let frame = hello.encode(head, &mut out).unwrap();
        prop_assert_eq!(decoded(Op::Hello, head, frame), (LogStatus::Ok, Reply::Hello(hello)));
    }

    #[test]
    fn a_batch_reply_comes_back(
        head in head_v2(),
        counts in any::<(u32, u16, u16, u16)>(),
        why in log_status(),
        ids in (record_id(), record_id()),
    ) {
        let (boot, accepted, refused, first_refused) = counts;
        let (first_id, last_id) = ids;
        let reply = BatchReply { boot, accepted, refused, first_refused, why, first_id, last_id };
        let mut out = [0; 64];
        let frame = reply.encode(head, &mut out).unwrap();
        let expected = (LogStatus::Ok, Reply::Batch(reply));
        prop_assert_eq!(decoded(Op::AppendBatch, head, frame), expected);
    }

    #[test]
    fn what_was_found_comes_back(
        head in head_v2(),
        found in vec((record(), any::<bool>()), 0..12),
        totals in any::<(u32, u64, u64, bool)>(),
        next_id in record_id(),
    ) {
        let (boot, total, dropped, more) = totals;
        let found: Vec<_> = found
            .into_iter()
            .map(|(record, gap)| if gap { Found::Gap(record) } else { Found::Record(record) })
            .collect();
        let mut out = [0; 4096];
        let mut writer = SearchWriter::new(head.nonce, boot, total, dropped, &mut out);
        let written = found.iter().take_while(|found| writer.found(found)).count();
        prop_assert_eq!(usize::from(writer.len()), written);
        let frame = writer.finish(next_id, more).unwrap();
        let (LogStatus::Ok, Reply::Search(reply)) = decoded(Op::Search, head, frame) else {
            panic!("not a SEARCH reply");
        };
        prop_assert_eq!((reply.boot, reply.total, reply.dropped), (boot, total, dropped));
        prop_assert_eq!((reply.next_id, reply.more), (next_id, more));
        prop_assert_eq!(reply.found().collect::<Vec<_>>(), &found[..written]);
    }

    #[test]
    fn ledger_rows_come_back(head in head_v2(), rows in rows(20), next_cursor in any::<u32>()) {
        let mut out = [0; 4096];
        let frame = AuditReply::encode_logd(head, next_cursor, rows.iter().copied(), &mut out);
        let (LogStatus::Ok, Reply::Audit(reply)) = decoded(Op::Audit, head, frame.unwrap()) else {
            panic!("not an AUDIT reply");
        };
        prop_assert_eq!(reply.next_cursor, next_cursor);
        prop_assert_eq!(reply.rows().collect::<Vec<_>>(), rows);
    }

    #[test]
    fn the_state_comes_back(head in head_v2(), state in fields(512)) {
        let mut out = [0; 1024];
        let frame = encode_status(head, state, &mut out).unwrap();
        prop_assert_eq!(decoded(Op::Status, head, frame), (LogStatus::Ok, Reply::Status(state)));
    }

    #[test]
    fn anchors_come_back(head in head_v2(), anchors in vec(any::<(u32, u64, u64)>(), 0..=150)) {
        let anchors: Vec<_> = anchors
            .into_iter()
            .map(|(boot, mono_ns, wall_ns)| ClockAnchor { boot, mono_ns, wall_ns })
            .collect();
        let mut out = [0; 4096];
        let frame = encode_anchors(head, anchors.iter().copied(), &mut out).unwrap();
        let (LogStatus::Ok, Reply::Anchors(reply)) = decoded(Op::Anchors, head, frame) else {
            panic!("not an ANCHORS reply");
        };
        prop_assert_eq!(reply.iter().collect::<Vec<_>>(), anchors);
    }
}

#[test]
fn more_anchors_than_a_reply_holds_are_not_encoded() {
    let anchor = ClockAnchor { boot: 1, mono_ns: 2, wall_ns: 3 };
    let head = Head { version: Version::V2, nonce: 1 };
    let anchors = |count| std::iter::repeat_n(anchor, count);
    assert!(encode_anchors(head, anchors(150), &mut [0; 8192]).is_ok());
    assert!(encode_anchors(head, anchors(151), &mut [0; 8192]).is_err());
}

#[test]
fn a_record_beyond_its_bounds_is_not_sent_to_readers() {
    let long = "x".repeat(257);
    let record = Record {
        id: nexus_wire::RecordId(1),
        ts_ns: 0,
        service: nexus_abi::ServiceId::from_raw(1),
        level: nexus_wire::Level::Info,
        scope: "",
        message: &long,
        fields: nexus_wire::Fields::EMPTY,
    };
    let mut out = [0; 4096];
    let mut writer = SearchWriter::new(1, 1, 0, 0, &mut out);
    assert!(!writer.found(&Found::Record(record)));
    assert!(writer.is_empty());
}
