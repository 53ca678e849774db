use crate::bytes::{Reader, Writer};
use crate::logs::{Head, Op, Search, Version, begin};
use crate::{EncodeError, FIELDS_BYTES_MAX, Level, LogStatus, MESSAGE_BYTES_MAX, SCOPE_BYTES_MAX};

/// What is answered to everything malformed.
const SHORT: LogStatus = LogStatus::InvalidArgs;

/// A record as its sender gives it. Lengths are within their bounds, texts are UTF-8; whether the
/// fields are canonical is for the service to check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewRecord<'a> {
    /// How grave it is.
    pub level: Level,
    /// Where it comes from, at most 64 bytes.
    pub scope: &'a str,
    /// What happened, at most 256 bytes.
    pub message: &'a str,
    /// Its fields, at most 512 bytes.
    pub fields: &'a [u8],
}

impl<'a> NewRecord<'a> {
    #[inline]
    pub(crate) fn read(from: &mut Reader<'a>) -> Result<Self, LogStatus> {
        let [level, scope_len, m0, m1, f0, f1] = from.array().ok_or(SHORT)?;
        let scope_len = usize::from(scope_len);
        let message_len = usize::from(u16::from_le_bytes([m0, m1]));
        let fields_len = usize::from(u16::from_le_bytes([f0, f1]));
        if !lengths_are_legal(scope_len, message_len, fields_len) {
            return Err(LogStatus::OverLimit);
        }
        let level = Level::from_raw(level).ok_or(SHORT)?;
        // Together they are UTF-8 with a boundary between them if and only if each of them is.
        let texts = from.str(scope_len + message_len).ok_or(SHORT)?;
        let (scope, message) = texts.split_at_checked(scope_len).ok_or(SHORT)?;
        let fields = from.bytes(fields_len).ok_or(SHORT)?;
        Ok(Self { level, scope, message, fields })
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        to.require(lengths_are_legal(self.scope.len(), self.message.len(), self.fields.len()));
        to.u8(self.level.raw());
        to.len8(self.scope.as_bytes());
        to.len16(self.message.as_bytes());
        to.len16(self.fields);
        to.bytes(self.scope.as_bytes());
        to.bytes(self.message.as_bytes());
        to.bytes(self.fields);
    }
}

pub(crate) const fn lengths_are_legal(scope: usize, message: usize, fields: usize) -> bool {
    scope <= SCOPE_BYTES_MAX && message <= MESSAGE_BYTES_MAX && fields <= FIELDS_BYTES_MAX
}

/// Several records in one frame: `count:u16` and the records. They were checked for shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendBatch<'a> {
    count: u16,
    records: &'a [u8],
}

impl<'a> AppendBatch<'a> {
    fn read(body: &mut Reader<'a>) -> Result<Self, LogStatus> {
        let count = body.u16().ok_or(SHORT)?;
        let records = body.rest();
        for _ in 0..count {
            NewRecord::read(body)?;
        }
        Ok(Self { count, records })
    }

    /// The records, in order.
    pub fn records(&self) -> impl Iterator<Item = NewRecord<'a>> + 'a {
        let mut rest = Reader::new(self.records);
        core::iter::from_fn(move || NewRecord::read(&mut rest).ok())
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> u16 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Writes an APPEND_BATCH.
#[derive(Debug)]
pub struct AppendBatchWriter<'a> {
    writer: Writer<'a>,
    count_at: usize,
    count: u16,
}

impl<'a> AppendBatchWriter<'a> {
    /// A frame at the front of `out`.
    #[must_use]
    pub fn new(nonce: u64, out: &'a mut [u8]) -> Self {
        let mut writer = begin(Op::AppendBatch, Head { version: Version::V2, nonce }, out);
        let count_at = writer.len();
        writer.u16(0);
        Self { writer, count_at, count: 0 }
    }

    /// Appends a record; `false` and nothing when it does not fit or is beyond its bounds.
    #[must_use]
    pub fn record(&mut self, record: &NewRecord<'_>) -> bool {
        let written = self.count < u16::MAX && self.writer.attempt(|to| record.write(to));
        self.count += u16::from(written);
        written
    }

    /// How many records it has.
    #[must_use]
    pub const fn len(&self) -> u16 {
        self.count
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The frame.
    ///
    /// # Errors
    /// [`EncodeError`] if not even the head fitted.
    pub fn finish(mut self) -> Result<&'a [u8], EncodeError> {
        self.writer.patch_u16(self.count_at, self.count);
        self.writer.finish()
    }
}

/// Reads something that must be all there is.
#[inline]
fn read_whole<'a, T>(
    mut body: Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, LogStatus>,
) -> Result<T, LogStatus> {
    let value = read(&mut body)?;
    body.end().map(|()| value).ok_or(SHORT)
}

fn read_query<'a>(body: &mut Reader<'a>) -> Result<Request<'a>, LogStatus> {
    let since_ns = body.u64().ok_or(SHORT)?;
    Ok(Request::Query { since_ns, max: body.u16().ok_or(SHORT)? })
}

fn read_audit<'a>(body: &mut Reader<'a>) -> Result<Request<'a>, LogStatus> {
    Ok(Request::Audit { cursor: body.u32().ok_or(SHORT)? })
}

/// A request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// Appends a record.
    Append(NewRecord<'a>),
    /// Reads records no older than a time, oldest first.
    Query {
        /// Monotonic ns.
        since_ns: u64,
        /// Records at most.
        max: u16,
    },
    /// Reads how full the journal is.
    Stats,
    /// Asks who one is.
    Hello,
    /// Appends several records.
    AppendBatch(AppendBatch<'a>),
    /// Reads records by cursor, time and filter.
    Search(Search<'a>),
    /// Reads the ledger from a cursor on (0: from the first).
    Audit {
        /// Where to go on.
        cursor: u32,
    },
    /// Reads the state.
    Status,
    /// Reads the clock anchors.
    Anchors,
}

impl<'a> Request<'a> {
    /// The operation.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Append(_) => Op::Append,
            Self::Query { .. } => Op::Query,
            Self::Stats => Op::Stats,
            Self::Hello => Op::Hello,
            Self::AppendBatch(_) => Op::AppendBatch,
            Self::Search(_) => Op::Search,
            Self::Audit { .. } => Op::Audit,
            Self::Status => Op::Status,
            Self::Anchors => Op::Anchors,
        }
    }

    /// Reads the body of `op` and hands the result to `then`, for each operation by itself: a join
    /// of all of them would take every request apart and build it again.
    #[inline]
    pub(crate) fn read<R>(
        op: Op,
        body: Reader<'a>,
        then: impl FnOnce(Result<Self, LogStatus>) -> R,
    ) -> R {
        match op {
            Op::Append => then(read_whole(body, NewRecord::read).map(Self::Append)),
            Op::Query => then(read_whole(body, read_query)),
            Op::Stats => then(read_whole(body, |_| Ok(Self::Stats))),
            Op::Hello => then(read_whole(body, |_| Ok(Self::Hello))),
            Op::AppendBatch => then(read_whole(body, AppendBatch::read).map(Self::AppendBatch)),
            Op::Search => then(read_whole(body, Search::read).map(Self::Search)),
            Op::Audit => then(read_whole(body, read_audit)),
            Op::Status => then(read_whole(body, |_| Ok(Self::Status))),
            Op::Anchors => then(read_whole(body, |_| Ok(Self::Anchors))),
        }
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        match self {
            Self::Append(record) => record.write(to),
            Self::Query { since_ns, max } => {
                to.u64(*since_ns);
                to.u16(*max);
            }
            Self::AppendBatch(batch) => {
                to.u16(batch.count);
                to.bytes(batch.records);
            }
            Self::Search(search) => search.write(to),
            Self::Audit { cursor } => to.u32(*cursor),
            Self::Stats | Self::Hello | Self::Status | Self::Anchors => {}
        }
    }
}
