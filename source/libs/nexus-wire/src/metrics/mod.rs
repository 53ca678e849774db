//! Frames of metricsd: version 1 as the field has it, operations from 16 our own.
//!
//! Request: `'M' 'T' 1 op:u8 nonce:u32` and a body; reply: `'M' 'T' 1 (op|0x80) status:u8
//! nonce:u32` and, for own operations that succeeded, a body.

mod batch;
mod op;
mod range;
mod reply;
mod request;
mod scrape;
mod spans;

pub use batch::{
    Batch, BatchWriter, HistogramItem, Item, Recorded, SparseBuckets, ValueItem, WholeSpan,
};
pub use op::Op;
pub use range::{
    Counts, Moment, Range, RangeClock, RangeCursor, RangeEntry, RangeHead, RangeLost, RangePause,
    RangeReply, RangeRow, RangeSeries, RangeValue, RangeWriter,
};
pub use reply::{BatchAck, HelloReply, Registered, Reply, decode_reply};
pub use request::{Lookup, Register, Request, Resume, SpanEnd, SpanStart, Update, bounds_to_bytes};
pub use scrape::{ScrapeReply, ScrapeWriter, SeriesValue, SeriesView, WindowView};
pub use spans::{LiveSpan, SpansReply, SpansWriter};

use crate::bytes::{Reader, Writer};
use crate::{EncodeError, MetricStatus};

const MAGIC: [u8; 2] = *b"MT";
const VERSION: u8 = 1;
const REPLY: u8 = 0x80;
/// Bytes before the body of a request.
pub const REQUEST_HEAD_BYTES: usize = 8;
/// Bytes before the body of a reply.
pub const REPLY_HEAD_BYTES: usize = 9;

/// A frame that is refused for its shape, with all that its reply needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Operation to be echoed, as it came.
    pub op: u8,
    /// Nonce to be echoed; 0 where the frame is too short or foreign.
    pub nonce: u32,
    /// What is wrong.
    pub status: MetricStatus,
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
#[inline]
pub fn decode(frame: &[u8]) -> Result<Frame<'_>, Refusal> {
    let Some((head, body)) = frame.split_first_chunk::<REQUEST_HEAD_BYTES>() else {
        return Err(refuse_head(frame));
    };
    let [m0, m1, version, op, n0, n1, n2, n3] = *head;
    if [m0, m1, version] != [b'M', b'T', VERSION] {
        return Err(refuse_head(frame));
    }
    let nonce = u32::from_le_bytes([n0, n1, n2, n3]);
    let refuse = |status| Refusal { op, nonce, status };
    let Some(known) = Op::from_raw(op) else { return Err(refuse(MetricStatus::InvalidArgs)) };
    Request::read(known, Reader::new(body), |read| match read {
        Ok(request) => Ok(Frame { nonce, request }),
        Err(status) => Err(refuse(status)),
    })
}

/// What is answered to a frame that is too short, foreign or of another version: it is looked at
/// as far as it is ours.
#[cold]
fn refuse_head(frame: &[u8]) -> Refusal {
    let ours = frame.strip_prefix(&MAGIC).unwrap_or_default();
    let op = ours.get(1).copied().unwrap_or(Op::CounterInc.raw());
    let nonce = match ours {
        [_, _, n0, n1, n2, n3, ..] => u32::from_le_bytes([*n0, *n1, *n2, *n3]),
        _ => 0,
    };
    Refusal { op, nonce, status: MetricStatus::InvalidArgs }
}

/// Encodes a request to the front of `out`. For BATCH see [`BatchWriter`].
///
/// # Errors
/// [`EncodeError`] if `out` is too short, or if no frame may carry the value: more than `i64::MAX`
/// added or observed, a [`Resume`] of a 0, a [`Register`] whose kind was changed under its bounds.
pub fn encode<'b>(
    request: &Request<'_>,
    nonce: u32,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut writer = begin(request.op(), nonce, out);
    request.write(&mut writer);
    writer.finish()
}

fn begin(op: Op, nonce: u32, out: &mut [u8]) -> Writer<'_> {
    let mut writer = Writer::new(out);
    writer.bytes(&MAGIC);
    writer.u8(VERSION);
    writer.u8(op.raw());
    writer.u32(nonce);
    writer
}

/// The nine bytes of a plain reply. `op` is the request's, known or not.
#[must_use]
#[inline]
pub const fn plain_reply(op: u8, status: MetricStatus, nonce: u32) -> [u8; REPLY_HEAD_BYTES] {
    let [n0, n1, n2, n3] = nonce.to_le_bytes();
    let [m0, m1] = MAGIC;
    [m0, m1, VERSION, op | REPLY, status.raw(), n0, n1, n2, n3]
}

fn begin_reply(op: Op, nonce: u32, out: &mut [u8]) -> Writer<'_> {
    let mut writer = Writer::new(out);
    writer.bytes(&plain_reply(op.raw(), MetricStatus::Ok, nonce));
    writer
}
