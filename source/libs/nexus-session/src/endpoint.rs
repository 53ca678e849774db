use nexus_abi::Sender;
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, World};
use nexus_recipe::Keyring;
use nexus_wire::sessions::line::{HELLO_BYTES, Sealed, WELCOME_BYTES};
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::accepted::AllAccepted;
use crate::noise::Opening;
use crate::opened::{Opened, Place};
use crate::ring::Ring;
use crate::rooms::Rooms;
use crate::seeds::Seeds;
use crate::{Happened, Life};

/// One endpoint with all its sessions. See the crate.
pub struct Endpoint<W> {
    ring: Ring,
    rooms: Rooms,
    seeds: Seeds,
    opened: Opened<W>,
    accepted: AllAccepted,
    /// When our latest hello was made.
    said: Mono,
}

impl<W> Endpoint<W> {
    /// With these keys. `first` and the names behind it, 65536 for each session of ours and once
    /// more, are for its calls.
    #[must_use]
    pub fn new(keys: &Keyring, first: CallId) -> Self {
        let ring = Ring::new(keys);
        Self {
            rooms: Rooms::new(),
            seeds: Seeds::new(first),
            opened: Opened::new(CallId(first.0 + 0x1_0000)),
            accepted: AllAccepted::new(ring.len()),
            said: Mono(0),
            ring,
        }
    }

    /// It begins to live now: what was said earlier was not said to this life.
    pub fn begin(&mut self, now: Mono) {
        self.accepted.begin(now);
    }

    /// Where messages may be made that belong to no session.
    pub const fn rooms(&mut self) -> &mut Rooms {
        &mut self.rooms
    }

    /// Where a session of `owner` with the endpoint of this name may stand.
    ///
    /// # Errors
    /// `not_found`: there is no such endpoint. `over_limit`: there are as many as may be.
    pub fn reserve(&self, owner: Life, name: &str) -> Result<Place, SessionStatus> {
        let known = self.ring.by_name(name).and_then(|peer| Some((peer, self.ring.service(peer)?)));
        let (peer, service) = known.ok_or(SessionStatus::NotFound)?;
        Ok(Place { at: self.opened.reserve(owner, peer)?, peer, service })
    }

    /// Begins a session at a place that was just reserved for `owner`: what has come of it, if it
    /// could not begin.
    pub fn open(
        &mut self,
        place: Place,
        owner: Life,
        waiter: W,
        now: Mono,
    ) -> Option<Happened<'static, W>> {
        let made = match self.hello(place, now) {
            Ok(made) => made,
            Err(status) => return Some(Happened::NotOpened { waiter, status }),
        };
        let slot = self.opened.take(place, owner);
        assert!(slot.is_some(), "the place was reserved");
        slot?.open(waiter, made, now);
        None
    }

    /// No two are made at the same time, so that the other side can tell old from new.
    fn hello(
        &mut self,
        place: Place,
        now: Mono,
    ) -> Result<(Opening, [u8; HELLO_BYTES]), SessionStatus> {
        let at = now.max(Mono(self.said.0 + 1));
        let pair = self.ring.to(place.peer).zip(self.seeds.next());
        let (pair, seed) = pair.ok_or(SessionStatus::NotReady)?;
        let made = Opening::begin(pair, &seed, at)?;
        self.seeds.spend();
        self.said = at;
        Ok(made)
    }

    /// Asks something over a session of `owner`.
    ///
    /// # Errors
    /// `not_found`, `busy`: an answer is waited for, `over_limit`: too many bytes.
    pub fn ask(
        &mut self,
        (session, owner): (SessionId, Life),
        waiter: W,
        bytes: &[u8],
        now: Mono,
    ) -> Result<(), SessionStatus> {
        let slot = self.opened.find(session, owner)?;
        slot.ask(waiter, bytes, &mut self.rooms.sealing, now)
    }

    /// Ends a session of `owner`.
    ///
    /// # Errors
    /// `not_found`, `busy`: an answer is waited for.
    pub fn close(
        &mut self,
        (session, owner): (SessionId, Life),
        waiter: W,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        let slot = self.opened.find(session, owner)?;
        slot.close(Some(waiter), &mut self.rooms.sealing, now)
    }

    /// Takes the first message of a handshake: who has begun, and what to answer.
    ///
    /// # Errors
    /// Why there is no session; nothing has changed.
    pub fn accept(
        &mut self,
        from: Sender,
        said: (u8, &[u8; HELLO_BYTES]),
        now: Mono,
    ) -> Result<(&str, [u8; WELCOME_BYTES]), SessionStatus> {
        let accepted = self.accepted.accept(from, said, self.seeds.next(), &self.ring, now);
        let (peer, welcome) = accepted?;
        self.seeds.spend();
        Ok((self.ring.name(peer), welcome))
    }

    /// Takes a message over a session that another endpoint has opened: what to answer. What that
    /// says is written by `answer`, which is given what was asked and returns its length.
    ///
    /// # Errors
    /// Why it is not believed; nothing has changed.
    pub fn carry(
        &mut self,
        from: Sender,
        said: (SessionId, Sealed<'_>),
        answer: impl FnOnce(&[u8], &mut [u8]) -> usize,
        now: Mono,
    ) -> Result<Sealed<'_>, SessionStatus> {
        self.accepted.carry(from, said, answer, &mut self.rooms, now)
    }

    /// A call has ended, maybe ours: what has come of it.
    pub fn ended(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        now: Mono,
    ) -> Option<Happened<'_, W>> {
        if self.seeds.ended(call, result, now) {
            return None;
        }
        self.opened.ended(call, result, &mut self.rooms, now)
    }

    /// Does the next thing that is due, until there is none: what has come of it. To be called
    /// after everything else.
    pub fn advance(&mut self, now: Mono, world: &mut impl World) -> Option<Happened<'_, W>> {
        self.seeds.expire(now);
        self.accepted.expire(now);
        let happened = self.opened.advance(&mut self.rooms, now, world);
        // What is to be said comes first where there are few places for calls.
        if happened.is_none() {
            self.seeds.refill(now, world);
        }
        happened
    }

    /// A life has ended, and with it its sessions on either side.
    pub fn forget(&mut self, life: Life) {
        self.opened.forget(life);
        self.accepted.forget(life);
    }

    /// Ends all sessions of ours.
    pub fn stop(&mut self) {
        self.opened.stop();
    }

    /// Sessions that we have opened, or are opening or closing.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.opened.len()
    }

    /// Sessions that others have opened.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// When something is due by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let deadlines = [self.seeds.deadline(), self.opened.deadline(), self.accepted.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Asserts that each session is wholly about one thing.
    pub fn check(&self) {
        self.opened.check();
    }
}
