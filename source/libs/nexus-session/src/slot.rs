use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallId, World};
use nexus_wire::sessions::line::{HELLO_BYTES, Kind, Reply, Request, SUITE};
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::line::{Answer, Line};
use crate::noise::{Channel, Opening};
use crate::opened::Place;
use crate::rooms::{Rooms, Sealing};
use crate::{End, Happened, Life};

/// A session over which nothing is asked for so long ends.
pub const IDLE: Nanos = Nanos::from_secs(30);
/// For how long another endpoint is waited for.
pub const PATIENCE: Nanos = Nanos::from_secs(5);

/// What a slot is about; `W` is who waits.
enum Work<W> {
    Free,
    /// The other endpoint is asked for a session.
    Opening(W, Opening),
    /// Nothing goes on; if that is so until then, it ends.
    Idle(Mono),
    /// Something was asked over it.
    Asking(W),
    /// The other endpoint is told of its end, which somebody may wait for.
    Closing(Option<W>),
}

/// What is due in a slot.
pub(crate) enum Due {
    /// Nothing was answered.
    Silence(SessionStatus),
    /// It ends.
    End(End),
}

/// A place for one session of ours, which is used again.
pub(crate) struct Slot<W> {
    pub(crate) id: SessionId,
    /// Nobody while it is free.
    pub(crate) owner: Option<Life>,
    pub(crate) place: Place,
    /// How the other endpoint numbers it.
    theirs: SessionId,
    channel: Option<Channel>,
    work: Work<W>,
    line: Line,
    /// It ends as soon as it can, and why.
    ends: Option<End>,
}

impl<W> Slot<W> {
    /// `first` and the 65535 names behind it are for its calls. Takes its memory now.
    pub(crate) fn new(first: CallId) -> Self {
        let none = SessionId(0);
        let place = Place { at: 0, peer: 0, service: ServiceId::from_raw(0) };
        let (channel, work, line) = (None, Work::Free, Line::new(first));
        Self { id: none, owner: None, place, theirs: none, channel, work, line, ends: None }
    }

    pub(crate) const fn is_free(&self) -> bool {
        matches!(self.work, Work::Free)
    }

    /// Whether something may be asked over it.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.work, Work::Idle(_) | Work::Asking(_))
    }

    /// Asks the other endpoint for a session.
    pub(crate) fn open(
        &mut self,
        waiter: W,
        (opening, hello): (Opening, [u8; HELLO_BYTES]),
        now: Mono,
    ) {
        assert!(self.is_free(), "the place was reserved");
        let request = Request::Handshake { suite: SUITE, hello: &hello };
        self.line.ask(self.place.service, &request, now.after(PATIENCE));
        self.work = Work::Opening(waiter, opening);
    }

    /// Asks something over it.
    pub(crate) fn ask(
        &mut self,
        waiter: W,
        bytes: &[u8],
        room: &mut Sealing,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        self.carry(Kind::Data, bytes, room, now)?;
        self.work = Work::Asking(waiter);
        Ok(())
    }

    /// Tells the other endpoint that it is over.
    pub(crate) fn close(
        &mut self,
        waiter: Option<W>,
        room: &mut Sealing,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        self.carry(Kind::End, &[], room, now)?;
        self.work = Work::Closing(waiter);
        Ok(())
    }

    /// Seals a message and gives it to the line, if that is silent.
    fn carry(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        room: &mut Sealing,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        if !self.line.is_silent() {
            return Err(SessionStatus::Busy);
        }
        let channel = self.channel.as_mut().ok_or(SessionStatus::NotFound)?;
        let sealed = channel.seal(kind, bytes, room).map_err(|_| SessionStatus::OverLimit)?;
        let request = Request::Carry { session: self.theirs, sealed };
        self.line.ask(self.place.service, &request, now.after(PATIENCE));
        Ok(())
    }

    /// A call has ended: what was answered, if it is this one's.
    pub(crate) fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], nexus_port::CallError>,
    ) -> Option<Answer<'a>> {
        self.line.ended(call, result)
    }

    /// The other endpoint has answered, or cannot be heard.
    pub(crate) fn heard<'b>(
        &mut self,
        answer: Answer<'_>,
        rooms: &'b mut Rooms,
        now: Mono,
    ) -> Happened<'b, W> {
        match core::mem::replace(&mut self.work, Work::Free) {
            Work::Opening(waiter, opening) => self.welcomed(waiter, opening, answer, now),
            Work::Asking(waiter) => self.answered(waiter, answer, rooms, now),
            Work::Closing(waiter) => {
                self.free();
                Happened::Closed(waiter)
            }
            Work::Free | Work::Idle(_) => unreachable!("only who has asked is answered"),
        }
    }

    fn welcomed(
        &mut self,
        waiter: W,
        opening: Opening,
        answer: Answer<'_>,
        now: Mono,
    ) -> Happened<'static, W> {
        match welcome(opening, answer) {
            Ok((channel, theirs)) => {
                (self.channel, self.theirs) = (Some(channel), theirs);
                self.work = Work::Idle(now.after(IDLE));
                Happened::Opened { waiter, session: self.id }
            }
            Err(status) => {
                self.free();
                Happened::NotOpened { waiter, status }
            }
        }
    }

    fn answered<'b>(
        &mut self,
        waiter: W,
        answer: Answer<'_>,
        rooms: &'b mut Rooms,
        now: Mono,
    ) -> Happened<'b, W> {
        self.work = Work::Idle(now.after(IDLE));
        let channel = self.channel.as_mut().ok_or(SessionStatus::NotFound);
        let read = channel.and_then(|channel| read(channel, answer?, &mut rooms.open));
        match read {
            Ok(bytes) => Happened::Answered { waiter, bytes },
            Err(status) => {
                self.give_up(status, &mut rooms.sealing, now);
                Happened::Failed { waiter, status }
            }
        }
    }

    /// It is out of step: it ends, and the other endpoint is told if it may hear.
    fn give_up(&mut self, status: SessionStatus, room: &mut Sealing, now: Mono) {
        if status == SessionStatus::PeerAway || self.close(None, room, now).is_err() {
            self.free();
        }
    }

    /// Gives back everything that belongs to one session.
    pub(crate) fn free(&mut self) {
        (self.work, self.channel, self.ends) = (Work::Free, None, None);
        (self.id, self.owner) = (SessionId(0), None);
    }

    /// Ends as soon as nothing goes on over it.
    pub(crate) fn end(&mut self, how: End) {
        if !self.is_free() {
            self.ends = self.ends.or(Some(how));
        }
    }

    /// What is due by now; what waits to be said is handed over, if there is a place for it.
    pub(crate) fn due(&mut self, now: Mono, world: &mut impl World) -> Option<Due> {
        if self.line.expired(now) {
            return Some(Due::Silence(SessionStatus::PeerAway));
        }
        if let Work::Idle(until) = self.work {
            let idle = (until <= now).then_some(End::Idle);
            return self.ends.or(idle).map(Due::End);
        }
        self.line.push(now, world).err().map(Due::Silence)
    }

    /// When something is to be done by itself.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        match self.work {
            Work::Idle(until) => Some(until),
            _ => self.line.deadline(),
        }
    }

    /// Asserts that it is wholly about one thing.
    pub(crate) fn check(&self) {
        let is_waiting = matches!(self.work, Work::Opening(..) | Work::Asking(_) | Work::Closing(_));
        assert!(is_waiting != self.line.is_silent(), "who waits has asked");
        let has_keys = self.is_open() || matches!(self.work, Work::Closing(_));
        assert!(has_keys == self.channel.is_some(), "what is open has keys");
        assert!(self.is_free() == (self.id.0 == 0), "what lives has a number");
    }
}

fn welcome(
    opening: Opening,
    answer: Answer<'_>,
) -> Result<(Channel, SessionId), SessionStatus> {
    match answer? {
        Reply::Welcome { suite: SUITE, welcome } => opening.end(welcome),
        Reply::Welcome { .. } => Err(SessionStatus::Downgraded),
        _ => Err(SessionStatus::NotAuthentic),
    }
}

/// What was answered, if it is the answer.
fn read<'b>(
    channel: &mut Channel,
    reply: Reply<'_>,
    room: &'b mut [u8],
) -> Result<&'b [u8], SessionStatus> {
    let Reply::Carried(sealed) = reply else { return Err(SessionStatus::NotAuthentic) };
    match channel.open(sealed, room)? {
        (Kind::Data, bytes) => Ok(bytes),
        (Kind::End, _) => Err(SessionStatus::NotAuthentic),
    }
}
