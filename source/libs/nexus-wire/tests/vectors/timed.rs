use nexus_bounded::Mono;
use nexus_wire::timers::{
    Frame, Op, Qos, Reply, Request, TimerId, TimerStatus, decode, decode_reply, encode,
    encode_reply,
};
use nexus_wire::{logs, metrics};

use crate::json::Line;

/// Checks a line and says what it was.
pub(crate) fn check(line: &Line) -> &'static str {
    match (line.top("dir"), line.top("op")) {
        ("state", "coalesced_deadline") => deadline(line),
        ("request", "register") => request(line),
        ("response", "register") => reply(line),
        other => panic!("no such lines: {other:?}"),
    }
}

fn qos(line: &Line) -> Qos {
    Qos::from_raw(line.int("qos")).unwrap()
}

fn deadline(line: &Line) -> &'static str {
    let coalesced = qos(line).coalesced(Mono(line.int("deadline_ns")));
    assert_eq!(format!("{:?}", coalesced.map(|at| at.0)), line.top("result"));
    "deadline"
}

fn request(line: &Line) -> &'static str {
    assert!(line.valid());
    let bytes = line.frame();
    let request = Request::Register { qos: qos(line), deadline: Mono(line.int("deadline_ns")) };
    let frame = Frame { nonce: line.int("nonce"), request };
    assert_eq!(decode(&bytes), Ok(frame));
    assert_eq!(encode(&frame, &mut [0; 32]), Ok(&*bytes));
    assert!(metrics::decode(&bytes).is_err() && logs::decode(&bytes).is_err());
    "request"
}

fn reply(line: &Line) -> &'static str {
    assert!(line.valid());
    let (bytes, nonce) = (line.frame(), line.int("nonce"));
    let timer = TimerId(line.int("timer_id"));
    let reply = Reply::Registered { timer, coalesced: Mono(line.int("coalesced_ns")) };
    let status = TimerStatus::from_raw(line.int("status")).unwrap();
    assert_eq!(decode_reply(Op::Register, nonce, &bytes), Some((status, reply)));
    assert_eq!(encode_reply(nonce, &reply, &mut [0; 32]), Ok(&*bytes));
    "reply"
}
