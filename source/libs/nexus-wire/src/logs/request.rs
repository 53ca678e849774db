use nexus_bounded::eights::text_is_ascii;

use crate::bytes::{Reader, Writer};
use crate::list::ListWriter;
use crate::logs::{Head, Op, Search, Version, begin};
use crate::{EncodeError, FIELDS_BYTES_MAX, Level, LogStatus, MESSAGE_BYTES_MAX, SCOPE_BYTES_MAX};

/// What is answered to everything malformed.
const SHORT: LogStatus = LogStatus::InvalidArgs;

/// A record to be sent.
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

/// Room for the text of any record.
pub type RecordText = [u8; SCOPE_BYTES_MAX + MESSAGE_BYTES_MAX + FIELDS_BYTES_MAX];

impl NewRecord<'_> {
    /// The record as it lies in frames, its texts joined in `text`.
    ///
    /// # Errors
    /// [`EncodeError`] if one of them is beyond its bound.
    pub fn join<'b>(&self, text: &'b mut RecordText) -> Result<SentRecord<'b>, EncodeError> {
        let (scope, message) = (self.scope.as_bytes(), self.message.as_bytes());
        if !lengths_are_legal(scope.len(), message.len(), self.fields.len()) {
            return Err(EncodeError);
        }
        let mut writer = Writer::new(text);
        [scope, message, self.fields].iter().for_each(|part| writer.bytes(part));
        let (scope_len, message_len) = (scope.len() as u8, message.len() as u16);
        Ok(SentRecord { level: self.level, scope_len, message_len, text: writer.finish()? })
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

/// A record as it lies in a frame: scope, message and fields one behind the other. Lengths are
/// within their bounds, scope and message are UTF-8; whether the fields are canonical is for the
/// service to check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SentRecord<'a> {
    /// How grave it is.
    pub level: Level,
    scope_len: u8,
    message_len: u16,
    text: &'a [u8],
}

impl<'a> SentRecord<'a> {
    #[inline(always)]
    pub(crate) fn read(from: &mut Reader<'a>) -> Result<Self, LogStatus> {
        let [level, scope_len, m0, m1, f0, f1] = from.array().ok_or(SHORT)?;
        let message_len = u16::from_le_bytes([m0, m1]);
        let (scope, message) = (usize::from(scope_len), usize::from(message_len));
        let fields = usize::from(u16::from_le_bytes([f0, f1]));
        if !lengths_are_legal(scope, message, fields) {
            return Err(LogStatus::OverLimit);
        }
        let level = Level::from_raw(level).ok_or(SHORT)?;
        let text = from.bytes(scope + message + fields).ok_or(SHORT)?;
        let record = Self { level, scope_len, message_len, text };
        let texts = record.scope_and_message();
        if text_is_ascii(texts) || are_utf8(texts, scope) { Ok(record) } else { Err(SHORT) }
    }

    fn parts(&self) -> (&'a [u8], &'a [u8], &'a [u8]) {
        let (scope, rest) = self.text.split_at_checked(self.scope_len()).unwrap_or_default();
        let (message, fields) = rest.split_at_checked(self.message_len()).unwrap_or_default();
        (scope, message, fields)
    }

    /// Scope, message and fields, one behind the other.
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Scope and message, one behind the other.
    #[inline]
    #[must_use]
    pub fn scope_and_message(&self) -> &'a [u8] {
        self.text.get(..self.scope_len() + self.message_len()).unwrap_or_default()
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> &'a [u8] {
        self.parts().0
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &'a [u8] {
        self.parts().1
    }

    /// Bytes of the scope.
    #[must_use]
    pub const fn scope_len(&self) -> usize {
        self.scope_len as usize
    }

    /// Bytes of the message.
    #[must_use]
    pub const fn message_len(&self) -> usize {
        self.message_len as usize
    }

    /// The fields, as they came.
    #[inline]
    #[must_use]
    pub fn fields(&self) -> &'a [u8] {
        self.text.get(self.scope_len() + self.message_len()..).unwrap_or_default()
    }

    /// The record in its parts. It costs a look at every byte.
    #[must_use]
    pub fn as_new(&self) -> NewRecord<'a> {
        let (scope, message, fields) = self.parts();
        // Both were found to be text when the record was read.
        let text = |bytes| core::str::from_utf8(bytes).unwrap_or_default();
        NewRecord { level: self.level, scope: text(scope), message: text(message), fields }
    }
}

/// Whether two texts that lie one behind the other are UTF-8, each by itself.
#[cold]
fn are_utf8(texts: &[u8], first_len: usize) -> bool {
    let (first, second) = texts.split_at_checked(first_len).unwrap_or_default();
    [first, second].iter().all(|part| core::str::from_utf8(part).is_ok())
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
            SentRecord::read(body)?;
        }
        Ok(Self { count, records })
    }

    /// The records, in order.
    pub fn records(&self) -> impl Iterator<Item = SentRecord<'a>> + 'a {
        let mut rest = Reader::new(self.records);
        core::iter::from_fn(move || SentRecord::read(&mut rest).ok())
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
pub struct AppendBatchWriter<'a>(ListWriter<'a>);

impl<'a> AppendBatchWriter<'a> {
    /// A frame at the front of `out`.
    #[must_use]
    pub fn new(nonce: u64, out: &'a mut [u8]) -> Self {
        let head = Head { version: Version::V2, nonce };
        Self(ListWriter::begin(begin(Op::AppendBatch, head, out)))
    }

    /// Appends a record; `false` and nothing when it does not fit or is beyond its bounds.
    #[must_use]
    pub fn record(&mut self, record: &NewRecord<'_>) -> bool {
        self.0.entry(|to| record.write(to))
    }

    /// How many records it has.
    #[must_use]
    pub const fn len(&self) -> u16 {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The frame.
    ///
    /// # Errors
    /// [`EncodeError`] if not even the head fitted.
    pub fn finish(self) -> Result<&'a [u8], EncodeError> {
        self.0.finish(|_| ())
    }
}

/// Reads something that must be all there is.
#[inline(always)]
pub(super) fn read_whole<'a, T>(
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
    /// Appends a record. See [`NewRecord::join`].
    Append(SentRecord<'a>),
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

    /// Reads the body of `op`.
    pub(crate) fn read(op: Op, body: Reader<'a>) -> Result<Self, LogStatus> {
        match op {
            Op::Append => read_whole(body, SentRecord::read).map(Self::Append),
            Op::Query => read_whole(body, read_query),
            Op::Stats => read_whole(body, |_| Ok(Self::Stats)),
            Op::Hello => read_whole(body, |_| Ok(Self::Hello)),
            Op::AppendBatch => read_whole(body, AppendBatch::read).map(Self::AppendBatch),
            Op::Search => read_whole(body, Search::read).map(Self::Search),
            Op::Audit => read_whole(body, read_audit),
            Op::Status => read_whole(body, |_| Ok(Self::Status)),
            Op::Anchors => read_whole(body, |_| Ok(Self::Anchors)),
        }
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        match self {
            Self::Append(record) => record.as_new().write(to),
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
