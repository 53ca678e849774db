use alloc::collections::VecDeque;

use nexus_abi::Sender;
use nexus_bounded::Mono;
use nexus_gate::{RejectMarker, RejectMarkers};
use nexus_policy::PolicyClient;
use nexus_port::{CallError, CallId, Event, Now, Service, Token, World};
use nexus_recipe::Keyring;
use nexus_wire::Echo;
use nexus_wire::sessions::line::{self, Reply, SUITE};
use nexus_wire::sessions::{self, SessionStatus};

use crate::accepted::AllAccepted;
use crate::local::{Job, WAITING_MAX, Wanted};
use crate::opened::{Asked, Opened, Work};
use crate::records::Records;
use crate::ring::Ring;
use crate::rooms::Rooms;
use crate::says::Says;
use crate::seeds::Seeds;
use crate::telemetry::{self, End};

/// An endpoint. See the crate.
pub struct Dsoftbusd {
    pub(crate) ring: Ring,
    pub(crate) rooms: Rooms,
    pub(crate) seeds: Seeds,
    pub(crate) policy: PolicyClient,
    /// What policyd is asked about, and what waits for that.
    pub(crate) job: Option<Job>,
    pub(crate) waiting: VecDeque<Wanted>,
    pub(crate) opened: Opened,
    accepted: AllAccepted,
    pub(crate) records: Records,
    /// When our latest hello was made.
    pub(crate) said: Mono,
    rejects: RejectMarkers<2>,
    /// What is printed when the proof at start has held.
    pub(crate) ready: &'static str,
    is_proven: bool,
    stopping: bool,
}

impl Dsoftbusd {
    /// With these keys, and what it says on the console.
    #[must_use]
    pub fn new(keys: &Keyring, says: Says) -> Self {
        let ring = Ring::new(keys);
        Self {
            rooms: Rooms::new(),
            seeds: Seeds::new(CallId(0x2_0000)),
            policy: PolicyClient::new(CallId(0x1_0000)),
            job: None,
            waiting: VecDeque::with_capacity(WAITING_MAX),
            opened: Opened::new(CallId(0x10_0000)),
            accepted: AllAccepted::new(ring.len()),
            records: Records::new(),
            said: Mono(0),
            rejects: RejectMarkers::new(says.rejects),
            ring,
            ready: says.ready,
            is_proven: false,
            stopping: false,
        }
    }

    fn came(
        &mut self,
        from: Sender,
        token: Token,
        frame: &[u8],
        now: Mono,
        world: &mut impl World,
    ) {
        if line::is_line(frame) {
            return self.line(from, token, frame, now, world);
        }
        match sessions::decode(frame) {
            Ok(sessions::Frame { echo, request }) => {
                self.request(Asked { from, token, echo }, request, now, world);
            }
            Err(sessions::Refusal { echo, status }) => {
                self.answer(&Asked { from, token, echo }, status, world);
                self.mark(status, world);
            }
        }
    }

    /// Answers another endpoint.
    fn line(
        &mut self,
        from: Sender,
        token: Token,
        frame: &[u8],
        now: Mono,
        world: &mut impl World,
    ) {
        let decoded = line::decode(frame);
        let echo = decoded.map_or_else(|refusal| refusal.echo, |frame| frame.echo);
        let done = decoded
            .map_err(|refusal| refusal.status)
            .and_then(|frame| self.serve(from, frame.request, echo, now));
        let status = match done {
            Ok(len) => {
                world.reply(token, self.rooms.reply.get(..len).unwrap_or_default());
                SessionStatus::Ok
            }
            Err(status) => {
                world.reply(token, &line::plain_reply(echo, status));
                self.records.rejected(from.service(), status, now);
                status
            }
        };
        telemetry::note_line(line::Op::from_raw(echo.op), status);
        if let Err(refusal) = decoded {
            self.mark(refusal.status, world);
        }
    }

    /// Does what another endpoint asks for: the length of the reply.
    fn serve(
        &mut self,
        from: Sender,
        request: line::Request<'_>,
        echo: Echo,
        now: Mono,
    ) -> Result<usize, SessionStatus> {
        match request {
            line::Request::Handshake { suite, hello } => {
                let (said, seed) = ((suite, hello), self.seeds.next());
                let accepted = self.accepted.accept(from, said, seed, &self.ring, now);
                let (peer, welcome) = accepted?;
                self.seeds.spend();
                self.records.accepted(self.ring.name(peer), now);
                let reply = Reply::Welcome { suite: SUITE, welcome: &welcome };
                Ok(encode(&reply, echo, &mut self.rooms.reply))
            }
            line::Request::Carry { session, sealed } => {
                let (said, name) = ((session, sealed), self.ring.own_name());
                let mut reply = core::mem::take(&mut self.rooms.reply);
                let carried = self.accepted.carry(from, said, name, &mut self.rooms, now);
                let len = carried.map(|sealed| encode(&Reply::Carried(sealed), echo, &mut reply));
                self.rooms.reply = reply;
                len
            }
        }
    }

    fn mark(&mut self, status: SessionStatus, world: &mut impl World) {
        match status {
            SessionStatus::OverLimit => self.rejects.note(RejectMarker::OverLimit, world),
            _ => self.rejects.note(RejectMarker::InvalidArgs, world),
        }
    }

    fn completed(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        now: Mono,
        world: &mut impl World,
    ) {
        if let Some(verdict) = self.policy.ended(call, result) {
            return self.decided(verdict, now, world);
        }
        if self.seeds.ended(call, result, now) {
            return;
        }
        let slots = self.opened.iter_mut();
        let ended = slots
            .into_iter()
            .find_map(|(at, session)| session.line.ended(call, result).map(|answer| (at, answer)));
        if let Some((at, answer)) = ended {
            self.heard(at, answer, now, world);
        }
    }

    fn expire(&mut self, now: Mono, world: &mut impl World) {
        if let Some(verdict) = self.policy.expired(now) {
            self.decided(verdict, now, world);
        }
        self.seeds.expire(now);
        self.accepted.expire(now);
        self.expire_sessions(now, world);
    }

    /// Closes what can be closed.
    fn stop(&mut self, now: Mono) {
        self.stopping = true;
        let is_idle = |work: &Work| matches!(work, Work::Idle(_));
        for at in 0..crate::SESSIONS_MAX {
            if self.opened.get_mut(at).is_some_and(|session| is_idle(&session.work)) {
                let ended = self.end_session(at, None, End::Closed, now);
                assert!(ended.is_ok(), "an idle line is silent");
            }
        }
    }
}

fn encode(reply: &Reply<'_>, echo: Echo, out: &mut [u8]) -> usize {
    let reply = line::encode_reply(reply, echo, out);
    assert!(reply.is_ok(), "every reply fits a frame");
    reply.map_or(0, <[u8]>::len)
}

impl Service for Dsoftbusd {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let now = now.mono;
        if !core::mem::replace(&mut self.is_proven, true) {
            self.prove(world);
            self.accepted.begin(now);
        }
        match event {
            Event::Request { from, token, frame } => self.came(from, token, frame, now, world),
            Event::Completion { call, result } => self.completed(call, result, now, world),
            Event::PeerGone { id, incarnation, .. } => {
                self.forget((id, incarnation), now);
                self.accepted.forget((id, incarnation));
            }
            Event::Stop => self.stop(now),
            Event::Wake | Event::Block { .. } => {}
        }
        self.expire(now, world);
        self.next_wish(now, world);
        self.push(now, world);
        self.seeds.refill(now, world);
        telemetry::note_live(self.opened.len(), self.accepted.len());
    }

    /// At once until the proof at start is done.
    fn deadline(&self) -> Option<Mono> {
        let start = (!self.is_proven).then_some(Mono(0));
        let deadlines = [
            self.policy.deadline(),
            self.seeds.deadline(),
            self.opened.deadline(),
            self.accepted.deadline(),
            start,
        ];
        deadlines.into_iter().flatten().min()
    }

    fn stopped(&self) -> bool {
        self.stopping && self.job.is_none() && self.opened.len() == 0
    }

    fn undone(&self, out: &mut dyn core::fmt::Write) -> core::fmt::Result {
        match self.opened.len() {
            0 => Ok(()),
            live => write!(out, "{live} sessions are not closed"),
        }
    }

    fn check_invariants(&self) {
        self.opened.check();
        assert!(self.job.is_some() == self.policy.deadline().is_some(), "a wish has its question");
        assert!(self.job.is_some() || self.waiting.is_empty(), "nobody waits for nothing");
    }
}
