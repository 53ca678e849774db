//! Frames of logd: versions 1 and 2 as the field has them, operations from 16 our own (version 2).
//!
//! Request: `'L' 'O' version op`, version 2 then `nonce:u64`, then the body. Reply: the same head
//! with `op|0x80` and `status:u8`, version 2 then the nonce, then the body.

mod op;
mod reply;
mod request;
mod search;

pub use op::Op;
pub use reply::{
    Anchors, AppendReply, BatchReply, ClockAnchor, HelloReply, QueryWriter, Record, Records, Reply,
    StatsReply, decode_reply, encode_anchors, encode_status,
};
pub use request::{AppendBatch, AppendBatchWriter, NewRecord, RecordText, Request, SentRecord};
pub use search::{Found, Search, SearchReply, SearchWriter};

use crate::bytes::{Reader, Writer};
use crate::{EncodeError, LogStatus, RecordId};
use request::read_whole;

const MAGIC: [u8; 2] = *b"LO";
const REPLY: u8 = 0x80;

/// Version of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// Without nonce.
    V1,
    /// With a nonce.
    V2,
}

impl Version {
    const fn raw(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

/// What a reply takes over from its request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Version, of the request and so of the reply.
    pub version: Version,
    /// Chosen by the client, echoed in the reply; 0 in version 1.
    pub nonce: u64,
}

/// A frame that is refused for its shape, with all that its reply needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Version and nonce of the reply.
    pub head: Head,
    /// Operation whose reply shape answers it.
    pub op: Op,
    /// What is wrong.
    pub status: LogStatus,
}

impl Refusal {
    /// Encodes the refusal in the shape of its operation: APPEND with record 0 and how many records
    /// were `dropped` so far, QUERY without records, STATS, own operations with nothing. All other
    /// numbers are 0: who is refused learns nothing of the journal.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    pub fn encode<'b>(&self, dropped: u64, out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let Self { head, op, status } = *self;
        match op {
            Op::Append => AppendReply { id: RecordId(0), dropped }.encode(head, status, out),
            Op::Query => QueryWriter::new(head, status, 0, 0, out).finish(),
            Op::Stats => StatsReply::default().encode(head, status, out),
            _ => Reply::encode_plain(op, head, status, out),
        }
    }
}

/// A decoded request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// For the reply.
    pub head: Head,
    /// What is asked.
    pub request: Request<'a>,
}

/// A frame whose head was read.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    head: Head,
    op: Op,
    body: Reader<'a>,
}

impl<'a> Opened<'a> {
    /// For the reply.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// What its body is.
    #[must_use]
    pub const fn op(&self) -> Op {
        self.op
    }

    /// The body.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn request(&self) -> Result<Request<'a>, Refusal> {
        Request::read(self.op, self.body).map_err(|status| self.refusal(status))
    }

    #[cold]
    const fn refusal(&self, status: LogStatus) -> Refusal {
        Refusal { head: self.head, op: self.op, status }
    }
}

/// Decodes a request.
///
/// # Errors
/// [`Refusal`]: `unsupported` for an unknown version or operation, `over_limit` for a length
/// beyond its bound (checked before anything behind it), else `invalid_args`. What cannot be
/// answered in its own shape is answered in that of STATS.
pub fn decode(frame: &[u8]) -> Result<Frame<'_>, Refusal> {
    let opened = open(frame)?;
    Ok(Frame { head: opened.head, request: opened.request()? })
}

/// The record of a well-formed APPEND: the same as by [`decode`], without the way through all
/// others. `None` for all else, of which that says what it is.
#[inline(always)]
#[must_use]
pub fn read_append(frame: &[u8]) -> Option<(Head, SentRecord<'_>)> {
    const APPEND: u8 = Op::Append.raw();
    let opened = match frame {
        [_, _, _, APPEND, ..] => open(frame).ok()?,
        _ => return None,
    };
    let record = read_whole(opened.body, SentRecord::read).ok()?;
    Some((opened.head, record))
}

/// Reads the head of a request.
///
/// # Errors
/// As [`decode`], for what the head says.
#[inline(always)]
pub fn open(frame: &[u8]) -> Result<Opened<'_>, Refusal> {
    const V1: Head = Head { version: Version::V1, nonce: 0 };
    let refuse = |head, op, status| Refusal { head, op, status };
    let Some(([m0, m1, version, op], body)) = frame.split_first_chunk::<4>() else {
        return Err(refuse(V1, Op::Stats, LogStatus::InvalidArgs));
    };
    if [*m0, *m1] != MAGIC {
        return Err(refuse(V1, Op::Stats, LogStatus::InvalidArgs));
    }
    let known = Op::from_raw(*op);
    let shape = known.unwrap_or(Op::Stats);
    let (head, body) = match *version {
        1 => (V1, body),
        2 => match body.split_first_chunk::<8>() {
            Some((nonce, body)) => {
                (Head { version: Version::V2, nonce: u64::from_le_bytes(*nonce) }, body)
            }
            None => {
                let head = Head { version: Version::V2, nonce: 0 };
                return Err(refuse(head, shape, LogStatus::InvalidArgs));
            }
        },
        _ => {
            let shape = if shape.version_is_legal(Version::V1) { shape } else { Op::Stats };
            return Err(refuse(V1, shape, LogStatus::Unsupported));
        }
    };
    match known {
        Some(op) if op.version_is_legal(head.version) => {
            Ok(Opened { head, op, body: Reader::new(body) })
        }
        _ => Err(refuse(head, Op::Stats, LogStatus::Unsupported)),
    }
}

/// Encodes a request to the front of `out`. For APPEND_BATCH see [`AppendBatchWriter`].
///
/// # Errors
/// [`EncodeError`] if `out` is too short, the operation does not exist in that version, version 1
/// is given a nonce, or a text is beyond its bound.
pub fn encode<'b>(
    request: &Request<'_>,
    head: Head,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let nonce_is_lost = head.version == Version::V1 && head.nonce != 0;
    if !request.op().version_is_legal(head.version) || nonce_is_lost {
        return Err(EncodeError);
    }
    let mut writer = begin(request.op(), head, out);
    request.write(&mut writer);
    writer.finish()
}

fn begin(op: Op, head: Head, out: &mut [u8]) -> Writer<'_> {
    let mut writer = Writer::new(out);
    writer.bytes(&MAGIC);
    writer.u8(head.version.raw());
    writer.u8(op.raw());
    if head.version == Version::V2 {
        writer.u64(head.nonce);
    }
    writer
}

#[inline(always)]
fn begin_reply(op: Op, head: Head, status: LogStatus, out: &mut [u8]) -> Writer<'_> {
    let mut writer = Writer::new(out);
    let [m0, m1] = MAGIC;
    writer.bytes(&[m0, m1, head.version.raw(), op.raw() | REPLY, status.raw()]);
    if head.version == Version::V2 {
        writer.u64(head.nonce);
    }
    writer
}
