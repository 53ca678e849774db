use nexus_bounded::Mono;
use nexus_gate::{Asker, RejectMarker, RejectMarkers};
use nexus_port::{CallError, CallId, Event, Now, Service, World};
use nexus_recipe::Keyring;
use nexus_session::Endpoint;
use nexus_wire::sessions::{SessionStatus, line};

use crate::answers::Answers;
use crate::says::Says;
use crate::telemetry::{self, steps};
use crate::teller::Teller;
use crate::wishes::{Decided, Wish, Wishes};

/// An endpoint. See the crate.
pub struct Dsoftbusd {
    pub(crate) endpoint: Endpoint<Wish, Asker>,
    pub(crate) wishes: Wishes,
    pub(crate) answers: Answers,
    pub(crate) teller: Teller,
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
        Self {
            endpoint: Endpoint::new(keys, CallId(0x2_0000)),
            wishes: Wishes::new(CallId(0x1_0000)),
            answers: Answers::new(&keys.name),
            teller: Teller::new(),
            rejects: RejectMarkers::new(says.rejects),
            ready: says.ready,
            is_proven: false,
            stopping: false,
        }
    }

    /// Says on the console that a frame was refused, and why.
    pub(crate) fn mark(&mut self, status: SessionStatus, world: &mut impl World) -> SessionStatus {
        let is_limit = status == SessionStatus::OverLimit;
        let marker = if is_limit { RejectMarker::OverLimit } else { RejectMarker::InvalidArgs };
        self.rejects.note(marker, world);
        status
    }

    fn completed(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        now: Mono,
        world: &mut impl World,
    ) {
        if let Some(decided) = self.wishes.ended(call, result) {
            self.decided(decided, now, world);
        } else if let Some(happened) = self.endpoint.ended(call, result, now) {
            self.teller.happened(happened, now, world);
        }
    }

    /// Begins a session that was wished for, if it may be had.
    fn decided(&mut self, (mut wish, may): Decided, now: Mono, world: &mut impl World) {
        let (owner, peer) = (wish.asker.life(), wish.peer.as_str());
        let place = may.and_then(|()| self.endpoint.reserve(owner, peer, now));
        let begun = match place {
            Ok(place) => {
                wish.path.step(steps::HANDSHAKE, now);
                place.open(wish, now)
            }
            Err(status) => Err((wish, status)),
        };
        if let Err((wish, status)) = begun {
            self.teller.opened(wish, Err(status), now, world);
        }
    }

    fn go_on(&mut self, now: Mono, world: &mut impl World) {
        if let Some(decided) = self.wishes.expired(now) {
            self.decided(decided, now, world);
        }
        while let Some(decided) = self.wishes.next(now, world) {
            self.decided(decided, now, world);
        }
        while let Some(happened) = self.endpoint.advance(now, world) {
            self.teller.happened(happened, now, world);
        }
    }
}

impl Service for Dsoftbusd {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let now = now.mono;
        if !core::mem::replace(&mut self.is_proven, true) {
            self.prove(world);
            self.endpoint.begin(now);
        }
        match event {
            Event::Request { from, token, frame } if line::is_line(frame) => {
                self.line(from, token, frame, now, world);
            }
            Event::Request { from, token, frame } => self.request(from, token, frame, now, world),
            Event::Completion { call, result } => self.completed(call, result, now, world),
            Event::PeerGone { id, incarnation, .. } => {
                self.wishes.forget((id, incarnation));
                self.endpoint.forget((id, incarnation));
            }
            Event::Stop => {
                self.stopping = true;
                self.endpoint.stop();
            }
            Event::Wake | Event::Block { .. } => {}
        }
        self.go_on(now, world);
        telemetry::note_live(self.endpoint.opened(), self.endpoint.accepted());
    }

    /// At once until the proof at start is done.
    fn deadline(&self) -> Option<Mono> {
        let start = (!self.is_proven).then_some(Mono(0));
        let deadlines = [start, self.wishes.deadline(), self.endpoint.deadline()];
        deadlines.into_iter().flatten().min()
    }

    fn stopped(&self) -> bool {
        self.stopping && self.wishes.is_empty() && self.endpoint.opened() == 0
    }

    fn undone(&self, out: &mut dyn core::fmt::Write) -> core::fmt::Result {
        match self.endpoint.opened() {
            0 => Ok(()),
            live => write!(out, "{live} sessions are not closed"),
        }
    }

    fn check_invariants(&self) {
        self.endpoint.check();
        self.wishes.check();
    }
}
