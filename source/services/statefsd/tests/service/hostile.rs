use nexus_abi::Rights;
use nexus_wire::FileStatus;
use nexus_wire::files::{self, Op, Reply, Request, decode_reply};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::rig::{NAME, RECIPE, Rig, SECTORS};

#[test]
fn who_has_no_share_is_denied_everything_and_learns_nothing() {
    let mut rig = Rig::new();
    let stranger = rig.world.client("stranger", Rights::from_raw(255));
    assert_eq!(rig.replace(rig.metricsd, "a", b"1"), FileStatus::Ok);
    for op in Op::ALL {
        for body in [&[][..], &[1, 0, b'a'], &[0; 40]] {
            let frame = [&[b'S', b'F', 1, op.raw(), 7, 0, 0, 0], body].concat();
            let answer = rig.world.call(stranger, NAME, &frame).unwrap();
            let expected = files::plain_reply(op.raw(), FileStatus::Denied, 7);
            assert_eq!(answer, expected);
        }
    }
    assert_eq!(rig.service().strangers(), 3 * Op::ALL.len() as u64);
}

#[test]
fn malformed_frames_are_refused_counted_and_told_of_once() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    for frame in [
        &b""[..],
        b"S",
        b"SF\x01\x02",
        b"LO\x02\x01\0\0\0\0",
        b"SF\x02\x01\0\0\0\0",
        b"SF\x01\x63\0\0\0\0",
    ] {
        let answer = rig.world.call(me, NAME, frame).unwrap();
        assert_eq!(answer[4], FileStatus::InvalidArgs.raw(), "{frame:?}");
    }
    let too_long = b"SF\x01\x02\x09\0\0\0\xff\0";
    assert_eq!(rig.world.call(me, NAME, too_long).unwrap()[4], FileStatus::OverLimit.raw());
    assert_eq!(rig.hello(me).unwrap().refused, 7);
    let rejects = ["statefsd: reject invalid_args", "statefsd: reject over_limit"];
    assert_eq!(rig.lines()[2..], rejects);
}

#[test]
fn names_that_lead_elsewhere_are_no_names() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    for name in ["../logd/x", "..", ".", "a/../b", "/a", "a/", "a//b", "A", "a b", ""] {
        let head = [b'S', b'F', 1, Op::Stat.raw(), 9, 0, 0, 0, name.len() as u8, 0];
        let answer = rig.world.call(me, NAME, &[&head, name.as_bytes()].concat()).unwrap();
        let reply = decode_reply(Op::Stat, 9, &answer);
        assert_eq!(reply, Some((FileStatus::InvalidArgs, Reply::Plain)), "{name}");
    }
}

#[test]
fn a_flood_is_refused_by_its_budget_and_leaves_others_theirs() {
    const TIGHT: &str = "events_per_s = 10\nevents_burst = 20\n";
    let recipe = RECIPE.replace("events_per_s = 100000\nevents_burst = 100000\n", TIGHT);
    let disk = simkit::Disk::new(SECTORS);
    let mut rig = Rig::with(1, Box::leak(recipe.into_boxed_str()), Some(disk));
    let (one, other) = (rig.metricsd, rig.logd);
    let answers = (0..100).map(|_| rig.status(one, &Request::Hello)).collect::<Vec<_>>();
    let limited = answers.iter().filter(|status| **status == FileStatus::RateLimited).count();
    assert_eq!(limited, 80);
    assert_eq!(rig.status(other, &Request::Hello), FileStatus::Ok);
    rig.seconds(1);
    assert_eq!(rig.hello(one).unwrap().refused, 80);
    assert_eq!(rig.lines()[2..], ["statefsd: reject rate_limited"]);
}

/// A legal head or none, and anything behind it.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let body = || vec(prop_oneof![0u8..4, 97u8..100, any::<u8>()], 0..60);
    let headed = (0u8..13, body())
        .prop_map(|(op, body)| [&[b'S', b'F', 1, op, 1, 0, 0, 0][..], &body].concat());
    prop_oneof![8 => headed, 1 => body()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_is_sent_is_answered_once_and_others_are_served(frames in vec(frame(), 1..60)) {
        let mut rig = Rig::new();
        let (one, other) = (rig.metricsd, rig.logd);
        prop_assert_eq!(rig.replace(other, "mine", b"value"), FileStatus::Ok);
        for frame in &frames {
            rig.world.send(one, NAME, frame).unwrap();
        }
        rig.world.settle();
        prop_assert_eq!(rig.world.replies(one).len(), frames.len());
        prop_assert_eq!(rig.read(other, "mine").unwrap(), b"value");
        prop_assert_eq!(rig.sync(other), FileStatus::Ok);
    }
}
