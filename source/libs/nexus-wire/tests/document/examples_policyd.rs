use nexus_abi::ServiceId;
use nexus_wire::policy::{
    Action, Check, Decision, Frame, Object, PolicyStatus, Refusal, encode, refusal, reply,
};

use crate::examples::Examples;

const NONCE: u32 = 7;

pub(crate) fn all() -> Examples {
    let subject = ServiceId::from_name("metricsd");
    let object = Object::new("demo.hello").unwrap();
    let check = Check { subject, action: Action::Spawn, object };
    let request = encode(&Frame { nonce: NONCE, check }, &mut [0; 64]).unwrap().to_vec();
    let refused = Refusal { nonce: NONCE, status: PolicyStatus::OverLimit };
    [
        ("request", request),
        ("reply", reply(NONCE, Decision::UnknownSubject).to_vec()),
        ("refusal", refusal(refused).to_vec()),
    ]
    .map(|(name, frame)| (format!("policyd CHECK {name}"), frame))
    .into()
}
