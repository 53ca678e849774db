//! What reading back costs: a day of some of 200 series, through the reader that answers RANGE,
//! frame by frame, from segments in memory.
//!
//! More series may cost more only as there are more of them.
//!
//! Each frame is written by a reader that knows nothing of the one before, as for any caller: that
//! a segment's end and its keys are read again is part of the figures.
use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_retention::history::{Extent, Kept, Limits, Reader, Sealed, Tiers, Turn};
use nexus_retention::key::{BYTES_MAX, SeriesKey};
use nexus_retention::name::{self, SegmentName};
use nexus_retention::segment::{
    self, Anchor, Form, LocalId, Meta, ROWS, Samples, SegmentWriter, Shape, Windows,
};
use nexus_wire::metrics::{
    Moment, Op, Range, RangeCursor, RangeEntry, RangeWriter, Reply, decode_reply,
};
use nexus_wire::{FILE_BYTES_MAX, Kind, Labels, MetricName, Tier, Unit};
use rustix::time::{ClockId, clock_gettime};

const SERIES: u32 = 200;
const WINDOW: Nanos = Nanos::from_secs(10);
const DAY: u64 = 8640;
const PER_SEGMENT: u64 = 360;
const TIER: name::Tier = name::Tier::raw(WINDOW);
const FRAME: usize = 4096;
/// As metricsd's.
const LIMITS: Limits = Limits { series: 16, index_bytes: 16 << 10, reads: 64 };
const NONCE: u32 = 1;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Segments of a day and where they are, oldest first.
struct Day {
    files: Vec<Vec<u8>>,
    sealed: Vec<Sealed>,
}

impl Kept for Day {
    fn segments(&self, tier: Tier) -> &[Sealed] {
        if tier == Tier::Raw { &self.sealed } else { &[] }
    }
}

fn name_of(at: u32) -> String {
    // Those that begin with `one`, `ten` and so on are asked for together.
    let group = match at {
        0 => "one",
        1..11 => "ten",
        11..111 => "hundred",
        _ => "other",
    };
    format!("{group}_requests_{at:04}_total")
}

fn windows(numbers: std::ops::Range<u64>) -> Windows {
    let mut windows = Windows::new();
    let are_pushed = numbers.into_iter().all(|number| windows.push(number, false));
    assert!(are_pushed, "windows are in order");
    windows
}

/// Counters whose increments go up and down.
fn seal(first: u64) -> Result<Vec<u8>> {
    let mut writer = SegmentWriter::new(segment::Limits { series: SERIES });
    let mut samples = Samples::new();
    let mut out = writer.begin(Meta { boot: 1, tier: TIER }).to_vec();
    for at in (first..first + PER_SEGMENT).step_by(ROWS) {
        let end = (at + ROWS as u64).min(first + PER_SEGMENT);
        writer.begin_group(&windows(at..end))?;
        for id in (0..SERIES).filter(|_| at == first) {
            let name = name_of(id);
            let key = SeriesKey {
                service: ServiceId::from_name("bench"),
                kind: Kind::Counter,
                unit: Unit::None,
                is_overflow: false,
                name: MetricName::new(&name).ok_or("a name")?,
                labels: Labels::EMPTY,
            };
            out.extend(writer.define(key.write(&mut [0; BYTES_MAX]), &Form::Counter)?.1);
        }
        for id in 0..SERIES {
            samples.clear(Shape { kind: segment::Kind::Counter, is_rollup: false });
            for (window, row) in (at..end).zip(0..) {
                samples.put_counter(row, (window + u64::from(id)) * 7919 % 400 + 1);
            }
            out.extend(writer.add(LocalId(id), &samples));
        }
        out.extend(writer.end_group());
    }
    out.extend(writer.finish(Anchor { mono: Mono(0), wall: None }));
    Ok(out)
}

fn day() -> Result<Day> {
    let firsts = || (0..DAY).step_by(PER_SEGMENT as usize);
    let files: Vec<_> = firsts().map(seal).collect::<Result<_>>()?;
    let sealed = firsts().zip(&files).map(|(first, file)| Sealed {
        name: SegmentName { boot: 1, first },
        len: file.len() as u32,
    });
    let sealed = sealed.collect();
    Ok(Day { files, sealed })
}

/// What an answer took.
#[derive(Clone, Copy, Default)]
struct Cost {
    frames: u32,
    reads: u32,
    rows: u32,
    /// The frame that took longest.
    longest: Duration,
}

impl Day {
    fn ask(&self, reader: &mut Reader, range: &Range<'_>) -> Result<Cost> {
        let mut cost = Cost::default();
        let mut cursor = RangeCursor::START;
        loop {
            let start = processor_time();
            cursor = self.frame(reader, &Range { cursor, ..*range }, &mut cost)?;
            cost.longest = cost.longest.max(processor_time() - start);
            cost.frames += 1;
            if cursor == RangeCursor::START {
                return Ok(cost);
            }
        }
    }

    fn frame(
        &self,
        reader: &mut Reader,
        range: &Range<'_>,
        cost: &mut Cost,
    ) -> Result<RangeCursor> {
        let end = Moment { boot: 1, mono_ns: DAY * WINDOW.0 };
        let none = |seconds| Extent { window: Nanos::from_secs(seconds), kept: None };
        let raw = Extent { window: WINDOW, kept: Some((Moment::FIRST, end)) };
        let tiers: Tiers = [raw, none(60), none(600)];
        let head = reader.begin(range, &tiers, end, self).map_err(|why| format!("{why:?}"))?;
        let mut out = [0; FRAME];
        let mut frame = RangeWriter::new(NONCE, &head, &mut out);
        let cursor = loop {
            match reader.turn(self, &mut frame) {
                Turn::Ends(cursor) => break cursor,
                Turn::Gone => return Err("nothing goes".into()),
                Turn::Wants { name, extent, .. } => {
                    cost.reads += 1;
                    let file = self.files.get((name.first / PER_SEGMENT) as usize);
                    let rest = file.and_then(|file| file.get(extent.offset as usize..));
                    let len = FILE_BYTES_MAX.min(extent.len as usize);
                    reader.take(rest.and_then(|rest| rest.get(..len)).unwrap_or_default());
                }
            }
        };
        let answer = frame.finish(cursor).map_err(|_| "the head fits")?;
        let Some((_, Reply::Range(reply))) = decode_reply(Op::Range, NONCE, answer) else {
            return Err("an answer to RANGE".into());
        };
        let rows = reply.entries().filter(|entry| matches!(entry, RangeEntry::Row(_)));
        cost.rows += rows.count() as u32;
        Ok(cursor)
    }
}

/// What this thread has had of a processor: what else the machine does counts for little.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

fn main() -> Result<()> {
    let day = day()?;
    let mut reader = Reader::new(LIMITS);
    println!("## Speed of answers: a day at {} s, the best of 5 runs\n", WINDOW.0 / 1_000_000_000);
    println!("| what | rows | frames | reads | ms | us a series | longest frame, us |");
    println!("|---|---|---|---|---|---|---|");
    let mut each = Vec::new();
    for (name, count) in [("one", 1), ("ten", 10), ("hundred", 100), ("", SERIES)] {
        for minutes in [0, 10] {
            let step_ns = minutes * 60_000_000_000;
            let range = Range { name, is_prefix: true, tier: Tier::Raw, step_ns, ..Range::ALL };
            let (mut time, mut cost) = (Duration::MAX, Cost::default());
            for _ in 0..5 {
                let start = processor_time();
                cost = black_box(day.ask(&mut reader, &range)?);
                time = time.min(processor_time() - start);
            }
            let Cost { frames, reads, rows, longest } = cost;
            let per = DAY as u32 / if minutes == 0 { 1 } else { 60 };
            if rows < count * per {
                return Err(format!("{rows} rows of {count} series").into());
            }
            let step = if minutes == 0 { "10 s".to_owned() } else { format!("{minutes} min") };
            let (ms, us) = (time.as_secs_f64() * 1e3, time.as_secs_f64() * 1e6 / f64::from(count));
            each.push(us);
            println!(
                "| {count} of {SERIES} series, steps of {step} | {rows} | {frames} | {reads} | \
                 {ms:.1} | {us:.0} | {:.0} |",
                longest.as_secs_f64() * 1e6
            );
        }
    }
    is_linear(&each)
}

/// Of one series on, in steps of both lengths, a series costs no more.
fn is_linear(each: &[f64]) -> Result<()> {
    let (one, more) = each.split_at(2);
    let grows = more.iter().zip(one.iter().cycle()).find(|(of_more, of_one)| *of_more > *of_one);
    grows
        .map_or(Ok(()), |(more, one)| Err(format!("{more:.0} us a series, of one {one:.0}").into()))
}
