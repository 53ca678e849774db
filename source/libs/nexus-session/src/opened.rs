use alloc::boxed::Box;

use nexus_abi::Life;
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, World};
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::numbers::Numbers;
use crate::ring::Peer;
use crate::rooms::Rooms;
use crate::session::Session;
use crate::slot::Slot;
use crate::{End, Happened};

/// Sessions that are open, or being opened, at most.
pub const SESSIONS_MAX: usize = 16;
/// Of them, those of one owner.
pub const PER_OWNER: usize = 4;
/// Of them, those with one endpoint.
pub const PER_PEER: usize = 8;

/// Sessions that we have opened.
pub(crate) struct Opened<O, A> {
    slots: Box<[Slot<O, A>]>,
    numbers: Numbers,
    is_stopping: bool,
}

impl<O, A> Opened<O, A> {
    /// `first` and the names behind it, 65536 for each slot, are for calls. Takes its memory now.
    pub(crate) fn new(first: CallId) -> Self {
        let slot = |at: usize| Slot::new(CallId(first.0 + ((at as u32) << 16)));
        let slots = (0..SESSIONS_MAX).map(slot).collect();
        Self { slots, numbers: Numbers::new(), is_stopping: false }
    }

    fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().filter_map(Slot::session)
    }

    fn sessions_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.slots.iter_mut().filter_map(Slot::session_mut)
    }

    /// A free slot for a session of this owner with this endpoint, and a number for it.
    ///
    /// # Errors
    /// `over_limit`.
    pub(crate) fn reserve(
        &mut self,
        owner: Life,
        peer: Peer,
    ) -> Result<(&mut Slot<O, A>, SessionId), SessionStatus> {
        let owned = self.sessions().filter(|session| session.owner == owner).count();
        let with_peer = self.sessions().filter(|session| session.peer == peer).count();
        if owned >= PER_OWNER || with_peer >= PER_PEER {
            return Err(SessionStatus::OverLimit);
        }
        let sessions = || self.slots.iter().filter_map(Slot::session);
        let id = self.numbers.next(|id| sessions().any(|session| session.id == id));
        let free = self.slots.iter_mut().find(|slot| slot.session().is_none());
        Ok((free.ok_or(SessionStatus::OverLimit)?, id))
    }

    /// Where a session of this owner is that is open.
    ///
    /// # Errors
    /// `not_found`.
    pub(crate) fn find(
        &mut self,
        id: SessionId,
        owner: Life,
    ) -> Result<&mut Slot<O, A>, SessionStatus> {
        let is_it =
            |session: &Session| session.id == id && session.owner == owner && session.is_open();
        let slot = self.slots.iter_mut().find(|slot| slot.session().is_some_and(is_it));
        slot.ok_or(SessionStatus::NotFound)
    }

    /// A call has ended: what has come of it, if it was made here.
    pub(crate) fn ended<'b>(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        rooms: &'b mut Rooms,
        now: Mono,
    ) -> Option<Happened<'b, O, A>> {
        let (slot, heard) = self.slots.iter_mut().find_map(|slot| {
            let heard = slot.ended(call, result)?;
            Some((slot, heard))
        })?;
        Some(slot.heard(heard, rooms, now))
    }

    /// Does the next thing that is due: what has come of it.
    pub(crate) fn advance<'b>(
        &mut self,
        rooms: &'b mut Rooms,
        now: Mono,
        world: &mut impl World,
    ) -> Option<Happened<'b, O, A>> {
        if self.is_stopping {
            self.sessions_mut().for_each(|session| session.end(End::Closed));
        }
        let (slot, due) = self.slots.iter_mut().find_map(|slot| {
            let due = slot.due(now, world)?;
            Some((slot, due))
        })?;
        Some(slot.advance(due, rooms, now))
    }

    /// Ends all sessions of a life that has ended.
    pub(crate) fn forget(&mut self, life: Life) {
        let its = self.sessions_mut().filter(|session| session.owner == life);
        its.for_each(|session| session.end(End::OwnerGone));
    }

    /// Ends all sessions, also those that are still to be opened.
    pub(crate) const fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// How many sessions are open, or being opened or closed.
    pub(crate) fn len(&self) -> usize {
        self.sessions().count()
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.slots.iter().filter_map(Slot::deadline).min()
    }

    pub(crate) fn check(&self) {
        self.slots.iter().for_each(Slot::check);
    }
}
