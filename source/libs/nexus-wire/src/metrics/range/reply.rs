use nexus_abi::ServiceId;

use super::{Moment, RangeCursor};
use crate::bytes::{Reader, Writer};
use crate::list::{ListWriter, PausedList};
use crate::metrics::request::words;
use crate::metrics::{Op, begin_reply};
use crate::{BOUNDS_MAX, EncodeError, HistoryLoss, Kind, Tier, Unit};

const CLOCK: u8 = 1;
const SERIES: u8 = 2;
const COUNTER: u8 = 3;
const GAUGE: u8 = 4;
const HISTOGRAM: u8 = 5;
const LOST: u8 = 6;

const FLAG_OVERFLOW: u8 = 1;
const FLAG_CATCHUP: u8 = 1;
const FLAG_OF_SERIES: u8 = 1;

/// Two clocks of one boot, read at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeClock {
    /// Time since that boot.
    pub at: Moment,
    /// Calendar time then, ns since 1970.
    pub wall_ns: u64,
}

/// Whose rows follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeSeries<'a> {
    /// The boot of the rows.
    pub boot: u32,
    /// Whose it is.
    pub service: ServiceId,
    /// Its kind.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// Whether it gathers what met a cap.
    pub overflow: bool,
    /// Name of its metric.
    pub name: &'a str,
    /// Its labels, canonical.
    pub labels: &'a str,
    /// Upper bounds of a histogram's buckets, little-endian words; of others none.
    pub bounds: &'a [u8],
}

impl<'a> RangeSeries<'a> {
    /// Upper bounds of the histogram's buckets, inclusive.
    pub fn bounds(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        words(self.bounds)
    }

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let boot = from.u32()?;
        let service = ServiceId::from_raw(from.u64()?);
        let kind = Kind::from_raw(from.u8()?)?;
        let unit = Unit::from_raw(from.u8()?)?;
        let flags = from.u8().filter(|flags| flags & !FLAG_OVERFLOW == 0)?;
        let name_len = usize::from(from.u8()?);
        let labels_len = usize::from(from.u16()?);
        let bounds = usize::from(from.u8()?);
        let series = Self {
            boot,
            service,
            kind,
            unit,
            overflow: flags & FLAG_OVERFLOW != 0,
            name: from.str(name_len)?,
            labels: from.str(labels_len)?,
            bounds: from.bytes(bounds * 8)?,
        };
        series.is_legal().then_some(series)
    }

    const fn is_legal(&self) -> bool {
        let bounds = self.bounds.len() / 8;
        let may_have = matches!(self.kind, Kind::Histogram) || bounds == 0;
        may_have && bounds <= BOUNDS_MAX && self.bounds.len().is_multiple_of(8)
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.require(self.is_legal());
        to.u32(self.boot);
        to.u64(self.service.raw());
        to.u8(self.kind.raw());
        to.u8(self.unit.raw());
        to.u8(u8::from(self.overflow) * FLAG_OVERFLOW);
        to.len8(self.name.as_bytes());
        to.len16(self.labels.as_bytes());
        to.count8(self.bounds.len() / 8);
        to.bytes(self.name.as_bytes());
        to.bytes(self.labels.as_bytes());
        to.bytes(self.bounds);
    }
}

/// Numbers of buckets and what was added to them, as they stand in a frame: indexes ascend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts<'a>(&'a [u8]);

const COUNT_BYTES: usize = 1 + 8;

impl<'a> Counts<'a> {
    /// None.
    pub const EMPTY: Self = Self(&[]);

    /// Writes them to the front of `out`; `None` if they do not fit, or indexes do not ascend.
    pub fn encode(counts: impl Iterator<Item = (u8, u64)>, out: &'a mut [u8]) -> Option<Self> {
        let mut to = Writer::new(out);
        for (index, count) in counts {
            to.u8(index);
            to.u64(count);
        }
        to.finish().ok().and_then(Self::new)
    }

    fn new(bytes: &'a [u8]) -> Option<Self> {
        let counts = Self(bytes);
        let most = counts.iter().zip(counts.iter().skip(1)).all(|(a, b)| a.0 < b.0);
        most.then_some(counts)
    }

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let count = usize::from(from.u8()?);
        Self::new(from.bytes(count * COUNT_BYTES)?)
    }

    /// Each bucket's index, and what was added to it.
    pub fn iter(&self) -> impl Iterator<Item = (u8, u64)> + use<'a> {
        let mut rest = Reader::new(self.0);
        core::iter::from_fn(move || Some((rest.u8()?, rest.u64()?)))
    }

    /// Whether a histogram with so many bounds has all of them.
    fn fits(&self, bounds: usize) -> bool {
        self.iter().all(|(index, _)| usize::from(index) <= bounds)
    }
}

/// What a series did in a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeValue<'a> {
    /// A counter.
    Counter {
        /// What was added.
        delta: u64,
    },
    /// A gauge: the values with which windows ended.
    Gauge {
        /// How many, at least 1.
        count: u64,
        /// Of all of them.
        sum: i128,
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
        /// The newest.
        last: i64,
    },
    /// A histogram.
    Histogram {
        /// What was added to the sum of all that was observed.
        sum: i128,
        /// What was added to its buckets; those not named had nothing.
        counts: Counts<'a>,
    },
}

impl<'a> RangeValue<'a> {
    /// The kind of series that does so.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Counter { .. } => Kind::Counter,
            Self::Gauge { .. } => Kind::Gauge,
            Self::Histogram { .. } => Kind::Histogram,
        }
    }

    fn read(tag: u8, from: &mut Reader<'a>) -> Option<Self> {
        Some(match tag {
            COUNTER => Self::Counter { delta: from.u64()? },
            GAUGE => Self::Gauge {
                count: from.u64().filter(|count| *count > 0)?,
                sum: from.i128()?,
                min: from.i64()?,
                max: from.i64()?,
                last: from.i64()?,
            },
            HISTOGRAM => Self::Histogram { sum: from.i128()?, counts: Counts::read(from)? },
            _ => return None,
        })
    }

    fn write(&self, to: &mut Writer<'_>) {
        match *self {
            Self::Counter { delta } => to.u64(delta),
            Self::Gauge { count, sum, min, max, last } => {
                to.require(count > 0);
                to.u64(count);
                to.i128(sum);
                [min, max, last].into_iter().for_each(|value| to.i64(value));
            }
            Self::Histogram { sum, counts } => {
                to.i128(sum);
                to.count8(counts.0.len() / COUNT_BYTES);
                to.bytes(counts.0);
            }
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Counter { .. } => COUNTER,
            Self::Gauge { .. } => GAUGE,
            Self::Histogram { .. } => HISTOGRAM,
        }
    }
}

/// A part of a step of the series before: further parts of it follow later, of later windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeRow<'a> {
    /// Number of the step since boot: it began at `number` times the length of steps.
    pub step: u64,
    /// Windows of it in which something is recorded, at least 1.
    pub windows: u32,
    /// Whether values in it may be older: they were caught up after an outage.
    pub catchup: bool,
    /// What it did.
    pub value: RangeValue<'a>,
}

impl<'a> RangeRow<'a> {
    fn read(tag: u8, from: &mut Reader<'a>) -> Option<Self> {
        Some(Self {
            step: from.u64()?,
            windows: from.u32().filter(|windows| *windows > 0)?,
            catchup: from.flag()?,
            value: RangeValue::read(tag, from)?,
        })
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.require(self.windows > 0);
        to.u64(self.step);
        to.u32(self.windows);
        to.u8(u8::from(self.catchup) * FLAG_CATCHUP);
        self.value.write(to);
    }
}

/// Windows of which nothing more is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeLost {
    /// Why.
    pub why: HistoryLoss,
    /// Only of the series before; otherwise of any.
    pub of_series: bool,
    /// When the first of them began.
    pub from: Moment,
    /// When the last of them ended, as far as that is known.
    pub to: Moment,
}

impl RangeLost {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let lost = Self {
            why: HistoryLoss::from_raw(from.u8()?)?,
            of_series: from.flag()?,
            from: Moment::read(from)?,
            to: Moment::read(from)?,
        };
        (lost.from <= lost.to).then_some(lost)
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.require(self.from <= self.to);
        to.u8(self.why.raw());
        to.u8(u8::from(self.of_series) * FLAG_OF_SERIES);
        self.from.write(to);
        self.to.write(to);
    }
}

/// One thing of a RANGE reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeEntry<'a> {
    /// What puts times of a boot into the calendar.
    Clock(RangeClock),
    /// Whose rows follow.
    Series(RangeSeries<'a>),
    /// What it did.
    Row(RangeRow<'a>),
    /// What is lost.
    Lost(RangeLost),
}

impl<'a> RangeEntry<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        Some(match from.u8()? {
            CLOCK => Self::Clock(RangeClock { at: Moment::read(from)?, wall_ns: from.u64()? }),
            SERIES => Self::Series(RangeSeries::read(from)?),
            LOST => Self::Lost(RangeLost::read(from)?),
            tag => Self::Row(RangeRow::read(tag, from)?),
        })
    }

    fn write(&self, to: &mut Writer<'_>) {
        match self {
            Self::Clock(clock) => {
                to.u8(CLOCK);
                clock.at.write(to);
                to.u64(clock.wall_ns);
            }
            Self::Series(series) => {
                to.u8(SERIES);
                series.write(to);
            }
            Self::Row(row) => {
                to.u8(row.value.tag());
                row.write(to);
            }
            Self::Lost(lost) => {
                to.u8(LOST);
                lost.write(to);
            }
        }
    }
}

/// The series that rows are of, as far as they depend on it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Before(Option<(Kind, usize)>);

impl Before {
    /// Whether an entry may stand here; and what those behind it are of.
    fn takes(&mut self, entry: &RangeEntry<'_>) -> bool {
        match entry {
            RangeEntry::Clock(_) => true,
            RangeEntry::Series(series) => {
                self.0 = Some((series.kind, series.bounds.len() / 8));
                true
            }
            RangeEntry::Lost(lost) => !lost.of_series || self.0.is_some(),
            RangeEntry::Row(row) => self.0.is_some_and(|(kind, bounds)| match row.value {
                RangeValue::Histogram { counts, .. } => {
                    kind == Kind::Histogram && counts.fits(bounds)
                }
                _ => kind == row.value.kind(),
            }),
        }
    }
}

/// What a RANGE reply says before its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeHead {
    /// metricsd's time.
    pub now: Moment,
    /// Which windows: never automatic.
    pub tier: Tier,
    /// Their length, ns, not 0.
    pub window_ns: u64,
    /// Length of the steps, ns, a multiple of it.
    pub step_ns: u64,
}

impl RangeHead {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let head = Self {
            now: Moment::read(from)?,
            tier: Tier::from_raw(from.u8()?)?,
            window_ns: from.u64()?,
            step_ns: from.u64()?,
        };
        head.is_legal().then_some(head)
    }

    fn is_legal(&self) -> bool {
        let is_multiple = self.window_ns > 0 && self.step_ns.is_multiple_of(self.window_ns);
        self.tier != Tier::Auto && self.step_ns > 0 && is_multiple
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.require(self.is_legal());
        self.now.write(to);
        to.u8(self.tier.raw());
        to.u64(self.window_ns);
        to.u64(self.step_ns);
    }
}

/// A decoded RANGE reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeReply<'a> {
    /// Cursor of the next request; [`RangeCursor::START`]: that was all.
    pub next: RangeCursor,
    /// What holds for all entries.
    pub head: RangeHead,
    entries: &'a [u8],
}

impl<'a> RangeReply<'a> {
    pub(crate) fn read(from: &mut Reader<'a>) -> Option<Self> {
        let next = RangeCursor::read(from)?;
        let head = RangeHead::read(from)?;
        let count = from.u16()?;
        let entries = from.rest();
        let mut before = Before::default();
        for _ in 0..count {
            let entry = RangeEntry::read(from)?;
            before.takes(&entry).then_some(())?;
        }
        Some(Self { next, head, entries })
    }

    /// What was found: boot by boot, and of each series in order of time.
    pub fn entries(&self) -> impl Iterator<Item = RangeEntry<'a>> + use<'a> {
        let mut rest = Reader::new(self.entries);
        core::iter::from_fn(move || RangeEntry::read(&mut rest))
    }
}

/// How far a RANGE reply is that is not written to now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangePause {
    list: PausedList,
    before: Before,
    next_at: usize,
}

/// Writes a RANGE reply.
#[derive(Debug)]
pub struct RangeWriter<'a> {
    list: ListWriter<'a>,
    before: Before,
    next_at: usize,
}

impl<'a> RangeWriter<'a> {
    /// A reply at the front of `out`.
    #[must_use]
    pub fn new(nonce: u32, head: &RangeHead, out: &'a mut [u8]) -> Self {
        let mut writer = begin_reply(Op::Range, nonce, out);
        let next_at = writer.len();
        RangeCursor::START.0.into_iter().for_each(|word| writer.u64(word));
        head.write(&mut writer);
        Self { list: ListWriter::begin(writer), before: Before::default(), next_at }
    }

    /// Appends an entry; `false` and nothing when it does not fit, or may not stand here.
    #[must_use]
    pub fn entry(&mut self, entry: &RangeEntry<'_>) -> bool {
        let mut before = self.before;
        let written = before.takes(entry) && self.list.entry(|to| entry.write(to));
        if written {
            self.before = before;
        }
        written
    }

    /// Lets go of the buffer, for as long as something has to be waited for.
    #[must_use]
    pub const fn pause(self) -> RangePause {
        RangePause { list: self.list.pause(), before: self.before, next_at: self.next_at }
    }

    /// Goes on with a reply in the buffer in which it was begun.
    #[must_use]
    pub fn resume(paused: RangePause, out: &'a mut [u8]) -> Self {
        let RangePause { list, before, next_at } = paused;
        Self { list: ListWriter::resume(list, out), before, next_at }
    }

    /// Whether nothing has been appended.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The frame; [`RangeCursor::START`] says that that was all.
    ///
    /// # Errors
    /// [`EncodeError`] if not even the head fitted, or no frame may carry it.
    pub fn finish(self, next: RangeCursor) -> Result<&'a [u8], EncodeError> {
        let Self { list, next_at, .. } = self;
        list.finish(|to| {
            for (word, at) in next.0.into_iter().zip((next_at..).step_by(8)) {
                to.patch_u64(at, word);
            }
        })
    }
}
