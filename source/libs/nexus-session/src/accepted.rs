//! Sessions that other endpoints have opened with us.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_abi::{Life, Sender};
use nexus_bounded::{Mono, Nanos};
use nexus_wire::sessions::line::{HELLO_BYTES, Kind, SUITE, Sealed, WELCOME_BYTES};
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::noise::{Accepting, Channel};
use crate::numbers::Numbers;
use crate::ring::{Peer, Ring};
use crate::rooms::Rooms;
use crate::seeds::Seeds;

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
    live: Vec<Accepted>,
    numbers: Numbers,
    /// When the latest hello of each endpoint was made: none that is older comes anew.
    heard: Box<[Mono]>,
}

impl AllAccepted {
    /// Takes its memory now.
    pub(crate) fn new(peers: usize) -> Self {
        let heard = (0..peers).map(|_| Mono(0)).collect();
        Self { live: Vec::with_capacity(ACCEPTED_MAX), numbers: Numbers::new(), heard }
    }

    /// We begin to live now: what was said earlier was not said to this life.
    pub(crate) fn begin(&mut self, now: Mono) {
        self.heard.fill(Mono(now.0.saturating_sub(1)));
    }

    /// Takes a handshake: who has begun it, and our answer.
    ///
    /// # Errors
    /// Why there is no session.
    pub(crate) fn accept(
        &mut self,
        from: Sender,
        (suite, hello): (u8, &[u8; HELLO_BYTES]),
        seeds: &mut Seeds,
        ring: &Ring,
        now: Mono,
    ) -> Result<(Peer, [u8; WELCOME_BYTES]), SessionStatus> {
        let peer = ring.by_service(from.service()).ok_or(SessionStatus::Denied)?;
        let pair = ring.from(peer).ok_or(SessionStatus::Denied)?;
        if suite != SUITE {
            return Err(SessionStatus::Downgraded);
        }
        let welcome = seeds.spend(|seed| {
            self.room_for(peer)?;
            let (accepting, at) = Accepting::begin(pair, seed, hello)?;
            self.hear(peer, at, now)?;
            self.add(accepting, (from.id, from.incarnation), peer, now)
        });
        Ok((peer, welcome?))
    }

    fn room_for(&self, peer: Peer) -> Result<(), SessionStatus> {
        let has = self.live.iter().filter(|accepted| accepted.peer == peer).count();
        let is_full = self.live.len() == ACCEPTED_MAX || has == ACCEPTED_PER_PEER;
        if is_full { Err(SessionStatus::OverLimit) } else { Ok(()) }
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

    fn add(
        &mut self,
        accepting: Accepting,
        from: Life,
        peer: Peer,
        now: Mono,
    ) -> Result<[u8; WELCOME_BYTES], SessionStatus> {
        let id = self.numbers.next(|id| self.live.iter().any(|accepted| accepted.id == id));
        let (channel, welcome) = accepting.end(id)?;
        self.live.push(Accepted { id, from, peer, channel, until: now.after(IDLE_ACCEPTED) });
        Ok(welcome)
    }

    /// Takes what comes over a session: our answer.
    ///
    /// # Errors
    /// Why it is not believed; nothing has changed.
    pub(crate) fn carry<'b>(
        &mut self,
        from: Life,
        (id, sealed): (SessionId, Sealed<'_>),
        answer: impl FnOnce(&[u8], &mut [u8]) -> usize,
        rooms: &'b mut Rooms,
        now: Mono,
    ) -> Result<Sealed<'b>, SessionStatus> {
        let its = self.live.iter_mut().find(|accepted| (accepted.id, accepted.from) == (id, from));
        let accepted = its.ok_or(SessionStatus::NotFound)?;
        let (kind, asked) = accepted.channel.open(sealed, &mut rooms.open)?;
        accepted.until = now.after(IDLE_ACCEPTED);
        let len = if kind == Kind::End { 0 } else { answer(asked, &mut rooms.answer) };
        let answer = rooms.answer.get(..len).unwrap_or_default();
        let sealed = accepted.channel.seal(kind, answer, &mut rooms.sealing);
        assert!(sealed.is_ok(), "every answer fits");
        if kind == Kind::End {
            self.live.retain(|accepted| accepted.id != id);
        }
        sealed.map_err(|_| SessionStatus::OverLimit)
    }

    /// Forgets all sessions of a life that has ended.
    pub(crate) fn forget(&mut self, life: Life) {
        self.live.retain(|accepted| accepted.from != life);
    }

    /// Ends those over which nothing has come for long.
    pub(crate) fn expire(&mut self, now: Mono) {
        self.live.retain(|accepted| accepted.until > now);
    }

    pub(crate) const fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.live.iter().map(|accepted| accepted.until).min()
    }
}
