//! Everything that logd refuses: its status, its counter, and that nothing is stored.

use nexus_abi::{Rights, Sender};
use nexus_recipe::{Budget, LogdLimits, Recipe};
use nexus_wire::logs::{
    AppendReply, NewRecord, Op, Refusal, Reply, Request, Search, StatsReply, decode_reply,
};
use nexus_wire::{LedgerRow, LogStatus, Reason, RecordId};

use crate::rig::*;

/// What is stored, by three ways of asking.
fn state(rig: &mut Rig) -> (StatsReply, Vec<Seen>, u64) {
    (rig.stats(), rig.search_all(Search::ALL), rig.row(PRODUCER).kept)
}

fn refused(rig: &mut Rig, reason: Reason) -> u64 {
    rig.row(PRODUCER).refused[reason.index()]
}

/// Refused with this status, counted once under this reason only, nothing stored.
#[track_caller]
fn assert_refused(rig: &mut Rig, record: NewRecord<'_>, status: LogStatus, reason: Reason) {
    let before = (state(rig), rig.row(PRODUCER));
    let (answered, reply) = rig.append(producer(PRODUCER), record);
    assert_eq!(answered, status, "{record:?}");
    assert_eq!(reply, AppendReply { id: RecordId(0), dropped: 0 });
    let after = rig.row(PRODUCER);
    let mut expected = LedgerRow { offered: before.1.offered + 1, ..before.1 };
    expected.refused[reason.index()] += 1;
    expected.service = after.service;
    (expected.events_left, expected.bytes_left) = (after.events_left, after.bytes_left);
    assert_eq!(after, expected);
    assert!(after.balances());
    assert_eq!(state(rig), before.0, "nothing is stored");
}

/// A record at a bound is stored; the same beyond it is refused as over its limit.
#[track_caller]
fn assert_bound(set: impl Fn(&mut LogdLimits), within: NewRecord<'_>, beyond: NewRecord<'_>) {
    let mut recipe = recipe();
    set(&mut recipe.logd);
    let mut rig = Rig::new(&recipe);
    rig.accept(producer(PRODUCER), within);
    assert_refused(&mut rig, beyond, LogStatus::OverLimit, Reason::OverLimit);
    assert_eq!(rig.world.lines, ["logd: ready", "logd: reject over_limit"]);
}

#[test]
fn test_reject_log_append_oversized_fields() {
    let within = format!("a={}\nb={}\n", "x".repeat(250), "y".repeat(256));
    let beyond = format!("a={}\nb={}\n", "x".repeat(251), "y".repeat(256));
    assert_eq!((within.len(), beyond.len()), (512, 513));
    let mut rig = Rig::new(&recipe());
    rig.accept(producer(PRODUCER), record("s", "m", &within));
    let before = state(&mut rig);
    // The encoder of ours refuses to write such a frame, so it is made by hand.
    let mut frame = append_frame(record("s", "m", &within));
    frame.push(b'\n');
    frame[16..18].copy_from_slice(&513_u16.to_le_bytes());
    let reply = rig.raw(producer(PRODUCER), &frame);
    let Some((status, Reply::Append(reply))) = decode_reply(Op::Append, V2, &reply) else {
        panic!("{reply:?}")
    };
    assert_eq!((status, reply.id), (LogStatus::OverLimit, RecordId(0)));
    assert_eq!(refused(&mut rig, Reason::OverLimit), 1);
    assert_eq!(state(&mut rig), before);
    assert_eq!(rig.world.lines, ["logd: ready", "logd: reject over_limit"]);
}

#[test]
fn test_reject_fields_longer_than_the_recipe_says() {
    assert_bound(
        |limits| limits.fields_bytes = 256,
        record("s", "m", &format!("a={}\n", "x".repeat(253))),
        record("s", "m", &format!("a={}\n", "x".repeat(254))),
    );
}

#[test]
fn test_reject_a_scope_longer_than_the_recipe_says() {
    let within = record("12345678", "m", "");
    assert_bound(|limits| limits.scope_bytes = 8, within, record("123456789", "m", ""));
}

#[test]
fn test_reject_a_message_longer_than_the_recipe_says() {
    let within = record("s", "1234567890", "");
    assert_bound(|limits| limits.message_bytes = 10, within, record("s", "1234567890!", ""));
}

#[test]
fn test_reject_more_fields_than_the_recipe_says() {
    let within = record("s", "m", "a=1\nb=2\nc=3\n");
    assert_bound(|limits| limits.fields_count = 3, within, record("s", "m", "a=\nb=\nc=\nd=\n"));
}

#[test]
fn test_reject_a_key_longer_than_the_recipe_says() {
    let within = record("s", "m", "12345=1\n");
    assert_bound(|limits| limits.key_bytes = 5, within, record("s", "m", "123456=\n"));
}

#[test]
fn test_reject_a_value_longer_than_the_recipe_says() {
    let within = record("s", "m", "a=12345\n");
    assert_bound(|limits| limits.value_bytes = 5, within, record("s", "m", "a=123456\n"));
}

#[test]
fn test_reject_lengths_beyond_those_of_frames_before_anything_behind_them() {
    for (at, len) in [(13, 65_u16), (14, 257), (16, 513)] {
        let mut rig = Rig::new(&recipe());
        let before = state(&mut rig);
        // The rest of the frame is missing too, which would be invalid_args.
        let mut frame = append_frame(record("", "", ""));
        let bytes = len.to_le_bytes();
        frame[at..][..if at == 13 { 1 } else { 2 }]
            .copy_from_slice(&bytes[..if at == 13 { 1 } else { 2 }]);
        let reply = rig.raw(producer(PRODUCER), &frame);
        let (status, _) = decode_reply(Op::Append, V2, &reply).unwrap();
        assert_eq!(status, LogStatus::OverLimit, "{at}");
        assert_eq!(refused(&mut rig, Reason::OverLimit), 1);
        assert_eq!(state(&mut rig), before);
    }
}

fn limited_recipe(budget: Budget) -> Recipe {
    let mut recipe = recipe();
    for rule in &mut recipe.senders {
        if rule.name == PRODUCER {
            rule.logd_budget = Some(budget);
        }
    }
    recipe
}

#[test]
fn test_reject_log_append_rate_limited_sender() {
    let budget =
        Budget { events_per_s: 2, events_burst: 3, bytes_per_s: 1 << 20, bytes_burst: 1 << 20 };
    let mut rig = Rig::new(&limited_recipe(budget));
    for _ in 0..3 {
        rig.accept(producer(PRODUCER), record("s", "m", ""));
    }
    let limited = |rig: &mut Rig| {
        assert_refused(rig, record("s", "m", ""), LogStatus::RateLimited, Reason::RateLimited);
    };
    limited(&mut rig);
    assert_eq!(rig.world.lines, ["logd: ready", "logd: reject rate_limited"]);
    rig.wait(SECOND / 2);
    rig.accept(producer(PRODUCER), record("s", "m", ""));
    let (status, _) = rig.append(producer(PRODUCER), record("s", "m", ""));
    assert_eq!(status, LogStatus::RateLimited, "half a second is one record");
    let (status, _) = rig.append(producer("hostprobe"), record("s", "m", ""));
    assert_eq!(status, LogStatus::Ok, "others have budgets of their own");
    assert_eq!(rig.row(PRODUCER).refused[Reason::RateLimited.index()], 2);
    assert_eq!(rig.world.lines.len(), 2, "once per reason");
}

#[test]
fn test_reject_a_sender_beyond_its_budget_of_bytes() {
    let frame = append_frame(record("s", "m", "")).len() as u32;
    let budget =
        Budget { events_per_s: 9, events_burst: 9, bytes_per_s: 1, bytes_burst: 2 * frame };
    let mut rig = Rig::new(&limited_recipe(budget));
    for _ in 0..2 {
        rig.accept(producer(PRODUCER), record("s", "m", ""));
    }
    let events_left = rig.row(PRODUCER).events_left;
    let (status, reply) = rig.append(producer(PRODUCER), record("s", "m", ""));
    assert_eq!((status, reply.id), (LogStatus::RateLimited, RecordId(0)));
    let row = rig.row(PRODUCER);
    assert_eq!(row.refused[Reason::RateLimited.index()], 1);
    assert_eq!((row.kept, row.events_left), (2, events_left), "both budgets or none");
}

#[test]
fn test_reject_malformed_frames_at_their_senders_cost() {
    let budget =
        Budget { events_per_s: 1, events_burst: 2, bytes_per_s: 1 << 20, bytes_burst: 1 << 20 };
    let mut rig = Rig::new(&limited_recipe(budget));
    let statuses = [0, 1, 2].map(|_| {
        let reply = rig.raw(producer(PRODUCER), b"LO");
        decode_reply(Op::Stats, V1, &reply).unwrap().0
    });
    assert_eq!(statuses, [LogStatus::InvalidArgs, LogStatus::InvalidArgs, LogStatus::RateLimited]);
    let row = rig.row(PRODUCER);
    assert_eq!(row.refused[Reason::Invalid.index()], 2);
    assert_eq!(row.refused[Reason::RateLimited.index()], 1);
    assert!(row.balances());
}

#[test]
fn test_reject_a_question_beyond_the_budget_and_count_no_item_as_lost() {
    let budget =
        Budget { events_per_s: 1, events_burst: 2, bytes_per_s: 1 << 20, bytes_burst: 1 << 20 };
    let mut rig = Rig::new(&limited_recipe(budget));
    let mut frame = [0; 64];
    let hello = nexus_wire::logs::encode(&Request::Hello, V2, &mut frame).unwrap();
    let last = [0, 1, 2].map(|_| rig.raw(producer(PRODUCER), hello));
    let reply = decode_reply(Op::Hello, V2, &last[2]);
    assert!(matches!(reply, Some((LogStatus::RateLimited, Reply::Plain))), "{reply:?}");
    assert_eq!(refused(&mut rig, Reason::Denied), 1);
    assert_eq!(refused(&mut rig, Reason::RateLimited), 0);
}

#[test]
fn test_reject_a_batch_beyond_the_budget_as_a_whole() {
    let budget =
        Budget { events_per_s: 1, events_burst: 2, bytes_per_s: 1 << 20, bytes_burst: 1 << 20 };
    let mut rig = Rig::new(&limited_recipe(budget));
    let before = state(&mut rig);
    let mut frame = [0; 4096];
    let mut writer = nexus_wire::logs::AppendBatchWriter::new(V2.nonce, &mut frame);
    assert!((0..3).all(|_| writer.record(&record("s", "m", ""))));
    let reply = rig.raw(producer(PRODUCER), writer.finish().unwrap());
    let reply = decode_reply(Op::AppendBatch, V2, &reply);
    assert!(matches!(reply, Some((LogStatus::RateLimited, Reply::Plain))), "{reply:?}");
    assert_eq!(refused(&mut rig, Reason::RateLimited), 3, "each record of it counts");
    assert_eq!(state(&mut rig), before);
}

#[test]
fn test_reject_log_payload_identity_spoof() {
    for key in ["requester_id", "sender_service_id", "service", "service_id"] {
        let mut rig = Rig::new(&recipe());
        let fields = format!("a=1\n{key}=42\n");
        assert_refused(
            &mut rig,
            record("s", "m", &fields),
            LogStatus::InvalidArgs,
            Reason::Identity,
        );
        assert_eq!(rig.world.lines, ["logd: ready", "logd: reject invalid_args"]);
        let longer = format!("a=1\n{key}x=42\n");
        rig.accept(producer(PRODUCER), record("s", "m", &longer));
    }
}

#[test]
fn test_reject_fields_that_are_not_canonical() {
    let mut rig = Rig::new(&recipe());
    for fields in [
        "a",
        "a=1",
        "=1\n",
        "A=1\n",
        "a b=1\n",
        "a=1\n\n",
        "b=1\na=1\n",
        "a=1\na=1\n",
        "a=1\nb",
        "\n",
        "ä=1\n",
        "a=1\r\nb\n",
    ] {
        let record = record("s", "m", fields);
        assert_refused(&mut rig, record, LogStatus::InvalidArgs, Reason::Invalid);
    }
    let not_text = NewRecord { fields: b"a=\xff\n", ..record("s", "m", "") };
    assert_refused(&mut rig, not_text, LogStatus::InvalidArgs, Reason::Invalid);
    for fields in ["", "a=\n", "a==\n", "a=1\nb=2\n", "0.-_=x\n", "a=\u{e4} \r\t\n"] {
        rig.accept(producer(PRODUCER), record("s", "m", fields));
    }
}

#[test]
fn test_reject_secrets_where_the_recipe_refuses_them() {
    let mut rig = Rig::new(&strict_recipe());
    for record in [
        record("s", "m", "password=hunter2\n"),
        record("s", "login with password=hunter2", ""),
        record("s", "m", "note=ghp_0123456789abcdefghij\n"),
        record("AKIAIOSFODNN7EXAMPLE", "m", ""),
    ] {
        assert_refused(&mut rig, record, LogStatus::InvalidArgs, Reason::Secret);
    }
}

#[test]
fn test_reject_records_of_a_batch_one_by_one() {
    let mut rig = Rig::new(&recipe());
    let records = [
        record("s", "first", ""),
        record("s", "m", "service=x\n"),
        record("s", "second", ""),
        record("s", "m", "b=\na=\n"),
    ];
    let reply = rig.batch(producer(PRODUCER), &records);
    assert_eq!((reply.accepted, reply.refused, reply.first_refused), (2, 2, 1));
    assert_eq!((reply.boot, reply.why), (7, LogStatus::InvalidArgs));
    assert_eq!((reply.first_id, reply.last_id), (RecordId(2), RecordId(3)));
    let row = rig.row(PRODUCER);
    assert_eq!((row.offered, row.accepted, row.kept), (4, 2, 2));
    assert_eq!(row.refused[Reason::Identity.index()], 1);
    assert_eq!(row.refused[Reason::Invalid.index()], 1);
}

#[test]
fn test_reject_reading_without_the_right() {
    let mut rig = Rig::new(&recipe());
    rig.accept(producer("hostprobe"), record("s", "m", ""));
    let scraper = Sender { rights: Rights::SCRAPE, ..producer(PRODUCER) };
    let query = Request::Query { since_ns: 0, max: 16 };
    for from in [producer(PRODUCER), scraper] {
        for head in [V1, V2] {
            rig.ask(from, head, query, |status, reply| {
                let Reply::Query(records) = reply else { panic!("{reply:?}") };
                assert_eq!((status, records.iter().count()), (LogStatus::Denied, 0));
                assert_eq!((records.total, records.dropped), (0, 0), "nothing is told");
            });
        }
        for request in [
            Request::Search(Search::ALL),
            Request::Audit { cursor: 0 },
            Request::Status,
            Request::Anchors,
        ] {
            rig.ask(from, V2, request, |status, reply| {
                assert_eq!(status, LogStatus::Denied);
                assert!(matches!(reply, Reply::Plain), "{reply:?}");
            });
        }
    }
    let row = rig.row(PRODUCER);
    assert_eq!((row.refused[Reason::Denied.index()], row.offered), (12, 12));
    assert_eq!(rig.world.lines, ["logd: ready"], "a denied read is no hardening reject");
    for request in [Request::Stats, Request::Hello] {
        rig.ask(producer(PRODUCER), V2, request, |status, _| assert_eq!(status, LogStatus::Ok));
    }
}

#[test]
fn test_reject_frames_by_their_shape() {
    let cases: [(&[u8], Op, LogStatus); 9] = [
        (b"", Op::Stats, LogStatus::InvalidArgs),
        (b"LO\x01", Op::Stats, LogStatus::InvalidArgs),
        (b"MT\x01\x01", Op::Stats, LogStatus::InvalidArgs),
        (b"LO\x01\x09", Op::Stats, LogStatus::Unsupported),
        (b"LO\x01\x10", Op::Stats, LogStatus::Unsupported),
        (b"LO\x03\x01", Op::Append, LogStatus::Unsupported),
        (b"LO\x01\x01", Op::Append, LogStatus::InvalidArgs),
        (b"LO\x01\x02", Op::Query, LogStatus::InvalidArgs),
        (b"LO\x01\x03\x00", Op::Stats, LogStatus::InvalidArgs),
    ];
    let mut rig = Rig::new(&recipe());
    let before = state(&mut rig);
    for (frame, op, status) in cases {
        let expected = Refusal { head: V1, op, status };
        assert_eq!(nexus_wire::logs::decode(frame), Err(expected), "{frame:?}");
        let reply = rig.raw(producer(PRODUCER), frame);
        let (answered, reply) = decode_reply(op, V1, &reply).unwrap();
        assert_eq!(answered, status, "{frame:?}");
        match (op, reply) {
            (Op::Stats, Reply::Stats(stats)) => assert_eq!(stats, StatsReply::default()),
            (Op::Append, Reply::Append(reply)) => assert_eq!(reply.id, RecordId(0)),
            (Op::Query, Reply::Query(records)) => assert_eq!(records.iter().count(), 0),
            (_, other) => panic!("{frame:?}: {other:?}"),
        }
    }
    assert_eq!(refused(&mut rig, Reason::Invalid), cases.len() as u64);
    assert_eq!(state(&mut rig), before);
}
