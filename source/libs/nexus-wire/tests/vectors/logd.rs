use nexus_wire::logs::{
    self, Frame, Head, NewRecord, Op, RecordText, Reply, Request, StatsReply, Version, decode_reply,
};
use nexus_wire::{Fields, Level, LogStatus};

use crate::json::Line;

/// Checks a line and says what it was.
pub(crate) fn check(line: &Line) -> &'static str {
    match (line.top("dir"), line.top("op")) {
        ("request", "invalid") => invalid_request(line),
        ("request", _) => request(line),
        ("response", "stats_response_v1" | "stats_response_v2") => stats_reply(line),
        other => panic!("no such lines: {other:?}"),
    }
}

/// Version by the name of the operation, nonce by the arguments where they have one. A STATS
/// request of version 1 has neither.
fn head(line: &Line) -> Head {
    let version = if line.top("op").ends_with("_v2") { Version::V2 } else { Version::V1 };
    let nonce = if line.has("nonce") { line.int("nonce") } else { 0 };
    if line.has("ver") {
        assert_eq!(line.int::<u8>("ver"), if version == Version::V1 { 1 } else { 2 });
    }
    Head { version, nonce }
}

fn request_in<'a>(line: &'a Line, text: &'a mut RecordText) -> Request<'a> {
    match line.top("op") {
        "append_v1" | "append_v2" => {
            let record = NewRecord {
                level: Level::from_raw(line.int("level")).unwrap(),
                scope: line.text("scope"),
                message: line.text("message"),
                fields: line.text("fields").as_bytes(),
            };
            Request::Append(record.join(text).unwrap())
        }
        "query_v1" | "query_v2" => {
            Request::Query { since_ns: line.int("since_nsec"), max: line.int("max_count") }
        }
        "stats_v1" => Request::Stats,
        other => panic!("no such operation: {other}"),
    }
}

fn request(line: &Line) -> &'static str {
    assert!(line.valid());
    let frame = line.frame();
    let mut text = [0; size_of::<RecordText>()];
    let expected = Frame { head: head(line), request: request_in(line, &mut text) };
    assert_eq!(logs::decode(&frame), Ok(expected));
    let mut buffer = [0; 1024];
    assert_eq!(logs::encode(&expected.request, expected.head, &mut buffer), Ok(&*frame));
    if let Request::Append(record) = expected.request {
        let canonical = Fields::parse_claimless(record.fields()).is_ok();
        assert_eq!(line.status(), if canonical { 0 } else { 4 });
    }
    "request"
}

/// The vectors have no bytes of these replies; their shape is what the contract says in prose.
fn invalid_request(line: &Line) -> &'static str {
    assert!(!line.says("response_hex"));
    let frame = line.frame();
    let refusal = logs::decode(&frame).unwrap_err();
    assert_eq!(u64::from(refusal.status.raw()), line.status());
    let mut buffer = [0; 64];
    let encoded = refusal.encode(3, &mut buffer).unwrap();
    let (status, reply) = decode_reply(refusal.op, refusal.head, encoded).unwrap();
    assert_eq!(status, refusal.status);
    match (frame.get(3), reply) {
        (Some(1), Reply::Append(append)) => assert_eq!((append.id.0, append.dropped), (0, 3)),
        (Some(2), Reply::Query(records)) => {
            assert_eq!((records.total, records.dropped, records.iter().count()), (0, 0, 0));
        }
        (None | Some(9), Reply::Stats(stats)) => assert_eq!(stats, StatsReply::default()),
        other => panic!("answered in another shape: {other:?}"),
    }
    let nonce = if frame.get(2) == Some(&2) { frame.get(4..12) } else { None };
    let nonce = nonce.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    assert_eq!(refusal.head.nonce, nonce);
    assert_eq!(refusal.op == Op::Stats, matches!(frame.get(3), None | Some(9)));
    assert_ne!(status, LogStatus::Ok);
    "invalid request"
}

fn stats_reply(line: &Line) -> &'static str {
    let head = head(line);
    let status = LogStatus::from_raw(line.int("status")).unwrap();
    let expected = StatsReply {
        total: line.int("total"),
        dropped: line.int("dropped"),
        cap_records: line.int("cap_records"),
        cap_bytes: line.int("cap_bytes"),
        used_records: line.int("used_records"),
        used_bytes: line.int("used_bytes"),
    };
    let frame = line.frame();
    let decoded = decode_reply(Op::Stats, head, &frame);
    assert!(
        matches!(decoded, Some((got, Reply::Stats(stats))) if got == status && stats == expected)
    );
    let mut buffer = [0; 64];
    assert_eq!(expected.encode(head, status, &mut buffer), Ok(&*frame));
    "reply"
}
