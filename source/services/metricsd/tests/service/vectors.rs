//! The field's own frames, through the whole service.

use crate::common::{Bench, roomy};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use serde_json::Value;

const VECTORS: &str = include_str!("../../../../libs/nexus-wire/tests/vectors/metricsd.jsonl");

fn bytes(line: &Value, key: &str) -> Vec<u8> {
    let hex = line[key].as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn requests() -> Vec<Value> {
    let lines = VECTORS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["dir"] == "request" && line["op"] != "encode_reject").collect()
}

/// The sender whose span ids the vectors carry.
fn sender() -> Sender {
    Sender::stamped(ServiceId::from_raw(0x1234), 1, Incarnation::new(1), Rights::NONE)
}

#[test]
fn malformed_frames_of_the_field_get_the_fields_answers() {
    let malformed = requests().into_iter().filter(|line| line["valid"] == false);
    let mut bench = Bench::new(&roomy(&[]));
    let mut count = 0;
    for line in malformed {
        let reply = bench.raw(sender(), &bytes(&line, "hex"));
        assert_eq!(reply, bytes(&line, "response_hex"), "{line}");
        count += 1;
    }
    assert_eq!(count, 23);
    assert_eq!(bench.ledger(sender()).refused_total(), count);
}

#[test]
fn legal_frames_of_the_field_are_taken_unless_an_id_is_foreign() {
    let mut bench = Bench::new(&roomy(&[]));
    let mut statuses = Vec::new();
    for line in requests().iter().filter(|line| line["valid"] == true) {
        let frame = bytes(line, "hex");
        let reply = bench.raw(sender(), &frame);
        assert_eq!((reply.len(), &reply[..3], reply[3]), (9, &b"MT\x01"[..], frame[3] | 0x80));
        assert_eq!(reply[5..], frame[4..8], "the nonce");
        statuses.push((line["op"].as_str().unwrap().to_owned(), reply[4]));
    }
    let of = |op: &str| {
        let found = statuses.iter().filter(|(name, _)| name == op);
        found.map(|(_, status)| *status).collect::<Vec<_>>()
    };
    assert_eq!(of("counter_inc"), [0, 0]);
    assert_eq!(of("gauge_set"), [0, 0, 0, 0]);
    assert_eq!(of("hist_observe"), [0, 0]);
    // Trace 77 is nobody's, span 0 is none.
    assert_eq!(of("span_start"), [1, 1]);
    assert_eq!(of("span_end"), [4, 4]);
    assert_eq!(of("ping"), [0, 0]);
    assert_eq!(bench.one(sender(), "sched.wakeups", "svc=timed\n").value, 3);
    let gauge = bench.one(sender(), "sched.depth", "svc=selftest-client\n");
    assert_eq!(gauge.value, i128::from(i64::MIN));
}
