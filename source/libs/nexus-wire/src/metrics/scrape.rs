//! SCRAPE: series read directly. For people and debugging; proofs read the journal.
//!
//! Reply body: `next_cursor:u32 epoch:u32 now_ns:u64 count:u16` and the series. A series:
//! `service:u64 slot:u32 kind:u8 unit:u8 flags:u8 name_len:u8 labels_len:u16 help_len:u8
//! created_ns:u64 name labels help`, the value, then the last closed short and long window, 52
//! bytes each. A value is a total, the bits of a gauge, or `sum:i128 bounds:u8 bounds* counts*`
//! with one count more than bounds.

use nexus_abi::ServiceId;

use crate::bytes::{Reader, Writer};
use crate::list::ListWriter;
use crate::metrics::request::words;
use crate::metrics::{Op, begin_reply};
use crate::{BOUNDS_MAX, EncodeError, Kind, Unit};

/// One closed window of a series. `count` 0: nothing happened in it, and the rest means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WindowView {
    /// Number of the window since boot; it began at `number * length`.
    pub number: u64,
    /// Updates accepted in it.
    pub count: u32,
    /// Sum of increments, of values set, or of observations.
    pub sum: i128,
    /// Smallest of them.
    pub min: i64,
    /// Largest of them.
    pub max: i64,
    /// Last of them; for a counter the total at its end, as far as an i64 goes.
    pub last: i64,
}

/// A series' value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SeriesValue<'a> {
    /// Total of a counter.
    Counter(u64),
    /// Value of a gauge.
    Gauge(i64),
    /// A histogram: little-endian words.
    Histogram {
        /// Sum of all observations.
        sum: i128,
        /// Upper bounds, inclusive.
        bounds: &'a [u8],
        /// Observations per bucket, one more than bounds: the last is above all bounds.
        counts: &'a [u8],
    },
}

impl<'a> SeriesValue<'a> {
    /// The kind of series that has such a value.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Histogram { .. } => Kind::Histogram,
        }
    }

    /// Upper bound (`None`: above all) and count of each bucket of a histogram.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + 'a {
        let (bounds, counts): (&[u8], &[u8]) = match *self {
            Self::Histogram { bounds, counts, .. } => (bounds, counts),
            Self::Counter(_) | Self::Gauge(_) => (&[], &[]),
        };
        words(bounds).map(Some).chain(core::iter::once(None)).zip(words(counts))
    }
}

/// One series as SCRAPE shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeriesView<'a> {
    /// Whose it is.
    pub service: ServiceId,
    /// Its place in the registry, for telling series apart within one epoch.
    pub slot: u32,
    /// Its unit.
    pub unit: Unit,
    /// Whether it gathers what met a cap.
    pub overflow: bool,
    /// Whether the last closed windows contain values caught up after an outage.
    pub catchup: bool,
    /// When it was made, monotonic ns.
    pub created_ns: u64,
    /// Name of its metric.
    pub name: &'a str,
    /// Its labels, canonical.
    pub labels: &'a str,
    /// What it is good for; empty unless asked for.
    pub help: &'a str,
    /// Its value now.
    pub value: SeriesValue<'a>,
    /// Its last closed short window.
    pub short: WindowView,
    /// Its last closed long window.
    pub long: WindowView,
}

const FLAG_OVERFLOW: u8 = 1;
const FLAG_CATCHUP: u8 = 2;

impl WindowView {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            number: from.u64()?,
            count: from.u32()?,
            sum: from.i128()?,
            min: from.i64()?,
            max: from.i64()?,
            last: from.i64()?,
        })
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.u64(self.number);
        to.u32(self.count);
        to.i128(self.sum);
        to.i64(self.min);
        to.i64(self.max);
        to.i64(self.last);
    }
}

impl<'a> SeriesValue<'a> {
    fn read(kind: Kind, from: &mut Reader<'a>) -> Option<Self> {
        Some(match kind {
            Kind::Counter => Self::Counter(from.u64()?),
            Kind::Gauge => Self::Gauge(from.i64()?),
            Kind::Histogram => {
                let sum = from.i128()?;
                let count = usize::from(from.u8()?);
                if count > BOUNDS_MAX {
                    return None;
                }
                let bounds = from.bytes(count * 8)?;
                Self::Histogram { sum, bounds, counts: from.bytes((count + 1) * 8)? }
            }
        })
    }

    fn write(&self, to: &mut Writer<'_>) {
        match *self {
            Self::Counter(total) => to.u64(total),
            Self::Gauge(value) => to.i64(value),
            Self::Histogram { sum, bounds, counts } => {
                to.i128(sum);
                to.require(bounds.len() <= BOUNDS_MAX * 8 && counts.len() == bounds.len() + 8);
                to.count8(bounds.len() / 8);
                to.bytes(bounds);
                to.bytes(counts);
            }
        }
    }
}

impl<'a> SeriesView<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let service = ServiceId::from_raw(from.u64()?);
        let slot = from.u32()?;
        let kind = Kind::from_raw(from.u8()?)?;
        let unit = Unit::from_raw(from.u8()?)?;
        let flags = from.u8()?;
        if flags & !(FLAG_OVERFLOW | FLAG_CATCHUP) != 0 {
            return None;
        }
        let name_len = usize::from(from.u8()?);
        let labels_len = usize::from(from.u16()?);
        let help_len = usize::from(from.u8()?);
        let created_ns = from.u64()?;
        let name = from.str(name_len)?;
        let labels = from.str(labels_len)?;
        let help = from.str(help_len)?;
        let value = SeriesValue::read(kind, from)?;
        Some(Self {
            service,
            slot,
            unit,
            overflow: flags & FLAG_OVERFLOW != 0,
            catchup: flags & FLAG_CATCHUP != 0,
            created_ns,
            name,
            labels,
            help,
            value,
            short: WindowView::read(from)?,
            long: WindowView::read(from)?,
        })
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.u64(self.service.raw());
        to.u32(self.slot);
        to.u8(self.value.kind().raw());
        to.u8(self.unit.raw());
        to.u8((u8::from(self.overflow) * FLAG_OVERFLOW) | (u8::from(self.catchup) * FLAG_CATCHUP));
        to.len8(self.name.as_bytes());
        to.len16(self.labels.as_bytes());
        to.len8(self.help.as_bytes());
        to.u64(self.created_ns);
        to.bytes(self.name.as_bytes());
        to.bytes(self.labels.as_bytes());
        to.bytes(self.help.as_bytes());
        self.value.write(to);
        self.short.write(to);
        self.long.write(to);
    }
}

/// A decoded SCRAPE reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScrapeReply<'a> {
    /// Cursor of the next request; 0: that was all.
    pub next_cursor: u32,
    /// Boot number of metricsd; another one in the next reply: begin again.
    pub epoch: u32,
    /// metricsd's time, monotonic ns.
    pub now_ns: u64,
    series: &'a [u8],
}

impl<'a> ScrapeReply<'a> {
    pub(crate) fn read(from: &mut Reader<'a>) -> Option<Self> {
        let next_cursor = from.u32()?;
        let epoch = from.u32()?;
        let now_ns = from.u64()?;
        let count = from.u16()?;
        let series = from.rest();
        for _ in 0..count {
            SeriesView::read(from)?;
        }
        Some(Self { next_cursor, epoch, now_ns, series })
    }

    /// The series, by place.
    pub fn series(&self) -> impl Iterator<Item = SeriesView<'a>> + 'a {
        let mut rest = Reader::new(self.series);
        core::iter::from_fn(move || SeriesView::read(&mut rest))
    }
}

/// Writes a SCRAPE reply.
#[derive(Debug)]
pub struct ScrapeWriter<'a> {
    list: ListWriter<'a>,
    cursor_at: usize,
}

impl<'a> ScrapeWriter<'a> {
    /// A reply at the front of `out`.
    #[must_use]
    pub fn new(nonce: u32, epoch: u32, now_ns: u64, out: &'a mut [u8]) -> Self {
        let mut writer = begin_reply(Op::Scrape, nonce, out);
        let cursor_at = writer.len();
        writer.u32(0);
        writer.u32(epoch);
        writer.u64(now_ns);
        Self { list: ListWriter::begin(writer), cursor_at }
    }

    /// Appends a series; `false` and nothing when it does not fit.
    #[must_use]
    pub fn series(&mut self, series: &SeriesView<'_>) -> bool {
        self.list.entry(|to| series.write(to))
    }

    /// The frame; `next_cursor` 0 says that that was all.
    ///
    /// # Errors
    /// [`EncodeError`] if not even the head fitted.
    pub fn finish(self, next_cursor: u32) -> Result<&'a [u8], EncodeError> {
        self.list.finish(|to| to.patch_u32(self.cursor_at, next_cursor))
    }
}
