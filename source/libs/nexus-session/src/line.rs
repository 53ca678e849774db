use alloc::boxed::Box;

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, OneCall, SubmitError, World};
use nexus_wire::sessions::SessionStatus;
use nexus_wire::sessions::line::{Op, Reply, Request, decode_reply, encode};

use crate::rooms::room;

/// Before what the world had no place for is handed over again.
const PAUSE: Nanos = Nanos::from_millis(2);

/// What an endpoint answers, or why there is nothing to believe.
pub(crate) type Answer<'a> = Result<Reply<'a>, SessionStatus>;

/// One question at a time to another endpoint; `Q` is what it means. A frame is made once, and kept
/// until it is handed over: what is sealed in it is never sealed anew.
pub(crate) struct Line<Q> {
    call: OneCall,
    frame: Box<[u8]>,
    len: usize,
    op: Op,
    nonce: u32,
    question: Option<Q>,
    /// Until when the question that is not handed over yet may wait, and when to try again.
    waiting: Option<(Mono, Mono)>,
}

impl<Q> Line<Q> {
    /// `first` and the 65535 names behind it are for its calls. Takes its memory now.
    pub(crate) fn new(first: CallId) -> Self {
        let call = OneCall::new(ServiceId::from_raw(0), first);
        let (frame, op) = (room(FRAME_BYTES_MAX), Op::Handshake);
        Self { call, frame, len: 0, op, nonce: 0, question: None, waiting: None }
    }

    pub(crate) const fn is_silent(&self) -> bool {
        self.question.is_none()
    }

    /// Has something to ask of `to`, and waits for the answer until `until`.
    pub(crate) fn ask(&mut self, to: ServiceId, request: &Request<'_>, question: Q, until: Mono) {
        assert!(self.is_silent(), "one question at a time");
        self.call.redirect(to);
        (self.op, self.nonce) = (request.op(), self.nonce.wrapping_add(1));
        let frame = encode(request, self.nonce, &mut self.frame);
        assert!(frame.is_ok(), "every request of ours fits a frame");
        self.len = frame.map_or(0, <[u8]>::len);
        (self.question, self.waiting) = (Some(question), Some((until, Mono(0))));
    }

    /// Hands over what waits for it, if the world has a place: a question that nobody will answer,
    /// since patience has ended or nobody is there.
    pub(crate) fn push(&mut self, now: Mono, world: &mut impl World) -> Option<Q> {
        if self.expired(now) || self.hand_over(now, world).is_err() {
            return self.question.take();
        }
        None
    }

    fn expired(&mut self, now: Mono) -> bool {
        self.waiting.take_if(|(until, _)| *until <= now).is_some() || self.call.expired(now)
    }

    fn hand_over(&mut self, now: Mono, world: &mut impl World) -> Result<(), SubmitError> {
        let due = self.waiting.take_if(|(_, again)| *again <= now);
        let Some((until, _)) = due else { return Ok(()) };
        let frame = self.frame.get(..self.len).unwrap_or_default();
        match self.call.begin(frame, until, world) {
            Err(SubmitError::Busy) => self.waiting = Some((until, now.after(PAUSE))),
            begun => return begun,
        }
        Ok(())
    }

    /// A call has ended: the question and what was answered, if it is ours.
    pub(crate) fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
    ) -> Option<(Q, Answer<'a>)> {
        let result = self.call.ended(call, result)?;
        let answer = result.map_err(|_| SessionStatus::PeerAway);
        Some((self.question.take()?, answer.and_then(|frame| self.read(frame))))
    }

    fn read<'a>(&self, frame: &'a [u8]) -> Answer<'a> {
        let reply = decode_reply(self.op, self.nonce, frame);
        let (status, reply) = reply.ok_or(SessionStatus::NotAuthentic)?;
        if status == SessionStatus::Ok { Ok(reply) } else { Err(of_peer(status)) }
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.waiting.map(|(until, again)| until.min(again)).or(self.call.deadline())
    }

    /// Asserts that what is asked is waited for, and nothing else.
    pub(crate) fn check(&self) {
        assert!(self.is_silent() == self.deadline().is_none(), "who asks waits");
    }
}

/// What it means to whoever asked us that the other endpoint has refused.
const fn of_peer(status: SessionStatus) -> SessionStatus {
    use SessionStatus::{
        Busy, Denied, Downgraded, InvalidArgs, NotAuthentic, NotFound, NotReady, Ok, OutOfOrder,
        OverLimit, PeerAway, Replayed,
    };
    match status {
        NotAuthentic | Replayed | OutOfOrder | Downgraded | OverLimit | NotReady => status,
        Ok | InvalidArgs | NotFound | Denied | Busy | PeerAway => PeerAway,
    }
}
