use nexus_abi::{Incarnation, Rights, ServiceId};

use crate::bytes::{Reader, Writer, incarnation};
use crate::ledger::{AuditReply, LedgerRow};
use crate::metrics::request::words;
use crate::metrics::{MAGIC, Op, REPLY, VERSION, begin_reply, plain_reply};
use crate::metrics::{RangeReply, ScrapeReply, SpansReply};
use crate::{BOUNDS_MAX, EncodeError, Fields, MetricStatus, SeriesId};

/// Answer to HELLO: who the client is, and what it may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HelloReply {
    /// Boot number of metricsd: another one means that it knows nothing of before.
    pub epoch: u32,
    /// The client as it was authenticated.
    pub service: ServiceId,
    /// Its life, for trace ids and RESUME.
    pub incarnation: Incarnation,
    /// What it may do.
    pub rights: Rights,
    /// Whether the earlier life goes on: `SeriesId`s hold.
    pub resumed: bool,
    /// Sequence number of the last BATCH applied in this life; 0: none.
    pub applied_seq: u32,
    /// Its budget: events a second.
    pub events_per_s: u32,
    /// Its budget: bytes a second.
    pub bytes_per_s: u32,
    /// metricsd's time, monotonic ns.
    pub now_ns: u64,
}

/// Answer to REGISTER and LOOKUP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registered<'a> {
    /// The series, or with status `folded` an overflow series.
    pub series: SeriesId,
    bounds: &'a [u8],
}

impl<'a> Registered<'a> {
    /// Bounds of a histogram's buckets, little-endian words (see [`super::bounds_to_bytes`]);
    /// empty for other kinds. `None` if they are too many.
    #[must_use]
    pub const fn new(series: SeriesId, bounds: &'a [u8]) -> Option<Self> {
        if bounds.len() <= BOUNDS_MAX * 8 && bounds.len().is_multiple_of(8) {
            Some(Self { series, bounds })
        } else {
            None
        }
    }

    /// Upper bounds of the histogram's buckets, inclusive.
    pub fn bounds(&self) -> impl ExactSizeIterator<Item = u64> + 'a {
        words(self.bounds)
    }
}

/// Answer to a BATCH that was understood, whatever its status: cumulative, so that only the last
/// one matters. One that was refused for its shape or its sender's budget may be answered plainly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchAck {
    /// Every BATCH up to this one has been applied.
    pub applied_seq: u32,
    /// Items refused in all applied BATCHes of this life; a rise means that series have to be
    /// registered again.
    pub refused_items: u32,
}

/// A decoded reply of metricsd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply<'a> {
    /// Nothing but a status: version 1, UPDATE, and every refusal but BATCH's.
    Plain,
    /// HELLO.
    Hello(HelloReply),
    /// REGISTER or LOOKUP.
    Registered(Registered<'a>),
    /// BATCH.
    Batch(BatchAck),
    /// SCRAPE.
    Scrape(ScrapeReply<'a>),
    /// SPANS.
    Spans(SpansReply<'a>),
    /// AUDIT.
    Audit(AuditReply<'a>),
    /// STATUS.
    Status(Fields<'a>),
    /// RANGE.
    Range(RangeReply<'a>),
}

/// Decodes a reply to the request `op` with `nonce`. `None` if it is not one.
#[must_use]
pub fn decode_reply(op: Op, nonce: u32, frame: &[u8]) -> Option<(MetricStatus, Reply<'_>)> {
    let mut reader = Reader::new(frame);
    let head = reader.bytes(4)?;
    let [m0, m1] = MAGIC;
    if head != [m0, m1, VERSION, op.raw() | REPLY] {
        return None;
    }
    let status = MetricStatus::from_raw(reader.u8()?)?;
    if reader.u32()? != nonce {
        return None;
    }
    let reply = Reply::read(op, status, &mut reader)?;
    reader.end()?;
    Some((status, reply))
}

impl<'a> Reply<'a> {
    fn read(op: Op, status: MetricStatus, from: &mut Reader<'a>) -> Option<Self> {
        let succeeded = matches!(status, MetricStatus::Ok | MetricStatus::Folded);
        Some(match op {
            Op::Batch if succeeded || !from.rest().is_empty() => {
                Self::Batch(BatchAck { applied_seq: from.u32()?, refused_items: from.u32()? })
            }
            _ if !succeeded => Self::Plain,
            Op::Hello => Self::Hello(HelloReply::read(from)?),
            Op::Register | Op::Lookup => Self::Registered(read_registered(from)?),
            Op::Scrape => Self::Scrape(ScrapeReply::read(from)?),
            Op::Spans => Self::Spans(SpansReply::read(from)?),
            Op::Audit => Self::Audit(AuditReply::read(from)?),
            Op::Range => Self::Range(RangeReply::read(from)?),
            Op::Status => {
                let len = usize::from(from.u16()?);
                Self::Status(Fields::parse(from.bytes(len)?).ok()?)
            }
            _ => Self::Plain,
        })
    }
}

impl HelloReply {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            epoch: from.u32()?,
            service: ServiceId::from_raw(from.u64()?),
            incarnation: incarnation(from)?,
            rights: Rights::from_raw(from.u8()?),
            resumed: from.flag()?,
            applied_seq: from.u32()?,
            events_per_s: from.u32()?,
            bytes_per_s: from.u32()?,
            now_ns: from.u64()?,
        })
    }

    /// Encodes the reply to the front of `out`.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    pub fn encode<'b>(&self, nonce: u32, out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let mut to = begin_reply(Op::Hello, nonce, out);
        to.u32(self.epoch);
        to.u64(self.service.raw());
        to.u32(self.incarnation.raw());
        to.u8(self.rights.raw());
        to.u8(u8::from(self.resumed));
        to.u32(self.applied_seq);
        to.u32(self.events_per_s);
        to.u32(self.bytes_per_s);
        to.u64(self.now_ns);
        to.finish()
    }
}

fn read_registered<'a>(from: &mut Reader<'a>) -> Option<Registered<'a>> {
    let series = SeriesId::from_raw(from.u64()?)?;
    let bounds = usize::from(from.u8()?);
    Registered::new(series, from.bytes(bounds * 8)?)
}

impl Registered<'_> {
    /// Encodes the reply to `op` (REGISTER or LOOKUP) with `ok` or `folded`.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short, or for another operation or status.
    pub fn encode<'b>(
        &self,
        op: Op,
        status: MetricStatus,
        nonce: u32,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let mut to = Writer::new(out);
        to.require(matches!(op, Op::Register | Op::Lookup));
        to.require(matches!(status, MetricStatus::Ok | MetricStatus::Folded));
        to.bytes(&plain_reply(op.raw(), status, nonce));
        to.u64(self.series.raw());
        to.count8(self.bounds.len() / 8);
        to.bytes(self.bounds);
        to.finish()
    }
}

impl BatchAck {
    /// Bytes of the reply.
    pub const FRAME_BYTES: usize = super::REPLY_HEAD_BYTES + 8;

    /// The reply.
    #[must_use]
    pub fn encode(&self, status: MetricStatus, nonce: u32) -> [u8; Self::FRAME_BYTES] {
        let mut frame = [0; Self::FRAME_BYTES];
        let (head, body) = frame.split_at_mut(super::REPLY_HEAD_BYTES);
        head.copy_from_slice(&plain_reply(Op::Batch.raw(), status, nonce));
        let (applied, refused) = body.split_at_mut(4);
        applied.copy_from_slice(&self.applied_seq.to_le_bytes());
        refused.copy_from_slice(&self.refused_items.to_le_bytes());
        frame
    }
}

impl AuditReply<'_> {
    /// Encodes metricsd's reply to AUDIT.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short or the rows are more than [`Self::ROWS_MAX`].
    pub fn encode_metricsd(
        nonce: u32,
        next_cursor: u32,
        rows: impl Iterator<Item = LedgerRow>,
        out: &mut [u8],
    ) -> Result<&[u8], EncodeError> {
        let mut to = begin_reply(Op::Audit, nonce, out);
        Self::write(&mut to, next_cursor, rows)?;
        to.finish()
    }
}

impl Reply<'_> {
    /// Encodes metricsd's reply to STATUS.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    pub fn encode_status<'b>(
        nonce: u32,
        state: Fields<'_>,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let mut to = begin_reply(Op::Status, nonce, out);
        to.len16(state.as_str().as_bytes());
        to.bytes(state.as_str().as_bytes());
        to.finish()
    }
}
