//! What local programs ask for, step by step.

use nexus_bounded::{Mono, Text};
use nexus_metrics::Steps;
use nexus_policy::Verdict;
use nexus_port::World;
use nexus_wire::policy::{Action, Check, Object};
use nexus_wire::sessions::line::{self, Kind, SUITE};
use nexus_wire::sessions::{
    EndpointName, Op, Request, SessionId, SessionStatus, encode_answer, encode_opened, plain_reply,
};
use nexus_wire::{EncodeError, OBJECT_BYTES_MAX};

use crate::line::Answer;
use crate::noise::Opening;
use crate::opened::{Asked, IDLE, Life, PATIENCE, Session, Work};
use crate::ring::Peer;
use crate::service::Dsoftbusd;
use crate::telemetry::{self, End, span_status, steps};

/// Requests for a session that may wait for their turn, one of each sender.
pub const WAITING_MAX: usize = 8;

/// Somebody who wants a session.
pub(crate) struct Wanted {
    pub(crate) asked: Asked,
    peer: Text<OBJECT_BYTES_MAX>,
}

/// A wish that policyd is asked about.
pub(crate) struct Job {
    wanted: Wanted,
    path: Steps,
    /// Whoever wanted it is gone.
    is_orphan: bool,
}

impl Wanted {
    fn peer(&self) -> Option<EndpointName<'_>> {
        EndpointName::new(self.peer.as_str())
    }
}

impl Dsoftbusd {
    pub(crate) fn request(
        &mut self,
        asked: Asked,
        request: Request<'_>,
        now: Mono,
        world: &mut impl World,
    ) {
        let begun = match request {
            Request::Open { peer } => self.want(asked, peer),
            Request::Ask { session, bytes } => self.ask(asked, session, bytes, now),
            Request::Close { session } => self.close(asked, session, now),
        };
        if let Err(status) = begun {
            self.answer(&asked, status, world);
        }
    }

    fn want(&mut self, asked: Asked, peer: EndpointName<'_>) -> Result<(), SessionStatus> {
        let is_its = |wanted: &Wanted| wanted.asked.from.id == asked.from.id;
        if self.waiting.len() == WAITING_MAX || self.waiting.iter().any(is_its) {
            return Err(SessionStatus::Busy);
        }
        let peer = Text::new(peer.as_str()).ok_or(SessionStatus::OverLimit)?;
        self.waiting.push_back(Wanted { asked, peer });
        Ok(())
    }

    /// Asks policyd about the next wish, if it is asked about none.
    pub(crate) fn next_wish(&mut self, now: Mono, world: &mut impl World) {
        while self.job.is_none()
            && let Some(wanted) = self.waiting.pop_front()
        {
            let mut path = telemetry::path(wanted.peer.as_str(), now);
            path.step(steps::POLICY, now);
            let object = wanted.peer().map_or(Object::NONE, EndpointName::object);
            let (subject, action) = (wanted.asked.from.service(), Action::OpenSession);
            let begun = self.policy.ask(Check { subject, action, object }, now, world);
            let job = Job { wanted, path, is_orphan: false };
            match begun {
                Ok(()) => self.job = Some(job),
                Err(verdict) => self.no_session(job, denied(verdict), now, world),
            }
        }
    }

    /// policyd has spoken, or cannot be heard.
    pub(crate) fn decided(&mut self, verdict: Verdict, now: Mono, world: &mut impl World) {
        let Some(job) = self.job.take() else { return };
        if !verdict.is_allowed() || job.is_orphan {
            return self.no_session(job, denied(verdict), now, world);
        }
        match self.may_begin(&job) {
            Ok((peer, at)) => self.begin(job, peer, at, now, world),
            Err(status) => self.no_session(job, status, now, world),
        }
    }

    /// With whom, and in which slot.
    fn may_begin(&self, job: &Job) -> Result<(Peer, usize), SessionStatus> {
        let peer = self.ring.by_name(job.wanted.peer.as_str()).ok_or(SessionStatus::NotFound)?;
        let at = self.opened.reserve(job.wanted.asked.life(), peer)?;
        Ok((peer, at))
    }

    fn begin(&mut self, mut job: Job, peer: Peer, at: usize, now: Mono, world: &mut impl World) {
        job.path.step(steps::HANDSHAKE, now);
        // No two are made at the same time, so that the other side can tell old from new.
        let said = now.max(Mono(self.said.0 + 1));
        let made = self.ring.to(peer).zip(self.seeds.next()).ok_or(SessionStatus::NotReady);
        let made = made.and_then(|(pair, seed)| Opening::begin(pair, &seed, said));
        let (opening, hello) = match made {
            Ok(made) => made,
            Err(status) => return self.no_session(job, status, now, world),
        };
        self.seeds.spend();
        self.said = said;
        let Job { wanted: Wanted { asked, .. }, path, .. } = job;
        let service = self.ring.service(peer);
        let slot = self.opened.take(at, asked.life(), peer).zip(service);
        assert!(slot.is_some(), "the slot was free");
        if let Some((session, service)) = slot {
            let request = line::Request::Handshake { suite: SUITE, hello: &hello };
            session.line.ask(service, &request, now.after(PATIENCE));
            session.work = Work::Opening { asked, opening, path, began: now };
        }
    }

    /// There will be no session, and why.
    fn no_session(&mut self, job: Job, status: SessionStatus, now: Mono, world: &mut impl World) {
        let Job { wanted: Wanted { asked, peer }, path, .. } = job;
        path.end(now, span_status(status));
        self.records.refused(asked.from.service(), peer.as_str(), status, now);
        self.answer(&asked, status, world);
    }

    /// Asks something over a session.
    fn ask(
        &mut self,
        asked: Asked,
        id: SessionId,
        bytes: &[u8],
        now: Mono,
    ) -> Result<(), SessionStatus> {
        let at = self.opened.find(id, asked.life()).ok_or(SessionStatus::NotFound)?;
        self.carry(at, Kind::Data, bytes, now)?;
        self.set_work(at, Work::Asking(asked));
        Ok(())
    }

    fn close(&mut self, asked: Asked, id: SessionId, now: Mono) -> Result<(), SessionStatus> {
        let at = self.opened.find(id, asked.life()).ok_or(SessionStatus::NotFound)?;
        self.end_session(at, Some(asked), End::Closed, now)
    }

    /// Tells the other endpoint that a session over which nothing goes on has ended.
    pub(crate) fn end_session(
        &mut self,
        at: usize,
        asked: Option<Asked>,
        how: End,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        self.carry(at, Kind::End, &[], now)?;
        self.set_work(at, Work::Closing(asked));
        telemetry::note_end(how);
        Ok(())
    }

    /// Seals a message and gives it to the line, if that is silent.
    fn carry(
        &mut self,
        at: usize,
        kind: Kind,
        bytes: &[u8],
        now: Mono,
    ) -> Result<(), SessionStatus> {
        let session = self.opened.get_mut(at).ok_or(SessionStatus::NotFound)?;
        if !session.line.is_silent() {
            return Err(SessionStatus::Busy);
        }
        let channel = session.channel.as_mut().ok_or(SessionStatus::NotFound)?;
        let to = self.ring.service(session.peer).ok_or(SessionStatus::NotFound)?;
        let sealed = channel.seal(kind, bytes, &mut self.rooms.sealing);
        let sealed = sealed.map_err(|_| SessionStatus::OverLimit)?;
        let request = line::Request::Carry { session: session.theirs, sealed };
        session.line.ask(to, &request, now.after(PATIENCE));
        Ok(())
    }

    fn set_work(&mut self, at: usize, work: Work) {
        if let Some(session) = self.opened.get_mut(at) {
            session.work = work;
        }
    }

    /// The other endpoint has answered in a session, or cannot be heard.
    pub(crate) fn heard(
        &mut self,
        at: usize,
        answer: Answer<'_>,
        now: Mono,
        world: &mut impl World,
    ) {
        let Some(session) = self.opened.get_mut(at) else { return };
        match core::mem::replace(&mut session.work, Work::Free) {
            Work::Opening { asked, opening, path, began } => {
                let status = self.opened(at, &asked, opening, answer, now, world);
                path.end(now, span_status(status));
                if status == SessionStatus::Ok {
                    telemetry::note_handshake(now.since(began));
                }
            }
            Work::Asking(asked) => self.answered(at, &asked, answer, now, world),
            Work::Closing(asked) => {
                session.free();
                if let Some(asked) = asked {
                    self.answer(&asked, SessionStatus::Ok, world);
                }
            }
            Work::Free | Work::Idle(_) => {
                assert!(session.is_free(), "only who has asked is answered");
            }
        }
        self.end_orphan(at, now);
    }

    fn opened(
        &mut self,
        at: usize,
        asked: &Asked,
        opening: Opening,
        answer: Answer<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> SessionStatus {
        let Some(session) = self.opened.get_mut(at) else { return SessionStatus::NotFound };
        let (owner, peer) = (asked.from.service(), session.peer);
        let status = match welcome(opening, answer) {
            Ok((channel, theirs)) => {
                session.theirs = theirs;
                idle(session, channel, now);
                let id = session.id;
                self.records.opened(id, owner, self.ring.name(peer), now);
                let reply = encode_opened(id, asked.echo.nonce, &mut self.rooms.reply);
                world.reply(asked.token, whole(reply));
                telemetry::note_request(Some(Op::Open), SessionStatus::Ok);
                return SessionStatus::Ok;
            }
            Err(status) => status,
        };
        session.free();
        self.records.refused(owner, self.ring.name(peer), status, now);
        self.answer(asked, status, world);
        status
    }

    fn answered(
        &mut self,
        at: usize,
        asked: &Asked,
        answer: Answer<'_>,
        now: Mono,
        world: &mut impl World,
    ) {
        let Some(session) = self.opened.get_mut(at) else { return };
        session.work = Work::Idle(now.after(IDLE));
        let room = &mut self.rooms.open;
        let opened = answer.and_then(|reply| read(session, reply, room));
        match opened {
            Ok(bytes) => {
                let reply = encode_answer(bytes, asked.echo.nonce, &mut self.rooms.reply);
                world.reply(asked.token, whole(reply));
                telemetry::note_request(Some(Op::Ask), SessionStatus::Ok);
            }
            Err(status) => {
                self.answer(asked, status, world);
                self.give_up(at, status, now);
            }
        }
    }

    /// A session is out of step: it ends, and the other endpoint is told if it may hear.
    fn give_up(&mut self, at: usize, status: SessionStatus, now: Mono) {
        let is_away = status == SessionStatus::PeerAway;
        if is_away || self.end_session(at, None, End::Failed, now).is_err() {
            telemetry::note_end(End::Failed);
            self.opened.get_mut(at).into_iter().for_each(Session::free);
        }
    }

    /// Ends a session whose owner is gone, if nothing goes on over it.
    fn end_orphan(&mut self, at: usize, now: Mono) {
        let is_over =
            |session: &&mut Session| session.is_orphan && matches!(session.work, Work::Idle(_));
        if self.opened.get_mut(at).filter(is_over).is_some() {
            let ended = self.end_session(at, None, End::OwnerGone, now);
            assert!(ended.is_ok(), "an idle line is silent");
        }
    }

    /// A life has ended: with it end its wishes and its sessions.
    pub(crate) fn forget(&mut self, life: Life, now: Mono) {
        self.waiting.retain(|wanted| wanted.asked.life() != life);
        for job in self.job.iter_mut().filter(|job| job.wanted.asked.life() == life) {
            job.is_orphan = true;
        }
        for (_, session) in self.opened.iter_mut() {
            session.is_orphan |= session.owner == Some(life);
        }
        for at in 0..crate::SESSIONS_MAX {
            self.end_orphan(at, now);
        }
    }

    /// Ends sessions over which nothing was asked for long; hears of answers that did not come.
    pub(crate) fn expire_sessions(&mut self, now: Mono, world: &mut impl World) {
        for at in 0..crate::SESSIONS_MAX {
            let Some(session) = self.opened.get_mut(at) else { continue };
            let is_idle = matches!(session.work, Work::Idle(until) if until <= now);
            if session.line.expired(now) {
                self.heard(at, Err(SessionStatus::PeerAway), now, world);
            } else if is_idle {
                let ended = self.end_session(at, None, End::Idle, now);
                assert!(ended.is_ok(), "an idle line is silent");
            }
        }
    }

    /// Hands over what is to be said, as far as there are places for it.
    pub(crate) fn push(&mut self, now: Mono, world: &mut impl World) {
        for at in 0..crate::SESSIONS_MAX {
            let Some(session) = self.opened.get_mut(at) else { continue };
            if let Err(status) = session.line.push(now, world) {
                self.heard(at, Err(status), now, world);
            }
        }
    }

    /// Answers with a status alone.
    pub(crate) fn answer(&self, asked: &Asked, status: SessionStatus, world: &mut impl World) {
        telemetry::note_request(Op::from_raw(asked.echo.op), status);
        world.reply(asked.token, &plain_reply(asked.echo, status));
    }
}

/// What it means that policyd has not allowed it.
const fn denied(verdict: Verdict) -> SessionStatus {
    match verdict {
        Verdict::Busy => SessionStatus::Busy,
        Verdict::Decided(_) | Verdict::Refused(_) | Verdict::Away => SessionStatus::Denied,
    }
}

type Welcomed = Result<(crate::noise::Channel, SessionId), SessionStatus>;

fn welcome(opening: Opening, answer: Answer<'_>) -> Welcomed {
    match answer? {
        line::Reply::Welcome { suite: SUITE, welcome } => opening.end(welcome),
        line::Reply::Welcome { .. } => Err(SessionStatus::Downgraded),
        _ => Err(SessionStatus::NotAuthentic),
    }
}

fn idle(session: &mut Session, channel: crate::noise::Channel, now: Mono) {
    session.channel = Some(channel);
    session.work = Work::Idle(now.after(IDLE));
}

/// What was answered, if it is the answer.
fn read<'b>(
    session: &mut Session,
    reply: line::Reply<'_>,
    room: &'b mut [u8],
) -> Result<&'b [u8], SessionStatus> {
    let channel = session.channel.as_mut().ok_or(SessionStatus::NotFound)?;
    let line::Reply::Carried(sealed) = reply else { return Err(SessionStatus::NotAuthentic) };
    match channel.open(sealed, room)? {
        (Kind::Data, bytes) => Ok(bytes),
        (Kind::End, _) => Err(SessionStatus::NotAuthentic),
    }
}

/// A reply of ours always fits its room.
fn whole(reply: Result<&[u8], EncodeError>) -> &[u8] {
    assert!(reply.is_ok(), "every reply fits a frame");
    reply.unwrap_or_default()
}
