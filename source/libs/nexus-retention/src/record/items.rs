//! What stands behind a record's header: series, in order of their numbers, and what each did.

use super::writer::Value;
use crate::bytes::{Buffer, Put, Reader, zigzag};
use crate::segment::{BUCKETS_MAX, DEFINITION_BYTES_MAX, Form, Kind, LastKey};

/// Lowest bits of an item's first number: how many counters and gauges, one behind another, less
/// one, or what else it is.
pub(super) const CODE_BITS: u32 = 4;
pub(super) const RUN_MAX: u8 = 14;
pub(super) const HISTOGRAM: u8 = 14;
pub(super) const DEFINITION: u8 = 15;

/// Bytes of a histogram's sample, at most: which buckets, what was added to each, and to the sum.
const HISTOGRAM_BYTES_MAX: usize = 4 + BUCKETS_MAX * 10 + 19;

/// Bytes of an item, at most.
pub(super) const BYTES_MAX: usize = 6 + DEFINITION_BYTES_MAX + HISTOGRAM_BYTES_MAX;

/// What one series did in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sample<'a> {
    /// What was added to a counter, or how a gauge differs from what it was before.
    Plain(u64),
    /// What was added to a histogram.
    Histogram(Buckets<'a>),
}

/// What was added to each bucket, and to the sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buckets<'a> {
    /// Bit by bit: something was added to the bucket.
    which: u32,
    numbers: Reader<'a>,
}

impl Sample<'_> {
    /// Whether a series of this kind can have done that.
    pub(crate) fn is_of(&self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Plain(_), Kind::Counter | Kind::Gauge) => true,
            (Self::Histogram(added), Kind::Histogram { buckets }) => added.which >> buckets == 0,
            _ => false,
        }
    }
}

impl<'a> Buckets<'a> {
    fn skip(bytes: &mut Reader<'a>) -> Option<Self> {
        let which: u32 = bytes.small()?;
        let buckets = Self { which, numbers: *bytes };
        Self::numbers(which, bytes)?;
        Some(buckets)
    }

    /// To each bucket, and to the sum.
    pub(crate) fn read(mut self) -> Option<([u64; BUCKETS_MAX], i128)> {
        Self::numbers(self.which, &mut self.numbers)
    }

    fn numbers(which: u32, bytes: &mut Reader<'_>) -> Option<([u64; BUCKETS_MAX], i128)> {
        let mut added = [0; BUCKETS_MAX];
        if which >> BUCKETS_MAX != 0 {
            return None;
        }
        let some = added.iter_mut().enumerate().filter(|(bucket, _)| which >> bucket & 1 == 1);
        for (_, place) in some {
            *place = bytes.small().filter(|count| *count > 0)?;
        }
        Some((added, bytes.signed()?))
    }
}

pub(super) fn write_sample(value: &Value<'_>, out: &mut Buffer) {
    match value {
        Value::Counter(added) => out.varint((*added).into()),
        Value::Gauge { last, before } => {
            out.varint(zigzag(last.wrapping_sub(*before).into()));
        }
        Value::Histogram { added, sum } => {
            let bit = |(count, bucket): (&u64, u32)| u32::from(*count > 0) << bucket;
            let which: u32 = added.iter().zip(0..).map(bit).sum();
            out.varint(which.into());
            let some = added.iter().filter(|count| **count > 0);
            some.for_each(|count| out.varint((*count).into()));
            out.signed(*sum);
        }
    }
}

/// How a gauge differs from what it was, as [`write_sample`] has written it.
pub(crate) fn gauge_after(before: i64, plain: u64) -> i64 {
    let difference = (plain >> 1).cast_signed() ^ -((plain & 1).cast_signed());
    before.wrapping_add(difference)
}

/// A series that is new: its form and key lie here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition<'a>(Reader<'a>);

impl Definition<'_> {
    /// Its form and key. `last`: the key of the definition before it in the record.
    pub(crate) fn read<'k>(
        &self,
        last: &'k mut LastKey,
        bounds: &'k mut [u64; BUCKETS_MAX],
    ) -> Option<(Form<'k>, &'k [u8])> {
        let mut bytes = self.0;
        let form = Form::read(&mut bytes, bounds)?;
        let (shared, len) = (bytes.small()?, bytes.small()?);
        let rest = bytes.bytes(len)?;
        Some((form, last.replace(shared, rest)?))
    }
}

/// Which series is next in a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// Its number within the segment.
    pub(crate) id: u32,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Plain,
    Histogram,
    Definition,
}

/// What a record says of a series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// If it is new: what it is.
    pub(crate) definition: Option<(Kind, Definition<'a>)>,
    /// What it did.
    pub(crate) sample: Sample<'a>,
}

/// The bytes are no items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Damaged;

/// A place among the items of a record: plain data, to be gone on from at any time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items {
    at: usize,
    /// The number that a series without a gap before it has.
    next: u32,
    /// Counters and gauges left of the run.
    left: u8,
}

impl Items {
    /// The beginning.
    pub(crate) const fn new() -> Self {
        Self { at: 0, next: 0, left: 0 }
    }

    /// Which series is next in `bytes`; `None` behind the last one. Its item is to be read before
    /// the next head.
    pub(crate) fn head(&mut self, bytes: &[u8]) -> Result<Option<Head>, Damaged> {
        let rest = bytes.get(self.at..).unwrap_or_default();
        if rest.is_empty() && self.left == 0 {
            return Ok(None);
        }
        let mut reader = Reader::new(rest);
        let head = self.read_head(&mut reader).ok_or(Damaged)?;
        self.at = bytes.len() - reader.len();
        Ok(Some(head))
    }

    fn read_head(&mut self, bytes: &mut Reader<'_>) -> Option<Head> {
        if self.left > 0 {
            self.left -= 1;
            return self.number(0, What::Plain);
        }
        let head: u64 = bytes.small()?;
        let gap = u32::try_from(head >> CODE_BITS).ok()?;
        match head as u8 & ((1 << CODE_BITS) - 1) {
            HISTOGRAM => self.number(gap, What::Histogram),
            DEFINITION => self.number(gap, What::Definition),
            more => {
                self.left = more;
                self.number(gap, What::Plain)
            }
        }
    }

    fn number(&mut self, gap: u32, what: What) -> Option<Head> {
        let id = self.next.checked_add(gap)?;
        self.next = id.checked_add(1)?;
        Some(Head { id, what })
    }

    /// What `bytes` say of the series of the last head.
    pub(crate) fn item<'a>(&mut self, head: Head, bytes: &'a [u8]) -> Result<Item<'a>, Damaged> {
        let mut reader = Reader::new(bytes.get(self.at..).unwrap_or_default());
        let item = read_item(head.what, &mut reader).ok_or(Damaged)?;
        self.at = bytes.len() - reader.len();
        Ok(item)
    }
}

fn read_item<'a>(what: What, bytes: &mut Reader<'a>) -> Option<Item<'a>> {
    let definition = if what == What::Definition { Some(skip_definition(bytes)?) } else { None };
    let is_histogram = match definition {
        Some((kind, _)) => matches!(kind, Kind::Histogram { .. }),
        None => what == What::Histogram,
    };
    let sample = if is_histogram {
        Sample::Histogram(Buckets::skip(bytes)?)
    } else {
        Sample::Plain(bytes.small()?)
    };
    Some(Item { definition, sample })
}

fn skip_definition<'a>(bytes: &mut Reader<'a>) -> Option<(Kind, Definition<'a>)> {
    let definition = Definition(*bytes);
    let mut bounds = [0; BUCKETS_MAX];
    let kind = Form::read(bytes, &mut bounds)?.kind();
    let (_shared, len): (usize, usize) = (bytes.small()?, bytes.small()?);
    bytes.bytes(len)?;
    Some((kind, definition))
}
