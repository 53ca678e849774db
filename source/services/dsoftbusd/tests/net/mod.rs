//! Endpoints side by side, with a policyd and an entropyd that do what the test says, and somebody
//! in the middle who sees and changes what goes between endpoints.

use std::collections::{BTreeMap, VecDeque};

use allocation_counter::{AllocationInfo, measure, opt_out};
use dsoftbusd::{Dsoftbusd, Says};
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, Event, Now, Service as _, SubmitError, Token, World};
use nexus_recipe::{EndpointKeys, Keyring, Keys};
use nexus_session::public_key;
use nexus_wire::sessions::{
    EndpointName, Op, Reply, Request, SessionId, SessionStatus, decode_reply, encode, line,
};
use nexus_wire::{entropy, policy};

pub(crate) const NAMES: [&str; 4] = ["dsoftbusd", "peer", "third", "stranger"];
pub(crate) const READY: &str = "dsoftbusd: ready";

/// What somebody in the middle does to a frame: others, or the same.
pub(crate) type Middle = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

pub(crate) fn id(name: &str) -> ServiceId {
    ServiceId::from_name(name)
}

pub(crate) fn keys() -> Keys {
    let pair = |(name, at): (&&str, u8)| {
        let private = [at; 32];
        EndpointKeys { name: (*name).to_owned(), public: public_key(&private), private }
    };
    Keys { endpoints: NAMES.iter().zip(1..).map(pair).collect() }
}

/// The keys of an endpoint; the stranger's private one is not what others believe.
pub(crate) fn ring(name: &str) -> Keyring {
    let mut ring = keys().ring(name).unwrap();
    if name == "stranger" {
        ring.private = [99; 32];
    }
    ring
}

struct Call {
    from: &'static str,
    to: ServiceId,
    id: CallId,
    frame: Vec<u8>,
}

/// What endpoints have asked for.
#[derive(Default)]
pub(crate) struct Outside {
    calls: VecDeque<Call>,
    pub(crate) replies: BTreeMap<u64, Vec<u8>>,
    pub(crate) lines: Vec<String>,
    away: Vec<ServiceId>,
    /// So many calls find no place.
    pub(crate) busy: u32,
}

struct Port<'o>(&'static str, &'o mut Outside);

impl World for Port<'_> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        let outside = &mut self.1;
        opt_out(|| {
            let known = outside.replies.insert(token.raw(), frame.to_vec());
            assert!(known.is_none(), "one reply each");
        });
    }

    fn submit(&mut self, to: ServiceId, id: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        if self.1.away.contains(&to) {
            return Err(SubmitError::NotReady);
        }
        if self.1.busy > 0 {
            self.1.busy -= 1;
            return Err(SubmitError::Busy);
        }
        let (from, outside) = (self.0, &mut self.1);
        opt_out(|| outside.calls.push_back(Call { from, to, id, frame: frame.to_vec() }));
        Ok(())
    }

    fn print(&mut self, line: &str) {
        let outside = &mut self.1;
        opt_out(|| outside.lines.push(line.to_owned()));
    }
}

pub(crate) struct Net {
    pub(crate) ends: BTreeMap<&'static str, Dsoftbusd>,
    pub(crate) outside: Outside,
    pub(crate) now: u64,
    lives: BTreeMap<&'static str, u32>,
    tokens: u64,
    entropy: u8,
    pub(crate) denies: bool,
    /// Calls to these are never answered.
    pub(crate) mute: Vec<&'static str>,
    pub(crate) to_peer: Option<Middle>,
    pub(crate) from_peer: Option<Middle>,
    /// What went between endpoints, as it was sent.
    pub(crate) seen: Vec<Vec<u8>>,
    /// What endpoints have taken of memory, and given back.
    pub(crate) measured: AllocationInfo,
}

/// One after the other.
fn join(before: AllocationInfo, then: AllocationInfo) -> AllocationInfo {
    let most = |before: i64, then: u64| u64::try_from(before).unwrap_or(0) + then;
    AllocationInfo {
        count_total: before.count_total + then.count_total,
        count_current: before.count_current + then.count_current,
        count_max: before.count_max.max(most(before.count_current, then.count_max)),
        bytes_total: before.bytes_total + then.bytes_total,
        bytes_current: before.bytes_current + then.bytes_current,
        bytes_max: before.bytes_max.max(most(before.bytes_current, then.bytes_max)),
    }
}

impl Net {
    pub(crate) fn new() -> Self {
        let mut net = Self {
            ends: BTreeMap::new(),
            outside: Outside::default(),
            now: 1_000_000,
            lives: BTreeMap::new(),
            tokens: 0,
            entropy: 0,
            denies: false,
            mute: Vec::new(),
            to_peer: None,
            from_peer: None,
            seen: Vec::new(),
            measured: AllocationInfo::default(),
        };
        NAMES.iter().for_each(|name| net.start(name));
        net
    }

    /// Begins a life of an endpoint.
    pub(crate) fn start(&mut self, name: &'static str) {
        *self.lives.entry(name).or_default() += 1;
        self.ends.insert(name, Dsoftbusd::new(&ring(name), Says::LOCAL));
        self.handle(name, Event::Wake);
        self.run();
    }

    pub(crate) fn stamp(&self, name: &'static str) -> Sender {
        let life = self.lives.get(name).copied().unwrap_or(1);
        Sender::stamped(id(name), 7, Incarnation::new(life), Rights::NONE)
    }

    pub(crate) fn handle(&mut self, to: &'static str, event: Event<'_>) {
        let now = Now { mono: Mono(self.now), wall: None };
        let end = self.ends.get_mut(to).unwrap();
        let mut port = Port(to, &mut self.outside);
        let taken = measure(|| end.handle(now, event, &mut port));
        end.check_invariants();
        self.measured = join(self.measured, taken);
    }

    pub(crate) fn away(&mut self, name: &str) {
        self.outside.away.push(id(name));
    }

    pub(crate) fn back(&mut self, name: &str) {
        self.outside.away.retain(|away| *away != id(name));
    }

    /// A life of somebody ends, and everybody hears it.
    pub(crate) fn gone(&mut self, name: &'static str) {
        let Sender { id, incarnation, .. } = self.stamp(name);
        for to in NAMES.into_iter().filter(|to| *to != name) {
            self.handle(to, Event::PeerGone { id, incarnation, reason: ExitReason::Exited(0) });
        }
        *self.lives.entry(name).or_insert(1) += 1;
        self.run();
    }

    /// Carries calls and their answers until there are none.
    pub(crate) fn run(&mut self) {
        while let Some(call) = self.outside.calls.pop_front() {
            let answer = if call.to == id("policyd") {
                Some(self.decide(&call.frame))
            } else if call.to == id("entropyd") {
                Some(self.entropy(&call.frame))
            } else {
                self.carry(&call)
            };
            let result = answer.as_deref().ok_or(CallError::PeerDied);
            if !self.mute.iter().any(|mute| id(mute) == call.to) {
                self.handle(call.from, Event::Completion { call: call.id, result });
            }
        }
    }

    /// Carries the next call to policyd, and what follows from it only so far.
    pub(crate) fn run_policy(&mut self) {
        let call = self.outside.calls.pop_front().unwrap();
        assert_eq!(call.to, id("policyd"));
        let answer = self.decide(&call.frame);
        self.handle(call.from, Event::Completion { call: call.id, result: Ok(&answer) });
    }

    /// Takes the frame of the next call out.
    pub(crate) fn take_call(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outside.calls.front_mut().unwrap().frame)
    }

    /// Puts it in again.
    pub(crate) fn put_call(&mut self, frame: Vec<u8>) {
        self.outside.calls.front_mut().unwrap().frame = frame;
    }

    fn decide(&self, frame: &[u8]) -> Vec<u8> {
        let policy::Frame { nonce, check } = policy::decode(frame).unwrap();
        assert_eq!(check.action, policy::Action::OpenSession);
        let denied = self.denies;
        let decision =
            if denied { policy::Decision::NotGranted } else { policy::Decision::Allowed };
        policy::reply(nonce, decision).to_vec()
    }

    fn entropy(&mut self, frame: &[u8]) -> Vec<u8> {
        let entropy::Frame { echo, count } = entropy::decode(frame).unwrap();
        let mut next = || {
            self.entropy = self.entropy.wrapping_mul(5).wrapping_add(1);
            self.entropy
        };
        let bytes = (0..count).map(|_| next()).collect::<Vec<_>>();
        entropy::encode_reply(&bytes, echo.nonce, &mut [0; 512]).unwrap().to_vec()
    }

    fn carry(&mut self, call: &Call) -> Option<Vec<u8>> {
        self.seen.push(call.frame.clone());
        let mangled = self.to_peer.as_mut().map(|middle| middle(&call.frame));
        let to = NAMES.into_iter().find(|name| id(name) == call.to).unwrap();
        let answer = self.send(to, call.from, &mangled.unwrap_or_else(|| call.frame.clone()))?;
        self.seen.push(answer.clone());
        let mangled = self.from_peer.as_mut().map(|middle| middle(&answer));
        Some(mangled.unwrap_or(answer))
    }

    /// Hands a frame of `from` to an endpoint: what it answers at once.
    pub(crate) fn send(
        &mut self,
        to: &'static str,
        from: &'static str,
        frame: &[u8],
    ) -> Option<Vec<u8>> {
        self.tokens += 1;
        let token = self.tokens;
        let from = self.stamp(from);
        self.handle(to, Event::Request { from, token: Token::from_raw(token), frame });
        self.outside.replies.remove(&token)
    }

    /// Asks our own endpoint: what it answers when all that follows is done.
    pub(crate) fn ask(
        &mut self,
        who: &'static str,
        request: &Request<'_>,
    ) -> (SessionStatus, Vec<u8>) {
        let token = self.submit(who, request);
        self.run();
        self.answer(token, request.op()).expect("an answer")
    }

    /// Asks, and lets nothing follow yet.
    pub(crate) fn submit(&mut self, who: &'static str, request: &Request<'_>) -> u64 {
        self.submit_at(NAMES[0], who, request)
    }

    /// As that, of another endpoint.
    pub(crate) fn submit_at(
        &mut self,
        to: &'static str,
        who: &'static str,
        request: &Request<'_>,
    ) -> u64 {
        let mut out = [0; 4096];
        let frame = encode(request, 9, &mut out).unwrap().to_vec();
        self.tokens += 1;
        let from = self.stamp(who);
        let token = Token::from_raw(self.tokens);
        self.handle(to, Event::Request { from, token, frame: &frame });
        self.tokens
    }

    /// What has been answered, and in the place of an opened session its number.
    pub(crate) fn answer(&mut self, token: u64, op: Op) -> Option<(SessionStatus, Vec<u8>)> {
        let frame = self.outside.replies.remove(&token)?;
        let (status, reply) = decode_reply(op, 9, &frame).expect("a reply");
        Some(match reply {
            Reply::Plain => (status, Vec::new()),
            Reply::Opened(session) => (status, session.0.to_le_bytes().to_vec()),
            Reply::Answer(bytes) => (status, bytes.to_vec()),
        })
    }

    pub(crate) fn open(
        &mut self,
        who: &'static str,
        peer: &str,
    ) -> Result<SessionId, SessionStatus> {
        let peer = EndpointName::new(peer).unwrap();
        match self.ask(who, &Request::Open { peer }) {
            (SessionStatus::Ok, bytes) => {
                Ok(SessionId(u32::from_le_bytes(bytes.try_into().unwrap())))
            }
            (status, _) => Err(status),
        }
    }

    pub(crate) fn say(
        &mut self,
        who: &'static str,
        session: SessionId,
        bytes: &[u8],
    ) -> Result<Vec<u8>, SessionStatus> {
        match self.ask(who, &Request::Ask { session, bytes }) {
            (SessionStatus::Ok, bytes) => Ok(bytes),
            (status, _) => Err(status),
        }
    }

    pub(crate) fn close(&mut self, who: &'static str, session: SessionId) -> SessionStatus {
        self.ask(who, &Request::Close { session }).0
    }

    /// Lets time pass: everybody is woken when it asks to be.
    pub(crate) fn pass(&mut self, nanos: u64) {
        let until = self.now + nanos;
        loop {
            let due = |end: &Dsoftbusd| end.deadline().map(|at| at.0);
            let next = self.ends.values().filter_map(due).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            for name in NAMES {
                if due(&self.ends[name]).is_some_and(|at| at <= self.now) {
                    self.handle(name, Event::Wake);
                }
            }
            self.run();
        }
        self.now = until;
    }
}

/// The status of an answer to another endpoint.
pub(crate) fn line_status(op: line::Op, frame: &[u8]) -> SessionStatus {
    let nonce = u32::from_le_bytes(frame[5..9].try_into().unwrap());
    line::decode_reply(op, nonce, frame).expect("a reply").0
}
