//! What retention costs: bytes of a sample in segments and in the log, and how long recording,
//! sealing, recovery and reading take.
//!
//! The data set is 200 series over 6 hours at 10 s: 80 counters whose increments are exponentially
//! distributed with a mean of 1 to 400, 80 gauges with two decimals, as integers times 100, that
//! walk by steps of a normal distribution of deviation 5.00, and 40 constants. The numbers come
//! from a fixed sequence, so that every run makes the same segments. With the name of a file, how
//! large segments are of the samples in its lines `name value time`, which are ordered by name and
//! time: counters are those with `counter` in their names, all others gauges with two decimals.
use std::error::Error;
use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use nexus_bounded::{Mono, Nanos};
use nexus_retention::name::Tier;
use nexus_retention::record::{Taken, Value, Writer};
use nexus_retention::recorder::{self, Recorder};
use nexus_retention::segment::{
    Anchor, Form, Kind, Limits, LocalId, Meta, ROWS, Samples, Segment, SegmentWriter, Shape,
    Windows,
};
use nexus_retention::wal;
use rustix::time::{ClockId, clock_gettime};

const SERIES: usize = 200;
const WINDOWS: usize = 2160;
const PER_SEGMENT: usize = 360;
const TIER: Tier = Tier::raw(Nanos::from_secs(10));
/// Bytes of a sample that are not to be exceeded, in segments and in the log.
const BYTES_MAX: f64 = 1.10;
const LOG_BYTES_MAX: f64 = 2.5;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    if let Some(file) = std::env::args().nth(1) {
        let all = of_lines(&std::fs::read_to_string(&file)?)?;
        return at_most(sizes(&all)?, BYTES_MAX);
    }
    let figures = [(sizes(&data(SERIES, WINDOWS))?, BYTES_MAX), (log_sizes()?, LOG_BYTES_MAX)];
    speeds()?;
    figures.into_iter().try_for_each(|(bytes, most)| at_most(bytes, most))
}

fn at_most(bytes: f64, most: f64) -> Result<()> {
    if bytes > most {
        return Err(format!("{bytes:.3} bytes a sample, and {most} are allowed").into());
    }
    Ok(())
}

/// SplitMix64: numbers that are always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, below 1.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    fn normal(&mut self, deviation: f64) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        deviation * radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Counter,
    Gauge,
    Constant,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counters",
            Self::Gauge => "gauges",
            Self::Constant => "constants",
        })
    }
}

#[derive(Clone)]
struct Series {
    key: String,
    sort: Sort,
    /// Increments of a counter, values of a gauge.
    values: Vec<i64>,
}

impl Series {
    fn form(&self) -> Form<'static> {
        if self.sort == Sort::Counter { Form::Counter } else { Form::Gauge }
    }

    /// What it did in some windows.
    fn samples(&self, at: usize, rows: usize, samples: &mut Samples) {
        samples.clear(Shape { kind: self.form().kind(), is_rollup: false });
        for (value, row) in self.values[at..at + rows].iter().zip(0..) {
            match self.sort {
                Sort::Counter => samples.put_counter(row, value.unsigned_abs()),
                Sort::Gauge | Sort::Constant => samples.put_gauge(row, *value),
            }
        }
    }
}

fn data(count: usize, windows: usize) -> Vec<Series> {
    let mut numbers = Numbers(42);
    let sort = |at| match at {
        at if at < count * 2 / 5 => (Sort::Counter, "counter"),
        at if at < count * 4 / 5 => (Sort::Gauge, "gauge"),
        _ => (Sort::Constant, "const"),
    };
    let series = (0..count).map(|at| {
        let (sort, word) = sort(at);
        let mut value = (numbers.between(10.0, 1000.0) * 100.0).round() as i64;
        let mean = numbers.between(1.0, 400.0);
        let mut next = || {
            match sort {
                Sort::Counter => value = numbers.exponential(mean) as i64,
                Sort::Gauge => value += (numbers.normal(5.0) * 100.0).round() as i64,
                Sort::Constant => {}
            }
            value
        };
        let values = (0..windows).map(|_| next()).collect();
        Series { key: format!("bench app_{word}_{at:04}"), sort, values }
    });
    series.collect()
}

/// Samples from lines of text.
fn of_lines(text: &str) -> Result<Vec<Series>> {
    let mut all: Vec<Series> = Vec::new();
    let (mut last, mut before) = (String::new(), 0.0);
    for line in text.lines() {
        let mut words = line.split(' ');
        let (name, value) = words.next().zip(words.next()).ok_or("a line is `name value time`")?;
        let value: f64 = value.parse()?;
        if last != name {
            let sort = match name {
                name if name.contains("counter") => Sort::Counter,
                name if name.contains("const") => Sort::Constant,
                _ => Sort::Gauge,
            };
            all.push(Series { key: format!("bench {name}"), sort, values: Vec::new() });
            (last, before) = (name.to_owned(), 0.0);
        }
        let Some(series) = all.last_mut() else { continue };
        series.values.push(match series.sort {
            Sort::Counter => (value - before) as i64,
            Sort::Gauge | Sort::Constant => (value * 100.0).round() as i64,
        });
        before = value;
    }
    Ok(all)
}

/// Writes segments of [`PER_SEGMENT`] windows.
fn seal(series: &[Series], windows: usize) -> Result<Vec<Vec<u8>>> {
    let mut writer = SegmentWriter::new(Limits { series: series.len() as u32 });
    let mut samples = Samples::new();
    let starts = (0..windows).step_by(PER_SEGMENT);
    let segments = starts.map(|start| {
        let mut out = writer.begin(Meta { boot: 1, tier: TIER }).to_vec();
        let end = windows.min(start + PER_SEGMENT);
        for at in (start..end).step_by(ROWS) {
            let rows = ROWS.min(end - at);
            let mut numbers = Windows::new();
            let are_pushed = (at..at + rows).all(|number| numbers.push(number as u64, false));
            assert!(are_pushed, "windows are in order");
            writer.begin_group(&numbers)?;
            if at == start {
                for series in series {
                    out.extend(writer.define(series.key.as_bytes(), &series.form())?.1);
                }
            }
            for (series, id) in series.iter().zip(0..) {
                series.samples(at, rows, &mut samples);
                out.extend(writer.add(LocalId(id), &samples));
            }
            out.extend(writer.end_group());
        }
        out.extend(writer.finish(Anchor { mono: Mono(0), wall: None }));
        Ok(out)
    });
    segments.collect()
}

fn sizes(all: &[Series]) -> Result<f64> {
    let windows = all.first().map_or(0, |series| series.values.len());
    if all.iter().any(|series| series.values.len() != windows) || windows == 0 {
        return Err("each series has a sample in every window".into());
    }
    let segments = seal(all, windows)?;
    let bytes: usize = segments.iter().map(Vec::len).sum();
    let samples = all.len() * windows;
    let total = bytes as f64 / samples as f64;
    println!("## Size: {} series, {windows} windows, {PER_SEGMENT} windows a segment\n", all.len());
    println!("| what | samples | bytes | bytes a sample |\n|---|---|---|---|");
    println!("| all, with keys, headers and indexes | {samples} | {bytes} | {total:.3} |");
    for sort in [Sort::Counter, Sort::Gauge, Sort::Constant] {
        let some: Vec<_> = all.iter().filter(|one| one.sort == sort).cloned().collect();
        let bytes: usize = seal(&some, windows)?.iter().map(Vec::len).sum();
        let samples = some.len() * windows;
        let each = bytes as f64 / samples as f64;
        println!(
            "| {} {sort}, in segments of their own | {samples} | {bytes} | {each:.3} |",
            some.len()
        );
    }
    println!("\n| segment | samples | bytes |\n|---|---|---|");
    for (segment, at) in segments.iter().zip(0..) {
        let rows = PER_SEGMENT.min(windows - at * PER_SEGMENT);
        println!("| {} | {} | {} |", at + 1, all.len() * rows, segment.len());
    }
    println!(
        "\nmemory of a writer of {SERIES} series: {} bytes, of 4096: {}\n",
        Limits { series: SERIES as u32 }.memory(),
        Limits { series: 4096 }.memory()
    );
    Ok(total)
}

const fn recorder_limits(series: u32) -> recorder::Limits {
    recorder::Limits {
        series,
        segment_windows: PER_SEGMENT as u32,
        align_windows: 6,
        group_bytes: 1 << 21,
        window_bytes: 1 << 17,
        record_bytes: 4096,
    }
}

/// The records of some windows, in which every series is set or raised.
fn record(series: &[Series], windows: usize, each: &mut dyn FnMut(&mut Recorder, &[u8])) {
    let limits = recorder_limits(series.len() as u32);
    let (mut recorder, mut writer) = (Recorder::new(limits), Writer::new(&limits));
    for window in 0..windows {
        let Some(header) = recorder.open(1, window as u64) else { continue };
        let (is_first, begins_group) = (header.segment == window as u64, header.sequence == 0);
        writer.begin(header);
        for (series, id) in series.iter().zip(0..) {
            let last = series.values[window];
            let before = if begins_group { 0 } else { series.values[window - 1] };
            let value = match series.sort {
                Sort::Counter => Value::Counter(last.unsigned_abs()),
                Sort::Gauge | Sort::Constant => Value::Gauge { last, before },
            };
            let put = |writer: &mut Writer| match is_first {
                true => writer.define(id, &series.form(), series.key.as_bytes(), &value),
                false => writer.put(id, &value),
            };
            if put(&mut writer) == Taken::RecordFull {
                writer.finish().into_iter().for_each(|record| each(&mut recorder, record));
                put(&mut writer);
            }
        }
        writer.finish().into_iter().for_each(|record| each(&mut recorder, record));
    }
}

/// Bytes of a sample in the log, with lengths and the headers of sectors.
fn log_sizes() -> Result<f64> {
    let all = data(SERIES, WINDOWS);
    let (mut bytes, mut records) = (0, 0);
    let mut segments = SegmentWriter::new(Limits { series: SERIES as u32 });
    record(&all, WINDOWS, &mut |recorder, record| {
        bytes += record.len() + 4;
        records += 1;
        drain(recorder, &mut segments);
        assert_eq!(recorder.take(record), Ok(0));
    });
    let samples = SERIES * WINDOWS;
    let in_sectors = bytes as f64 * wal::SECTOR_BYTES as f64 / wal::PAYLOAD_BYTES as f64;
    let each = in_sectors / samples as f64;
    println!("## Size of the log, of the same samples\n");
    println!("| what | samples | bytes | bytes a sample |\n|---|---|---|---|");
    let only = bytes as f64 / samples as f64;
    println!("| {records} records | {samples} | {bytes} | {only:.3} |");
    println!("| in full sectors | {samples} | {in_sectors:.0} | {each:.3} |");
    let memory = |series| recorder_limits(series).memory();
    println!(
        "\nmemory of a recorder of {SERIES} series: {} bytes, of 4096: {}\n",
        memory(SERIES as u32),
        memory(4096)
    );
    Ok(each)
}

/// Turns what has ended into columns, and says how long the longest step took.
fn drain(recorder: &mut Recorder, segments: &mut SegmentWriter) -> Duration {
    let mut longest = Duration::ZERO;
    if recorder.ended().is_some_and(|group| group.windows().first() == Some(group.segment())) {
        segments.begin(Meta { boot: 1, tier: TIER });
    }
    while recorder.ended().is_some() {
        let start = processor_time();
        let is_done = recorder.drain(segments, 64, &mut |bytes| {
            black_box(bytes);
        });
        longest = longest.max(processor_time() - start);
        assert!(is_done.is_ok(), "a segment has room for its groups");
    }
    longest
}

/// How long a recorder takes for a group: to take it, and to turn it into columns.
fn group_speeds(count: usize) {
    let all = data(count, ROWS);
    let mut records = Vec::new();
    record(&all, ROWS, &mut |recorder, record| {
        records.push(record.to_vec());
        assert_eq!(recorder.take(record), Ok(0));
    });
    let mut recorder = Recorder::new(recorder_limits(count as u32));
    let mut segments = SegmentWriter::new(Limits { series: count as u32 });
    let (mut taking, mut draining, mut step) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for boot in 2..7 {
        let start = processor_time();
        for record in &records {
            let mut record = record.clone();
            record[2] = boot;
            assert_eq!(recorder.take(&record), Ok(0));
        }
        taking = taking.min(processor_time() - start);
        assert!(recorder.end_segment());
        let start = processor_time();
        step = step.min(drain(&mut recorder, &mut segments));
        draining = draining.min(processor_time() - start);
    }
    line(&format!("take {count} series x {ROWS} windows (a sample)"), taking, count * ROWS);
    line("turn them into columns (a sample)", draining, count * ROWS);
    line("the longest step of that, of 64 series (a series)", step, 64);
}

/// What this thread has had of a processor: what else the machine does counts for little.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// The shortest of some runs.
fn best<T>(mut run: impl FnMut() -> T) -> Duration {
    let times = (0..5).map(|_| {
        let start = processor_time();
        black_box(run());
        processor_time() - start
    });
    times.min().unwrap_or_default()
}

fn speeds() -> Result<()> {
    println!("## Speed, the best of 5 runs\n\n| what | ms | of one, ns |\n|---|---|---|");
    for count in [512, 1024, 2048, 4096] {
        let all = data(count, PER_SEGMENT);
        let time = best(|| seal(&all, PER_SEGMENT).map(|segments| segments.len()).unwrap_or(0));
        line(
            &format!("seal {count} series x {PER_SEGMENT} windows (a sample)"),
            time,
            count * PER_SEGMENT,
        );
    }
    for count in [512, 4096] {
        group_speeds(count);
    }
    for sectors in [1024, 4096, 16384] {
        let (time, records) = recovery(sectors)?;
        line(
            &format!("recover a full log of {sectors} sectors, {records} records (a sector)"),
            time,
            sectors as usize,
        );
    }
    let day = seal(&data(SERIES, 8640), 8640)?;
    for count in [1, 10, 100] {
        let ids: Vec<_> = (0..count).map(|id| (LocalId(id), Kind::Counter)).collect();
        let ids = ids
            .into_iter()
            .map(|(id, _)| (id, if id.0 < 80 { Kind::Counter } else { Kind::Gauge }));
        let ids: Vec<_> = ids.collect();
        let time = best(|| read(&day, &ids));
        let samples = read(&day, &ids);
        line(
            &format!(
                "read {count} of {SERIES} series over 8640 windows, {samples} samples (a sample)"
            ),
            time,
            samples,
        );
    }
    Ok(())
}

fn line(what: &str, time: Duration, of: usize) {
    let each = time.as_nanos() as f64 / of as f64;
    println!("| {what} | {:.2} | {each:.1} |", time.as_secs_f64() * 1000.0);
}

fn read(segments: &[Vec<u8>], ids: &[(LocalId, Kind)]) -> usize {
    let mut count = 0;
    let mut samples = Samples::new();
    for segment in segments {
        let Ok(mut segment) = Segment::open(&segment[..]) else { continue };
        segment.read(ids, 0..=u64::MAX, &mut samples, |piece| {
            if let nexus_retention::segment::Piece::Samples { samples, .. } = piece {
                count += samples.present().count_ones() as usize;
            }
        });
    }
    count
}

/// Fills a log and recovers it.
fn recovery(sectors: u32) -> Result<(Duration, usize)> {
    let limits = wal::Limits { sectors, staged: 64, record_bytes: 4096 };
    let mut disk = vec![[0; wal::SECTOR_BYTES]; sectors as usize];
    let recovered = wal::recover(limits, |_, _| true, |_| {})?;
    let mut log = wal::Wal::new(limits, &recovered);
    while log.append(&[7; 900]).is_ok() {
        if let Some(sync) = log.sync() {
            log.sectors(sync).for_each(|(index, sector)| disk[index as usize] = *sector);
            log.synced(sync);
        }
    }
    let mut records = 0;
    let read = |disk: &[wal::Sector], records: &mut usize| {
        *records = 0;
        let read = |index: u32, sector: &mut wal::Sector| {
            disk.get(index as usize).map(|bytes| *sector = *bytes).is_some()
        };
        wal::recover(limits, read, |_| *records += 1).is_ok()
    };
    let time = best(|| read(&disk, &mut records));
    Ok((time, records))
}
