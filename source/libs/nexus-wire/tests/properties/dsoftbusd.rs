//! Frames of dsoftbusd, of endpoints among themselves, and of entropyd.

use nexus_bounded::Mono;
use nexus_wire::sessions::line::{
    self, HELLO_BYTES, Kind, SEALED_BYTES_MAX, Sealed, WELCOME_BYTES,
};
use nexus_wire::sessions::{
    EndpointName, Op, Reply, Request, SESSION_BYTES_MAX, SessionId, SessionStatus, decode,
    decode_reply, encode, encode_answer, encode_opened, plain_reply,
};
use nexus_wire::{Echo, entropy, sessions};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(
        nonce: u32,
        session: u32,
        peer in "[a-z0-9_./-]{1,64}",
        bytes in vec(any::<u8>(), 0..100),
        which in 0usize..3,
        cut: Index,
    ) {
        let (peer, session) = (EndpointName::new(&peer).unwrap(), SessionId(session));
        let bytes = &bytes[..];
        let request = [
            Request::Open { peer },
            Request::Ask { session, bytes },
            Request::Close { session },
        ][which];
        let mut out = [0; 128];
        let frame = encode(&request, nonce, &mut out).unwrap();
        let echo = Echo { op: request.op().raw(), nonce };
        prop_assert_eq!(decode(frame), Ok(sessions::Frame { echo, request }));
        prop_assert!(decode(&frame[..cut.index(frame.len())]).is_err());
        prop_assert!(decode(&[frame, &[0]].concat()).is_err());
    }

    #[test]
    fn a_reply_is_read_as_it_was_written(
        nonce: u32,
        session: u32,
        bytes in vec(any::<u8>(), 0..100),
        status in prop::sample::select(SessionStatus::ALL),
        cut: Index,
    ) {
        let mut out = [0; 128];
        let opened = encode_opened(SessionId(session), nonce, &mut out).unwrap().to_vec();
        let answer = encode_answer(&bytes, nonce, &mut out).unwrap();
        let says = |op, frame| decode_reply(op, nonce, frame);
        let opened_reply = Some((SessionStatus::Ok, Reply::Opened(SessionId(session))));
        prop_assert_eq!(says(Op::Open, &opened), opened_reply);
        prop_assert_eq!(says(Op::Ask, answer), Some((SessionStatus::Ok, Reply::Answer(&bytes))));
        prop_assert_eq!(says(Op::Ask, &answer[..cut.index(answer.len())]), None);
        prop_assert_eq!(says(Op::Open, answer), None);
        prop_assert_eq!(decode_reply(Op::Ask, nonce.wrapping_add(1), answer), None);
        for op in Op::ALL.iter().copied().filter(|_| status != SessionStatus::Ok) {
            let plain = plain_reply(Echo { op: op.raw(), nonce }, status);
            prop_assert_eq!(decode_reply(op, nonce, &plain), Some((status, Reply::Plain)));
        }
    }

    #[test]
    fn what_endpoints_say_is_read_as_it_was_written(
        nonce: u32,
        session: u32,
        counter: u64,
        suite: u8,
        hello in any::<[u8; 32]>(),
        bytes in vec(any::<u8>(), 0..100),
        is_carried: bool,
        cut: Index,
    ) {
        let (sealed, session) = (Sealed { counter, bytes: &bytes }, SessionId(session));
        let hello = core::array::from_fn::<u8, HELLO_BYTES, _>(|at| hello[at % 32]);
        let welcome = core::array::from_fn::<u8, WELCOME_BYTES, _>(|at| hello[at]);
        let (request, reply) = if is_carried {
            (line::Request::Carry { session, sealed }, line::Reply::Carried(sealed))
        } else {
            let handshake = line::Request::Handshake { suite, hello: &hello };
            (handshake, line::Reply::Welcome { suite, welcome: &welcome })
        };
        let mut out = [0; 256];
        let frame = line::encode(&request, nonce, &mut out).unwrap();
        let echo = Echo { op: request.op().raw(), nonce };
        prop_assert!(line::is_line(frame));
        prop_assert_eq!(line::decode(frame), Ok(line::Frame { echo, request }));
        prop_assert!(line::decode(&frame[..cut.index(frame.len())]).is_err());
        prop_assert!(line::decode(&[frame, &[0]].concat()).is_err());
        let frame = line::encode_reply(&reply, echo, &mut out).unwrap();
        let says = |frame| line::decode_reply(request.op(), nonce, frame);
        prop_assert_eq!(says(frame), Some((SessionStatus::Ok, reply)));
        prop_assert_eq!(says(&frame[..cut.index(frame.len())]), None);
        let plain = line::plain_reply(echo, SessionStatus::Replayed);
        prop_assert_eq!(says(&plain), Some((SessionStatus::Replayed, line::Reply::Plain)));
    }

    #[test]
    fn what_is_inside_is_read_as_it_was_written(
        at: u64,
        session: u32,
        kind in prop::sample::select(Kind::ALL),
        bytes in vec(any::<u8>(), 0..50),
    ) {
        prop_assert_eq!(line::read_hello(&line::inside_hello(Mono(at))), Some(Mono(at)));
        let welcome = line::inside_welcome(SessionId(session));
        prop_assert_eq!(line::read_welcome(&welcome), Some(SessionId(session)));
        prop_assert_eq!(line::read_welcome(&welcome[1..]), None);
        let mut out = [0; 64];
        let inside = line::inside(kind, &bytes, &mut out).unwrap();
        prop_assert_eq!(line::read_inside(inside), Some((kind, &bytes[..])));
    }

    #[test]
    fn entropy_is_read_as_it_was_written(
        nonce: u32,
        bytes in vec(any::<u8>(), 1..=256),
        status in prop::sample::select(entropy::EntropyStatus::ALL),
        cut: Index,
    ) {
        let count = bytes.len() as u16;
        let echo = Echo { op: entropy::Op::Get.raw(), nonce };
        let asked = entropy::decode(&entropy::request(nonce, count));
        prop_assert_eq!(asked, Ok(entropy::Frame { echo, count }));
        let mut out = [0; entropy::REPLY_BYTES_MAX];
        let frame = entropy::encode_reply(&bytes, nonce, &mut out).unwrap();
        prop_assert_eq!(entropy::decode_reply(nonce, frame), Some(Ok(&bytes[..])));
        prop_assert_eq!(entropy::decode_reply(nonce, &frame[..cut.index(frame.len())]), None);
        if status != entropy::EntropyStatus::Ok {
            let plain = entropy::plain_reply(echo, status);
            prop_assert_eq!(entropy::decode_reply(nonce, &plain), Some(Err(status)));
        }
    }

    #[test]
    fn whatever_comes_gets_an_answer(
        magic in prop::sample::select(&["", "SB\x01\x01", "SL\x01\x02", "EN\x01\x01"][..]),
        bytes in vec(any::<u8>(), 0..60),
    ) {
        let frame = [magic.as_bytes(), &bytes].concat();
        if let Err(sessions::Refusal { echo, status }) = decode(&frame) {
            prop_assert_ne!(status, SessionStatus::Ok);
            prop_assert_eq!(plain_reply(echo, status)[4], status.raw());
        }
        if let Err(line::Refusal { echo, status }) = line::decode(&frame) {
            prop_assert_eq!(line::plain_reply(echo, status)[4], status.raw());
        }
        if let Err(entropy::Refusal { echo, status }) = entropy::decode(&frame) {
            prop_assert_eq!(entropy::plain_reply(echo, status)[4], status.raw());
        }
        let _nothing = (decode_reply(Op::Ask, 0, &frame), line::read_inside(&frame));
        let _nothing = line::decode_reply(line::Op::Carry, 0, &frame);
    }
}

#[test]
fn a_length_beyond_its_bound_is_over_limit_whatever_stands_behind_it() {
    let session = SessionId(1);
    let long = vec![0; SESSION_BYTES_MAX + 1];
    let mut out = [0; 8192];
    assert!(encode(&Request::Ask { session, bytes: &long }, 9, &mut out).is_err());
    assert!(line::inside(Kind::Data, &long, &mut out).is_err());
    let mut ask = encode(&Request::Ask { session, bytes: b"" }, 9, &mut out).unwrap().to_vec();
    ask[12..14].copy_from_slice(&(SESSION_BYTES_MAX as u16 + 1).to_le_bytes());
    let status = |frame: &[u8]| decode(frame).unwrap_err().status;
    assert_eq!(status(&ask), SessionStatus::OverLimit);
    let sealed = Sealed { counter: 0, bytes: &[] };
    let mut carry =
        line::encode(&line::Request::Carry { session, sealed }, 9, &mut out).unwrap().to_vec();
    carry[20..22].copy_from_slice(&(SEALED_BYTES_MAX as u16 + 1).to_le_bytes());
    assert_eq!(line::decode(&carry).unwrap_err().status, SessionStatus::OverLimit);
    let hello = line::Request::Handshake { suite: 1, hello: &[0; HELLO_BYTES] };
    let mut hello = line::encode(&hello, 9, &mut out).unwrap().to_vec();
    hello[9] += 1;
    assert_eq!(line::decode(&hello).unwrap_err().status, SessionStatus::OverLimit);
}

#[test]
fn the_longest_of_everything_fits_a_frame() {
    let (session, bytes) = (SessionId(u32::MAX), &[7; SESSION_BYTES_MAX][..]);
    let mut out = [0; nexus_abi::FRAME_BYTES_MAX];
    assert!(encode(&Request::Ask { session, bytes }, 1, &mut out).is_ok());
    assert!(encode_answer(bytes, 1, &mut out).is_ok());
    let sealed = Sealed { counter: u64::MAX, bytes: &[7; SEALED_BYTES_MAX] };
    assert!(line::encode(&line::Request::Carry { session, sealed }, 1, &mut out).is_ok());
    let echo = Echo { op: 2, nonce: 1 };
    assert!(line::encode_reply(&line::Reply::Carried(sealed), echo, &mut out).is_ok());
}

#[test]
fn an_endpoint_has_a_name() {
    assert!(EndpointName::new("dsoftbusd-peer").is_some());
    for text in ["", "A", "a b", &"a".repeat(65)] {
        assert!(EndpointName::new(text).is_none(), "{text}");
    }
}
