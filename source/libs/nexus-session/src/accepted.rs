//! Sessions that other endpoints have opened with us.

use alloc::boxed::Box;

use nexus_abi::Sender;
use nexus_bounded::{Mono, Nanos};
use nexus_wire::sessions::line::{HELLO_BYTES, Kind, SUITE, Sealed, WELCOME_BYTES};
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::noise::{Accepting, Channel, Seed};
use crate::Life;
use crate::ring::{Peer, Ring};
use crate::rooms::Rooms;

/// Sessions that others have with us, at most.
pub const ACCEPTED_MAX: usize = 16;
/// Of them, those of one endpoint: as many as one of us opens with another.
pub const ACCEPTED_PER_PEER: usize = crate::PER_PEER;
/// A session over which nothing comes for so long ends: later than with who has opened it.
pub const IDLE_ACCEPTED: Nanos = Nanos::from_secs(60);
/// By so much a hello may be made later than it comes, as none is made at the time of another.
const AHEAD: Nanos = Nanos::from_millis(1);

struct Accepted {
    id: SessionId,
    from: Life,
    peer: Peer,
    channel: Channel,
    /// Until when it lives if nothing comes.
    until: Mono,
}

/// All of them.
pub(crate) struct AllAccepted {
    slots: Box<[Option<Accepted>]>,
    latest: u32,
    /// When the latest hello of each endpoint was made: none that is older comes anew.
    heard: Box<[Mono]>,
}

impl AllAccepted {
    /// Takes its memory now.
    pub(crate) fn new(peers: usize) -> Self {
        let slots = (0..ACCEPTED_MAX).map(|_| None).collect();
        let heard = (0..peers).map(|_| Mono(0)).collect();
        Self { slots, latest: 0, heard }
    }

    /// We begin to live now: what was said earlier was not said to this life.
    pub(crate) fn begin(&mut self, now: Mono) {
        self.heard.fill(Mono(now.0.saturating_sub(1)));
    }

    /// Takes a handshake: our answer. `seed` is used if there is one.
    ///
    /// # Errors
    /// Why there is no session.
    pub(crate) fn accept(
        &mut self,
        from: Sender,
        (suite, hello): (u8, &[u8; HELLO_BYTES]),
        seed: Option<Seed>,
        ring: &Ring,
        now: Mono,
    ) -> Result<(Peer, [u8; WELCOME_BYTES]), SessionStatus> {
        let peer = ring.by_service(from.service()).ok_or(SessionStatus::Denied)?;
        if suite != SUITE {
            return Err(SessionStatus::Downgraded);
        }
        let seed = seed.ok_or(SessionStatus::NotReady)?;
        let free = self.reserve(peer)?;
        let pair = ring.from(peer).ok_or(SessionStatus::Denied)?;
        let (accepting, at) = Accepting::begin(pair, &seed, hello)?;
        self.hear(peer, at, now)?;
        let id = self.free_id();
        let (channel, welcome) = accepting.end(id)?;
        let until = now.after(IDLE_ACCEPTED);
        let accepted = Accepted { id, from: (from.id, from.incarnation), peer, channel, until };
        if let Some(slot) = self.slots.get_mut(free) {
            *slot = Some(accepted);
        }
        Ok((peer, welcome))
    }

    fn reserve(&self, peer: Peer) -> Result<usize, SessionStatus> {
        let has = self.slots.iter().flatten().filter(|accepted| accepted.peer == peer).count();
        let free = self.slots.iter().position(Option::is_none);
        free.filter(|_| has < ACCEPTED_PER_PEER).ok_or(SessionStatus::OverLimit)
    }

    /// Takes a hello that was made at `at`, once.
    fn hear(&mut self, peer: Peer, at: Mono, now: Mono) -> Result<(), SessionStatus> {
        let heard = self.heard.get_mut(peer).ok_or(SessionStatus::Denied)?;
        if at <= *heard {
            return Err(SessionStatus::Replayed);
        }
        if at > now.after(AHEAD) {
            return Err(SessionStatus::OutOfOrder);
        }
        *heard = at;
        Ok(())
    }

    /// The next number that no session has; there are far more than sessions.
    fn free_id(&mut self) -> SessionId {
        loop {
            self.latest = self.latest.wrapping_add(1);
            let id = SessionId(self.latest);
            if id.0 != 0 && !self.slots.iter().flatten().any(|accepted| accepted.id == id) {
                return id;
            }
        }
    }

    /// Takes what comes over a session: our answer.
    ///
    /// # Errors
    /// Why it is not believed; nothing has changed.
    pub(crate) fn carry<'b>(
        &mut self,
        from: Sender,
        (id, sealed): (SessionId, Sealed<'_>),
        answer: impl FnOnce(&[u8], &mut [u8]) -> usize,
        rooms: &'b mut Rooms,
        now: Mono,
    ) -> Result<Sealed<'b>, SessionStatus> {
        let is_from = (from.id, from.incarnation);
        let is_it = |slot: &Option<Accepted>| {
            slot.as_ref().is_some_and(|accepted| accepted.id == id && accepted.from == is_from)
        };
        let slot = self.slots.iter_mut().find(|slot| is_it(slot));
        let slot = slot.ok_or(SessionStatus::NotFound)?;
        let accepted = slot.as_mut().ok_or(SessionStatus::NotFound)?;
        let (kind, asked) = accepted.channel.open(sealed, &mut rooms.open)?;
        accepted.until = now.after(IDLE_ACCEPTED);
        let len = if kind == Kind::End { 0 } else { answer(asked, &mut rooms.answer) };
        let answer = rooms.answer.get(..len).unwrap_or_default();
        let sealed = accepted.channel.seal(kind, answer, &mut rooms.sealing);
        if kind == Kind::End {
            *slot = None;
        }
        assert!(sealed.is_ok(), "every answer fits");
        sealed.map_err(|_| SessionStatus::NotFound)
    }

    /// Forgets all sessions of a life that has ended.
    pub(crate) fn forget(&mut self, life: Life) {
        self.end(|accepted| accepted.from == life);
    }

    /// Ends those over which nothing has come for long.
    pub(crate) fn expire(&mut self, now: Mono) {
        self.end(|accepted| accepted.until <= now);
    }

    fn end(&mut self, is_over: impl Fn(&Accepted) -> bool) {
        self.slots.iter_mut().for_each(|slot| drop(slot.take_if(|accepted| is_over(accepted))));
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.slots.iter().flatten().map(|accepted| accepted.until).min()
    }
}
