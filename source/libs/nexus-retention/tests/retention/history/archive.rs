//! Segments in memory, questions to them, and what the answers should be.

use std::collections::BTreeMap;

use nexus_abi::ServiceId;
use nexus_bounded::Nanos;
use nexus_retention::history::{
    Extent, Kept, Limits, Reader, Refusal, Sealed, Selection, Step, Tiers, Total, Turn,
};
use nexus_retention::key::{BYTES_MAX, SeriesKey};
use nexus_retention::name::{self, SegmentName};
use nexus_retention::segment::{BUCKETS_MAX, Summary};
use nexus_wire::metrics::{
    Moment, Op, Range, RangeClock, RangeCursor, RangeEntry, RangeHead, RangeLost, RangeSeries,
    RangeWriter, Reply, decode_reply,
};
use nexus_wire::{Kind, LabelBytes, Labels, MetricName, MetricStatus, Tier, Unit};

use crate::bed::{Model, RAW, Series, TENS, Value};

pub(crate) const SIXTIES: name::Tier = name::Tier::rollup(Nanos::from_secs(60));
pub(crate) const SECOND: u64 = 1_000_000_000;

/// What a series is called by: boot and key.
pub(crate) type Who = (u32, Vec<u8>);

/// What series did, step by step.
pub(crate) type Steps = BTreeMap<(Who, u64), Step>;

/// Segments by tier, and how they read.
#[derive(Clone, Default)]
pub(crate) struct Archive {
    pub(crate) files: BTreeMap<(u8, SegmentName), Vec<u8>>,
    sealed: [Vec<Sealed>; 3],
    /// The device does not read these bytes of any file.
    pub(crate) unreadable: Option<std::ops::Range<u32>>,
    /// The first raw window of boot 1 that is not recorded whole; 0: it does not say.
    pub(crate) recorded: u64,
}

fn place(tier: Tier) -> usize {
    usize::from(tier.raw()) - 1
}

impl Archive {
    pub(crate) fn add(&mut self, tier: Tier, name: SegmentName, bytes: Vec<u8>) {
        let len = bytes.len() as u32;
        self.files.insert((tier.raw(), name), bytes);
        let of_tier = &mut self.sealed[place(tier)];
        of_tier.retain(|sealed| sealed.name != name);
        of_tier.push(Sealed { name, len });
        of_tier.sort_by_key(|sealed| sealed.name);
    }

    /// Adds a model's windows, so many a segment.
    pub(crate) fn add_model(&mut self, boot: u32, model: &Model, windows: usize, group: usize) {
        for (chunk, at) in model.windows.chunks(windows).zip(0..) {
            let rows = at * windows..at * windows + chunk.len();
            let slice = |series: &Series| Series {
                values: series.values[rows.clone()].to_vec(),
                ..series.clone()
            };
            let series = model.series.iter().map(slice).collect();
            let part = Model { windows: chunk.to_vec(), series, ..*model };
            let name = SegmentName { boot, first: chunk[0].0 };
            self.add(Tier::Raw, name, part.write_in(boot, group));
        }
    }

    /// What there is, as a keeper would say it.
    pub(crate) fn tiers(&self) -> Tiers {
        let windows = [RAW, TENS, SIXTIES].map(|tier| tier.window);
        let extent = |(window, sealed): (Nanos, &Vec<Sealed>)| Extent {
            window,
            kept: sealed.first().zip(sealed.last()).map(|(first, last)| {
                let at = |name: SegmentName, window_number: u64| Moment {
                    boot: name.boot,
                    mono_ns: window_number * window.0,
                };
                (at(first.name, first.name.first), at(last.name, self.end(window, last.name)))
            }),
        };
        let mut all = windows.into_iter().zip(&self.sealed).map(extent);
        std::array::from_fn(|_| all.next().unwrap())
    }

    /// The window behind the last one of a segment; of one that cannot be read, its first.
    fn end(&self, window: Nanos, name: SegmentName) -> u64 {
        let tier = [RAW, TENS, SIXTIES].iter().position(|tier| tier.window == window).unwrap();
        let bytes = &self.files[&(tier as u8 + 1, name)];
        let segment = nexus_retention::segment::Segment::open(&bytes[..]);
        segment
            .ok()
            .and_then(|segment| segment.footer().groups().last().map(|group| group.last + 1))
            .unwrap_or(name.first)
    }

    fn read(&self, tier: name::Tier, name: SegmentName, at: u32, max: usize) -> Option<&[u8]> {
        if self.unreadable.as_ref().is_some_and(|range| range.contains(&at)) {
            return None;
        }
        let tier = [RAW, TENS, SIXTIES].iter().position(|known| *known == tier).unwrap() as u8 + 1;
        let bytes = &self.files[&(tier, name)];
        let rest = bytes.get(at as usize..).unwrap_or_default();
        Some(&rest[..rest.len().min(max)])
    }
}

impl Kept for Archive {
    fn segments(&self, tier: Tier) -> &[Sealed] {
        &self.sealed[place(tier)]
    }

    fn recorded(&self) -> u64 {
        self.recorded
    }
}

/// When all questions are asked: the last boot with windows that are not recorded whole.
const NOW: Moment = Moment { boot: 1, mono_ns: 0 };

/// How an answer comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Bytes of a frame.
    pub(crate) frame: usize,
    /// Bytes that a read gives at most.
    pub(crate) piece: usize,
    /// Series that are looked up at a time.
    pub(crate) series: u32,
    /// Reads for a frame.
    pub(crate) reads: u32,
}

pub(crate) const PLAIN: Manner = Manner { frame: 4096, piece: 4040, series: 32, reads: 64 };

/// All that was answered.
#[derive(Clone, Default, Debug)]
pub(crate) struct Answer {
    pub(crate) steps: Steps,
    pub(crate) lost: Vec<(RangeLost, Option<Who>)>,
    pub(crate) clocks: Vec<RangeClock>,
    pub(crate) frames: u32,
    pub(crate) head: Option<RangeHead>,
}

impl Answer {
    /// One frame, written by a reader that knows of no other; its cursor.
    pub(crate) fn once(
        &mut self,
        archive: &Archive,
        range: Range<'_>,
        manner: Manner,
    ) -> Result<RangeCursor, Refusal> {
        let Manner { series, reads, .. } = manner;
        let mut reader = Reader::new(Limits { series, index_bytes: 8192, reads });
        let head = reader.begin(&range, &archive.tiers(), NOW, archive)?;
        let mut out = vec![0; manner.frame];
        let mut writer = RangeWriter::new(7, &head, &mut out);
        let next = loop {
            match reader.turn(archive, &mut writer) {
                Turn::Ends(next) => break next,
                Turn::Gone => panic!("nothing goes"),
                Turn::Wants { tier, name, extent, .. } => {
                    let max = manner.piece.min(extent.len as usize);
                    match archive.read(tier, name, extent.offset, max) {
                        Some(bytes) => reader.take(bytes),
                        None => reader.fail(),
                    }
                }
            }
        };
        Ok(self.take(writer.finish(next).unwrap()))
    }

    fn take(&mut self, frame: &[u8]) -> RangeCursor {
        let Some((MetricStatus::Ok, Reply::Range(reply))) = decode_reply(Op::Range, 7, frame)
        else {
            panic!("not a RANGE reply");
        };
        let mut who = None;
        for entry in reply.entries() {
            match entry {
                RangeEntry::Clock(clock) => self.clocks.push(clock),
                RangeEntry::Series(series) => who = Some((series.boot, key_of(&series))),
                RangeEntry::Lost(lost) => {
                    self.lost.push((lost, who.clone().filter(|_| lost.of_series)));
                }
                RangeEntry::Row(row) => {
                    let step = Step::of(&row).unwrap();
                    let place = self.steps.entry((who.clone().unwrap(), step.number));
                    place.and_modify(|before| *before = before.then(step)).or_insert(step);
                }
            }
        }
        self.frames += 1;
        assert!(self.head.is_none_or(|head| head == reply.head), "it is one answer");
        self.head = Some(reply.head);
        reply.next
    }
}

fn key_of(series: &RangeSeries<'_>) -> Vec<u8> {
    let key = SeriesKey {
        service: series.service,
        kind: series.kind,
        unit: series.unit,
        is_overflow: series.overflow,
        name: MetricName::new(series.name).unwrap(),
        labels: Labels::parse(LabelBytes::new(series.labels.as_bytes()).unwrap()).unwrap(),
    };
    key.write(&mut [0; BYTES_MAX]).to_vec()
}

/// Asks until all is answered.
pub(crate) fn ask(archive: &Archive, range: Range<'_>, manner: Manner) -> Result<Answer, Refusal> {
    let mut answer = Answer::default();
    let mut cursor = range.cursor;
    loop {
        let next = answer.once(archive, Range { cursor, ..range }, manner)?;
        if next == RangeCursor::START {
            return Ok(answer);
        }
        assert_ne!(next, cursor, "an answer goes on");
        cursor = next;
    }
}

/// A key as metricsd writes it.
pub(crate) fn key(at: usize, kind: Kind) -> Vec<u8> {
    let labels = format!("at={at}\nparity={}\n", at % 2);
    let name = format!("series_{at}");
    let key = SeriesKey {
        service: ServiceId::from_name(if at == 0 { "execd" } else { "timed" }),
        kind,
        unit: Unit::Bytes,
        is_overflow: at == 3,
        name: MetricName::new(&name).unwrap(),
        labels: Labels::parse(LabelBytes::new(labels.as_bytes()).unwrap()).unwrap(),
    };
    key.write(&mut [0; BYTES_MAX]).to_vec()
}

/// The same model, its series called as metricsd calls them.
pub(crate) fn named(mut model: Model) -> Model {
    for (series, at) in model.series.iter_mut().zip(0..) {
        let kind = match series.kind {
            nexus_retention::segment::Kind::Counter => Kind::Counter,
            nexus_retention::segment::Kind::Gauge => Kind::Gauge,
            nexus_retention::segment::Kind::Histogram { .. } => Kind::Histogram,
        };
        series.key = key(at, kind);
    }
    model
}

fn total(value: &Value) -> Total {
    match value {
        Value::Counter(delta) => Total::Counter(*delta),
        Value::Gauge(last) => Total::Gauge(Summary::one(*last)),
        Value::Summary(summary) => Total::Gauge(*summary),
        Value::Histogram(added, sum) => {
            let mut counts = [0; BUCKETS_MAX];
            counts[..added.len()].copy_from_slice(added);
            Total::Histogram { counts, sum: *sum }
        }
    }
}

/// The two together, worked out by itself.
fn both(a: Total, b: Total) -> Total {
    match (a, b) {
        (Total::Counter(a), Total::Counter(b)) => Total::Counter(a.saturating_add(b)),
        (Total::Gauge(a), Total::Gauge(b)) => Total::Gauge(Summary {
            count: a.count + b.count,
            sum: a.sum + b.sum,
            min: a.min.min(b.min),
            max: a.max.max(b.max),
            last: b.last,
        }),
        (Total::Histogram { counts, sum }, Total::Histogram { counts: more, sum: more_sum }) => {
            Total::Histogram {
                counts: std::array::from_fn(|at| counts[at].saturating_add(more[at])),
                sum: sum.saturating_add(more_sum),
            }
        }
        _ => panic!("of one kind"),
    }
}

/// What raw windows make, without any of the code that reads them.
pub(crate) fn expected(models: &[(u32, &Model)], range: &Range<'_>, step: Nanos) -> Steps {
    let mut steps = Steps::new();
    let selection = Selection::of(range);
    for (boot, model) in models {
        let chosen = |series: &&Series| selection.takes(&SeriesKey::read(&series.key).unwrap());
        for series in model.series.iter().filter(chosen) {
            for ((number, is_catchup), value) in model.windows.iter().zip(&series.values) {
                let begin = Moment { boot: *boot, mono_ns: number * SECOND };
                let Some(value) =
                    value.as_ref().filter(|_| range.from <= begin && begin < range.to)
                else {
                    continue;
                };
                let number = begin.mono_ns / step.0;
                let (is_catchup, total) = (*is_catchup, total(value));
                let part = Step { number, windows: 1, is_catchup, total };
                let place = steps.entry(((*boot, series.key.clone()), number));
                place
                    .and_modify(|before| {
                        before.windows += 1;
                        before.is_catchup |= is_catchup;
                        before.total = both(before.total, total);
                    })
                    .or_insert(part);
            }
        }
    }
    steps
}
