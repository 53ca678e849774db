use nexus_bounded::Mono;
use nexus_wire::sessions::line::{self, HELLO_BYTES, SUITE, Sealed, WELCOME_BYTES};
use nexus_wire::sessions::{
    EndpointName, Op, Request, SessionId, SessionStatus, encode, encode_answer, encode_opened,
    plain_reply,
};
use nexus_wire::{Echo, entropy};

use crate::examples::Examples;

const NONCE: u32 = 7;
const SESSION: SessionId = SessionId(3);

pub(crate) fn all() -> Examples {
    let mut examples = local();
    examples.extend(lines());
    examples.extend(entropyd());
    examples
}

fn named(name: &str, frame: &[u8]) -> (String, Vec<u8>) {
    (name.to_owned(), frame.to_vec())
}

fn local() -> Examples {
    let peer = EndpointName::new("peer").unwrap();
    let request = |title: &str, request| {
        let frame = encode(&request, NONCE, &mut [0; 64]).unwrap().to_vec();
        (format!("dsoftbusd {title} request"), frame)
    };
    let closed = Echo { op: Op::Close.raw(), nonce: NONCE };
    vec![
        request("OPEN", Request::Open { peer }),
        named("dsoftbusd OPEN reply", encode_opened(SESSION, NONCE, &mut [0; 32]).unwrap()),
        request("ASK", Request::Ask { session: SESSION, bytes: b"hello" }),
        named("dsoftbusd ASK reply", encode_answer(b"hello", NONCE, &mut [0; 32]).unwrap()),
        request("CLOSE", Request::Close { session: SESSION }),
        named("dsoftbusd CLOSE reply", &plain_reply(closed, SessionStatus::NotFound)),
    ]
}

fn lines() -> Examples {
    let request = |title: &str, request| {
        let frame = line::encode(&request, NONCE, &mut [0; 128]).unwrap().to_vec();
        (format!("line {title} request"), frame)
    };
    let reply = |title: &str, op: line::Op, reply| {
        let echo = Echo { op: op.raw(), nonce: NONCE };
        let frame = line::encode_reply(&reply, echo, &mut [0; 128]).unwrap().to_vec();
        (format!("line {title} reply"), frame)
    };
    let hello = core::array::from_fn::<u8, HELLO_BYTES, _>(|at| at as u8);
    let welcome = core::array::from_fn::<u8, WELCOME_BYTES, _>(|at| at as u8);
    let sealed = Sealed { counter: 1, bytes: &hello[..17] };
    let welcome = line::Reply::Welcome { suite: SUITE, welcome: &welcome };
    let refused = Echo { op: line::Op::Carry.raw(), nonce: NONCE };
    vec![
        request("HANDSHAKE", line::Request::Handshake { suite: SUITE, hello: &hello }),
        reply("HANDSHAKE", line::Op::Handshake, welcome),
        request("CARRY", line::Request::Carry { session: SESSION, sealed }),
        reply("CARRY", line::Op::Carry, line::Reply::Carried(sealed)),
        named("line CARRY refusal", &line::plain_reply(refused, SessionStatus::Replayed)),
    ]
}

fn entropyd() -> Examples {
    let reply = entropy::encode_reply(&[0xa5; 4], NONCE, &mut [0; 32]).unwrap().to_vec();
    vec![
        named("entropyd GET request", &entropy::request(NONCE, 4)),
        ("entropyd GET reply".to_owned(), reply),
    ]
}

#[test]
fn what_a_handshake_is_bound_to_is_as_the_page_has_it() {
    let (from, to) = (EndpointName::new("a").unwrap(), EndpointName::new("bc").unwrap());
    let mut out = [0; line::PROLOGUE_BYTES_MAX];
    let bound = line::prologue(SUITE, from, to, &mut out).unwrap();
    assert_eq!(bound, b"nexus sessions\x01\x01\x01a\x02bc");
    assert_eq!(line::inside_hello(Mono(0x0102)), [2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(line::inside_welcome(SESSION), [3, 0, 0, 0]);
    assert_eq!(line::inside(line::Kind::Data, b"x", &mut [0; 8]).unwrap(), [0, b'x']);
    assert_eq!(line::inside(line::Kind::End, b"", &mut [0; 8]).unwrap(), [1]);
}
