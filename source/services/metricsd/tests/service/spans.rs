use nexus_abi::{ExitReason, Sender};
use nexus_wire::metrics::{Reply, Request, SpanEnd, SpanStart, decode_reply};
use nexus_wire::{
    AttrBytes, MetricStatus, Reason, SpanId, SpanStatus, TraceId, markers, metrics::Op,
};

use crate::common::{Bench, life, name_of, reader, recipe, secs, sender};

fn start(who: Sender, local: u32) -> SpanStart<'static> {
    SpanStart {
        span: SpanId::new(who.service(), local),
        trace: TraceId::new(who.service(), local),
        parent: SpanId::NONE,
        start_ns: 5,
        name: name_of("exec.path"),
        attrs: AttrBytes::new(b"bundle=demo\n").unwrap(),
    }
}

fn begin(bench: &mut Bench, who: Sender, local: u32) -> MetricStatus {
    bench.status_of(who, &Request::SpanStart(start(who, local)))
}

fn finish(bench: &mut Bench, who: Sender, local: u32) -> MetricStatus {
    let span = SpanId::new(who.service(), local);
    let (status, attrs) = (SpanStatus::Ok, AttrBytes::new(&[]).unwrap());
    bench.status_of(who, &Request::SpanEnd(SpanEnd { span, end_ns: 9, status, attrs }))
}

/// Live spans of a sender, as SPANS shows them.
fn live(bench: &mut Bench, of: Sender) -> Vec<SpanId> {
    let (mut cursor, mut all) = (0, Vec::new());
    loop {
        let (_, reply) = bench.ask(reader(), &Request::Spans { cursor });
        let Some((_, Reply::Spans(spans))) = decode_reply(Op::Spans, 9, &reply) else {
            panic!("no SPANS reply");
        };
        let own = spans.spans().filter(|span| span.service == of.service());
        all.extend(own.map(|span| span.start.span));
        cursor = spans.next_cursor;
        if cursor == 0 {
            return all;
        }
    }
}

#[test]
fn test_reject_live_span_cap_exceeded() {
    let recipe = recipe(&[("spans_per_sender", "12")]);
    let mut bench = Bench::new(&recipe);
    let (greedy, modest) = (sender("execd"), sender("timed"));
    assert_eq!(begin(&mut bench, modest, 1), MetricStatus::Ok);
    for local in 1..=12 {
        assert_eq!(begin(&mut bench, greedy, local), MetricStatus::Ok);
    }
    let before = (live(&mut bench, greedy), live(&mut bench, modest));
    assert_eq!((before.0.len(), before.1.len()), (12, 1));
    let accepted = bench.ledger(greedy).accepted;

    assert_eq!(begin(&mut bench, greedy, 13), MetricStatus::OverLimit);
    assert_eq!(begin(&mut bench, greedy, 14), MetricStatus::OverLimit);

    assert_eq!(bench.refusals(greedy, Reason::OverLimit), 2);
    assert_eq!(bench.ledger(greedy).accepted, accepted);
    assert_eq!(bench.refusals(modest, Reason::OverLimit), 0);
    assert_eq!((live(&mut bench, greedy), live(&mut bench, modest)), before);
    let reject = |line: &&String| *line == markers::METRICSD_REJECT_OVER_LIMIT;
    assert_eq!(bench.printed.iter().filter(reject).count(), 1, "once per reason");

    assert_eq!(finish(&mut bench, greedy, 13), MetricStatus::NotFound);
    assert_eq!(finish(&mut bench, greedy, 1), MetricStatus::Ok);
    assert_eq!(begin(&mut bench, greedy, 13), MetricStatus::Ok, "a place is free again");
    assert_eq!(begin(&mut bench, modest, 2), MetricStatus::Ok);
}

#[test]
fn test_reject_live_spans_beyond_the_floors_of_others() {
    let recipe = recipe(&[("senders", "16"), ("spans", "80"), ("spans_per_sender", "80")]);
    let floor = recipe.metricsd.spans_floor;
    let common = 80 - 15 * floor;
    let mut bench = Bench::new(&recipe);
    let greedy = sender("execd");
    for local in 1..=common {
        assert_eq!(begin(&mut bench, greedy, local), MetricStatus::Ok);
    }
    assert_eq!(begin(&mut bench, greedy, 99), MetricStatus::OverLimit);
    for other in ["timed", "policyd", "statefsd"] {
        for local in 1..=floor {
            assert_eq!(begin(&mut bench, sender(other), local), MetricStatus::Ok);
        }
        assert_eq!(begin(&mut bench, sender(other), 99), MetricStatus::OverLimit);
    }
    assert_eq!(live(&mut bench, greedy).len(), common as usize);
}

#[test]
fn spans_of_a_lost_connection_live_until_their_life_can_no_longer_be_resumed() {
    let recipe = recipe(&[("session_grace", "\"5 s\"")]);
    let mut bench = Bench::new(&recipe);
    let (first, second) = (life("execd", 1), life("execd", 2));
    assert_eq!(begin(&mut bench, first, 1), MetricStatus::Ok);
    assert_eq!(begin(&mut bench, second, 1), MetricStatus::Ok);
    bench.gone(first, ExitReason::Disconnected);
    bench.pause(secs(4));
    bench.wake();
    assert_eq!(live(&mut bench, first).len(), 2);
    bench.pause(secs(1));
    bench.wake();
    assert_eq!(live(&mut bench, first).len(), 1);
    bench.gone(second, ExitReason::Killed(9));
    assert_eq!(live(&mut bench, first).len(), 0, "a dead process resumes nothing");
    assert_eq!(finish(&mut bench, second, 1), MetricStatus::NotFound);
}

#[test]
fn spans_expire_by_the_time_that_wakes_the_service() {
    let recipe = recipe(&[("span_ttl", "\"60 s\"")]);
    let mut bench = Bench::new(&recipe);
    let who = sender("execd");
    assert_eq!(begin(&mut bench, who, 1), MetricStatus::Ok);
    for _ in 0..6001 {
        bench.pause(10_000_000);
        bench.wake();
    }
    assert_eq!(live(&mut bench, who).len(), 0);
}
