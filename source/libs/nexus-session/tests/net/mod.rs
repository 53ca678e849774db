//! Endpoints side by side, with entropy that never comes twice and an ear on the line.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_abi::{Incarnation, Life, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, SubmitError, Token, World};
use nexus_recipe::{Keyring, PeerKey};
use nexus_session::{End, Endpoint, Happened, Served, public_key};
use nexus_wire::entropy;
use nexus_wire::sessions::line::{self, Reply, Request, Sealed};
use nexus_wire::sessions::{SessionId, SessionStatus};

pub(crate) const NAMES: [&str; 3] = ["us", "peer", "third"];

pub(crate) fn private(name: &str) -> [u8; 32] {
    let at = NAMES.iter().position(|known| *known == name).unwrap();
    [u8::try_from(at).unwrap() + 1; 32]
}

pub(crate) fn ring(name: &str) -> Keyring {
    let others = NAMES.iter().filter(|other| **other != name);
    let peer =
        |other: &&str| PeerKey { name: (*other).to_owned(), public: public_key(&private(other)) };
    Keyring { name: name.to_owned(), private: private(name), peers: others.map(peer).collect() }
}

pub(crate) fn stamp(name: &str, life: u32) -> Sender {
    Sender::stamped(ServiceId::from_name(name), 7, Incarnation::new(life), Rights::NONE)
}

pub(crate) fn life(owner: u32) -> Life {
    let Sender { id, incarnation, .. } = stamp(&format!("owner{owner}"), 1);
    (id, incarnation)
}

struct Call {
    from: &'static str,
    to: ServiceId,
    id: CallId,
    frame: Vec<u8>,
}

#[derive(Default)]
struct Calls(VecDeque<Call>);

struct Port<'c>(&'static str, &'c mut Calls);

impl World for Port<'_> {
    fn reply(&mut self, _: Token, _: &[u8]) {
        unreachable!("an endpoint replies by its user");
    }

    fn submit(&mut self, to: ServiceId, id: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.1.0.push_back(Call { from: self.0, to, id, frame: frame.to_vec() });
        Ok(())
    }

    fn print(&mut self, _: &str) {
        unreachable!("an endpoint prints by its user");
    }
}

/// What has come of a session, with what its waiter was called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Opened(u32, Result<SessionId, SessionStatus>),
    Answered(u32, Result<Vec<u8>, SessionStatus>),
    Closed(u32),
    Ending(End),
    Ended,
}

fn seen(happened: Happened<'_, u32, u32>) -> Seen {
    match happened {
        Happened::Opened { waiter, opened } => Seen::Opened(waiter, opened.map(|new| new.id)),
        Happened::Answered { waiter, answer } => Seen::Answered(waiter, answer.map(<[u8]>::to_vec)),
        Happened::Closed { waiter } => Seen::Closed(waiter),
        Happened::Ending(how) => Seen::Ending(how),
        Happened::Ended => Seen::Ended,
    }
}

/// What must not be on the line twice.
#[derive(Default)]
pub(crate) struct Ear {
    /// Each handshake has two keys of its own, made of one piece of entropy each.
    ephemeral: BTreeSet<Vec<u8>>,
    /// Counters, by the endpoint that numbers the session, its number, and whether it speaks.
    sealed: BTreeSet<(ServiceId, u32, bool, u64)>,
}

impl Ear {
    /// Hears how a handshake begins, from either side.
    pub(crate) fn key(&mut self, message: &[u8]) {
        assert!(self.ephemeral.insert(message[..32].to_vec()), "a seed serves one handshake");
    }

    fn counter(&mut self, by: ServiceId, SessionId(id): SessionId, speaks: bool, counter: u64) {
        let is_new = self.sealed.insert((by, id, speaks, counter));
        assert!(is_new, "nothing is sealed twice under one counter");
    }

    fn request(&mut self, to: ServiceId, request: &Request<'_>) {
        match request {
            Request::Handshake { hello, .. } => self.key(&hello[..]),
            Request::Carry { session, sealed } => {
                self.counter(to, *session, false, sealed.counter);
            }
        }
    }

    fn reply(&mut self, by: ServiceId, request: &Request<'_>, reply: &Reply<'_>) {
        match (request, reply) {
            (Request::Carry { session, .. }, Reply::Carried(Sealed { counter, .. })) => {
                self.counter(by, *session, true, *counter);
            }
            (_, Reply::Welcome { welcome, .. }) => self.key(&welcome[..]),
            _ => {}
        }
    }
}

pub(crate) struct Net {
    pub(crate) ends: BTreeMap<&'static str, Endpoint<u32, u32>>,
    calls: Calls,
    pub(crate) now: Mono,
    pub(crate) seen: Vec<Seen>,
    pub(crate) ear: Ear,
    entropy: u64,
    /// The next hello, or the next answer that says something, comes changed.
    pub(crate) spoils: Option<line::Op>,
}

impl Net {
    pub(crate) fn new() -> Self {
        let end = |name: &&'static str| (*name, Endpoint::new(&ring(name), CallId(7)));
        let mut net = Self {
            ends: NAMES.iter().map(end).collect(),
            calls: Calls::default(),
            now: Mono(1_000_000),
            seen: Vec::new(),
            ear: Ear::default(),
            entropy: 0,
            spoils: None,
        };
        net.ends.values_mut().for_each(|end| end.begin(net.now));
        net.run();
        net
    }

    pub(crate) fn us(&mut self) -> &mut Endpoint<u32, u32> {
        self.ends.get_mut(NAMES[0]).unwrap()
    }

    /// Lets an endpoint go on after something was done with it.
    pub(crate) fn advance(&mut self, name: &'static str) {
        let end = self.ends.get_mut(name).unwrap();
        let mut port = Port(name, &mut self.calls);
        while let Some(happened) = end.advance(self.now, &mut port) {
            self.seen.push(seen(happened));
        }
        end.check();
    }

    /// Carries calls and their answers until there are none.
    pub(crate) fn run(&mut self) {
        NAMES.iter().for_each(|name| self.advance(name));
        while let Some(call) = self.calls.0.pop_front() {
            let is_entropy = call.to == ServiceId::from_name("entropyd");
            let answer = if is_entropy { self.seeds(&call.frame) } else { self.carry(&call) };
            let end = self.ends.get_mut(call.from).unwrap();
            let happened = end.ended(call.id, Ok(&answer), self.now);
            self.seen.extend(happened.map(seen));
            self.advance(call.from);
        }
    }

    /// Numbers, where the keys that are made of them differ.
    pub(crate) fn seed(&mut self) -> [u8; 32] {
        self.entropy += 1;
        let mut seed = [0; 32];
        seed[8..16].copy_from_slice(&self.entropy.to_le_bytes());
        seed
    }

    fn seeds(&mut self, frame: &[u8]) -> Vec<u8> {
        let entropy::Frame { echo, count } = entropy::decode(frame).unwrap();
        let seeds = (0..count / 32).flat_map(|_| self.seed()).collect::<Vec<_>>();
        entropy::encode_reply(&seeds, echo.nonce, &mut [0; 512]).unwrap().to_vec()
    }

    fn carry(&mut self, call: &Call) -> Vec<u8> {
        let to = NAMES.into_iter().find(|name| ServiceId::from_name(name) == call.to).unwrap();
        let line::Frame { echo, request } = line::decode(&call.frame).unwrap();
        self.ear.request(call.to, &request);
        let mut frame = call.frame.clone();
        if matches!(request, Request::Handshake { .. }) && self.is_spoilt(line::Op::Handshake) {
            *frame.last_mut().unwrap() ^= 1;
        }
        let line::Frame { request: heard, .. } = line::decode(&frame).unwrap();
        let end = self.ends.get_mut(to).unwrap();
        let served = end.serve(stamp(call.from, 1), heard, echoes, self.now);
        let mut out = [0; 4096];
        let mut answer = match served {
            Ok(Served { reply, .. }) => {
                self.ear.reply(call.to, &request, &reply);
                line::encode_reply(&reply, echo, &mut out).unwrap().to_vec()
            }
            Err(status) => line::plain_reply(echo, status).to_vec(),
        };
        self.advance(to);
        let says = matches!(request, Request::Carry { sealed, .. } if sealed.bytes.len() > END);
        if says && self.is_spoilt(line::Op::Carry) {
            *answer.last_mut().unwrap() ^= 1;
        }
        answer
    }

    fn is_spoilt(&mut self, op: line::Op) -> bool {
        self.spoils.take_if(|spoils| *spoils == op).is_some()
    }
}

/// Bytes of an end that is sealed: a kind and a tag.
const END: usize = 17;

/// Answers the same.
pub(crate) fn echoes(asked: &[u8], out: &mut [u8]) -> usize {
    out[..asked.len()].copy_from_slice(asked);
    asked.len()
}
