use nexus_abi::{Incarnation, Rights, ServiceId};

use crate::bytes::{Reader, Writer, incarnation};
use crate::ledger::{AuditReply, LedgerRow};
use crate::list::ListWriter;
use crate::logs::request::lengths_are_legal;
use crate::logs::{Head, MAGIC, NewRecord, Op, REPLY, SearchReply, Version, begin_reply};
use crate::{
    EncodeError, Fields, Level, LogStatus, QUERY_RECORDS_MAX, QUERY_REPLY_BYTES_MAX, RecordId,
};

/// A stored record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its number.
    pub id: RecordId,
    /// When logd accepted it, monotonic ns.
    pub ts_ns: u64,
    /// Who sent it, as authenticated.
    pub service: ServiceId,
    /// How grave it is.
    pub level: Level,
    /// Where it comes from.
    pub scope: &'a str,
    /// What happened.
    pub message: &'a str,
    /// Its fields.
    pub fields: Fields<'a>,
}

impl<'a> Record<'a> {
    pub(crate) fn read(from: &mut Reader<'a>) -> Option<Self> {
        let id = RecordId(from.u64()?);
        let ts_ns = from.u64()?;
        let level = Level::from_raw(from.u8()?)?;
        let service = ServiceId::from_raw(from.u64()?);
        let scope_len = usize::from(from.u8()?);
        let message_len = usize::from(from.u16()?);
        let fields_len = usize::from(from.u16()?);
        if !lengths_are_legal(scope_len, message_len, fields_len) {
            return None;
        }
        let scope = from.str(scope_len)?;
        let message = from.str(message_len)?;
        let fields = Fields::parse(from.bytes(fields_len)?).ok()?;
        Some(Self { id, ts_ns, service, level, scope, message, fields })
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        let (scope, message, fields) = (self.scope, self.message, self.fields.as_str());
        to.require(lengths_are_legal(scope.len(), message.len(), fields.len()));
        to.u64(self.id.0);
        to.u64(self.ts_ns);
        to.u8(self.level.raw());
        to.u64(self.service.raw());
        to.len8(self.scope.as_bytes());
        to.len16(self.message.as_bytes());
        to.len16(self.fields.as_str().as_bytes());
        to.bytes(self.scope.as_bytes());
        to.bytes(self.message.as_bytes());
        to.bytes(self.fields.as_str().as_bytes());
    }

    /// The record as its sender gave it.
    #[must_use]
    pub const fn as_new(&self) -> NewRecord<'a> {
        let fields = self.fields.as_str().as_bytes();
        NewRecord { level: self.level, scope: self.scope, message: self.message, fields }
    }
}

/// Answer to APPEND, whatever its status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendReply {
    /// Number of the record; 0 on a refusal.
    pub id: RecordId,
    /// Records dropped from the journal so far.
    pub dropped: u64,
}

/// Answer to STATS, and to everything that cannot be answered otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatsReply {
    /// Records ever appended.
    pub total: u64,
    /// Records dropped.
    pub dropped: u64,
    /// Records kept at most.
    pub cap_records: u32,
    /// Bytes kept at most.
    pub cap_bytes: u32,
    /// Records kept now.
    pub used_records: u32,
    /// Bytes kept now.
    pub used_bytes: u32,
}

/// Answer to HELLO: who the client is, and what it may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HelloReply {
    /// Boot number of logd: another one means that cursors start over.
    pub boot: u32,
    /// The client as it was authenticated.
    pub service: ServiceId,
    /// Its life.
    pub incarnation: Incarnation,
    /// What it may do.
    pub rights: Rights,
    /// Its budget: records a second.
    pub events_per_s: u32,
    /// Its budget: bytes a second.
    pub bytes_per_s: u32,
    /// logd's time, monotonic ns.
    pub now_ns: u64,
}

/// Answer to APPEND_BATCH: `boot:u32 accepted:u16 refused:u16 first_refused:u16 why:u8
/// first_id:u64 last_id:u64`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchReply {
    /// logd's boot number: another one than before means that what was acknowledged is gone.
    pub boot: u32,
    /// Records stored.
    pub accepted: u16,
    /// Records refused.
    pub refused: u16,
    /// Index of the first refused one; meaningless when none was.
    pub first_refused: u16,
    /// Why that one was refused; `ok` when none was.
    pub why: LogStatus,
    /// Number of the first stored one; 0 when none was.
    pub first_id: RecordId,
    /// Number of the last stored one; 0 when none was.
    pub last_id: RecordId,
}

/// A point at which monotonic and calendar time were read together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockAnchor {
    /// Boot of logd in which it was read.
    pub boot: u32,
    /// Monotonic ns.
    pub mono_ns: u64,
    /// ns since 1970-01-01T00:00:00Z.
    pub wall_ns: u64,
}

impl ClockAnchor {
    /// Anchors that fit into one reply.
    pub const REPLY_MAX: usize = 150;

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { boot: from.u32()?, mono_ns: from.u64()?, wall_ns: from.u64()? })
    }
}

/// Records of a QUERY reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Records<'a> {
    /// Records ever appended.
    pub total: u64,
    /// Records dropped.
    pub dropped: u64,
    records: &'a [u8],
}

impl<'a> Records<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let total = from.u64()?;
        let dropped = from.u64()?;
        let count = from.u16()?;
        let records = from.rest();
        for _ in 0..count {
            Record::read(from)?;
        }
        Some(Self { total, dropped, records })
    }

    /// The records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Record<'a>> + 'a {
        let mut rest = Reader::new(self.records);
        core::iter::from_fn(move || Record::read(&mut rest))
    }
}

/// Clock anchors of an ANCHORS reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Anchors<'a>(&'a [u8]);

impl<'a> Anchors<'a> {
    /// The anchors, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = ClockAnchor> + 'a {
        let mut rest = Reader::new(self.0);
        core::iter::from_fn(move || ClockAnchor::read(&mut rest))
    }
}

/// A decoded reply of logd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply<'a> {
    /// A refusal of one of our own operations: no body.
    Plain,
    /// APPEND.
    Append(AppendReply),
    /// QUERY.
    Query(Records<'a>),
    /// STATS.
    Stats(StatsReply),
    /// HELLO.
    Hello(HelloReply),
    /// APPEND_BATCH.
    Batch(BatchReply),
    /// SEARCH.
    Search(SearchReply<'a>),
    /// AUDIT.
    Audit(AuditReply<'a>),
    /// STATUS.
    Status(Fields<'a>),
    /// ANCHORS.
    Anchors(Anchors<'a>),
}

/// Decodes a reply to the request `op` with `head`. `None` if it is not one. A reply in the shape
/// of STATS answers any request that was refused for its shape.
#[must_use]
pub fn decode_reply(op: Op, head: Head, frame: &[u8]) -> Option<(LogStatus, Reply<'_>)> {
    let mut from = Reader::new(frame);
    if from.bytes(2)? != MAGIC || from.u8()? != head.version.raw() {
        return None;
    }
    let answered = Op::from_raw(from.u8()?.checked_sub(REPLY)?)?;
    let status = LogStatus::from_raw(from.u8()?)?;
    let nonce = if head.version == Version::V2 { from.u64()? } else { 0 };
    if nonce != head.nonce || (answered != op && answered != Op::Stats) {
        return None;
    }
    let reply = Reply::read(answered, status, &mut from)?;
    from.end()?;
    Some((status, reply))
}

impl<'a> Reply<'a> {
    fn read(op: Op, status: LogStatus, from: &mut Reader<'a>) -> Option<Self> {
        Some(match op {
            Op::Append => {
                Self::Append(AppendReply { id: RecordId(from.u64()?), dropped: from.u64()? })
            }
            Op::Query => Self::Query(Records::read(from)?),
            Op::Stats => Self::Stats(StatsReply::read(from)?),
            _ if status != LogStatus::Ok => Self::Plain,
            Op::Hello => Self::Hello(HelloReply::read(from)?),
            Op::AppendBatch => Self::Batch(BatchReply::read(from)?),
            Op::Search => Self::Search(SearchReply::read(from)?),
            Op::Audit => Self::Audit(AuditReply::read(from)?),
            Op::Status => {
                let len = usize::from(from.u16()?);
                Self::Status(Fields::parse(from.bytes(len)?).ok()?)
            }
            Op::Anchors => {
                let count = usize::from(from.u16()?);
                Self::Anchors(Anchors(from.bytes(count * 20)?))
            }
        })
    }

    /// Encodes a refusal of one of our own operations.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    pub fn encode_plain(
        op: Op,
        head: Head,
        status: LogStatus,
        out: &mut [u8],
    ) -> Result<&[u8], EncodeError> {
        begin_reply(op, head, status, out).finish()
    }
}

impl AppendReply {
    /// Bytes of the longest such reply: version 2.
    pub const BYTES_MAX: usize = 5 + 8 + 16;

    /// Encodes the reply to the front of `out`.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    #[inline(always)]
    pub fn encode<'b>(
        &self,
        head: Head,
        status: LogStatus,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let mut to = begin_reply(Op::Append, head, status, out);
        to.u64(self.id.0);
        to.u64(self.dropped);
        to.finish()
    }
}

impl StatsReply {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            total: from.u64()?,
            dropped: from.u64()?,
            cap_records: from.u32()?,
            cap_bytes: from.u32()?,
            used_records: from.u32()?,
            used_bytes: from.u32()?,
        })
    }

    /// Encodes the reply to the front of `out`.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    pub fn encode<'b>(
        &self,
        head: Head,
        status: LogStatus,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let mut to = begin_reply(Op::Stats, head, status, out);
        to.u64(self.total);
        to.u64(self.dropped);
        for value in [self.cap_records, self.cap_bytes, self.used_records, self.used_bytes] {
            to.u32(value);
        }
        to.finish()
    }
}

impl HelloReply {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            boot: from.u32()?,
            service: ServiceId::from_raw(from.u64()?),
            incarnation: incarnation(from)?,
            rights: Rights::from_raw(from.u8()?),
            events_per_s: from.u32()?,
            bytes_per_s: from.u32()?,
            now_ns: from.u64()?,
        })
    }

    /// Encodes the reply to the front of `out`.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    pub fn encode<'b>(&self, head: Head, out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let mut to = begin_reply(Op::Hello, head, LogStatus::Ok, out);
        to.u32(self.boot);
        to.u64(self.service.raw());
        to.u32(self.incarnation.raw());
        to.u8(self.rights.raw());
        to.u32(self.events_per_s);
        to.u32(self.bytes_per_s);
        to.u64(self.now_ns);
        to.finish()
    }
}

impl BatchReply {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            boot: from.u32()?,
            accepted: from.u16()?,
            refused: from.u16()?,
            first_refused: from.u16()?,
            why: LogStatus::from_raw(from.u8()?)?,
            first_id: RecordId(from.u64()?),
            last_id: RecordId(from.u64()?),
        })
    }

    /// Encodes the reply to the front of `out`.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short.
    pub fn encode<'b>(&self, head: Head, out: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let mut to = begin_reply(Op::AppendBatch, head, LogStatus::Ok, out);
        to.u32(self.boot);
        to.u16(self.accepted);
        to.u16(self.refused);
        to.u16(self.first_refused);
        to.u8(self.why.raw());
        to.u64(self.first_id.0);
        to.u64(self.last_id.0);
        to.finish()
    }
}

/// Writes a QUERY reply: whole records, at most 16 and at most 2048 bytes.
#[derive(Debug)]
pub struct QueryWriter<'a>(ListWriter<'a>);

impl<'a> QueryWriter<'a> {
    /// A reply at the front of `out`.
    #[must_use]
    pub fn new(head: Head, status: LogStatus, total: u64, dropped: u64, out: &'a mut [u8]) -> Self {
        let len = out.len().min(QUERY_REPLY_BYTES_MAX);
        let out = out.get_mut(..len).unwrap_or_default();
        let mut writer = begin_reply(Op::Query, head, status, out);
        writer.u64(total);
        writer.u64(dropped);
        Self(ListWriter::begin(writer))
    }

    /// Appends a record; `false` and nothing when no more fits.
    #[must_use]
    pub fn record(&mut self, record: &Record<'_>) -> bool {
        usize::from(self.0.len()) < QUERY_RECORDS_MAX && self.0.entry(|to| record.write(to))
    }

    /// The frame.
    ///
    /// # Errors
    /// [`EncodeError`] if not even the head fitted.
    pub fn finish(self) -> Result<&'a [u8], EncodeError> {
        self.0.finish(|_| ())
    }
}

/// Encodes logd's reply to STATUS.
///
/// # Errors
/// [`EncodeError`] if `out` is too short.
pub fn encode_status<'b>(
    head: Head,
    state: Fields<'_>,
    out: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let mut to = begin_reply(Op::Status, head, LogStatus::Ok, out);
    to.len16(state.as_str().as_bytes());
    to.bytes(state.as_str().as_bytes());
    to.finish()
}

/// Encodes the reply to ANCHORS.
///
/// # Errors
/// [`EncodeError`] if `out` is too short or the anchors are more than
/// [`ClockAnchor::REPLY_MAX`].
pub fn encode_anchors(
    head: Head,
    anchors: impl Iterator<Item = ClockAnchor>,
    out: &mut [u8],
) -> Result<&[u8], EncodeError> {
    let mut to = begin_reply(Op::Anchors, head, LogStatus::Ok, out);
    let count_at = to.len();
    to.u16(0);
    let mut count = 0;
    for anchor in anchors {
        if usize::from(count) == ClockAnchor::REPLY_MAX {
            return Err(EncodeError);
        }
        to.u32(anchor.boot);
        to.u64(anchor.mono_ns);
        to.u64(anchor.wall_ns);
        count += 1;
    }
    to.patch_u16(count_at, count);
    to.finish()
}

impl AuditReply<'_> {
    /// Encodes logd's reply to AUDIT.
    ///
    /// # Errors
    /// [`EncodeError`] if `out` is too short or the rows are more than [`Self::ROWS_MAX`].
    pub fn encode_logd(
        head: Head,
        next_cursor: u32,
        rows: impl Iterator<Item = LedgerRow>,
        out: &mut [u8],
    ) -> Result<&[u8], EncodeError> {
        let mut to = begin_reply(Op::Audit, head, LogStatus::Ok, out);
        Self::write(&mut to, next_cursor, rows)?;
        to.finish()
    }
}
