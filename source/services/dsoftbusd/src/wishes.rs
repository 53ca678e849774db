use nexus_abi::Life;
use nexus_bounded::{Mono, Text};
use nexus_gate::{Asker, Turns};
use nexus_metrics::Steps;
use nexus_policy::{PolicyClient, Verdict};
use nexus_port::{CallError, CallId, World};
use nexus_wire::OBJECT_BYTES_MAX;
use nexus_wire::policy::{Action, Check, Object};
use nexus_wire::sessions::{EndpointName, SessionStatus};

use crate::telemetry::{self, steps};

/// Requests for a session that may wait for their turn, one of each sender.
pub const WAITING_MAX: u32 = 8;

type Name = Text<OBJECT_BYTES_MAX>;

/// Somebody's wish for a session, on its way.
pub(crate) struct Wish {
    pub(crate) asker: Asker,
    /// With which endpoint.
    pub(crate) peer: Name,
    pub(crate) path: Steps,
    /// Whoever wanted it is gone.
    is_orphan: bool,
}

impl Wish {
    fn new(asker: Asker, peer: Name, now: Mono) -> Self {
        let mut path = telemetry::path(peer.as_str(), now);
        path.step(steps::POLICY, now);
        Self { asker, peer, path, is_orphan: false }
    }

    fn object(&self) -> Object<'_> {
        EndpointName::new(self.peer.as_str()).map_or(Object::NONE, EndpointName::object)
    }
}

/// A wish, and whether it may be had or why not.
pub(crate) type Decided = (Wish, Result<(), SessionStatus>);

/// Wishes that wait for policyd's word.
pub(crate) struct Wishes {
    policy: PolicyClient,
    /// The one that policyd is asked about.
    asked: Option<Wish>,
    waiting: Turns<Name>,
}

impl Wishes {
    /// `first` and the 65535 names behind it are for calls. Takes its memory now.
    pub(crate) fn new(first: CallId) -> Self {
        let (policy, waiting) = (PolicyClient::new(first), Turns::new(WAITING_MAX));
        Self { policy, asked: None, waiting }
    }

    /// Lets a wish wait for its turn.
    ///
    /// # Errors
    /// `busy`: too many wait, or another of this sender.
    pub(crate) fn add(
        &mut self,
        asker: Asker,
        peer: EndpointName<'_>,
    ) -> Result<(), SessionStatus> {
        let peer = Text::new(peer.as_str()).ok_or(SessionStatus::OverLimit)?;
        self.waiting.add(asker, peer).map_err(|_| SessionStatus::Busy)
    }

    /// Asks policyd about the next wish, if it is asked about none: one that it cannot be asked
    /// about.
    pub(crate) fn next(&mut self, now: Mono, world: &mut impl World) -> Option<Decided> {
        if self.asked.is_some() {
            return None;
        }
        let (asker, peer) = self.waiting.take()?;
        let wish = self.asked.insert(Wish::new(asker, peer, now));
        let (subject, object) = (wish.asker.from.service(), wish.object());
        let check = Check { subject, action: Action::OpenSession, object };
        let verdict = self.policy.ask(check, now, world).err()?;
        self.decided(verdict)
    }

    /// A call has ended: what policyd has decided, if it was the question.
    pub(crate) fn ended(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
    ) -> Option<Decided> {
        self.policy.ended(call, result).and_then(|verdict| self.decided(verdict))
    }

    /// What policyd has not decided in time.
    pub(crate) fn expired(&mut self, now: Mono) -> Option<Decided> {
        self.policy.expired(now).and_then(|verdict| self.decided(verdict))
    }

    fn decided(&mut self, verdict: Verdict) -> Option<Decided> {
        let wish = self.asked.take()?;
        let may = match verdict {
            _ if verdict.is_allowed() && !wish.is_orphan => Ok(()),
            Verdict::Busy => Err(SessionStatus::Busy),
            Verdict::Decided(_) | Verdict::Refused(_) | Verdict::Away => Err(SessionStatus::Denied),
        };
        Some((wish, may))
    }

    /// A life has ended, and with it its wishes.
    pub(crate) fn forget(&mut self, life: Life) {
        self.waiting.forget(life);
        let its = self.asked.iter_mut().filter(|wish| wish.asker.life() == life);
        its.for_each(|wish| wish.is_orphan = true);
    }

    /// Whether nobody wishes for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.asked.is_none() && self.waiting.is_empty()
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.policy.deadline()
    }

    /// Asserts that who is asked about waits for a verdict, and the others for him.
    pub(crate) fn check(&self) {
        assert!(self.asked.is_some() == self.policy.deadline().is_some(), "a wish, a question");
        assert!(self.asked.is_some() || self.waiting.is_empty(), "nobody waits for nothing");
    }
}
