//! The case of sessions in the simulated world, where all endpoints record in the name of the
//! first; and worlds in which it must fail.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dsoftbusd::{Dsoftbusd, Says};
use entropyd::Entropyd;
use guest::{Alteration, Lie, Rough, Twin};
use nexus_port::{Service, Token};
use nexus_recipe::{Keyring, Keys, Policy};
use nexus_wire::policy::{Decision, decode_reply, reply};
use policyd::Policyd;
use selftest_client::SESSIONS;
use simkit::World;

#[path = "services/counts.rs"]
mod counts;
mod hosted;

use counts::Counts;
use hosted::{Hosted, expected, fails};

const KEYS: &str = include_str!("../../../../recipes/system/keys.toml");
const POLICY: &str = include_str!("../../../../recipes/system/policy.toml");

const HOSTS: [&str; 6] =
    ["dsoftbusd", "policyd", "entropyd", "dsoftbusd-peer", "dsoftbusd-rough", "dsoftbusd-stranger"];

/// The keys of an endpoint as it has them in the image: the stranger has another's private one.
fn ring(name: &str) -> Keyring {
    let keys = Keys::parse(KEYS).unwrap();
    let has = if name == "dsoftbusd-stranger" { "dsoftbusd-rough" } else { name };
    Keyring { name: name.to_owned(), ..keys.ring(has).unwrap() }
}

fn policyd() -> Policyd {
    Policyd::new(&Policy::parse(POLICY).unwrap())
}

fn endpoint(name: &str) -> Dsoftbusd {
    let says = if name == "dsoftbusd" { Says::LOCAL } else { Says::PEER };
    Dsoftbusd::new(&ring(name), says)
}

/// All of them as they are in the image.
fn spawn(world: &mut World) {
    world.spawn("policyd", |_| policyd());
    world.spawn("dsoftbusd", |_| endpoint("dsoftbusd"));
    spawn_others(world, true, endpoint);
}

/// Those whom dsoftbusd needs, but for policyd.
fn spawn_others<S: Service + 'static>(
    world: &mut World,
    is_rough: bool,
    peer: impl Fn(&str) -> S + 'static,
) {
    world.spawn("entropyd", |_| Entropyd::new(Counts(1)));
    world.spawn("dsoftbusd-peer", move |_| peer("dsoftbusd-peer"));
    for name in ["dsoftbusd-rough", "dsoftbusd-stranger"] {
        world.spawn(name, move |_| Rough::new(endpoint(name), is_rough));
    }
}

fn proven(altered: Option<Alteration>) -> (bool, Vec<String>) {
    Hosted::new(&HOSTS, spawn, altered).prove(SESSIONS)
}

#[test]
fn sessions_are_carried_and_what_is_told_of_them_comes_back() {
    assert_eq!(proven(None), expected(SESSIONS));
}

#[test]
fn numbers_of_sessions_that_are_not_exactly_what_was_done_are_no_proof() {
    for (of, key, honest, told) in [
        ("dsoftbusd_requests_total", "value", Some("8"), Some("9")),
        ("dsoftbusd_requests_total", "label.outcome", Some("replayed"), Some("ok")),
        ("dsoftbusd_sessions_ended_total", "value", Some("3"), Some("2")),
        ("dsoftbusd_sessions", "value", Some("1"), Some("0")),
        ("dsoftbusd_handshake_ns", "count", Some("8"), Some("7")),
        ("dsoftbusd_handshake_ns", "origin", None, Some("00000000000000ab")),
    ] {
        let altered = Some(Alteration { of, key, honest, told });
        fails(&SESSIONS[0], &proven(altered), &format!("{of} {key}"));
    }
}

/// Allows whatever is asked.
#[derive(Clone, Copy)]
struct Lax;

impl Lie for Lax {
    fn reply(world: &mut impl nexus_port::World, token: Token, frame: &[u8]) {
        let nonce = u32::from_le_bytes(frame[5..9].try_into().unwrap());
        let decided = decode_reply(nonce, frame).is_some();
        if decided {
            world.reply(token, &reply(nonce, Decision::Allowed))
        }
    }
}

/// Says that whatever it refuses was done.
#[derive(Clone, Copy)]
struct Flattering;

impl Lie for Flattering {
    fn reply(world: &mut impl nexus_port::World, token: Token, frame: &[u8]) {
        let mut told = frame.to_vec();
        told[4] = 0;
        world.reply(token, &told);
    }
}

#[test]
fn a_policy_that_allows_everything_is_found() {
    let spawn = |world: &mut World| {
        world.spawn("policyd", |_| Twin { service: policyd(), lie: Lax });
        world.spawn("dsoftbusd", |_| endpoint("dsoftbusd"));
        spawn_others(world, true, endpoint);
    };
    fails(&SESSIONS[0], &Hosted::new(&HOSTS, spawn, None).prove(SESSIONS), "lax");
}

#[test]
fn a_line_that_spoils_nothing_is_found() {
    let spawn = |world: &mut World| {
        world.spawn("policyd", |_| policyd());
        world.spawn("dsoftbusd", |_| endpoint("dsoftbusd"));
        spawn_others(world, false, endpoint);
    };
    fails(&SESSIONS[0], &Hosted::new(&HOSTS, spawn, None).prove(SESSIONS), "smooth");
}

#[test]
fn an_endpoint_that_says_it_has_refused_nothing_is_found() {
    let ours = |world: &mut World| {
        world.spawn("policyd", |_| policyd());
        world.spawn("dsoftbusd", |_| Twin { service: endpoint("dsoftbusd"), lie: Flattering });
        spawn_others(world, true, endpoint);
    };
    fails(&SESSIONS[0], &Hosted::new(&HOSTS, ours, None).prove(SESSIONS), "ours");
    let theirs = |world: &mut World| {
        world.spawn("policyd", |_| policyd());
        world.spawn("dsoftbusd", |_| endpoint("dsoftbusd"));
        spawn_others(world, true, |name| Twin { service: endpoint(name), lie: Flattering });
    };
    fails(&SESSIONS[0], &Hosted::new(&HOSTS, theirs, None).prove(SESSIONS), "theirs");
}
