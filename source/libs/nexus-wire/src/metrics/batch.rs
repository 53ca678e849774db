//! BATCH: what a client's flush has to say, safe to be said again.
//!
//! Body: `seq:u32 values:u16 items:u16`, then `values` pairs `series:u64 value:u64`, then `items`
//! tagged items. Values come first and have one length, so that the hot part is a plain array.

use crate::TraceId;
use crate::bytes::{Reader, Writer};
use crate::metrics::request::{
    SHORT, read_span_end, read_span_start, write_span_end, write_span_start,
};
use crate::metrics::{Op, SpanEnd, SpanStart, begin};
use crate::names::{AttrBytes, NameBytes};
use crate::{BOUNDS_MAX, EncodeError, LossReason, MetricStatus, SeriesId, SpanId, SpanStatus};

const VALUE_BYTES: usize = 16;
const BUCKET_BYTES: usize = 9;
/// Buckets of a histogram, at most: one above all bounds.
const BUCKETS_MAX: usize = BOUNDS_MAX + 1;
const TAG_HISTOGRAM: u8 = 1;
const TAG_SPAN: u8 = 2;
const TAG_OPEN: u8 = 3;
const TAG_CLOSE: u8 = 4;
const TAG_LOST: u8 = 5;
const TAG_RECORDED: u8 = 6;
const TAG_EARLIER: u8 = 7;

/// A decoded BATCH; its items have been checked for shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batch<'a> {
    /// Counted from 1 in each life of a client.
    pub seq: u32,
    values: &'a [u8],
    items: &'a [u8],
    item_count: u16,
}

/// A counter's total since the registration, wrapping, or the bits of a gauge's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValueItem {
    /// The series as it came; 0 is none and refused as any foreign id is.
    pub series: Option<SeriesId>,
    /// Total or bits.
    pub value: u64,
}

/// A histogram's totals since the registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistogramItem<'a> {
    /// The series.
    pub series: SeriesId,
    /// Sum of all observations, wrapping.
    pub sum: u64,
    /// Totals of the buckets that have changed since the last acknowledged BATCH, or of more.
    pub buckets: SparseBuckets<'a>,
}

/// Totals of some buckets: `index:u8 count:u64` each, indexes ascending, at most 25.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SparseBuckets<'a>(&'a [u8]);

impl<'a> SparseBuckets<'a> {
    /// The buckets in `bytes`; `None` if they are cut, out of order or beyond the last bucket.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let buckets = Self(bytes);
        let indexes = || buckets.iter().map(|(index, _)| index);
        let ascending = indexes().zip(indexes().skip(1)).all(|(lower, upper)| lower < upper);
        let within = indexes().all(|index| usize::from(index) < BUCKETS_MAX);
        (bytes.len().is_multiple_of(BUCKET_BYTES) && ascending && within).then_some(buckets)
    }

    /// Writes `index count` pairs in the layout of this type; `None` if they do not fit or are
    /// not legal.
    pub fn encode(pairs: impl Iterator<Item = (u8, u64)>, out: &'a mut [u8]) -> Option<Self> {
        let mut writer = Writer::new(out);
        for (index, count) in pairs {
            writer.u8(index);
            writer.u64(count);
        }
        Self::new(writer.finish().ok()?)
    }

    /// Index and total of each bucket.
    pub fn iter(self) -> impl Iterator<Item = (u8, u64)> {
        let mut rest = Reader::new(self.0);
        core::iter::from_fn(move || Some((rest.u8()?, rest.u64()?)))
    }
}

/// A span that began and ended since the last flush.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WholeSpan<'a> {
    /// How it began; its attributes are all the span has.
    pub start: SpanStart<'a>,
    /// When it ended, monotonic ns.
    pub end_ns: u64,
    /// How it ended.
    pub status: SpanStatus,
}

/// A tagged item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// A histogram.
    Histogram(HistogramItem<'a>),
    /// A whole span.
    Span(WholeSpan<'a>),
    /// A span that has begun and goes on.
    Open(SpanStart<'a>),
    /// The end of a span that was sent as open.
    Close(SpanEnd<'a>),
    /// What the client itself lost for a reason, in all of its life.
    Lost {
        /// Why.
        reason: LossReason,
        /// How many, cumulative.
        count: u64,
    },
    /// What the client has recorded itself, to be compared with what came of it.
    Recorded(Recorded),
    /// The totals of this BATCH had been told to metricsd before it began anew.
    Earlier,
}

/// What all counters and histograms of a client come to in its life, but for series that were
/// refused: never more than its BATCHes up to this one have told. All wrap.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Recorded {
    /// Increments of counters.
    pub counted: u64,
    /// Observations of histograms.
    pub observed: u64,
    /// Sum of the observed values.
    pub sum: u64,
}

impl Recorded {
    /// This and that together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            counted: self.counted.wrapping_add(other.counted),
            observed: self.observed.wrapping_add(other.observed),
            sum: self.sum.wrapping_add(other.sum),
        }
    }

    /// What is in this and not in `other`; 0 where `other` has more.
    #[must_use]
    pub const fn missing_in(self, other: Self) -> Self {
        Self {
            counted: lag(self.counted, other.counted),
            observed: lag(self.observed, other.observed),
            sum: lag(self.sum, other.sum),
        }
    }
}

/// How far a wrapping total is behind another; 0 if it is ahead.
const fn lag(total: u64, behind: u64) -> u64 {
    let lag = total.wrapping_sub(behind);
    if lag.cast_signed() < 0 { 0 } else { lag }
}

impl<'a> HistogramItem<'a> {
    fn read(from: &mut Reader<'a>) -> Result<Self, MetricStatus> {
        let series = from.u64().and_then(SeriesId::from_raw).ok_or(SHORT)?;
        let sum = from.u64().ok_or(SHORT)?;
        let count = usize::from(from.u8().ok_or(SHORT)?);
        if count > BUCKETS_MAX {
            return Err(MetricStatus::OverLimit);
        }
        let buckets = from.bytes(count * BUCKET_BYTES).and_then(SparseBuckets::new).ok_or(SHORT)?;
        Ok(Self { series, sum, buckets })
    }
}

impl<'a> Item<'a> {
    fn read(from: &mut Reader<'a>) -> Result<Self, MetricStatus> {
        match from.u8().ok_or(SHORT)? {
            TAG_HISTOGRAM => HistogramItem::read(from).map(Self::Histogram),
            TAG_SPAN => {
                let start = read_span_start(from)?;
                let end_ns = from.u64().ok_or(SHORT)?;
                let status = SpanStatus::from_wire(from.u8().ok_or(SHORT)?);
                Ok(Self::Span(WholeSpan { start, end_ns, status }))
            }
            TAG_OPEN => read_span_start(from).map(Self::Open),
            TAG_CLOSE => read_span_end(from).map(Self::Close),
            TAG_LOST => {
                let reason = from.u8().and_then(LossReason::from_raw).ok_or(SHORT)?;
                Ok(Self::Lost { reason, count: from.u64().ok_or(SHORT)? })
            }
            TAG_RECORDED => {
                let mut next = || from.u64().ok_or(SHORT);
                let (counted, observed, sum) = (next()?, next()?, next()?);
                Ok(Self::Recorded(Recorded { counted, observed, sum }))
            }
            TAG_EARLIER => Ok(Self::Earlier),
            _ => Err(SHORT),
        }
    }

    fn write(&self, to: &mut Writer<'_>) {
        match self {
            Self::Histogram(item) => {
                to.u8(TAG_HISTOGRAM);
                to.u64(item.series.raw());
                to.u64(item.sum);
                to.count8(item.buckets.0.len() / BUCKET_BYTES);
                to.bytes(item.buckets.0);
            }
            Self::Span(span) => {
                to.u8(TAG_SPAN);
                write_span_start(to, &span.start);
                to.u64(span.end_ns);
                to.u8(u8::from(span.status != SpanStatus::Ok));
            }
            Self::Open(start) => {
                to.u8(TAG_OPEN);
                write_span_start(to, start);
            }
            Self::Close(end) => {
                to.u8(TAG_CLOSE);
                write_span_end(to, end);
            }
            Self::Lost { reason, count } => {
                to.u8(TAG_LOST);
                to.u8(reason.raw());
                to.u64(*count);
            }
            Self::Recorded(recorded) => {
                to.u8(TAG_RECORDED);
                to.u64(recorded.counted);
                to.u64(recorded.observed);
                to.u64(recorded.sum);
            }
            Self::Earlier => to.u8(TAG_EARLIER),
        }
    }

    /// A span item with an attribute list that is empty, for tests and simple clients.
    #[must_use]
    pub fn plain_span(
        span: SpanId,
        trace: TraceId,
        name: NameBytes<'a>,
        start_ns: u64,
        end_ns: u64,
    ) -> Option<Self> {
        let attrs = AttrBytes::new(&[])?;
        let start = SpanStart { span, trace, parent: SpanId::NONE, start_ns, name, attrs };
        Some(Self::Span(WholeSpan { start, end_ns, status: SpanStatus::Ok }))
    }
}

impl<'a> Batch<'a> {
    pub(crate) fn read(mut body: Reader<'a>) -> Result<Self, MetricStatus> {
        let seq = body.u32().ok_or(SHORT)?;
        let value_count = usize::from(body.u16().ok_or(SHORT)?);
        let item_count = body.u16().ok_or(SHORT)?;
        let values = body.bytes(value_count * VALUE_BYTES).ok_or(SHORT)?;
        let items = body.rest();
        for _ in 0..item_count {
            Item::read(&mut body)?;
        }
        body.end().ok_or(SHORT)?;
        Ok(Self { seq, values, items, item_count })
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        to.u32(self.seq);
        to.count16(self.values.len() / VALUE_BYTES);
        to.u16(self.item_count);
        to.bytes(self.values);
        to.bytes(self.items);
    }

    /// Values of counters and gauges, in order.
    #[inline]
    pub fn values(&self) -> impl ExactSizeIterator<Item = ValueItem> + 'a {
        let (values, _) = self.values.as_chunks::<VALUE_BYTES>();
        values.iter().map(|[s0, s1, s2, s3, s4, s5, s6, s7, value @ ..]| {
            let series = u64::from_le_bytes([*s0, *s1, *s2, *s3, *s4, *s5, *s6, *s7]);
            let value = u64::from_le_bytes(*value);
            ValueItem { series: SeriesId::from_raw(series), value }
        })
    }

    /// The tagged items, in order.
    pub fn items(&self) -> impl Iterator<Item = Item<'a>> + 'a {
        let mut rest = Reader::new(self.items);
        core::iter::from_fn(move || Item::read(&mut rest).ok())
    }

    /// Whether its totals are what an earlier epoch had been told.
    #[must_use]
    pub fn is_earlier(&self) -> bool {
        self.items().any(|item| item == Item::Earlier)
    }

    /// Values and items together: what the budget of events is charged.
    #[must_use]
    pub fn len(&self) -> u32 {
        (self.values.len() / VALUE_BYTES) as u32 + u32::from(self.item_count)
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes a BATCH: first all values, then all items.
#[derive(Debug)]
pub struct BatchWriter<'a> {
    writer: Writer<'a>,
    counts_at: usize,
    values: u16,
    items: u16,
}

impl<'a> BatchWriter<'a> {
    /// A BATCH at the front of `out`.
    #[must_use]
    pub fn new(seq: u32, nonce: u32, out: &'a mut [u8]) -> Self {
        let mut writer = begin(Op::Batch, nonce, out);
        writer.u32(seq);
        let counts_at = writer.len();
        writer.u16(0);
        writer.u16(0);
        Self { writer, counts_at, values: 0, items: 0 }
    }

    /// Appends a value; `false` and nothing when it does not fit, or when there are items already.
    #[must_use]
    pub fn value(&mut self, series: SeriesId, value: u64) -> bool {
        if self.items > 0 || self.values == u16::MAX {
            return false;
        }
        let written = self.writer.attempt(|to| {
            to.u64(series.raw());
            to.u64(value);
        });
        self.values += u16::from(written);
        written
    }

    /// Appends an item; `false` and nothing when it does not fit. A span's status `abandoned`
    /// goes as an error.
    #[must_use]
    pub fn item(&mut self, item: &Item<'_>) -> bool {
        if self.items == u16::MAX {
            return false;
        }
        let written = self.writer.attempt(|to| item.write(to));
        self.items += u16::from(written);
        written
    }

    /// Whether nothing was appended.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values == 0 && self.items == 0
    }

    /// The frame.
    ///
    /// # Errors
    /// [`EncodeError`] if not even the head fitted.
    pub fn finish(mut self) -> Result<&'a [u8], EncodeError> {
        self.writer.patch_u16(self.counts_at, self.values);
        self.writer.patch_u16(self.counts_at + 2, self.items);
        self.writer.finish()
    }
}
