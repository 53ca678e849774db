use nexus_bounded::Mono;
use nexus_wire::timers::{
    Frame, Op, Qos, Refusal, Reply, Request, TimerId, TimerStatus, encode, encode_refusal,
    encode_reply,
};

use crate::examples::Examples;

const NONCE: u32 = 7;
const QOS: Qos = Qos::Normal;
const DEADLINE: Mono = Mono(10_000_001);
const COALESCED: Mono = Mono(12_000_000);

pub(crate) fn all() -> Examples {
    let request = |name: &str, request| {
        let mut out = [0; 32];
        let frame = encode(&Frame { nonce: NONCE, request }, &mut out).unwrap().to_vec();
        (format!("timed {name} request"), frame)
    };
    let reply = |name: &str, reply| {
        let frame = encode_reply(NONCE, &reply, &mut [0; 32]).unwrap().to_vec();
        (format!("timed {name} reply"), frame)
    };
    let refusal = |name: &str, op, status| {
        let refusal = Refusal { nonce: NONCE, op, status };
        let frame = encode_refusal(&refusal, &mut [0; 32]).unwrap().to_vec();
        (format!("timed {name} refusal"), frame)
    };
    let timer = TimerId(1);
    vec![
        request("REGISTER", Request::Register { qos: QOS, deadline: DEADLINE }),
        reply("REGISTER", Reply::Registered { timer, coalesced: COALESCED }),
        refusal("REGISTER", Op::Register, TimerStatus::OverLimit),
        request("CANCEL", Request::Cancel { timer }),
        reply("CANCEL", Reply::Cancelled),
        refusal("CANCEL", Op::Cancel, TimerStatus::NotFound),
        request("SLEEP_UNTIL", Request::SleepUntil { qos: QOS, deadline: DEADLINE }),
        reply("SLEEP_UNTIL", Reply::Woken { at: Mono(12_000_345) }),
    ]
}
