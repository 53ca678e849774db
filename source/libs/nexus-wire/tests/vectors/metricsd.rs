use nexus_abi::ServiceId;
use nexus_wire::metrics::{
    self, Frame, Op, Reply, Request, SpanEnd, SpanStart, Update, decode_reply, plain_reply,
};
use nexus_wire::{
    AttrBytes, LabelBytes, MetricName, MetricStatus, NameBytes, SpanId, SpanName, SpanStatus,
    TraceId,
};

use crate::json::Line;

/// Checks a line and says what it was.
pub(crate) fn check(line: &Line) -> &'static str {
    match (line.top("dir"), line.top("op")) {
        ("ids", _) => ids(line),
        (_, "encode_reject") => constructor_refuses(line),
        ("request", "invalid") => invalid_request(line),
        ("request", _) => request(line),
        ("response", "invalid") => invalid_reply(line),
        ("response", _) => reply(line),
        other => panic!("no such lines: {other:?}"),
    }
}

fn op(name: &str) -> Op {
    match name {
        "counter_inc" => Op::CounterInc,
        "gauge_set" => Op::GaugeSet,
        "hist_observe" => Op::HistObserve,
        "span_start" => Op::SpanStart,
        "span_end" => Op::SpanEnd,
        "ping" => Op::Ping,
        _ => panic!("no such operation: {name}"),
    }
}

fn update<'a, V: TryFrom<i128>>(line: &'a Line, value: &str) -> Update<'a, V> {
    Update {
        name: NameBytes::new(line.text("name").as_bytes()).unwrap(),
        labels: LabelBytes::new(line.text("labels").as_bytes()).unwrap(),
        value: line.int(value),
    }
}

fn attrs(line: &Line) -> AttrBytes<'_> {
    AttrBytes::new(line.text("attrs").as_bytes()).unwrap()
}

fn request_in(line: &Line) -> Request<'_> {
    match op(line.top("op")) {
        Op::CounterInc => Request::CounterInc(update(line, "delta")),
        Op::GaugeSet => Request::GaugeSet(update(line, "value")),
        Op::HistObserve => Request::HistObserve(update(line, "value")),
        Op::SpanStart => Request::SpanStart(SpanStart {
            span: SpanId::from_raw(line.int("span_id")),
            trace: TraceId::from_raw(line.int("trace_id")),
            parent: SpanId::from_raw(line.int("parent_span_id")),
            start_ns: line.int("start_ns"),
            name: NameBytes::new(line.text("name").as_bytes()).unwrap(),
            attrs: attrs(line),
        }),
        Op::SpanEnd => Request::SpanEnd(SpanEnd {
            span: SpanId::from_raw(line.int("span_id")),
            end_ns: line.int("end_ns"),
            status: SpanStatus::from_raw(line.int("status")).unwrap(),
            attrs: attrs(line),
        }),
        _ => Request::Ping,
    }
}

fn request(line: &Line) -> &'static str {
    assert!(line.valid());
    let frame = line.frame();
    let expected = Frame { nonce: line.int("nonce"), request: request_in(line) };
    assert_eq!(metrics::decode(&frame), Ok(expected));
    let mut buffer = [0; 512];
    assert_eq!(metrics::encode(&expected.request, expected.nonce, &mut buffer), Ok(&*frame));
    "request"
}

fn invalid_request(line: &Line) -> &'static str {
    let refusal = metrics::decode(&line.frame()).unwrap_err();
    assert_eq!(u64::from(refusal.status.raw()), line.status());
    assert_eq!(plain_reply(refusal.op, refusal.status, refusal.nonce).to_vec(), line.response());
    "invalid request"
}

fn reply(line: &Line) -> &'static str {
    let (op, nonce) = (op(line.top("op")), line.int("nonce"));
    let status = MetricStatus::from_raw(line.int("status")).unwrap();
    assert_eq!(status.name(), line.text("status_name"));
    assert_eq!(line.top("decode_status_response"), format!("Ok({})", status.raw()));
    assert_eq!(plain_reply(op.raw(), status, nonce).to_vec(), line.frame());
    let frame = line.frame();
    let decoded = decode_reply(op, nonce, &frame);
    assert!(matches!(decoded, Some((got, Reply::Plain)) if got == status));
    "reply"
}

/// The vectors tell two errors apart; to a client of ours both mean: not the reply to wait for.
fn invalid_reply(line: &Line) -> &'static str {
    assert!(line.top("decode_status_response").starts_with("Err("));
    let op = Op::from_raw(line.int("expected_op")).unwrap();
    assert!(decode_reply(op, line.int("expected_nonce"), &line.frame()).is_none());
    "invalid reply"
}

/// What cannot be made cannot be encoded: bounds lie in the types.
fn constructor_refuses(line: &Line) -> &'static str {
    assert!(line.says("encode_error"));
    let long = "n".repeat(49);
    let refused = match line.text("why") {
        "MetricName::new empty" => MetricName::new("").is_none(),
        "MetricName::new 49 bytes" => MetricName::new(&long).is_none(),
        "SpanName::new empty" => SpanName::new("").is_none(),
        "SpanName::new 49 bytes" => SpanName::new(&long).is_none(),
        "labels 193 bytes" => LabelBytes::new(&[b'l'; 193]).is_none(),
        "attrs 193 bytes" => AttrBytes::new(&[b'a'; 193]).is_none(),
        other => panic!("no such constructor: {other}"),
    };
    assert!(refused);
    "encode_reject"
}

fn ids(line: &Line) -> &'static str {
    let service = ServiceId::from_raw(line.int("sender_service_id"));
    assert_eq!(SpanId::new(service, 1).raw(), line.int::<u64>("span1"));
    assert_eq!(TraceId::new(service, 2).raw(), line.int::<u64>("trace2"));
    assert_eq!(SpanId::new(service, 3).raw(), line.int::<u64>("span3"));
    "ids"
}
