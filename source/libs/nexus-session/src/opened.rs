//! Sessions that we have opened.

use alloc::boxed::Box;

use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, World};
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::ring::Peer;
use crate::rooms::Rooms;
use crate::slot::{Due, Slot};
use crate::{End, Happened, Life};

/// Sessions that are open, or being opened, at most.
pub const SESSIONS_MAX: usize = 16;
/// Of them, those of one owner.
pub const PER_OWNER: usize = 4;
/// Of them, those with one endpoint.
pub const PER_PEER: usize = 8;

/// Where a session with an endpoint may stand.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub(crate) at: usize,
    pub(crate) peer: Peer,
    pub(crate) service: ServiceId,
}

/// All slots.
pub(crate) struct Opened<W> {
    slots: Box<[Slot<W>]>,
    latest: u32,
}

impl<W> Opened<W> {
    /// `first` and the names behind it, 65536 for each slot, are for calls. Takes its memory now.
    pub(crate) fn new(first: CallId) -> Self {
        let slot = |at: usize| Slot::new(CallId(first.0 + ((at as u32) << 16)));
        Self { slots: (0..SESSIONS_MAX).map(slot).collect(), latest: 0 }
    }

    /// Which slot a session of this owner with this endpoint may have.
    ///
    /// # Errors
    /// `over_limit`.
    pub(crate) fn reserve(&self, owner: Life, peer: Peer) -> Result<usize, SessionStatus> {
        let live = || self.slots.iter().filter(|slot| !slot.is_free());
        let owned = live().filter(|slot| slot.owner == Some(owner)).count();
        let with_peer = live().filter(|slot| slot.place.peer == peer).count();
        let free = self.slots.iter().position(Slot::is_free);
        free.filter(|_| owned < PER_OWNER && with_peer < PER_PEER).ok_or(SessionStatus::OverLimit)
    }

    /// The slot at a place, for a new session.
    pub(crate) fn take(&mut self, place: Place, owner: Life) -> Option<&mut Slot<W>> {
        let id = self.free_id();
        let slot = self.slots.get_mut(place.at).filter(|slot| slot.is_free())?;
        (slot.id, slot.owner, slot.place) = (id, Some(owner), place);
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

    /// The session of this sender, if it is not over.
    ///
    /// # Errors
    /// `not_found`.
    pub(crate) fn find(
        &mut self,
        id: SessionId,
        owner: Life,
    ) -> Result<&mut Slot<W>, SessionStatus> {
        let is_it =
            |slot: &&mut Slot<W>| slot.id == id && slot.owner == Some(owner) && slot.is_open();
        self.slots.iter_mut().find(is_it).ok_or(SessionStatus::NotFound)
    }

    /// A call has ended: what has come of it, if it was made here.
    pub(crate) fn ended<'b>(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        rooms: &'b mut Rooms,
        now: Mono,
    ) -> Option<Happened<'b, W>> {
        let heard = |slot: &mut Slot<W>| slot.ended(call, result);
        let mut slots = self.slots.iter_mut();
        let (slot, answer) = slots.find_map(|slot| heard(slot).map(|answer| (slot, answer)))?;
        Some(slot.heard(answer, rooms, now))
    }

    /// Does the next thing that is due: what has come of it.
    pub(crate) fn advance<'b>(
        &mut self,
        rooms: &'b mut Rooms,
        now: Mono,
        world: &mut impl World,
    ) -> Option<Happened<'b, W>> {
        let mut slots = self.slots.iter_mut();
        let (slot, due) = slots.find_map(|slot| slot.due(now, world).map(|due| (slot, due)))?;
        let how = match due {
            Due::Silence(status) => return Some(slot.heard(Err(status), rooms, now)),
            Due::End(how) => how,
        };
        let told = slot.close(None, &mut rooms.sealing, now);
        assert!(told.is_ok(), "an idle line is silent");
        Some(Happened::Ended(how))
    }

    /// Ends all sessions of a life that has ended.
    pub(crate) fn forget(&mut self, life: Life) {
        let its = self.slots.iter_mut().filter(|slot| slot.owner == Some(life));
        its.for_each(|slot| slot.end(End::OwnerGone));
    }

    /// Ends all sessions.
    pub(crate) fn stop(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.end(End::Closed));
    }

    /// How many sessions are open, or being opened or closed.
    pub(crate) fn len(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.is_free()).count()
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.slots.iter().filter_map(Slot::deadline).min()
    }

    pub(crate) fn check(&self) {
        self.slots.iter().for_each(Slot::check);
    }
}
