use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, World};
use nexus_wire::sessions::SessionStatus;
use nexus_wire::sessions::line::{HELLO_BYTES, Kind, Request, SUITE};

use crate::line::{Answer, Line};
use crate::noise::Opening;
use crate::rooms::{Rooms, Sealing};
use crate::session::Session;
use crate::{End, Happened};

/// For how long another endpoint is waited for.
pub const PATIENCE: Nanos = Nanos::from_secs(5);

/// What the other endpoint is asked, and who waits for what comes of it.
pub(crate) enum Question<O, A> {
    /// A session.
    Open(O, Opening),
    /// Something over it.
    Ask(A),
    /// To forget it, which somebody may wait for.
    End(Option<A>),
}

/// What is due in a slot.
pub(crate) enum Due<O, A> {
    /// Nobody will answer this.
    Silence(Question<O, A>),
    /// The session ends.
    End(End),
}

/// A place for one session of ours, which is used again, and its line to the other endpoint.
pub(crate) struct Slot<O, A> {
    session: Option<Session>,
    line: Line<Question<O, A>>,
}

impl<O, A> Slot<O, A> {
    /// `first` and the 65535 names behind it are for its calls. Takes its memory now.
    pub(crate) fn new(first: CallId) -> Self {
        Self { session: None, line: Line::new(first) }
    }

    pub(crate) const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    pub(crate) const fn session_mut(&mut self) -> Option<&mut Session> {
        self.session.as_mut()
    }

    /// Asks the other endpoint for a session.
    pub(crate) fn open(
        &mut self,
        session: Session,
        (waiter, opening): (O, Opening),
        hello: &[u8; HELLO_BYTES],
        now: Mono,
    ) {
        let request = Request::Handshake { suite: SUITE, hello };
        let question = Question::Open(waiter, opening);
        self.line.ask(session.to, &request, question, now.after(PATIENCE));
        self.session = Some(session);
    }

    /// Asks something over it.
    pub(crate) fn ask(
        &mut self,
        waiter: A,
        bytes: &[u8],
        room: &mut Sealing,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        self.carry((Kind::Data, bytes), Question::Ask(waiter), room, now)
    }

    /// Tells the other endpoint that it is over.
    pub(crate) fn close(
        &mut self,
        waiter: Option<A>,
        room: &mut Sealing,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        self.carry((Kind::End, &[]), Question::End(waiter), room, now)?;
        self.session.iter_mut().for_each(Session::forget_keys);
        Ok(())
    }

    /// Seals a message and gives it to the line, if that is silent.
    fn carry(
        &mut self,
        (kind, bytes): (Kind, &[u8]),
        question: Question<O, A>,
        room: &mut Sealing,
        now: Mono,
    ) -> Result<(), SessionStatus> {
        if !self.line.is_silent() {
            return Err(SessionStatus::Busy);
        }
        let session = self.session.as_mut().ok_or(SessionStatus::NotFound)?;
        let request = session.seal(kind, bytes, room)?;
        self.line.ask(session.to, &request, question, now.after(PATIENCE));
        Ok(())
    }

    /// A call has ended: the question and what was answered, if it is this one's.
    pub(crate) fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
    ) -> Option<(Question<O, A>, Answer<'a>)> {
        self.line.ended(call, result)
    }

    /// What is due by now; what waits to be said is handed over, if there is a place for it.
    pub(crate) fn due(&mut self, now: Mono, world: &mut impl World) -> Option<Due<O, A>> {
        if let Some(question) = self.line.push(now, world) {
            return Some(Due::Silence(question));
        }
        let silent = self.session.as_ref().filter(|_| self.line.is_silent());
        silent?.due(now).map(Due::End)
    }

    /// Does what is due: what has come of it.
    pub(crate) fn advance<'b>(
        &mut self,
        due: Due<O, A>,
        rooms: &'b mut Rooms,
        now: Mono,
    ) -> Happened<'b, O, A> {
        match due {
            Due::Silence(question) => {
                self.heard((question, Err(SessionStatus::PeerAway)), rooms, now)
            }
            Due::End(how) => {
                // Where nobody is left who could be told, it is over at once.
                if self.close(None, &mut rooms.sealing, now).is_err() {
                    self.session = None;
                }
                Happened::Ending(how)
            }
        }
    }

    /// The other endpoint has answered, or cannot be heard.
    pub(crate) fn heard<'b>(
        &mut self,
        (question, answer): (Question<O, A>, Answer<'_>),
        rooms: &'b mut Rooms,
        now: Mono,
    ) -> Happened<'b, O, A> {
        match question {
            Question::Open(waiter, opening) => self.welcomed(waiter, opening, answer, now),
            Question::Ask(waiter) => self.answered(waiter, answer, &mut rooms.open, now),
            Question::End(waiter) => {
                self.session = None;
                waiter.map_or(Happened::Ended, |waiter| Happened::Closed { waiter })
            }
        }
    }

    fn welcomed(
        &mut self,
        waiter: O,
        opening: Opening,
        answer: Answer<'_>,
        now: Mono,
    ) -> Happened<'static, O, A> {
        let session = self.session.as_mut().ok_or(SessionStatus::NotFound);
        let opened = session.and_then(|session| session.welcome(opening, answer, now));
        if opened.is_err() {
            self.session = None;
        }
        Happened::Opened { waiter, opened }
    }

    fn answered<'b>(
        &mut self,
        waiter: A,
        answer: Answer<'_>,
        room: &'b mut [u8],
        now: Mono,
    ) -> Happened<'b, O, A> {
        let session = self.session.as_mut().ok_or(SessionStatus::NotFound);
        let answer = session.and_then(|session| session.read(answer, room, now));
        Happened::Answered { waiter, answer }
    }

    /// When something is to be done by itself.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.line.deadline().or(self.session.as_ref().map(Session::deadline))
    }

    /// Asserts that who waits has a session, and that one over which nothing goes on is open.
    pub(crate) fn check(&self) {
        self.line.check();
        let is_open = self.session.as_ref().is_some_and(Session::is_open);
        let is_free = self.session.is_none();
        assert!(if self.line.is_silent() { is_free || is_open } else { !is_free }, "one or other");
    }
}
