//! Sessions that local programs have opened: each is one slot, which is used again.

use alloc::boxed::Box;

use nexus_abi::{Incarnation, Sender, SenderId};
use nexus_bounded::{Mono, Nanos};
use nexus_metrics::Steps;
use nexus_port::{CallId, Token};
use nexus_wire::Echo;
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::line::Line;
use crate::noise::{Channel, Opening};
use crate::ring::Peer;

/// Sessions that are open, or being opened, at most.
pub const SESSIONS_MAX: usize = 16;
/// Of them, those of one owner.
pub const PER_OWNER: usize = 4;
/// Of them, those with one endpoint.
pub const PER_PEER: usize = 8;
/// A session over which nothing is asked for so long ends.
pub const IDLE: Nanos = Nanos::from_secs(30);
/// For how long another endpoint is waited for.
pub const PATIENCE: Nanos = Nanos::from_secs(5);

/// A life of a sender.
pub(crate) type Life = (SenderId, Incarnation);

/// Who waits for an answer.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) from: Sender,
    pub(crate) token: Token,
    pub(crate) echo: Echo,
}

impl Asked {
    pub(crate) const fn life(&self) -> Life {
        (self.from.id, self.from.incarnation)
    }
}

/// What a slot is about.
pub(crate) enum Work {
    Free,
    /// The other endpoint is asked for a session.
    Opening {
        asked: Asked,
        opening: Opening,
        path: Steps,
        began: Mono,
    },
    /// Nothing goes on; if that is so until then, it ends.
    Idle(Mono),
    /// Something was asked over it.
    Asking(Asked),
    /// The other endpoint is told of its end, which somebody may wait for.
    Closing(Option<Asked>),
}

/// One slot.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Nobody while it is free.
    pub(crate) owner: Option<Life>,
    pub(crate) peer: Peer,
    /// How the other endpoint numbers it.
    pub(crate) theirs: SessionId,
    pub(crate) channel: Option<Channel>,
    pub(crate) work: Work,
    pub(crate) line: Line,
    /// Its owner is gone: it ends as soon as it can.
    pub(crate) is_orphan: bool,
}

impl Session {
    pub(crate) const fn is_free(&self) -> bool {
        matches!(self.work, Work::Free)
    }

    /// Gives back everything that belongs to one session.
    pub(crate) fn free(&mut self) {
        (self.work, self.channel, self.is_orphan) = (Work::Free, None, false);
        (self.id, self.owner) = (SessionId(0), None);
    }

    /// When something is to be done by itself.
    fn deadline(&self) -> Option<Mono> {
        match self.work {
            Work::Idle(until) => Some(until),
            _ => self.line.deadline(),
        }
    }
}

/// All slots.
pub(crate) struct Opened {
    slots: Box<[Session]>,
    latest: u32,
}

impl Opened {
    /// `first` and the names behind it, 65536 for each slot, are for calls. Takes its memory now.
    pub(crate) fn new(first: CallId) -> Self {
        let slot = |at: usize| Session {
            id: SessionId(0),
            owner: None,
            peer: 0,
            theirs: SessionId(0),
            channel: None,
            work: Work::Free,
            line: Line::new(CallId(first.0 + ((at as u32) << 16))),
            is_orphan: false,
        };
        Self { slots: (0..SESSIONS_MAX).map(slot).collect(), latest: 0 }
    }

    /// Where a session of this owner with this endpoint may stand.
    ///
    /// # Errors
    /// `over_limit`.
    pub(crate) fn reserve(&self, owner: Life, peer: Peer) -> Result<usize, SessionStatus> {
        let live = || self.slots.iter().filter(|slot| !slot.is_free());
        let owned = live().filter(|slot| slot.owner == Some(owner)).count();
        let with_peer = live().filter(|slot| slot.peer == peer).count();
        let free = self.slots.iter().position(Session::is_free);
        free.filter(|_| owned < PER_OWNER && with_peer < PER_PEER).ok_or(SessionStatus::OverLimit)
    }

    /// The slot at a place, for a new session.
    pub(crate) fn take(&mut self, at: usize, owner: Life, peer: Peer) -> Option<&mut Session> {
        let id = self.free_id();
        let slot = self.slots.get_mut(at).filter(|slot| slot.is_free())?;
        (slot.id, slot.owner, slot.peer) = (id, Some(owner), peer);
        Some(slot)
    }

    /// The next number that no session has; there are far more than sessions.
    fn free_id(&mut self) -> SessionId {
        loop {
            self.latest = self.latest.wrapping_add(1);
            let id = SessionId(self.latest);
            if id.0 != 0 && !self.slots.iter().any(|slot| slot.id == id) {
                return id;
            }
        }
    }

    /// Where a session is that is this sender's, and not over.
    pub(crate) fn find(&self, id: SessionId, owner: Life) -> Option<usize> {
        let is_open = |slot: &Session| matches!(slot.work, Work::Idle(_) | Work::Asking(_));
        let is_it = |slot: &Session| slot.id == id && slot.owner == Some(owner) && is_open(slot);
        self.slots.iter().position(is_it)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut Session> {
        self.slots.get_mut(at)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Session)> {
        self.slots.iter_mut().enumerate()
    }

    /// How many sessions are open, or being opened or closed.
    pub(crate) fn len(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.is_free()).count()
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.slots.iter().filter_map(Session::deadline).min()
    }

    /// Asserts that each slot is wholly about one thing.
    pub(crate) fn check(&self) {
        for slot in &self.slots {
            let is_waiting =
                matches!(slot.work, Work::Opening { .. } | Work::Asking(_) | Work::Closing(_));
            assert!(is_waiting != slot.line.is_silent(), "who waits has asked");
            let is_open = matches!(slot.work, Work::Idle(_) | Work::Asking(_) | Work::Closing(_));
            assert!(is_open == slot.channel.is_some(), "what is open has keys");
            assert!(slot.is_free() == (slot.id.0 == 0), "what lives has a number");
        }
    }
}
