//! The frames of the field, each answered as the field answers it.

use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_wire::LogStatus;
use nexus_wire::logs::{Head, Op, Reply, Version, decode_reply};

use crate::rig::*;

struct Vector {
    line: String,
    frame: Vec<u8>,
    sender: Sender,
    now_ns: u64,
    status: u8,
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../../../libs/nexus-wire/tests/vectors/logd.jsonl");
    text.lines().filter_map(vector).collect()
}

/// A line, if it is a request.
fn vector(line: &str) -> Option<Vector> {
    let json = serde_json::from_str::<serde_json::Value>(line).unwrap();
    if json["dir"] != "request" {
        return None;
    }
    let args = &json["args"];
    let number = |key: &str| args[key].as_str().unwrap().parse::<u64>().unwrap();
    let service = ServiceId::from_raw(number("sender_service_id"));
    let hex = json["hex"].as_str().unwrap();
    let byte = |at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
    Some(Vector {
        line: line.to_owned(),
        frame: (0..hex.len() / 2).map(byte).collect(),
        sender: Sender::stamped(service, 1, Incarnation::new(1), Rights::QUERY),
        now_ns: number("now_ns"),
        status: json["status"].as_u64().unwrap_or(0) as u8,
    })
}

/// Which reply a frame is to get, told from its bytes alone.
fn expected_shape(frame: &[u8]) -> (Op, Head) {
    let v1 = Head { version: Version::V1, nonce: 0 };
    let [b'L', b'O', version, op, ..] = *frame else { return (Op::Stats, v1) };
    let nonce = frame.get(4..12).map_or(0, |nonce| u64::from_le_bytes(nonce.try_into().unwrap()));
    let head = if version == 2 { Head { version: Version::V2, nonce } } else { v1 };
    (Op::from_raw(op).unwrap_or(Op::Stats), head)
}

#[test]
fn every_frame_of_the_field_gets_its_status_in_its_shape() {
    let vectors = vectors();
    assert!(vectors.len() >= 19, "{}", vectors.len());
    let mut rig = Rig::new(&recipe());
    let mut stored = rig.stats().total;
    for Vector { line, frame, sender, now_ns, status } in vectors {
        rig.now.0 = SECOND + now_ns;
        let reply = rig.raw(sender, &frame);
        let (op, head) = expected_shape(&frame);
        let (answered, reply) = decode_reply(op, head, &reply).expect(&line);
        assert_eq!(answered.raw(), status, "{line}");
        match (op, reply) {
            (Op::Append, Reply::Append(reply)) if answered == LogStatus::Ok => {
                stored += 1;
                assert_eq!(reply.id.0, stored, "{line}");
            }
            (Op::Append, Reply::Append(reply)) => assert_eq!(reply.id.0, 0, "{line}"),
            (Op::Query, Reply::Query(records)) => {
                assert!(answered == LogStatus::Ok || records.iter().count() == 0, "{line}");
            }
            (Op::Stats, Reply::Stats(_)) => {}
            (_, other) => panic!("{line}: {other:?}"),
        }
    }
    assert_eq!(rig.stats().total, stored, "what was refused is not stored");
    assert!(stored > 3);
}
