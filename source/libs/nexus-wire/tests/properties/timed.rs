//! Frames of timed.

use nexus_bounded::Mono;
use nexus_wire::timers::{
    Frame, Op, Qos, REPLY_BYTES_MAX, Refusal, Reply, Request, TimerId, TimerStatus, decode,
    decode_reply, encode, encode_refusal, encode_reply,
};
use proptest::prelude::*;

fn requests() -> impl Strategy<Value = Request> {
    let timers = (prop::sample::select(Qos::ALL), any::<u64>());
    let timers = timers.prop_map(|(qos, deadline)| (qos, Mono(deadline)));
    prop_oneof![
        timers.clone().prop_map(|(qos, deadline)| Request::Register { qos, deadline }),
        timers.prop_map(|(qos, deadline)| Request::SleepUntil { qos, deadline }),
        any::<u32>().prop_map(|timer| Request::Cancel { timer: TimerId(timer) }),
    ]
}

fn replies() -> impl Strategy<Value = (Op, Reply)> {
    prop_oneof![
        (any::<u32>(), any::<u64>()).prop_map(|(timer, at)| {
            (Op::Register, Reply::Registered { timer: TimerId(timer), coalesced: Mono(at) })
        }),
        Just((Op::Cancel, Reply::Cancelled)),
        any::<u64>().prop_map(|at| (Op::SleepUntil, Reply::Woken { at: Mono(at) })),
    ]
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(nonce: u32, request in requests(), cut in 0usize..18) {
        let frame = Frame { nonce, request };
        let mut out = [0; 32];
        let bytes = encode(&frame, &mut out).unwrap();
        prop_assert_eq!(decode(bytes), Ok(frame));
        prop_assert!(decode(&bytes[..cut.min(bytes.len() - 1)]).is_err());
        prop_assert!(decode(&[bytes, &[0]].concat()).is_err());
    }

    #[test]
    fn a_reply_is_read_as_it_was_written(nonce: u32, (op, reply) in replies(), cut in 0usize..21) {
        let mut out = [0; REPLY_BYTES_MAX];
        let bytes = encode_reply(nonce, &reply, &mut out).unwrap();
        prop_assert_eq!(decode_reply(op, nonce, bytes), Some((TimerStatus::Ok, reply)));
        prop_assert_eq!(decode_reply(op, nonce.wrapping_add(1), bytes), None);
        prop_assert_eq!(decode_reply(op, nonce, &bytes[..cut.min(bytes.len() - 1)]), None);
    }

    #[test]
    fn whatever_comes_gets_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Err(refusal) = decode(&bytes) {
            let Refusal { nonce, op, status } = refusal;
            let mut out = [0; REPLY_BYTES_MAX];
            let reply = encode_refusal(&refusal, &mut out).unwrap();
            let says = decode_reply(op, nonce, reply).map(|(status, _)| status);
            prop_assert_eq!(says, Some(status));
        }
        for op in Op::ALL {
            let _nothing = decode_reply(*op, 0, &bytes);
        }
    }

    #[test]
    fn a_deadline_never_comes_earlier(qos in prop::sample::select(Qos::ALL), deadline: u64) {
        match qos.coalesced(Mono(deadline)) {
            Some(at) => {
                prop_assert!(at.0 >= deadline && at.0 - deadline < qos.window().0);
                prop_assert_eq!(at.0 % qos.window().0, 0);
            }
            None => prop_assert!(deadline > u64::MAX - qos.window().0),
        }
    }
}
