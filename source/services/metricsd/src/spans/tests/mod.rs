//! Fixed vectors of spans, and what is refused.

mod rejects;

use std::collections::BTreeMap;

use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_gate::SenderSlot;
use nexus_recipe::Recipe;
use nexus_wire::metrics::{Reply, SpanStart, SpansWriter, decode_reply};
use nexus_wire::{AttrBytes, Level, Reason, SpanId, SpanStatus, TraceId};
use proptest::prelude::*;

use crate::export::tests::{Bench, Kept, Mood, end, recipe, sender, start, whole};

fn life(who: Sender, incarnation: u32) -> Sender {
    Sender { incarnation: Incarnation::new(incarnation), ..who }
}

/// A bench whose journal has said that metricsd is ready.
fn bench(recipe: &Recipe) -> Bench {
    let mut bench = Bench::new(recipe);
    bench.run_for(Nanos(1));
    bench
}

fn device() -> Bench {
    bench(&recipe())
}

fn exported(bench: &mut Bench) -> Vec<Kept> {
    bench.run_for(Nanos::from_secs(20));
    bench.records("spans")
}

fn fields<const N: usize>(kept: &Kept, keys: [&str; N]) -> [String; N] {
    keys.map(|key| kept.get(key).unwrap_or("-").to_owned())
}

/// All live spans, page by page.
fn live(bench: &Bench, page: usize) -> Vec<(u64, u32, u64, String)> {
    let (mut cursor, mut all) = (0, Vec::new());
    loop {
        let mut out = vec![0; page];
        let mut writer = SpansWriter::new(1, bench.now.0, &mut out);
        let next = bench.spans.live(cursor, &mut writer);
        let frame = writer.finish(next).unwrap();
        let Some((_, Reply::Spans(reply))) = decode_reply(nexus_wire::metrics::Op::Spans, 1, frame)
        else {
            panic!("no reply to SPANS");
        };
        all.extend(reply.spans().map(|span| {
            let name = String::from_utf8(span.start.name.as_bytes().to_vec()).unwrap();
            (span.service.raw(), span.incarnation.raw(), span.start.span.raw(), name)
        }));
        if next == 0 {
            return all;
        }
        cursor = next;
    }
}

fn live_of(bench: &Bench, who: Sender) -> usize {
    live(bench, 4096).iter().filter(|(service, ..)| *service == who.service().raw()).count()
}

#[test]
fn starts_and_ends_pair_by_id_with_their_duration_and_status() {
    // When it began and ended, its status on the wire; duration, status and level of its record.
    let vectors = [
        (100, 130, 0, "30", "ok", Level::Info),
        (100, 100, 0, "0", "ok", Level::Info),
        (100, 99, 0, "0", "ok", Level::Info),
        (0, u64::MAX, 0, "18446744073709551615", "ok", Level::Info),
        (u64::MAX, 0, 1, "0", "error", Level::Warn),
        (7, 10, 2, "3", "error", Level::Warn),
        (7, 10, 255, "3", "error", Level::Warn),
    ];
    let mut bench = device();
    let who = sender(1);
    for (local, (start_ns, ..)) in (1..).zip(vectors) {
        let start = SpanStart { start_ns, ..start(who, local, "exec", "") };
        bench.start(who, &start).unwrap();
    }
    for (local, (_, end_ns, status, ..)) in (1..8).zip(vectors).rev() {
        let status = SpanStatus::from_wire(status);
        let end = nexus_wire::metrics::SpanEnd { status, ..end(who, local, end_ns, "") };
        bench.end(who, &end).unwrap();
    }
    let records = exported(&mut bench);
    assert_eq!(records.len(), vectors.len());
    let keys = ["start_ns", "end_ns", "dur_ns", "status"];
    for (record, (start_ns, end_ns, _, duration, status, level)) in
        records.iter().rev().zip(vectors)
    {
        let said = [start_ns.to_string(), end_ns.to_string(), duration.into(), status.into()];
        assert_eq!(fields(record, keys), said);
        assert_eq!(record.level, level);
    }
    assert_eq!(bench.spans.len(), 0);
}

#[test]
fn a_whole_span_makes_the_same_record_as_its_start_and_end() {
    let mut bench = device();
    let who = sender(1);
    bench.start(who, &start(who, 1, "exec", "k=v\n")).unwrap();
    bench.end(who, &end(who, 1, 150, "")).unwrap();
    let mut same = whole(who, 1, "exec");
    same.start = start(who, 1, "exec", "k=v\n");
    bench.whole(who, &same).unwrap();
    let records = exported(&mut bench);
    let without_number = |kept: &Kept| {
        let lines = kept.fields.lines().filter(|line| !line.starts_with("seq="));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_number(&records[0]), without_number(&records[1]));
}

#[test]
fn a_child_keeps_its_parent_and_the_trace_of_its_root() {
    let mut bench = device();
    let who = life(sender(1), 0x00ab_cdef);
    let root = start(who, 1, "root", "");
    let child = SpanStart { trace: root.trace, parent: root.span, ..start(who, 2, "child", "") };
    bench.start(who, &root).unwrap();
    bench.start(who, &child).unwrap();
    bench.end(who, &end(who, 2, 110, "")).unwrap();
    bench.end(who, &end(who, 1, 120, "")).unwrap();
    let records = exported(&mut bench);
    let keys = ["name", "trace", "span", "parent", "incarnation"];
    let trace = "00000009abcdef00525f194500000001";
    let (one, two) = ("0000500100000001", "0000500100000002");
    assert_eq!(fields(&records[0], keys), ["child", trace, two, one, "11259375"]);
    assert_eq!(fields(&records[1], keys), ["root", trace, one, "-", "11259375"]);
}

#[test]
fn attributes_of_start_and_end_are_merged_and_the_end_holds() {
    let mut bench = device();
    let who = sender(1);
    bench.start(who, &start(who, 1, "exec", "b=1\nd=1\nf=1\n")).unwrap();
    bench.end(who, &end(who, 1, 110, "a=2\nd=2\ng=2\n")).unwrap();
    let records = exported(&mut bench);
    let attrs = records[0].fields.lines().filter(|line| line.starts_with("attr."));
    let attrs = attrs.collect::<Vec<_>>();
    assert_eq!(attrs, ["attr.a=2", "attr.b=1", "attr.d=2", "attr.f=1", "attr.g=2"]);
}

#[test]
fn the_spans_of_a_life_that_ends_are_abandoned_with_its_reason() {
    let reasons = [
        (ExitReason::Exited(3), "exit:3"),
        (ExitReason::Exited(-1), "exit:-1"),
        (ExitReason::Killed(9), "signal:9"),
        (ExitReason::Disconnected, "disconnected"),
    ];
    for (reason, said) in reasons {
        let mut bench = device();
        let (first, second) = (life(sender(1), 1), life(sender(1), 2));
        for who in [first, second] {
            bench.start(who, &start(who, 1, "same", "")).unwrap();
            bench.start(who, &start(who, 2, "same", "")).unwrap();
        }
        bench.now = Mono(500);
        bench.gone(first, reason);
        assert_eq!(bench.spans.len(), 2, "the other life's spans live on");
        bench.end(second, &end(second, 1, 110, "")).unwrap();
        assert_eq!(bench.end(first, &end(first, 2, 110, "")), Err(Reason::NotFound));
        let records = exported(&mut bench);
        let keys = ["status", "reason", "end_ns", "dur_ns", "incarnation", "span"];
        let abandoned = |span| ["abandoned", said, "500", "400", "1", span].map(str::to_owned);
        assert_eq!(fields(&records[0], keys), abandoned("0000500100000001"));
        assert_eq!(fields(&records[1], keys), abandoned("0000500100000002"));
        assert_eq!(fields(&records[2], keys)[..2], ["ok", "-"]);
        assert_eq!(records[0].level, Level::Warn);
    }
}

#[test]
fn a_span_older_than_spans_may_be_is_abandoned_by_metricsds_clock() {
    let ttl = recipe().metricsd.span_ttl;
    let mut bench = device();
    let who = sender(1);
    let begun = bench.now;
    let ahead = SpanStart { start_ns: u64::MAX, ..start(who, 1, "ahead", "") };
    bench.start(who, &ahead).unwrap();
    bench.run_for(Nanos(10_000_000));
    bench.start(who, &start(who, 2, "later", "")).unwrap();
    assert_eq!(bench.spans.deadline(), Some(begun.after(ttl)));
    bench.run_for(Nanos(ttl.0 - 10_000_001));
    assert_eq!(bench.spans.len(), 2);
    bench.run_for(Nanos(1));
    assert_eq!(bench.spans.len(), 1);
    assert_eq!(bench.end(who, &end(who, 1, 1, "")), Err(Reason::NotFound));
    bench.run_for(Nanos::from_secs(1));
    let keys = ["name", "status", "reason", "dur_ns"];
    assert_eq!(fields(&bench.records("spans")[0], keys), ["ahead", "abandoned", "ttl", "0"]);
    assert_eq!(bench.spans.deadline(), None);
}

#[test]
fn spans_of_a_sender_that_loses_its_seat_are_abandoned() {
    let mut recipe = recipe();
    recipe.metricsd.senders = 2;
    let mut bench = bench(&recipe);
    for id in 1..=3 {
        bench.now = bench.now.after(Nanos(5));
        let who = sender(id);
        bench.start(who, &start(who, 1, "live", "")).unwrap();
    }
    assert_eq!(bench.spans.len(), 2);
    let records = exported(&mut bench);
    let keys = ["origin", "status", "reason"];
    assert_eq!(fields(&records[0], keys), ["0000000000005001", "abandoned", "evicted"]);
    assert_eq!(live_of(&bench, sender(3)), 1);
}

#[test]
fn losses_among_the_abandoned_of_an_evicted_sender_are_counted_in_their_row() {
    let mut recipe = recipe();
    recipe.metricsd.senders = 1;
    recipe.metricsd.export.queue_bytes = 4096;
    recipe.metricsd.spans_per_sender = 64;
    let mut bench = bench(&recipe);
    bench.journal.mood = Mood::Away;
    let (first, second) = (sender(1), sender(2));
    for local in 1..=64 {
        bench.start(first, &start(first, local, "live", "")).unwrap();
    }
    bench.start(second, &start(second, 1, "live", "")).unwrap();
    let dropped = bench.dropped(SenderSlot::EVICTED);
    assert!(dropped > 0);
    assert_eq!(dropped, bench.exporter.state().spans_dropped);
}

#[test]
fn a_resumed_life_ends_its_spans_and_goes_on_with_its_traces() {
    let mut bench = device();
    let (before, after) = (life(sender(1), 4), life(sender(1), 5));
    bench.start(before, &start(before, 1, "root", "")).unwrap();
    let owner = bench.owner(after);
    bench.spans.resume(owner.slot, before.incarnation, after);
    let child =
        SpanStart { trace: start(after, 1, "root", "").trace, ..start(after, 2, "child", "") };
    bench.start(after, &child).unwrap();
    bench.end(after, &end(after, 2, 110, "")).unwrap();
    bench.end(after, &end(after, 1, 120, "")).unwrap();
    bench.start(after, &start(after, 3, "open", "")).unwrap();
    bench.gone(before, ExitReason::Disconnected);
    assert_eq!(bench.spans.len(), 1, "the earlier number names no life");
    bench.gone(after, ExitReason::Disconnected);
    let records = exported(&mut bench);
    assert_eq!(records.len(), 3);
    assert_eq!(records[0].get("trace"), records[1].get("trace"));
    assert!(records.iter().all(|kept| kept.get("incarnation") == Some("4")));
}

#[test]
fn live_spans_are_shown_page_by_page() {
    let mut bench = device();
    let who = life(sender(1), 6);
    for local in 1..=9 {
        bench.start(who, &start(who, local, "live", "k=v\n")).unwrap();
    }
    bench.end(who, &end(who, 4, 110, "")).unwrap();
    let id = |local: u64| (0x5001, 6, 0x5001_0000_0000 + local, "live".to_owned());
    let all = [1, 2, 3, 5, 6, 7, 8, 9].map(id);
    assert_eq!(live(&bench, 4096), all);
    assert_eq!(live(&bench, 200), all);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_table_agrees_with_a_map(
        steps in proptest::collection::vec((0..8u8, 1..4u64, 1..3u32, 0..6u32), 1..300),
    ) {
        let mut recipe = recipe();
        recipe.metricsd.export.queue_bytes = 1 << 20;
        let mut bench = bench(&recipe);
        bench.journal.mood = Mood::Stopped;
        let mut model = BTreeMap::new();
        for (what, id, incarnation, local) in steps {
            let who = life(sender(id), incarnation);
            // All in one bucket of the index, whatever its size.
            let local = 1 + local * (1 << 20);
            let key = (id, incarnation, local);
            match what {
                0..4 => {
                    let name = format!("{local}");
                    let taken = bench.start(who, &start(who, local, &name, "k=v\n"));
                    prop_assert_eq!(taken.is_ok(), !model.contains_key(&key));
                    model.entry(key).or_insert(name);
                }
                4..7 => {
                    let ended = bench.end(who, &end(who, local, 9, "k=w\n"));
                    prop_assert_eq!(ended.is_ok(), model.remove(&key).is_some());
                }
                _ => {
                    bench.gone(who, ExitReason::Disconnected);
                    model.retain(|(of, life, _), _| (*of, *life) != (id, incarnation));
                }
            }
            prop_assert_eq!(bench.spans.len() as usize, model.len());
        }
        let shown = live(&bench, 4096);
        let shown = shown.into_iter().map(|(service, life, span, name)| {
            ((service - 0x5000, life, (span & 0xffff_ffff) as u32), name)
        });
        prop_assert_eq!(shown.collect::<BTreeMap<_, _>>(), model);
        for id in 1..4 {
            for incarnation in 1..3 {
                bench.gone(life(sender(id), incarnation), ExitReason::Disconnected);
            }
        }
        prop_assert_eq!(bench.spans.len(), 0);
        prop_assert_eq!(bench.spans.deadline(), None);
    }
}

#[test]
fn ids_are_those_of_the_contract() {
    for (service, span, trace, third) in [
        (43605, 187_282_048_942_081, 5_935_712_496_051_552_258, 187_282_048_942_083),
        (
            1_311_768_467_463_790_320,
            11_150_031_899_836_022_785,
            14_475_580_426_648_813_570,
            11_150_031_899_836_022_787,
        ),
    ] {
        let service = ServiceId::from_raw(service);
        let who = Sender::stamped(service, 1, Incarnation::new(1), Rights::NONE);
        let mut bench = device();
        let first = SpanStart {
            span: SpanId::from_raw(span),
            trace: TraceId::from_raw(trace),
            attrs: AttrBytes::new(&[]).unwrap(),
            ..start(who, 1, "first", "")
        };
        bench.start(who, &first).unwrap();
        let second = SpanStart { span: SpanId::from_raw(third), parent: first.span, ..first };
        bench.start(who, &second).unwrap();
        bench.gone(who, ExitReason::Disconnected);
        let records = exported(&mut bench);
        let trace = format!("0000000900000100{trace:016x}");
        assert_eq!(records[0].get("trace"), Some(trace.as_str()));
        assert_eq!(records[1].get("parent"), Some(format!("{span:016x}").as_str()));
    }
}
