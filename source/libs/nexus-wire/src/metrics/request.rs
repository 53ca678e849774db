use crate::bytes::{Reader, Writer, incarnation};
use crate::metrics::{Batch, Op, Range};
use crate::names::{AttrBytes, Help, LabelBytes, NameBytes};
use crate::{BOUNDS_MAX, HELP_BYTES_MAX, Kind, LABELS_BYTES_MAX, MetricStatus, NAME_BYTES_MAX};
use crate::{SeriesId, SpanId, SpanStatus, TraceId, Unit};

/// An update of one series by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Update<'a, V> {
    /// Name of the metric.
    pub name: NameBytes<'a>,
    /// Labels of the series.
    pub labels: LabelBytes<'a>,
    /// What to add, set or observe.
    pub value: V,
}

/// The beginning of a span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpanStart<'a> {
    /// The span.
    pub span: SpanId,
    /// Its trace.
    pub trace: TraceId,
    /// The span it is part of, or [`SpanId::NONE`].
    pub parent: SpanId,
    /// When it began, monotonic ns.
    pub start_ns: u64,
    /// What it is called.
    pub name: NameBytes<'a>,
    /// Attributes known at its beginning.
    pub attrs: AttrBytes<'a>,
}

/// The end of a span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpanEnd<'a> {
    /// The span.
    pub span: SpanId,
    /// When it ended, monotonic ns; before its start means a duration of 0.
    pub end_ns: u64,
    /// How it ended, as the sender says; 0 is ok, all else an error.
    pub status: SpanStatus,
    /// Attributes known at its end.
    pub attrs: AttrBytes<'a>,
}

/// The life that a HELLO wants to go on with; neither number is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resume {
    /// Boot number of metricsd that the client knew.
    pub epoch: u32,
    /// The client's incarnation then.
    pub incarnation: nexus_abi::Incarnation,
}

/// A series to be registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// Name of the metric.
    pub name: NameBytes<'a>,
    /// Labels of the series.
    pub labels: LabelBytes<'a>,
    /// What the metric is good for.
    pub help: Help<'a>,
    bounds: &'a [u8],
}

impl<'a> Register<'a> {
    /// A registration without bounds: for a histogram metricsd then chooses them.
    #[must_use]
    pub const fn new(
        kind: Kind,
        unit: Unit,
        name: NameBytes<'a>,
        labels: LabelBytes<'a>,
        help: Help<'a>,
    ) -> Self {
        Self { kind, unit, name, labels, help, bounds: &[] }
    }

    /// With upper bounds of buckets, given as little-endian words (see [`bounds_to_bytes`]).
    /// `None` if they are more than 24, cut, or do not ascend, or if this is no histogram.
    #[must_use]
    pub fn with_bounds(self, bounds: &'a [u8]) -> Option<Self> {
        let registration = Self { bounds, ..self };
        (registration.kind_may_have_bounds() && bounds_are_legal(bounds)).then_some(registration)
    }

    fn kind_may_have_bounds(&self) -> bool {
        self.kind == Kind::Histogram || self.bounds.is_empty()
    }

    /// The bounds asked for; none: metricsd chooses.
    pub fn bounds(&self) -> impl ExactSizeIterator<Item = u64> + 'a {
        words(self.bounds)
    }
}

/// Writes bounds as little-endian words to the front of `out`; `None` if they do not fit.
pub fn bounds_to_bytes<'b>(bounds: &[u64], out: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut writer = Writer::new(out);
    for bound in bounds {
        writer.u64(*bound);
    }
    writer.finish().ok()
}

pub(crate) fn words(bytes: &[u8]) -> impl ExactSizeIterator<Item = u64> {
    let word = |chunk: &[u8]| chunk.try_into().map(u64::from_le_bytes).unwrap_or_default();
    bytes.chunks_exact(8).map(word)
}

fn bounds_are_legal(bounds: &[u8]) -> bool {
    bounds.len().is_multiple_of(8)
        && bounds.len() <= BOUNDS_MAX * 8
        && words(bounds).zip(words(bounds).skip(1)).all(|(lower, upper)| lower < upper)
}

/// A series to be looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lookup<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Name of the metric.
    pub name: NameBytes<'a>,
    /// Labels of the series.
    pub labels: LabelBytes<'a>,
}

/// A request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// Adds to a counter; at most `i64::MAX`.
    CounterInc(Update<'a, u64>),
    /// Sets a gauge.
    GaugeSet(Update<'a, i64>),
    /// Observes into a histogram; at most `i64::MAX`.
    HistObserve(Update<'a, u64>),
    /// Begins a span.
    SpanStart(SpanStart<'a>),
    /// Ends a span.
    SpanEnd(SpanEnd<'a>),
    /// Nothing.
    Ping,
    /// Asks who one is; `Some`: to go on with an earlier life.
    Hello(Option<Resume>),
    /// Registers a series.
    Register(Register<'a>),
    /// Looks a series up.
    Lookup(Lookup<'a>),
    /// Updates a series by id: adds to a counter, sets a gauge (the bits of an i64), observes.
    Update {
        /// The series.
        series: SeriesId,
        /// What to add, set or observe.
        value: u64,
    },
    /// Many at once.
    Batch(Batch<'a>),
    /// Reads series from a cursor on (0: from the first).
    Scrape {
        /// Where to go on.
        cursor: u32,
        /// Whether helps are wanted.
        with_help: bool,
    },
    /// Reads live spans from a cursor on (0: from the first).
    Spans {
        /// Where to go on.
        cursor: u32,
    },
    /// Reads the ledger from a cursor on (0: from the first).
    Audit {
        /// Where to go on.
        cursor: u32,
    },
    /// Reads the state.
    Status,
    /// Reads what is kept of series.
    Range(Range<'a>),
}

/// What is answered to everything malformed.
pub(crate) const SHORT: MetricStatus = MetricStatus::InvalidArgs;

impl<'a> Request<'a> {
    /// The operation.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::CounterInc(_) => Op::CounterInc,
            Self::GaugeSet(_) => Op::GaugeSet,
            Self::HistObserve(_) => Op::HistObserve,
            Self::SpanStart(_) => Op::SpanStart,
            Self::SpanEnd(_) => Op::SpanEnd,
            Self::Ping => Op::Ping,
            Self::Hello(_) => Op::Hello,
            Self::Register(_) => Op::Register,
            Self::Lookup(_) => Op::Lookup,
            Self::Update { .. } => Op::Update,
            Self::Batch(_) => Op::Batch,
            Self::Scrape { .. } => Op::Scrape,
            Self::Spans { .. } => Op::Spans,
            Self::Audit { .. } => Op::Audit,
            Self::Status => Op::Status,
            Self::Range(_) => Op::Range,
        }
    }

    /// Reads the body of `op` and hands the result to `then`. Each of the frequent operations does
    /// so by itself: a join of all of them would take every request apart and build it again.
    #[inline]
    pub(crate) fn read<R>(
        op: Op,
        body: Reader<'a>,
        then: impl FnOnce(Result<Self, MetricStatus>) -> R,
    ) -> R {
        match op {
            Op::CounterInc => then(read_update(body, unsigned).map(Self::CounterInc)),
            Op::GaugeSet => then(read_update(body, Some).map(Self::GaugeSet)),
            Op::HistObserve => then(read_update(body, unsigned).map(Self::HistObserve)),
            Op::Update => then(read_update_by_id(body).ok_or(SHORT)),
            Op::Batch => then(Batch::read(body).map(Self::Batch)),
            _ => then(Self::read_rare(op, body)),
        }
    }

    /// The other operations, apart, so that the frequent ones stay small enough to be inlined.
    #[inline(never)]
    fn read_rare(op: Op, body: Reader<'a>) -> Result<Self, MetricStatus> {
        match op {
            Op::SpanStart => read_whole(body, read_span_start).map(Self::SpanStart),
            Op::SpanEnd => read_whole(body, read_span_end).map(Self::SpanEnd),
            Op::Ping => read_nothing(body, Self::Ping),
            Op::Hello => read_hello(body).map(Self::Hello).ok_or(SHORT),
            Op::Register => read_register(body).map(Self::Register),
            Op::Lookup => read_lookup(body).map(Self::Lookup),
            Op::Scrape => read_scrape(body).ok_or(SHORT),
            Op::Spans => read_cursor(body).map(|cursor| Self::Spans { cursor }).ok_or(SHORT),
            Op::Audit => read_cursor(body).map(|cursor| Self::Audit { cursor }).ok_or(SHORT),
            Op::Status => read_nothing(body, Self::Status),
            Op::Range => Range::read(body).map(Self::Range),
            Op::CounterInc | Op::GaugeSet | Op::HistObserve | Op::Update | Op::Batch => Err(SHORT),
        }
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        match self {
            Self::CounterInc(update) | Self::HistObserve(update) => {
                to.require(update.value <= i64::MAX.cast_unsigned());
                write_update(to, update.name, update.labels, update.value);
            }
            Self::GaugeSet(update) => {
                write_update(to, update.name, update.labels, update.value.cast_unsigned());
            }
            Self::SpanStart(start) => write_span_start(to, start),
            Self::SpanEnd(end) => write_span_end(to, end),
            Self::Ping | Self::Status => {}
            Self::Hello(None) => {
                to.u32(0);
                to.u32(0);
            }
            Self::Hello(Some(resume)) => {
                to.require(resume.epoch != 0 && resume.incarnation.raw() != 0);
                to.u32(resume.epoch);
                to.u32(resume.incarnation.raw());
            }
            Self::Register(register) => write_register(to, register),
            Self::Lookup(lookup) => {
                to.u8(lookup.kind.raw());
                write_key(to, lookup.name, lookup.labels);
            }
            Self::Update { series, value } => {
                to.u64(series.raw());
                to.u64(*value);
            }
            Self::Batch(batch) => batch.write(to),
            Self::Scrape { cursor, with_help } => {
                to.u32(*cursor);
                to.u8(u8::from(*with_help));
            }
            Self::Spans { cursor } | Self::Audit { cursor } => to.u32(*cursor),
            Self::Range(range) => range.write(to),
        }
    }
}

#[inline]
fn unsigned(value: i64) -> Option<u64> {
    u64::try_from(value).ok()
}

#[inline]
fn read_nothing<'a>(body: Reader<'_>, request: Request<'a>) -> Result<Request<'a>, MetricStatus> {
    body.end().map(|()| request).ok_or(SHORT)
}

/// Reads something that must be all there is.
#[inline]
fn read_whole<'a, T>(
    mut body: Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, MetricStatus>,
) -> Result<T, MetricStatus> {
    let value = read(&mut body)?;
    body.end().map(|()| value).ok_or(SHORT)
}

/// `name_len:u8 labels_len:u16`, each judged as soon as it is there.
#[inline]
fn read_key_lens(body: &mut Reader<'_>) -> Result<(usize, usize), MetricStatus> {
    let name_len = check_name_len(usize::from(body.u8().ok_or(SHORT)?))?;
    let labels_len = check_labels_len(usize::from(body.u16().ok_or(SHORT)?))?;
    Ok((name_len, labels_len))
}

#[inline]
fn check_name_len(len: usize) -> Result<usize, MetricStatus> {
    if len == 0 || len > NAME_BYTES_MAX { Err(MetricStatus::OverLimit) } else { Ok(len) }
}

#[inline]
fn check_labels_len(len: usize) -> Result<usize, MetricStatus> {
    if len > LABELS_BYTES_MAX { Err(MetricStatus::OverLimit) } else { Ok(len) }
}

#[inline]
fn read_update<V>(
    mut body: Reader<'_>,
    legal: impl FnOnce(i64) -> Option<V>,
) -> Result<Update<'_, V>, MetricStatus> {
    let (name_len, labels_len) = read_key_lens(&mut body)?;
    let value = body.i64().ok_or(SHORT)?;
    let name = body.bytes(name_len).and_then(NameBytes::new).ok_or(SHORT)?;
    // The rest is the labels: any other length is another than the frame says.
    let labels =
        LabelBytes::new(body.rest()).filter(|labels| labels.as_bytes().len() == labels_len);
    let value = legal(value).ok_or(SHORT)?;
    Ok(Update { name, labels: labels.ok_or(SHORT)?, value })
}

fn write_update(to: &mut Writer<'_>, name: NameBytes<'_>, labels: LabelBytes<'_>, value: u64) {
    to.len8(name.as_bytes());
    to.len16(labels.as_bytes());
    to.u64(value);
    to.bytes(name.as_bytes());
    to.bytes(labels.as_bytes());
}

pub(crate) fn read_span_start<'a>(body: &mut Reader<'a>) -> Result<SpanStart<'a>, MetricStatus> {
    let span = SpanId::from_raw(body.u64().ok_or(SHORT)?);
    let trace = TraceId::from_raw(body.u64().ok_or(SHORT)?);
    let parent = SpanId::from_raw(body.u64().ok_or(SHORT)?);
    let start_ns = body.u64().ok_or(SHORT)?;
    let (name_len, attrs_len) = read_key_lens(body)?;
    let name = body.bytes(name_len).and_then(NameBytes::new).ok_or(SHORT)?;
    let attrs = body.bytes(attrs_len).and_then(AttrBytes::new).ok_or(SHORT)?;
    Ok(SpanStart { span, trace, parent, start_ns, name, attrs })
}

pub(crate) fn write_span_start(to: &mut Writer<'_>, start: &SpanStart<'_>) {
    to.u64(start.span.raw());
    to.u64(start.trace.raw());
    to.u64(start.parent.raw());
    to.u64(start.start_ns);
    to.len8(start.name.as_bytes());
    to.len16(start.attrs.as_bytes());
    to.bytes(start.name.as_bytes());
    to.bytes(start.attrs.as_bytes());
}

pub(crate) fn read_span_end<'a>(body: &mut Reader<'a>) -> Result<SpanEnd<'a>, MetricStatus> {
    let span = SpanId::from_raw(body.u64().ok_or(SHORT)?);
    let end_ns = body.u64().ok_or(SHORT)?;
    let status = SpanStatus::from_wire(body.u8().ok_or(SHORT)?);
    let attrs_len = check_labels_len(usize::from(body.u16().ok_or(SHORT)?))?;
    let attrs = body.bytes(attrs_len).and_then(AttrBytes::new).ok_or(SHORT)?;
    Ok(SpanEnd { span, end_ns, status, attrs })
}

pub(crate) fn write_span_end(to: &mut Writer<'_>, end: &SpanEnd<'_>) {
    to.u64(end.span.raw());
    to.u64(end.end_ns);
    to.u8(u8::from(end.status != SpanStatus::Ok));
    to.len16(end.attrs.as_bytes());
    to.bytes(end.attrs.as_bytes());
}

fn read_hello(mut body: Reader<'_>) -> Option<Option<Resume>> {
    let epoch = body.u32()?;
    let incarnation = incarnation(&mut body)?;
    body.end()?;
    match (epoch, incarnation.raw()) {
        (0, 0) => Some(None),
        (0, _) | (_, 0) => None,
        _ => Some(Some(Resume { epoch, incarnation })),
    }
}

#[inline(never)]
fn read_register(mut body: Reader<'_>) -> Result<Register<'_>, MetricStatus> {
    let kind = body.u8().and_then(Kind::from_raw).ok_or(SHORT)?;
    let unit = body.u8().and_then(Unit::from_raw).ok_or(SHORT)?;
    let name_len = check_name_len(usize::from(body.u8().ok_or(SHORT)?))?;
    let labels_len = check_labels_len(usize::from(body.u16().ok_or(SHORT)?))?;
    let help_len = usize::from(body.u8().ok_or(SHORT)?);
    let bounds_len = usize::from(body.u8().ok_or(SHORT)?);
    if help_len > HELP_BYTES_MAX || bounds_len > BOUNDS_MAX {
        return Err(MetricStatus::OverLimit);
    }
    let name = body.bytes(name_len).and_then(NameBytes::new).ok_or(SHORT)?;
    let labels = body.bytes(labels_len).and_then(LabelBytes::new).ok_or(SHORT)?;
    let help = body.str(help_len).and_then(Help::new).ok_or(SHORT)?;
    let bounds = body.bytes(bounds_len * 8).ok_or(SHORT)?;
    body.end().ok_or(SHORT)?;
    Register::new(kind, unit, name, labels, help).with_bounds(bounds).ok_or(SHORT)
}

fn write_register(to: &mut Writer<'_>, register: &Register<'_>) {
    to.require(register.kind_may_have_bounds());
    to.u8(register.kind.raw());
    to.u8(register.unit.raw());
    to.len8(register.name.as_bytes());
    to.len16(register.labels.as_bytes());
    to.len8(register.help.as_str().as_bytes());
    to.count8(register.bounds.len() / 8);
    to.bytes(register.name.as_bytes());
    to.bytes(register.labels.as_bytes());
    to.bytes(register.help.as_str().as_bytes());
    to.bytes(register.bounds);
}

#[inline(never)]
fn read_lookup(mut body: Reader<'_>) -> Result<Lookup<'_>, MetricStatus> {
    let kind = body.u8().and_then(Kind::from_raw).ok_or(SHORT)?;
    let (name_len, labels_len) = read_key_lens(&mut body)?;
    let name = body.bytes(name_len).and_then(NameBytes::new).ok_or(SHORT)?;
    let labels = body.bytes(labels_len).and_then(LabelBytes::new).ok_or(SHORT)?;
    body.end().ok_or(SHORT)?;
    Ok(Lookup { kind, name, labels })
}

fn write_key(to: &mut Writer<'_>, name: NameBytes<'_>, labels: LabelBytes<'_>) {
    to.len8(name.as_bytes());
    to.len16(labels.as_bytes());
    to.bytes(name.as_bytes());
    to.bytes(labels.as_bytes());
}

#[inline]
fn read_update_by_id(mut body: Reader<'_>) -> Option<Request<'_>> {
    let series = SeriesId::from_raw(body.u64()?)?;
    let value = body.u64()?;
    body.end()?;
    Some(Request::Update { series, value })
}

fn read_scrape(mut body: Reader<'_>) -> Option<Request<'_>> {
    let cursor = body.u32()?;
    let with_help = body.flag()?;
    body.end()?;
    Some(Request::Scrape { cursor, with_help })
}

fn read_cursor(mut body: Reader<'_>) -> Option<u32> {
    let cursor = body.u32()?;
    body.end()?;
    Some(cursor)
}
