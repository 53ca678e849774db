//! Frames written by hand, over the sockets: the field's own vectors get the field's own answers.

use nexus_rt::linux::client::Connection;

use crate::support::{Folder, daemons};

/// What the vectors of a protocol say of frames that are sent to it.
struct Vector {
    frame: Vec<u8>,
    status: Option<u8>,
    reply: Option<Vec<u8>>,
    line: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn requests(vectors: &str) -> Vec<Vector> {
    let objects = vectors.lines().map(|line| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        (object, line.to_owned())
    });
    let requests = objects
        .filter(|(object, _)| object["dir"] == "request" && object.get("encode_error").is_none());
    let vector = |(object, line): (serde_json::Value, String)| Vector {
        frame: bytes(object["hex"].as_str().unwrap()),
        status: object.get("status").and_then(|status| u8::try_from(status.as_u64()?).ok()),
        reply: object.get("response_hex").and_then(|hex| hex.as_str()).map(bytes),
        line,
    };
    requests.map(vector).collect()
}

/// Sends every vector to `daemon` on one connection; every one must be answered, and as it says.
fn assert_answers(daemon: &str, vectors: &str, at_least: usize) {
    let folder = Folder::new("raw");
    let _daemons = daemons(&folder);
    let mut connection = Connection::open(&folder.0, daemon).unwrap();
    let vectors = requests(vectors);
    assert!(vectors.len() >= at_least, "vectors are missing");
    for vector in vectors {
        let mut reply = [0; 4096];
        let len = connection.call(&vector.frame, &mut reply).unwrap();
        let reply = &reply[..len];
        assert_eq!(reply[..2], *if daemon == "logd" { b"LO" } else { b"MT" });
        if let Some(status) = vector.status {
            assert_eq!(reply[4], status, "{}", vector.line);
        }
        if let Some(expected) = &vector.reply {
            assert_eq!(reply, expected, "{}", vector.line);
        }
    }
}

#[test]
fn metricsd_answers_the_vectors_of_the_field() {
    let vectors = include_str!("../../../../source/libs/nexus-wire/tests/vectors/metricsd.jsonl");
    assert_answers("metricsd", vectors, 30);
}

#[test]
fn logd_answers_the_vectors_of_the_field() {
    let vectors = include_str!("../../../../source/libs/nexus-wire/tests/vectors/logd.jsonl");
    assert_answers("logd", vectors, 15);
}
