//! Frames of policyd.

use nexus_abi::ServiceId;
use nexus_wire::bundles::{BUNDLE_NAME_BYTES_MAX, BundleName};
use nexus_wire::policy::{
    Action, Check, Decision, Frame, Object, PolicyStatus, REQUEST_BYTES_MAX, Refusal, decode,
    decode_reply, encode, refusal, reply,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_check_is_read_as_it_was_written(
        nonce: u32,
        subject: u64,
        action in prop::sample::select(Action::ALL),
        object in "[a-z0-9_./-]{0,64}",
        cut in 0usize..82,
    ) {
        let object = Object::new(&object).unwrap();
        let check = Check { subject: ServiceId::from_raw(subject), action, object };
        let frame = Frame { nonce, check };
        let mut out = [0; REQUEST_BYTES_MAX];
        let bytes = encode(&frame, &mut out).unwrap();
        prop_assert_eq!(decode(bytes), Ok(frame));
        prop_assert!(decode(&bytes[..cut.min(bytes.len() - 1)]).is_err());
        prop_assert!(decode(&[bytes, b"a"].concat()).is_err());
    }

    #[test]
    fn a_decision_is_read_as_it_was_written(
        nonce: u32,
        decision in prop::sample::select(Decision::ALL),
        status in prop::sample::select(PolicyStatus::ALL),
        cut in 0usize..10,
    ) {
        let bytes = reply(nonce, decision);
        prop_assert_eq!(decode_reply(nonce, &bytes), Some(Ok(decision)));
        prop_assert_eq!(decode_reply(nonce.wrapping_add(1), &bytes), None);
        prop_assert_eq!(decode_reply(nonce, &bytes[..cut]), None);
        if status != PolicyStatus::Ok {
            let mut bytes = refusal(Refusal { nonce, status });
            prop_assert_eq!(decode_reply(nonce, &bytes), Some(Err(status)));
            bytes[9] = Decision::Allowed.raw();
            prop_assert_eq!(decode_reply(nonce, &bytes), None, "a refusal allows nothing");
        }
    }

    #[test]
    fn whatever_comes_gets_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Err(refused) = decode(&bytes) {
            let says = decode_reply(refused.nonce, &refusal(refused));
            prop_assert_eq!(says, Some(Err(refused.status)));
        }
        let _nothing = decode_reply(0, &bytes);
    }
}

#[test]
fn a_length_beyond_its_bound_is_over_limit_whatever_stands_behind_it() {
    let check = Check {
        subject: ServiceId::from_name("a"),
        action: Action::Spawn,
        object: Object::new("demo").unwrap(),
    };
    let mut out = [0; REQUEST_BYTES_MAX];
    let mut bytes = encode(&Frame { nonce: 9, check }, &mut out).unwrap().to_vec();
    for (len, status) in [(65, PolicyStatus::OverLimit), (3, PolicyStatus::InvalidArgs)] {
        bytes[17] = len;
        assert_eq!(decode(&bytes), Err(Refusal { nonce: 9, status }));
    }
}

#[test]
fn an_object_is_a_path_or_a_name() {
    for text in ["", "demo.hello", "a/b-c_d/", &"a".repeat(64)] {
        assert!(Object::new(text).is_some(), "{text}");
    }
    for text in ["A", "a b", "a\n", "ä", &"a".repeat(65)] {
        assert!(Object::new(text).is_none(), "{text}");
    }
    let longest = "a".repeat(BUNDLE_NAME_BYTES_MAX);
    for text in ["demo.hello", &longest] {
        let name = BundleName::new(text).unwrap();
        assert_eq!(Object::new(text), Some(Object::from(name)));
    }
}
