use nexus_abi::{Life, Sender};
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, World};
use nexus_recipe::Keyring;
use nexus_wire::sessions::line::{HELLO_BYTES, Reply, Request, SUITE};
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::accepted::AllAccepted;
use crate::opened::Opened;
use crate::ring::Ring;
use crate::rooms::Rooms;
use crate::seeds::Seeds;
use crate::session::Session;
use crate::{Happened, Place};

/// What another endpoint is told.
#[derive(Clone, Copy, Debug)]
pub struct Served<'b> {
    /// What to reply.
    pub reply: Reply<'b>,
    /// Who has a session with us since now.
    pub accepted: Option<&'b str>,
}

/// One endpoint with all its sessions; an `O` waits for a session, an `A` for an answer. See the
/// crate.
pub struct Endpoint<O, A> {
    ring: Ring,
    rooms: Rooms,
    seeds: Seeds,
    opened: Opened<O, A>,
    accepted: AllAccepted,
    /// When our latest hello was made.
    said: Mono,
}

impl<O, A> Endpoint<O, A> {
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
    pub fn reserve(
        &mut self,
        owner: Life,
        name: &str,
        now: Mono,
    ) -> Result<Place<'_, O, A>, SessionStatus> {
        let peer = self.ring.by_name(name).ok_or(SessionStatus::NotFound)?;
        let service = self.ring.service(peer).ok_or(SessionStatus::NotFound)?;
        let pair = self.ring.to(peer).ok_or(SessionStatus::NotFound)?;
        let (slot, id) = self.opened.reserve(owner, peer)?;
        let session = Session::new(id, owner, (peer, service), now);
        Ok(Place { slot, session, pair, seeds: &mut self.seeds, said: &mut self.said })
    }

    /// Asks something over a session of `owner`.
    ///
    /// # Errors
    /// `not_found`, `busy`: an answer is waited for, `over_limit`: too many bytes.
    pub fn ask(
        &mut self,
        (session, owner): (SessionId, Life),
        waiter: A,
        bytes: &[u8],
        now: Mono,
    ) -> Result<(), SessionStatus> {
        let slot = self.opened.find(session, owner)?;
        slot.ask(waiter, bytes, &mut self.rooms.sealing, now)
    }

    /// Closes a session of `owner`.
    ///
    /// # Errors
    /// `not_found`, `busy`: an answer is waited for.
    pub fn close(
        &mut self,
        (session, owner): (SessionId, Life),
        waiter: A,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        let slot = self.opened.find(session, owner)?;
        slot.close(Some(waiter), &mut self.rooms.sealing, now)
    }

    /// Takes what another endpoint has said, or whoever says to be one: what to reply. What that
    /// says over a session is written by `answer`, which is given what was asked and returns its
    /// length.
    ///
    /// # Errors
    /// Why it is not believed; nothing has changed.
    pub fn serve(
        &mut self,
        from: Sender,
        request: Request<'_>,
        answer: impl FnOnce(&[u8], &mut [u8]) -> usize,
        now: Mono,
    ) -> Result<Served<'_>, SessionStatus> {
        match request {
            Request::Handshake { suite, hello } => self.accept(from, (suite, hello), now),
            Request::Carry { session, sealed } => {
                let (life, said) = ((from.id, from.incarnation), (session, sealed));
                let sealed = self.accepted.carry(life, said, answer, &mut self.rooms, now)?;
                Ok(Served { reply: Reply::Carried(sealed), accepted: None })
            }
        }
    }

    fn accept(
        &mut self,
        from: Sender,
        said: (u8, &[u8; HELLO_BYTES]),
        now: Mono,
    ) -> Result<Served<'_>, SessionStatus> {
        let accepted = self.accepted.accept(from, said, &mut self.seeds, &self.ring, now);
        let (peer, made) = accepted?;
        self.rooms.welcome = made;
        let reply = Reply::Welcome { suite: SUITE, welcome: &self.rooms.welcome };
        Ok(Served { reply, accepted: Some(self.ring.name(peer)) })
    }

    /// A call has ended, maybe ours: what has come of it.
    pub fn ended(
        &mut self,
        call: CallId,
        result: Result<&[u8], CallError>,
        now: Mono,
    ) -> Option<Happened<'_, O, A>> {
        if self.seeds.ended(call, result, now) {
            return None;
        }
        self.opened.ended(call, result, &mut self.rooms, now)
    }

    /// Does the next thing that is due, until there is none: what has come of it. To be called
    /// after everything else.
    pub fn advance(&mut self, now: Mono, world: &mut impl World) -> Option<Happened<'_, O, A>> {
        self.seeds.expire(now);
        self.accepted.expire(now);
        let happened = self.opened.advance(&mut self.rooms, now, world);
        // Where there are few places for calls, what is to be said comes first.
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

    /// Ends all sessions of ours as soon as nothing goes on over them, also those that are still
    /// to be opened.
    pub const fn stop(&mut self) {
        self.opened.stop();
    }

    /// Sessions that we have opened, or are opening or closing.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.opened.len()
    }

    /// Sessions that others have opened.
    #[must_use]
    pub const fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// When something is due by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let deadlines = [self.seeds.deadline(), self.opened.deadline(), self.accepted.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Asserts that each session of ours is wholly about one thing.
    pub fn check(&self) {
        self.opened.check();
    }
}
