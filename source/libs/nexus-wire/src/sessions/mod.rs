//! Frames of dsoftbusd, version 1: sessions with endpoints elsewhere.
//!
//! What local programs ask stands here, what two endpoints say to each other in
//! [`line`](mod@line). Request: `'S' 'B' 1 op nonce:u32`, then the body. Reply: the same head with
//! `op|0x80` and `status:u8` before the nonce and, where something was asked for and done, a body.

pub mod line;

use crate::bytes::{Reader, Writer};
use crate::head::{self, Echo, REPLY_HEAD_BYTES};
use crate::numbers::{numbers, vocabulary};
use crate::policy::Object;
use crate::{EncodeError, OBJECT_BYTES_MAX};

const MAGIC: [u8; 2] = *b"SB";

/// Bytes of what is asked over a session, or answered, at most.
pub const SESSION_BYTES_MAX: usize = 4032;

numbers! {
    /// What can be asked of dsoftbusd.
    Op {
        /// A session with an endpoint.
        Open = 1,
        /// Something, of that endpoint.
        Ask = 2,
        /// Ends a session.
        Close = 3,
    }
}

vocabulary! {
    /// What dsoftbusd answers, to programs and to other endpoints.
    SessionStatus {
        /// Done.
        Ok = 0 "ok",
        /// Malformed. Do not repeat it.
        InvalidArgs = 1 "invalid_args",
        /// Something is too long, or as many sessions are open as may. Try when one has ended.
        OverLimit = 2 "over_limit",
        /// No such session of the sender, or no such endpoint.
        NotFound = 3 "not_found",
        /// The policy does not allow it or could not be asked; or the sender is no endpoint.
        Denied = 4 "denied",
        /// The session waits for an answer, or others have to be served first. Repeat it.
        Busy = 5 "busy",
        /// There is no entropy. Repeat it later.
        NotReady = 6 "not_ready",
        /// The other endpoint is not there, or said nothing in time. The session is over.
        PeerAway = 7 "peer_away",
        /// What came was not made with the keys of whom it should come from.
        NotAuthentic = 8 "not_authentic",
        /// What came had come before.
        Replayed = 9 "replayed",
        /// What came is not what comes next.
        OutOfOrder = 10 "out_of_order",
        /// Another suite than the one that both have.
        Downgraded = 11 "downgraded",
    }
}

/// A session as one side numbers its own; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub u32);

/// What an endpoint is called: an [`Object`] of the policy that is not nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EndpointName<'a>(Object<'a>);

impl<'a> EndpointName<'a> {
    /// `text`, if it is one.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        Object::new(text).filter(|object| *object != Object::NONE).map(Self)
    }

    /// What a policy is asked about.
    #[must_use]
    pub const fn object(self) -> Object<'a> {
        self.0
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0.as_str()
    }
}

/// A decoded request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// OPEN.
    Open {
        /// With whom.
        peer: EndpointName<'a>,
    },
    /// ASK.
    Ask {
        /// Over which session.
        session: SessionId,
        /// What: at most [`SESSION_BYTES_MAX`] bytes.
        bytes: &'a [u8],
    },
    /// CLOSE.
    Close {
        /// Which session.
        session: SessionId,
    },
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
    /// OPEN: the session.
    Opened(SessionId),
    /// ASK: what the endpoint answers.
    Answer(&'a [u8]),
}

impl Request<'_> {
    /// What is asked.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Open { .. } => Op::Open,
            Self::Ask { .. } => Op::Ask,
            Self::Close { .. } => Op::Close,
        }
    }
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
        Op::Open => read_name(&mut body).map(|peer| Request::Open { peer }),
        Op::Ask => {
            let session = read_session(&mut body)?;
            let bytes = read_bytes(&mut body, SESSION_BYTES_MAX)?;
            Ok(Request::Ask { session, bytes })
        }
        Op::Close => read_session(&mut body).map(|session| Request::Close { session }),
    });
    match request {
        Ok(request) if body.end().is_some() => Ok(Frame { echo, request }),
        Ok(_) => Err(Refusal { echo, status: SHORT }),
        Err(status) => Err(Refusal { echo, status }),
    }
}

/// What is said of a frame that has not what it needs.
const SHORT: SessionStatus = SessionStatus::InvalidArgs;

fn read_name<'a>(from: &mut Reader<'a>) -> Result<EndpointName<'a>, SessionStatus> {
    let len = usize::from(from.u8().ok_or(SHORT)?);
    if len > OBJECT_BYTES_MAX {
        return Err(SessionStatus::OverLimit);
    }
    from.str(len).and_then(EndpointName::new).ok_or(SHORT)
}

fn read_session(from: &mut Reader<'_>) -> Result<SessionId, SessionStatus> {
    from.u32().map(SessionId).ok_or(SHORT)
}

/// As many bytes as two bytes before them say.
fn read_bytes<'a>(from: &mut Reader<'a>, max: usize) -> Result<&'a [u8], SessionStatus> {
    let len = usize::from(from.u16().ok_or(SHORT)?);
    if len > max { Err(SessionStatus::OverLimit) } else { from.bytes(len).ok_or(SHORT) }
}

fn write_bytes(to: &mut Writer<'_>, bytes: &[u8], max: usize) {
    to.require(bytes.len() <= max);
    to.len16(bytes);
    to.bytes(bytes);
}

/// Encodes a request to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or what is asked too long.
pub fn encode<'b>(
    request: &Request<'_>,
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = head::write(MAGIC, Echo { op: request.op().raw(), nonce }, out);
    match *request {
        Request::Open { peer } => {
            writer.len8(peer.as_str().as_bytes());
            writer.bytes(peer.as_str().as_bytes());
        }
        Request::Ask { session, bytes } => {
            writer.u32(session.0);
            write_bytes(&mut writer, bytes, SESSION_BYTES_MAX);
        }
        Request::Close { session } => writer.u32(session.0),
    }
    writer.finish()
}

/// A reply without a body.
#[must_use]
pub const fn plain_reply(echo: Echo, status: SessionStatus) -> [u8; REPLY_HEAD_BYTES] {
    head::reply(MAGIC, echo, status.raw())
}

fn begin(op: Op, nonce: u32, out: &mut [u8]) -> Writer<'_> {
    let mut writer = Writer::new(out);
    writer.bytes(&plain_reply(Echo { op: op.raw(), nonce }, SessionStatus::Ok));
    writer
}

/// Encodes the answer to OPEN to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short.
pub fn encode_opened(session: SessionId, nonce: u32, out: &mut [u8]) -> Result<&[u8], EncodeError> {
    let mut writer = begin(Op::Open, nonce, out);
    writer.u32(session.0);
    writer.finish()
}

/// Encodes the answer to ASK to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or the answer too long.
pub fn encode_answer<'b>(
    bytes: &[u8],
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = begin(Op::Ask, nonce, out);
    write_bytes(&mut writer, bytes, SESSION_BYTES_MAX);
    writer.finish()
}

/// Decodes a reply to the request `op` with `nonce`. `None` if it is not one.
#[must_use]
pub fn decode_reply(op: Op, nonce: u32, frame: &[u8]) -> Option<(SessionStatus, Reply<'_>)> {
    let (status, mut reader) = head::read_reply(MAGIC, Echo { op: op.raw(), nonce }, frame)?;
    let status = SessionStatus::from_raw(status)?;
    let reply = match op {
        _ if status != SessionStatus::Ok => Reply::Plain,
        Op::Open => Reply::Opened(read_session(&mut reader).ok()?),
        Op::Ask => Reply::Answer(read_bytes(&mut reader, SESSION_BYTES_MAX).ok()?),
        Op::Close => Reply::Plain,
    };
    reader.end()?;
    Some((status, reply))
}
