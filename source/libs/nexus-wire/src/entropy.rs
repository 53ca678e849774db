//! Frames of entropyd, version 1: bytes that nobody can foresee.
//!
//! Request: `'E' 'N' 1 op nonce:u32`, then the body. Reply: the same head with `op|0x80` and
//! `status:u8` before the nonce and, if that is `ok`, the bytes.

use crate::EncodeError;
use crate::bytes::Writer;
use crate::head::{self, Echo, REPLY_HEAD_BYTES};
use crate::numbers::{numbers, vocabulary};

const MAGIC: [u8; 2] = *b"EN";

/// Bytes that one reply has, at most.
pub const ENTROPY_BYTES_MAX: usize = 256;
/// Bytes of a request.
pub const REQUEST_BYTES: usize = 10;
/// Bytes of the longest reply.
pub const REPLY_BYTES_MAX: usize = REPLY_HEAD_BYTES + 2 + ENTROPY_BYTES_MAX;

numbers! {
    /// What can be asked of entropyd.
    Op {
        /// Bytes.
        Get = 1,
    }
}

vocabulary! {
    /// What entropyd answers.
    EntropyStatus {
        /// Done.
        Ok = 0 "ok",
        /// Malformed. Do not repeat it.
        InvalidArgs = 1 "invalid_args",
        /// More than one reply has, or nothing. Do not repeat it.
        OverLimit = 2 "over_limit",
        /// The device has not brought as many. Repeat it later.
        NotReady = 3 "not_ready",
    }
}

/// A decoded request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What its reply echoes.
    pub echo: Echo,
    /// How many bytes are asked for: 1 to [`ENTROPY_BYTES_MAX`].
    pub count: u16,
}

/// A refused one.
pub type Refusal = head::Refusal<EntropyStatus>;

/// Decodes a request.
///
/// # Errors
/// [`Refusal`]: `over_limit` for a number out of its bounds, else `invalid_args`.
pub fn decode(frame: &[u8]) -> Result<Frame, Refusal> {
    let malformed = |echo| Refusal { echo, status: EntropyStatus::InvalidArgs };
    let (echo, mut body) = head::read(MAGIC, frame).map_err(malformed)?;
    let count = body.u16().filter(|_| echo.op == Op::Get.raw() && body.end().is_some());
    let count = count.ok_or(malformed(echo))?;
    if !(1..=ENTROPY_BYTES_MAX).contains(&usize::from(count)) {
        return Err(Refusal { echo, status: EntropyStatus::OverLimit });
    }
    Ok(Frame { echo, count })
}

/// The bytes of a request for so many bytes.
#[must_use]
pub const fn request(nonce: u32, count: u16) -> [u8; REQUEST_BYTES] {
    let ([m0, m1], [n0, n1, n2, n3], [c0, c1]) = (MAGIC, nonce.to_le_bytes(), count.to_le_bytes());
    [m0, m1, head::VERSION, Op::Get.raw(), n0, n1, n2, n3, c0, c1]
}

/// A reply without bytes.
#[must_use]
pub const fn plain_reply(echo: Echo, status: EntropyStatus) -> [u8; REPLY_HEAD_BYTES] {
    head::reply(MAGIC, echo, status.raw())
}

/// Encodes a reply with bytes to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or there are too many.
pub fn encode_reply<'b>(
    bytes: &[u8],
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = Writer::new(out);
    writer.bytes(&plain_reply(Echo { op: Op::Get.raw(), nonce }, EntropyStatus::Ok));
    writer.require(bytes.len() <= ENTROPY_BYTES_MAX);
    writer.len16(bytes);
    writer.bytes(bytes);
    writer.finish()
}

/// Decodes the reply to the request with that nonce; `None` if it is none.
#[must_use]
pub fn decode_reply(nonce: u32, frame: &[u8]) -> Option<Result<&[u8], EntropyStatus>> {
    let (status, mut reader) = head::read_reply(MAGIC, Echo { op: Op::Get.raw(), nonce }, frame)?;
    let reply = match EntropyStatus::from_raw(status)? {
        EntropyStatus::Ok => {
            let len = usize::from(reader.u16()?);
            Ok(reader.bytes(len)?)
        }
        refused => Err(refused),
    };
    reader.end().map(|()| reply)
}
