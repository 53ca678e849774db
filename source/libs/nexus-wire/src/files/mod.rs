//! Frames of statefsd: files that survive a cut of power, for services.
//!
//! Request: `'S' 'F' 1 op:u8 nonce:u32` and a body; reply: `'S' 'F' 1 (op|0x80) status:u8
//! nonce:u32` and, where something was asked for and found, a body. Names are those below the
//! prefix of the service that asks: another's file has none.

mod name;
mod op;
mod reply;
mod request;

pub use name::{FileName, FilePrefix};
pub use op::Op;
pub use reply::{
    FilesWriter, HelloReply, ListReply, Listed, ReadReply, ReadWriter, Reply, StatReply,
    decode_reply,
};
pub use request::{Append, List, NewFile, Read, Replace, Request, Target};

use crate::bytes::{Reader, Writer};
use crate::{EncodeError, FileStatus};

const MAGIC: [u8; 2] = *b"SF";
const VERSION: u8 = 1;
const REPLY: u8 = 0x80;
/// Bytes before the body of a request.
const REQUEST_HEAD_BYTES: usize = 8;
/// Bytes before the body of a reply.
const REPLY_HEAD_BYTES: usize = 9;

/// A frame that is refused for its shape, with all that its reply needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Operation to be echoed, as it came.
    pub op: u8,
    /// Nonce to be echoed; 0 where the frame is too short or foreign.
    pub nonce: u32,
    /// What is wrong.
    pub status: FileStatus,
}

/// A decoded request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Chosen by the client, echoed in the reply.
    pub nonce: u32,
    /// What is asked.
    pub request: Request<'a>,
}

/// Decodes a request.
///
/// # Errors
/// [`Refusal`]: `over_limit` for a length beyond its bound (checked before anything behind it),
/// else `invalid_args`.
pub fn decode(frame: &[u8]) -> Result<Frame<'_>, Refusal> {
    let Some((head, body)) = frame.split_first_chunk::<REQUEST_HEAD_BYTES>() else {
        return Err(refuse_head(frame));
    };
    let [m0, m1, version, op, n0, n1, n2, n3] = *head;
    if [m0, m1] != MAGIC || version != VERSION {
        return Err(refuse_head(frame));
    }
    let nonce = u32::from_le_bytes([n0, n1, n2, n3]);
    let refuse = |status| Refusal { op, nonce, status };
    let known = Op::from_raw(op).ok_or(refuse(FileStatus::InvalidArgs))?;
    let request = Request::read(known, Reader::new(body)).map_err(refuse)?;
    Ok(Frame { nonce, request })
}

/// What is answered to a frame that is too short, foreign or of another version: it is looked at
/// as far as it is ours.
#[cold]
fn refuse_head(frame: &[u8]) -> Refusal {
    let ours = frame.strip_prefix(&MAGIC).unwrap_or_default();
    let op = ours.get(1).copied().unwrap_or(Op::Hello.raw());
    let nonce = match ours {
        [_, _, n0, n1, n2, n3, ..] => u32::from_le_bytes([*n0, *n1, *n2, *n3]),
        _ => 0,
    };
    Refusal { op, nonce, status: FileStatus::InvalidArgs }
}

/// Encodes a request to the front of `out`.
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or more bytes shall be written than a frame may carry.
pub fn encode<'b>(
    request: &Request<'_>,
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = Writer::new(out);
    writer.bytes(&MAGIC);
    writer.u8(VERSION);
    writer.u8(request.op().raw());
    writer.u32(nonce);
    request.write(&mut writer);
    writer.finish()
}

/// The nine bytes of a plain reply. `op` is the request's, known or not.
#[must_use]
pub const fn plain_reply(op: u8, status: FileStatus, nonce: u32) -> [u8; REPLY_HEAD_BYTES] {
    let [n0, n1, n2, n3] = nonce.to_le_bytes();
    let [m0, m1] = MAGIC;
    [m0, m1, VERSION, op | REPLY, status.raw(), n0, n1, n2, n3]
}

fn begin_reply(op: Op, nonce: u32, out: &mut [u8]) -> Writer<'_> {
    let mut writer = Writer::new(out);
    writer.bytes(&plain_reply(op.raw(), FileStatus::Ok, nonce));
    writer
}
