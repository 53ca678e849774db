use nexus_abi::{Incarnation, Rights, ServiceId};
use nexus_wire::logs::{
    AppendBatchWriter, AppendReply, BatchReply, ClockAnchor, Found, Head, HelloReply, NewRecord,
    Op, QueryWriter, Record, RecordText, Refusal, Request, Search, SearchWriter, StatsReply,
    Version, encode, encode_anchors, encode_status,
};
use nexus_wire::{AuditReply, Fields, Level, LogStatus, RecordId};

use crate::examples::{Examples, ledger_row};

const V1: Head = Head { version: Version::V1, nonce: 0 };
const V2: Head = Head { version: Version::V2, nonce: 21 };

fn record() -> NewRecord<'static> {
    NewRecord { level: Level::Error, scope: "execd", message: "crash", fields: b"code=42\npid=7\n" }
}

fn stored() -> Record<'static> {
    Record {
        id: RecordId(9),
        ts_ns: 1_000_000_000,
        service: ServiceId::from_name("execd"),
        level: Level::Error,
        scope: "execd",
        message: "crash",
        fields: Fields::parse(b"code=42\npid=7\n").unwrap(),
    }
}

fn gap() -> Record<'static> {
    let fields = b"count=3\nfirst_id=1\nfirst_ns=10\nlast_id=5\nlast_ns=50\n";
    Record {
        id: RecordId(5),
        ts_ns: 50,
        level: Level::Warn,
        scope: "logd",
        message: "gap",
        fields: Fields::parse(fields).unwrap(),
        ..stored()
    }
}

pub(crate) fn all() -> Examples {
    let mut examples = Examples::new();
    for head in [V1, V2] {
        examples.extend(field_requests(head));
        examples.extend(field_replies(head));
    }
    examples.extend(own_requests());
    examples.extend(own_replies());
    for (op, name, status) in [
        (Op::Append, "APPEND", LogStatus::RateLimited),
        (Op::Query, "QUERY", LogStatus::Denied),
        (Op::AppendBatch, "APPEND_BATCH", LogStatus::OverLimit),
    ] {
        let refusal = Refusal { head: V2, op, status };
        let frame = refusal.encode(3, &mut [0; 64]).unwrap().to_vec();
        examples.push((format!("logd v2 {name} refusal"), frame));
    }
    examples
}

fn named(head: Head, name: &str, frame: &[u8]) -> (String, Vec<u8>) {
    let version = if head.version == Version::V1 { 1 } else { 2 };
    (format!("logd v{version} {name}"), frame.to_vec())
}

fn request(head: Head, name: &str, request: &Request<'_>) -> (String, Vec<u8>) {
    named(head, &format!("{name} request"), encode(request, head, &mut [0; 512]).unwrap())
}

fn field_requests(head: Head) -> Examples {
    let mut text = [0; size_of::<RecordText>()];
    vec![
        request(head, "APPEND", &Request::Append(record().join(&mut text).unwrap())),
        request(head, "QUERY", &Request::Query { since_ns: 1_000_000_000, max: 16 }),
        request(head, "STATS", &Request::Stats),
    ]
}

fn field_replies(head: Head) -> Examples {
    let mut out = [0; 2048];
    let out = &mut out[..];
    let ok = LogStatus::Ok;
    let append = AppendReply { id: RecordId(9), dropped: 3 };
    let stats = StatsReply {
        total: 9,
        dropped: 3,
        cap_records: 4096,
        cap_bytes: 1_048_576,
        used_records: 6,
        used_bytes: 300,
    };
    let mut query = QueryWriter::new(head, ok, 9, 3, out);
    assert!(query.record(&stored()));
    let query = query.finish().unwrap().to_vec();
    vec![
        named(head, "APPEND reply", append.encode(head, ok, out).unwrap()),
        named(head, "QUERY reply", &query),
        named(head, "STATS reply", stats.encode(head, ok, out).unwrap()),
    ]
}

fn own_requests() -> Examples {
    let search = Search {
        boot: 2,
        id: RecordId(5),
        service: Some(ServiceId::from_name("execd")),
        max: 50,
        level_max: Level::Warn,
        gaps: true,
        scope: "exec",
        pair: Fields::parse(b"pid=7\n").unwrap(),
        ..Search::ALL
    };
    let mut out = [0; 256];
    let mut batch = AppendBatchWriter::new(V2.nonce, &mut out);
    assert!(batch.record(&record()));
    let bare = NewRecord { level: Level::Info, scope: "s", message: "m", fields: b"" };
    assert!(batch.record(&bare));
    vec![
        request(V2, "HELLO", &Request::Hello),
        named(V2, "APPEND_BATCH request", batch.finish().unwrap()),
        request(V2, "SEARCH", &Request::Search(search)),
        request(V2, "AUDIT", &Request::Audit { cursor: 0 }),
        request(V2, "STATUS", &Request::Status),
        request(V2, "ANCHORS", &Request::Anchors),
    ]
}

fn own_replies() -> Examples {
    let mut out = [0; 2048];
    let out = &mut out[..];
    let hello = HelloReply {
        boot: 2,
        service: ServiceId::from_name("execd"),
        incarnation: Incarnation::new(13),
        rights: Rights::QUERY,
        events_per_s: 200,
        bytes_per_s: 65_536,
        now_ns: 5_000_000_000,
    };
    let batch = BatchReply {
        boot: 2,
        accepted: 1,
        refused: 1,
        first_refused: 1,
        why: LogStatus::InvalidArgs,
        first_id: RecordId(10),
        last_id: RecordId(10),
    };
    let mut search = SearchWriter::new(V2.nonce, 2, 9, 3, out);
    assert!(search.found(&Found::Gap(gap())) && search.found(&Found::Record(stored())));
    let search = search.finish(RecordId(9), true).unwrap().to_vec();
    let state = Fields::parse(b"boot=2\nready=1\n").unwrap();
    let anchor = ClockAnchor { boot: 2, mono_ns: 1000, wall_ns: 1_700_000_000_000_000_000 };
    let rows = std::iter::once(ledger_row());
    vec![
        named(V2, "HELLO reply", hello.encode(V2, out).unwrap()),
        named(V2, "APPEND_BATCH reply", batch.encode(V2, out).unwrap()),
        named(V2, "SEARCH reply", &search),
        named(V2, "AUDIT reply", AuditReply::encode_logd(V2, 0, rows, out).unwrap()),
        named(V2, "STATUS reply", encode_status(V2, state, out).unwrap()),
        named(V2, "ANCHORS reply", encode_anchors(V2, std::iter::once(anchor), out).unwrap()),
    ]
}
