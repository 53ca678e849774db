//! An endpoint at the end of a line on which everything happens that must not.
//!
//! Whatever comes is also heard cut, changed, in another session, too early and a second time; the
//! endpoint has to refuse all of that and to answer what is right. What it answers goes wrong by
//! the number of its session: the others have to refuse that.

use dsoftbusd::Dsoftbusd;
use nexus_abi::{FRAME_BYTES_MAX, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_wire::Echo;
use nexus_wire::sessions::SessionId;
use nexus_wire::sessions::line::{
    self, Frame, Reply, Request, SEALED_BYTES_MAX, SUITE, Sealed, decode_reply, encode,
    encode_reply,
};

/// In this session the second answer is the first once more,
pub const REPEATS: SessionId = SessionId(2);
/// in this one an answer has one bit changed,
pub const CHANGES: SessionId = SessionId(3);
/// in this one it is cut,
pub const CUTS: SessionId = SessionId(4);
/// and the welcome to this one names another suite.
pub const DOWNGRADES: SessionId = SessionId(5);

/// See the module.
pub struct Rough {
    endpoint: Dsoftbusd,
    is_rough: bool,
    /// Sessions that were opened.
    opened: u32,
    /// The first answer in the session that repeats.
    first: Option<Kept>,
}

/// A sealed message that was kept.
struct Kept {
    counter: u64,
    bytes: [u8; SEALED_BYTES_MAX],
    len: usize,
}

/// Lets everything through but answers, and what is said of what must be wrong.
struct Deaf<'w, W>(&'w mut W);

impl<W: World> World for Deaf<'_, W> {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.0.submit(to, call, frame)
    }

    fn print(&mut self, _: &str) {}
}

/// Spoils answers.
struct Spoiling<'w, W> {
    world: &'w mut W,
    session: SessionId,
    asked: Echo,
    first: &'w mut Option<Kept>,
}

impl<W: World> World for Spoiling<'_, W> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        let mut out = [0; FRAME_BYTES_MAX];
        let spoiled = self.spoil(frame, &mut out).unwrap_or(frame);
        self.world.reply(token, spoiled);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.world.submit(to, call, frame)
    }

    fn print(&mut self, _: &str) {}
}

impl<W> Spoiling<'_, W> {
    /// What is said instead; `None` if nothing is.
    fn spoil<'b>(&mut self, frame: &'b [u8], out: &'b mut [u8]) -> Option<&'b [u8]> {
        let op = line::Op::from_raw(self.asked.op)?;
        match (self.session, decode_reply(op, self.asked.nonce, frame)?.1) {
            (DOWNGRADES, Reply::Welcome { welcome, .. }) => {
                let other = Reply::Welcome { suite: SUITE + 1, welcome };
                encode_reply(&other, self.asked, out).ok()
            }
            (REPEATS, Reply::Carried(sealed)) if sealed.counter == 0 => {
                *self.first = Kept::of(sealed);
                None
            }
            (REPEATS, Reply::Carried(Sealed { counter: 1, .. })) => {
                let first = Reply::Carried(self.first.as_ref()?.sealed());
                encode_reply(&first, self.asked, out).ok()
            }
            (CHANGES, Reply::Carried(sealed)) if sealed.counter == 0 => {
                let mut changed = Kept::of(sealed)?;
                *changed.bytes.first_mut()? ^= 1;
                encode_reply(&Reply::Carried(changed.sealed()), self.asked, out).ok()
            }
            (CUTS, Reply::Carried(sealed)) if sealed.counter == 0 => frame.get(..frame.len() - 1),
            _ => None,
        }
    }
}

impl Kept {
    fn of(sealed: Sealed<'_>) -> Option<Self> {
        let (mut bytes, len) = ([0; SEALED_BYTES_MAX], sealed.bytes.len());
        bytes.get_mut(..len)?.copy_from_slice(sealed.bytes);
        Some(Self { counter: sealed.counter, bytes, len })
    }

    fn sealed(&self) -> Sealed<'_> {
        Sealed { counter: self.counter, bytes: self.bytes.get(..self.len).unwrap_or_default() }
    }
}

impl Rough {
    /// A line with this endpoint behind it; if it is not rough everything goes through as it is.
    #[must_use]
    pub const fn new(endpoint: Dsoftbusd, is_rough: bool) -> Self {
        Self { endpoint, is_rough, opened: 0, first: None }
    }

    /// What the endpoint must refuse before it hears what is right.
    fn before(&mut self, now: Now, from: Sender, frame: &[u8], world: &mut impl World) {
        let Ok(Frame { echo, request: Request::Carry { session, sealed } }) = line::decode(frame)
        else {
            return;
        };
        let cut = frame.get(..frame.len() - 1).unwrap_or_default();
        self.hear_in_vain(now, from, cut, world);
        let Some(mut changed) = Kept::of(sealed) else { return };
        changed.bytes.first_mut().into_iter().for_each(|byte| *byte ^= 1);
        let early = Sealed { counter: sealed.counter + 1, ..sealed };
        for (session, sealed) in
            [(session, changed.sealed()), (SessionId(session.0 + 1_000), sealed), (session, early)]
        {
            let mut out = [0; FRAME_BYTES_MAX];
            let wrong = encode(&Request::Carry { session, sealed }, echo.nonce, &mut out);
            self.hear_in_vain(now, from, wrong.unwrap_or_default(), world);
        }
    }

    fn hear_in_vain(&mut self, now: Now, from: Sender, frame: &[u8], world: &mut impl World) {
        let event = Event::Request { from, token: Token::from_raw(0), frame };
        self.endpoint.handle(now, event, &mut Deaf(world));
    }

    /// Which session a frame is about, and what its answer echoes.
    fn about(&mut self, frame: &[u8]) -> Option<(SessionId, Echo)> {
        let Frame { echo, request } = line::decode(frame).ok()?;
        Some(match request {
            Request::Handshake { .. } => {
                self.opened += 1;
                (SessionId(self.opened), echo)
            }
            Request::Carry { session, .. } => (session, echo),
        })
    }
}

impl Service for Rough {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let Event::Request { from, token: _, frame } = event else {
            return self.endpoint.handle(now, event, world);
        };
        if !self.is_rough {
            return self.endpoint.handle(now, event, world);
        }
        self.before(now, from, frame, world);
        let Some((session, asked)) = self.about(frame) else {
            return self.endpoint.handle(now, event, world);
        };
        let mut spoiling = Spoiling { world, session, asked, first: &mut self.first };
        self.endpoint.handle(now, event, &mut spoiling);
        self.hear_in_vain(now, from, frame, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.endpoint.deadline()
    }

    fn stopped(&self) -> bool {
        self.endpoint.stopped()
    }
}
