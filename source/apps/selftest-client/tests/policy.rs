//! policyd's case in the simulated world; and worlds in which it must fail.

use guest::{Alteration, Lie, Twin};
use nexus_abi::FRAME_BYTES_MAX;
use nexus_abi::ServiceId;
use nexus_port::{Token, World};
use nexus_recipe::Policy;
use nexus_wire::policy::{Decision, Frame, decode, encode};
use policyd::Policyd;
use selftest_client::POLICY;

mod hosted;

use hosted::{Hosted, expected, fails};

fn hosted(policy: Policy, altered: Option<Alteration>) -> Hosted {
    let spawn = |world: &mut simkit::World| world.spawn("policyd", move |_| Policyd::new(&policy));
    Hosted::new(&["policyd"], spawn, altered)
}

#[test]
fn policyd_decides_by_its_table_and_what_it_counts_and_records_comes_back() {
    let r = hosted(guest::policy(), None).prove(POLICY);
    assert_eq!(r, expected(POLICY));
}

#[test]
fn numbers_of_policyd_that_are_not_exactly_what_it_did_are_no_proof() {
    for (of, key, honest, told) in [
        ("policyd_decisions_total", "value", Some("5"), Some("4")),
        ("policyd_decisions_total", "label.outcome", Some("not_delegate"), Some("allowed")),
        ("policyd_decisions_total", "origin", None, Some("00000000000000ab")),
        ("policyd_refusals_total", "value", Some("8"), Some("9")),
        ("policyd_refusals_total", "unit", None, Some("bytes")),
    ] {
        let altered = Some(Alteration { of, key, honest, told });
        let proven = hosted(guest::policy(), altered).prove(POLICY);
        fails(&POLICY[0], &proven, &format!("{of} {key}"));
    }
}

#[test]
fn a_policy_that_grants_more_or_less_or_records_less_is_not_that_of_the_image() {
    let changed = |change: fn(&mut Policy)| {
        let mut policy = guest::policy();
        change(&mut policy);
        policy
    };
    for (what, policy) in [
        ("reads no logs", changed(|policy| policy.read_logs = [].into())),
        (
            "asks for all",
            changed(|policy| policy.ask_for_others = ["selftest-client".into()].into()),
        ),
        ("records less", changed(|policy| policy.audit.records_burst = 3)),
    ] {
        fails(&POLICY[0], &hosted(policy, None).prove(POLICY), what);
    }
}

/// Allows everything.
#[derive(Clone, Copy)]
struct Lenient;

impl Lie for Lenient {
    fn reply(world: &mut impl World, token: Token, frame: &[u8]) {
        let mut told = frame.to_vec();
        told.iter_mut().skip(9).for_each(|decision| *decision = Decision::Allowed.raw());
        world.reply(token, &told);
    }
}

/// Believes whoever claims to be somebody: what is asked about others it takes for asked by them.
#[derive(Clone, Copy)]
struct Gullible;

impl Lie for Gullible {
    fn request(frame: &mut [u8]) {
        let Ok(Frame { nonce, mut check }) = decode(frame) else { return };
        check.subject = ServiceId::from_name("selftest-client");
        let mut out = [0; FRAME_BYTES_MAX];
        let told = encode(&Frame { nonce, check }, &mut out).unwrap_or_default();
        let told = told.to_vec();
        frame.iter_mut().zip(told).for_each(|(to, from)| *to = from);
    }
}

fn told_by(lie: impl Lie + Copy + 'static) -> (bool, Vec<String>) {
    let make = move |_| Twin { service: Policyd::new(&guest::policy()), lie };
    Hosted::new(&["policyd"], |world| world.spawn("policyd", make), None).prove(POLICY)
}

#[test]
fn a_policyd_that_allows_everything_or_believes_claims_is_found() {
    fails(&POLICY[0], &told_by(Lenient), "lenient");
    fails(&POLICY[0], &told_by(Gullible), "gullible");
}
