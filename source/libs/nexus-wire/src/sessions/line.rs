//! What two endpoints say to each other, version 1.
//!
//! Request: `'S' 'L' 1 op nonce:u32`, then the body. Reply: the same head with `op|0x80` and
//! `status:u8` before the nonce and, if that is `ok`, a body. The messages are those of
//! [`SUITE_NAME`]; what is inside of them, and what they are bound to, stands here too.

use nexus_bounded::Mono;

use super::{
    EndpointName, SESSION_BYTES_MAX, SHORT, SessionId, SessionStatus, read_bytes, read_session,
    write_bytes,
};
use crate::EncodeError;
use crate::bytes::{Reader, Writer};
use crate::head::{self, Echo, REPLY_HEAD_BYTES};
use crate::numbers::numbers;

const MAGIC: [u8; 2] = *b"SL";

/// The only suite: a handshake that names another one is refused.
pub const SUITE: u8 = 1;
/// The same, as Noise calls it.
pub const SUITE_NAME: &str = "Noise_KK_25519_ChaChaPoly_BLAKE2s";

/// Bytes of a key, private or public.
pub const KEY_BYTES: usize = 32;
/// Bytes that sealing adds.
pub const TAG_BYTES: usize = 16;
/// Bytes of the first message: a key, and a time that is sealed.
pub const HELLO_BYTES: usize = KEY_BYTES + 8 + TAG_BYTES;
/// Bytes of the second message: a key, and a session that is sealed.
pub const WELCOME_BYTES: usize = KEY_BYTES + 4 + TAG_BYTES;
/// Bytes of what is inside of a sealed message, at most.
pub const INSIDE_BYTES_MAX: usize = 1 + SESSION_BYTES_MAX;
/// Bytes of a sealed message, at most.
pub const SEALED_BYTES_MAX: usize = INSIDE_BYTES_MAX + TAG_BYTES;
/// Bytes that a handshake is bound to, at most.
pub const PROLOGUE_BYTES_MAX: usize = PROLOGUE.len() + 4 + 2 * crate::OBJECT_BYTES_MAX;

const PROLOGUE: &[u8] = b"nexus sessions";

numbers! {
    /// What an endpoint asks of another.
    Op {
        /// Opens a session.
        Handshake = 1,
        /// Something over a session.
        Carry = 2,
    }
}

numbers! {
    /// What a sealed message is, inside.
    Kind {
        /// What a program asks, or is answered.
        Data = 0,
        /// The end of the session.
        End = 1,
    }
}

/// A decoded request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// HANDSHAKE.
    Handshake {
        /// As it came.
        suite: u8,
        /// The first message.
        hello: &'a [u8; HELLO_BYTES],
    },
    /// CARRY.
    Carry {
        /// The session, as the other side numbers it.
        session: SessionId,
        /// The message.
        sealed: Sealed<'a>,
    },
}

/// A message that only the other side of a session reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sealed<'a> {
    /// The first one in each direction has 0, each other one more than the one before.
    pub counter: u64,
    /// At most [`SEALED_BYTES_MAX`] bytes.
    pub bytes: &'a [u8],
}

/// A decoded request.
pub type Frame<'a> = head::Frame<Request<'a>>;
/// A refused one.
pub type Refusal = head::Refusal<SessionStatus>;

/// A decoded reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply<'a> {
    /// Nothing but a status.
    Plain,
    /// HANDSHAKE.
    Welcome {
        /// As it came.
        suite: u8,
        /// The second message.
        welcome: &'a [u8; WELCOME_BYTES],
    },
    /// CARRY.
    Carried(Sealed<'a>),
}

impl Request<'_> {
    /// What is asked.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Handshake { .. } => Op::Handshake,
            Self::Carry { .. } => Op::Carry,
        }
    }
}

impl<'a> Sealed<'a> {
    fn read(from: &mut Reader<'a>) -> Result<Self, SessionStatus> {
        let counter = from.u64().ok_or(SHORT)?;
        read_bytes(from, SEALED_BYTES_MAX).map(|bytes| Self { counter, bytes })
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.u64(self.counter);
        write_bytes(to, self.bytes, SEALED_BYTES_MAX);
    }
}

/// A message of the handshake behind its length.
fn read_message<'a, const N: usize>(from: &mut Reader<'a>) -> Result<&'a [u8; N], SessionStatus> {
    let len = usize::from(from.u8().ok_or(SHORT)?);
    if len > N {
        return Err(SessionStatus::OverLimit);
    }
    from.bytes(len).and_then(|bytes| bytes.try_into().ok()).ok_or(SHORT)
}

/// Whether a frame is one of these, so far as can be seen from how it begins.
#[must_use]
pub fn is_line(frame: &[u8]) -> bool {
    frame.starts_with(&MAGIC)
}

/// Decodes a request.
///
/// # Errors
/// [`Refusal`]: `over_limit` for a length beyond its bound (checked before anything behind it),
/// else `invalid_args`.
pub fn decode(frame: &[u8]) -> Result<Frame<'_>, Refusal> {
    let (echo, mut body) =
        head::read(MAGIC, frame).map_err(|echo| Refusal { echo, status: SHORT })?;
    let request = Op::from_raw(echo.op).ok_or(SHORT).and_then(|op| match op {
        Op::Handshake => {
            let suite = body.u8().ok_or(SHORT)?;
            read_message(&mut body).map(|hello| Request::Handshake { suite, hello })
        }
        Op::Carry => {
            let session = read_session(&mut body)?;
            Sealed::read(&mut body).map(|sealed| Request::Carry { session, sealed })
        }
    });
    match request {
        Ok(request) if body.end().is_some() => Ok(Frame { echo, request }),
        Ok(_) => Err(Refusal { echo, status: SHORT }),
        Err(status) => Err(Refusal { echo, status }),
    }
}

/// Encodes a request to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or a message too long.
pub fn encode<'b>(
    request: &Request<'_>,
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = head::write(MAGIC, Echo { op: request.op().raw(), nonce }, out);
    match *request {
        Request::Handshake { suite, hello } => {
            writer.u8(suite);
            writer.len8(hello);
            writer.bytes(hello);
        }
        Request::Carry { session, sealed } => {
            writer.u32(session.0);
            sealed.write(&mut writer);
        }
    }
    writer.finish()
}

/// A reply without a body.
#[must_use]
pub const fn plain_reply(echo: Echo, status: SessionStatus) -> [u8; REPLY_HEAD_BYTES] {
    head::reply(MAGIC, echo, status.raw())
}

/// Encodes a reply to the front of `out`; `None` for a plain one.
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or a message too long.
pub fn encode_reply<'b>(
    reply: &Reply<'_>,
    echo: Echo,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = Writer::new(out);
    writer.bytes(&plain_reply(echo, SessionStatus::Ok));
    match *reply {
        Reply::Plain => {}
        Reply::Welcome { suite, welcome } => {
            writer.u8(suite);
            writer.len8(welcome);
            writer.bytes(welcome);
        }
        Reply::Carried(sealed) => sealed.write(&mut writer),
    }
    writer.finish()
}

/// Decodes a reply to the request `op` with `nonce`. `None` if it is not one.
#[must_use]
pub fn decode_reply(op: Op, nonce: u32, frame: &[u8]) -> Option<(SessionStatus, Reply<'_>)> {
    let (status, mut reader) = head::read_reply(MAGIC, Echo { op: op.raw(), nonce }, frame)?;
    let status = SessionStatus::from_raw(status)?;
    let reply = match op {
        _ if status != SessionStatus::Ok => Reply::Plain,
        Op::Handshake => {
            let suite = reader.u8()?;
            Reply::Welcome { suite, welcome: read_message(&mut reader).ok()? }
        }
        Op::Carry => Reply::Carried(Sealed::read(&mut reader).ok()?),
    };
    reader.end()?;
    Some((status, reply))
}

/// What a handshake is bound to: both sides must have made it with the same bytes.
///
/// # Errors
/// [`EncodeError`] if `out` is shorter than [`PROLOGUE_BYTES_MAX`].
pub fn prologue<'b>(
    suite: u8,
    from: EndpointName<'_>,
    to: EndpointName<'_>,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = Writer::new(out);
    writer.bytes(PROLOGUE);
    writer.bytes(&[head::VERSION, suite]);
    for name in [from, to] {
        writer.len8(name.as_str().as_bytes());
        writer.bytes(name.as_str().as_bytes());
    }
    writer.finish()
}

/// What is inside of the first message: when it was made.
#[must_use]
pub const fn inside_hello(at: Mono) -> [u8; 8] {
    at.0.to_le_bytes()
}

/// Reads what is inside of the first message.
#[must_use]
pub fn read_hello(inside: &[u8]) -> Option<Mono> {
    let mut reader = Reader::new(inside);
    let at = Mono(reader.u64()?);
    reader.end().map(|()| at)
}

/// What is inside of the second message: the session, as whoever says it numbers it.
#[must_use]
pub const fn inside_welcome(session: SessionId) -> [u8; 4] {
    session.0.to_le_bytes()
}

/// Reads what is inside of the second message.
#[must_use]
pub fn read_welcome(inside: &[u8]) -> Option<SessionId> {
    let mut reader = Reader::new(inside);
    let session = SessionId(reader.u32()?);
    reader.end().map(|()| session)
}

/// Encodes what is inside of a sealed message to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or there is too much.
pub fn inside<'b>(kind: Kind, bytes: &[u8], out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    let mut writer = Writer::new(out);
    writer.require(bytes.len() <= SESSION_BYTES_MAX);
    writer.u8(kind.raw());
    writer.bytes(bytes);
    writer.finish()
}

/// Reads what is inside of a sealed message.
#[must_use]
pub fn read_inside(inside: &[u8]) -> Option<(Kind, &[u8])> {
    let (kind, bytes) = inside.split_first()?;
    Kind::from_raw(*kind).map(|kind| (kind, bytes))
}
