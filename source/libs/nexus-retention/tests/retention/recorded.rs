//! What a recorder makes of windows, against a plain model.

use std::collections::BTreeMap;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Wall};
use nexus_retention::key::{self, KeyBytes, SeriesKey};
use nexus_retention::record::{Header, RecordError, Taken, Value as Change, Writer};
use nexus_retention::recorder::{Limits, Recorder, Refusal};
use nexus_retention::segment::{
    Anchor, Form, Kind, Limits as SegmentLimits, Meta, Samples, SegmentWriter,
};
use nexus_wire::{LabelBytes, Labels, MetricName, Unit};
use proptest::prelude::*;

use crate::bed::{ANCHOR, Model, RAW, Series, Value, get};

pub(crate) const LIMITS: Limits = Limits {
    series: 40,
    segment_windows: 60,
    align_windows: 10,
    group_bytes: 40_000,
    window_bytes: 8000,
    record_bytes: Limits::RECORD_BYTES_MIN,
};

/// What was recorded: by boot, window and key.
pub(crate) type Truth = BTreeMap<(u32, u64, Vec<u8>), Value>;

/// What changed in a window, by series.
type Changes = BTreeMap<u8, Value>;

pub(crate) fn name(series: u8) -> Vec<u8> {
    format!("app/series_{series}").into_bytes()
}

const BOUNDS: [u64; 2] = [10, 1 << 40];

fn form(series: u8) -> Form<'static> {
    match series % 3 {
        0 => Form::Counter,
        1 => Form::Gauge,
        _ => Form::Histogram(&BOUNDS),
    }
}

/// Files out of a recorder's groups.
pub(crate) struct Files {
    writer: SegmentWriter,
    open: Option<(u32, u64)>,
    pub(crate) all: Vec<Vec<u8>>,
}

impl Files {
    pub(crate) fn new(series: u32) -> Self {
        let writer = SegmentWriter::new(SegmentLimits { series });
        Self { writer, open: None, all: Vec::new() }
    }

    fn finish(&mut self) {
        if self.open.take().is_some() {
            let end = self.writer.finish(ANCHOR).to_vec();
            self.all.last_mut().unwrap().extend(end);
        }
    }

    /// One step; whether there is no group to be drained any more.
    pub(crate) fn step(&mut self, recorder: &mut Recorder, series: u32) -> bool {
        let Some(group) = recorder.ended() else { return true };
        let segment = (group.boot(), group.segment());
        if self.open != Some(segment) {
            self.finish();
            self.open = Some(segment);
            self.all.push(self.writer.begin(Meta { boot: segment.0, tier: RAW }).to_vec());
        }
        let (file, mut calls) = (self.all.last_mut().unwrap(), 0);
        let mut out = |bytes: &[u8]| {
            file.extend(bytes);
            calls += 1;
        };
        let is_done = recorder.drain(&mut self.writer, series, &mut out).unwrap();
        assert!(calls <= 1, "bytes once a call");
        is_done
    }

    pub(crate) fn drain(&mut self, recorder: &mut Recorder) {
        while !self.step(recorder, 3) {}
    }

    pub(crate) fn end(mut self, recorder: &mut Recorder) -> Vec<Vec<u8>> {
        while !recorder.end_segment() {
            self.drain(recorder);
        }
        self.drain(recorder);
        self.finish();
        self.all
    }
}

/// A sampler as simple as can be.
pub(crate) struct Live {
    recorder: Recorder,
    writer: Writer,
    ids: BTreeMap<u8, u32>,
    gauges: BTreeMap<u8, i64>,
    files: Files,
    pub(crate) log: Vec<Vec<u8>>,
    pub(crate) truth: Truth,
    /// Values that had to wait because their window was full.
    late: usize,
}

impl Live {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            recorder: Recorder::new(limits),
            writer: Writer::new(&limits),
            ids: BTreeMap::new(),
            gauges: BTreeMap::new(),
            files: Files::new(limits.series),
            log: Vec::new(),
            truth: Truth::new(),
            late: 0,
        }
    }

    fn give(&mut self) {
        if let Some(record) = self.writer.finish() {
            assert_eq!(self.recorder.take(record), Ok(0));
            self.log.push(record.to_vec());
        }
    }

    fn put(&mut self, series: u8, value: &Value) {
        let before = self.gauges.get(&series).copied().unwrap_or(0);
        let change = match value {
            Value::Counter(added) => Change::Counter(*added),
            Value::Gauge(last) => Change::Gauge { last: *last, before },
            Value::Histogram(added, sum) => Change::Histogram { added, sum: *sum },
            Value::Summary(_) => unreachable!("of longer windows"),
        };
        let new = self.ids.len() as u32;
        let put = |writer: &mut Writer| match self.ids.get(&series) {
            Some(id) => writer.put(*id, &change),
            None => writer.define(new, &form(series), &name(series), &change),
        };
        let mut taken = put(&mut self.writer);
        if taken == Taken::RecordFull {
            let record = self.writer.finish().unwrap();
            assert_eq!(self.recorder.take(record), Ok(0));
            self.log.push(record.to_vec());
            taken = put(&mut self.writer);
        }
        if taken != Taken::Yes {
            assert_eq!(taken, Taken::WindowFull);
            self.late += 1;
            return;
        }
        self.ids.entry(series).or_insert(new);
        if let Value::Gauge(last) = value {
            self.gauges.insert(series, *last);
        }
        let header = *self.writer.header();
        self.truth.insert((header.boot, header.window, name(series)), value.clone());
    }

    /// Records a window; `false` if there is no room for it.
    fn window(&mut self, boot: u32, number: u64, is_catchup: bool, changes: &Changes) -> bool {
        let Some(header) = self.recorder.open(boot, number) else { return false };
        if header.segment == number {
            self.ids.clear();
        }
        if header.sequence == 0 {
            self.gauges.clear();
        }
        let anchor = Some(Anchor { mono: Mono(number * 1000), wall: Some(Wall(number)) });
        self.writer.begin(Header { is_catchup, anchor, ..header });
        let (mut known, new): (Vec<_>, Vec<_>) =
            changes.iter().partition(|(series, _)| self.ids.contains_key(series));
        known.sort_by_key(|(series, _)| self.ids[series]);
        for (series, value) in known.into_iter().chain(new) {
            if self.ids.contains_key(series) || self.ids.len() < LIMITS.series as usize {
                self.put(*series, value);
            } else {
                self.recorder.lack_series();
            }
        }
        self.give();
        true
    }

    fn run(&mut self, windows: &[(u32, u64, bool, Changes)], steps: &mut dyn Iterator<Item = u32>) {
        for (boot, number, is_catchup, changes) in windows {
            if !self.window(*boot, *number, *is_catchup, changes) {
                self.files.drain(&mut self.recorder);
                assert!(self.window(*boot, *number, *is_catchup, changes));
            }
            self.files.step(&mut self.recorder, steps.next().unwrap());
        }
    }

    fn end(mut self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>, Truth) {
        let files = self.files.end(&mut self.recorder);
        (files, self.log, self.truth)
    }
}

/// The key of the first series of [`small`].
pub(crate) fn small_key(room: &mut KeyBytes) -> &[u8] {
    let name = MetricName::new("requests_total").unwrap();
    let labels = Labels::parse(LabelBytes::new(b"code=200\n").unwrap()).unwrap();
    let service = ServiceId::from_name("execd");
    let (kind, unit) = (nexus_wire::Kind::Counter, Unit::None);
    SeriesKey { service, kind, unit, is_overflow: false, name, labels }.write(room)
}

const SMALL_BOUNDS: [u64; 2] = [10, 100];

/// Two records: three series are new in the first one, and all do something in the second.
pub(crate) fn small() -> [Vec<u8>; 2] {
    let (mut recorder, mut writer) = (Recorder::new(LIMITS), Writer::new(&LIMITS));
    let mut room = [0; key::BYTES_MAX];
    let first = small_key(&mut room);
    writer.begin(recorder.open(3, 120).unwrap());
    let gauge = Change::Gauge { last: -40, before: 0 };
    let histogram = Change::Histogram { added: &[2, 0, 1], sum: 350 };
    let forms = [Form::Counter, Form::Gauge, Form::Histogram(&SMALL_BOUNDS)];
    let series = [(first, Change::Counter(300)), (b"level", gauge), (b"lengths", histogram)];
    for (id, (form, (key, change))) in (0..).zip(forms.iter().zip(series)) {
        assert_eq!(writer.define(id, form, key, &change), Taken::Yes);
    }
    let defines = writer.finish().unwrap().to_vec();
    assert_eq!(recorder.take(&defines), Ok(0));
    let header = recorder.open(3, 122).unwrap();
    writer.begin(Header { is_catchup: true, anchor: Some(ANCHOR), ..header });
    let gauge = Change::Gauge { last: 30, before: -40 };
    for (id, change) in (0..).zip([Change::Counter(1), gauge, histogram]) {
        assert_eq!(writer.put(id, &change), Taken::Yes);
    }
    let more = writer.finish().unwrap().to_vec();
    assert_eq!(recorder.take(&more), Ok(0));
    [defines, more]
}

/// What [`small`] says.
pub(crate) fn small_model() -> Model {
    let mut room = [0; key::BYTES_MAX];
    let first = small_key(&mut room).to_vec();
    let series = |key: &[u8], kind, bounds: &[u64], values: [Value; 2]| Series {
        key: key.to_vec(),
        kind,
        bounds: bounds.to_vec(),
        values: values.map(Some).to_vec(),
    };
    let histogram = Value::Histogram(vec![2, 0, 1], 350);
    let series = vec![
        series(&first, Kind::Counter, &[], [Value::Counter(300), Value::Counter(1)]),
        series(b"level", Kind::Gauge, &[], [Value::Gauge(-40), Value::Gauge(30)]),
        series(
            b"lengths",
            Kind::Histogram { buckets: 3 },
            &SMALL_BOUNDS,
            [histogram.clone(), histogram],
        ),
    ];
    Model { tier: RAW, windows: vec![(120, false), (122, true)], series }
}

/// What records say, by way of a segment.
pub(crate) fn told(records: &[Vec<u8>]) -> Model {
    let (files, taken) = replay(records, LIMITS);
    assert!(taken.iter().all(|taken| *taken == Ok(0)), "{taken:?}");
    let (model, is_damaged) = Model::read(&files[0]).unwrap();
    assert!(!is_damaged && files.len() == 1);
    model
}

#[test]
fn a_record_of_another_version_is_named_and_not_taken() {
    let [mut record, _] = small();
    record[0] = 2;
    let refusal = Refusal::Record(RecordError::Unsupported { version: 2 });
    assert_eq!(Recorder::new(LIMITS).take(&record), Err(refusal));
    for record in [&[][..], &[0], &[1], &[1, 8, 1, 1, 0, 0, 0], &[1, 4, 1, 1, 0, 0, 0, 9]] {
        let refusal = Refusal::Record(RecordError::Damaged);
        assert_eq!(Recorder::new(LIMITS).take(record), Err(refusal), "{record:?}");
    }
}

#[test]
fn a_repeat_is_out_of_order() {
    let records = small();
    let mut recorder = Recorder::new(LIMITS);
    for record in &records {
        assert_eq!(recorder.take(record), Ok(0));
        assert_eq!(recorder.take(record), Err(Refusal::OutOfOrder));
    }
    assert_eq!(recorder.take(&records[0]), Err(Refusal::OutOfOrder));
}

#[test]
fn a_group_that_is_not_drained_lets_no_other_one_end() {
    let mut live = Live::new(LIMITS);
    let changes: Changes = [(0, Value::Counter(1))].into();
    assert!(live.window(1, 5, false, &changes) && live.window(1, 70, false, &changes));
    assert!(!live.window(1, 130, false, &changes));
    assert!(!live.recorder.end_segment());
    assert_eq!(live.recorder.groups().count(), 2);
    live.files.drain(&mut live.recorder);
    assert!(live.window(1, 130, false, &changes));
}

#[test]
fn what_is_in_memory_can_be_read_series_by_series() {
    let mut recorder = Recorder::new(LIMITS);
    small().iter().for_each(|record| assert_eq!(recorder.take(record), Ok(0)));
    let group = recorder.groups().next().unwrap();
    assert_eq!((group.boot(), group.segment(), group.anchor()), (3, 120, Some(ANCHOR)));
    let mut series = Vec::new();
    group.each_definition(&mut |id, form, key| series.push((id, form.kind(), key.to_vec())));
    let expected = small_model().series;
    let (mut columns, mut samples) = (group.columns(), Samples::new());
    for ((id, kind, key), expected) in series.iter().zip(&expected) {
        assert_eq!((key, *kind), (&expected.key, expected.kind));
        assert_eq!(columns.next(), Some(*id));
        columns.read(group, *id, *kind, &mut samples);
        let values: Vec<_> = (0..2).map(|row| get(&samples, row)).collect();
        assert_eq!(values, expected.values);
    }
    assert_eq!((series.len(), columns.next()), (3, None));
}

/// All that files say.
pub(crate) fn read(files: &[Vec<u8>]) -> Truth {
    let mut truth = Truth::new();
    for file in files {
        let (model, is_damaged) = Model::read(file).unwrap();
        assert!(!is_damaged);
        let boot = nexus_retention::segment::Segment::open(&file[..]).unwrap().footer().meta.boot;
        for series in model.series {
            for ((number, _), value) in model.windows.iter().zip(series.values) {
                if let Some(value) = value {
                    assert!(truth.insert((boot, *number, series.key.clone()), value).is_none());
                }
            }
        }
    }
    truth
}

/// Takes records as a start does, and says what became of each.
fn replay(records: &[Vec<u8>], limits: Limits) -> (Vec<Vec<u8>>, Vec<Result<u32, Refusal>>) {
    let (mut recorder, mut files) = (Recorder::new(limits), Files::new(limits.series));
    let taken = records.iter().map(|record| {
        let mut taken = recorder.take(record);
        if taken == Err(Refusal::Busy) {
            files.drain(&mut recorder);
            taken = recorder.take(record);
        }
        taken
    });
    let taken = taken.collect();
    (files.end(&mut recorder), taken)
}

fn value(series: u8) -> BoxedStrategy<Value> {
    let count = || prop_oneof![0..200_u64, any::<u64>()];
    match series % 3 {
        0 => count().prop_map(Value::Counter).boxed(),
        1 => prop_oneof![-500..500_i64, any::<i64>()].prop_map(Value::Gauge).boxed(),
        _ => (proptest::collection::vec(count(), 3), any::<i128>())
            .prop_map(|(added, sum)| Value::Histogram(added, sum))
            .boxed(),
    }
}

fn changes() -> impl Strategy<Value = Changes> {
    let change = (0..60_u8).prop_flat_map(|series| (Just(series), value(series)));
    proptest::collection::vec(change, 0..50).prop_map(|all| all.into_iter().collect())
}

/// Windows of two boots.
fn windows() -> impl Strategy<Value = Vec<(u32, u64, bool, Changes)>> {
    let gap = prop_oneof![8 => Just(1_u64), 1 => 1..50_u64];
    proptest::collection::vec((gap, any::<bool>(), changes()), 1..150).prop_map(|gaps| {
        let (mut number, half) = (0, gaps.len() / 2);
        let mut place = |(at, (gap, is_catchup, changes)): (usize, (u64, bool, Changes))| {
            number = if at == half { 3 } else { number + gap };
            (1 + u32::from(at >= half), number, is_catchup, changes)
        };
        gaps.into_iter().enumerate().map(&mut place).collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(1..30_u32, 1..10)
}

fn recorded(
    windows: &[(u32, u64, bool, Changes)],
    steps: &[u32],
) -> (Vec<Vec<u8>>, Vec<Vec<u8>>, Truth) {
    let mut live = Live::new(LIMITS);
    live.run(windows, &mut steps.iter().copied().cycle());
    live.end()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn segments_say_what_was_recorded(windows in windows(), steps in steps()) {
        let (files, _, truth) = recorded(&windows, &steps);
        prop_assert_eq!(read(&files), truth);
    }

    #[test]
    fn a_replay_makes_segments_of_the_same_bytes(windows in windows(), steps in steps()) {
        let (files, log, _) = recorded(&windows, &steps);
        let (again, taken) = replay(&log, LIMITS);
        prop_assert!(taken.iter().all(|taken| *taken == Ok(0)));
        prop_assert!(again == files);
    }

    #[test]
    fn lost_records_make_no_other_number_wrong(
        windows in windows(), steps in steps(),
        lost in proptest::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let (_, mut log, truth) = recorded(&windows, &steps);
        for index in lost {
            if !log.is_empty() {
                log.remove(index.index(log.len()));
            }
        }
        let (files, taken) = replay(&log, LIMITS);
        prop_assert!(taken.iter().all(Result::is_ok), "{taken:?}");
        let left = read(&files);
        for (at, value) in &left {
            prop_assert_eq!(truth.get(at), Some(value), "{:?}", at);
        }
        let unusable: u32 = taken.into_iter().flatten().sum();
        let given: usize = log.iter().map(|record| values(record)).sum();
        prop_assert_eq!(given, left.len() + unusable as usize);
    }

    #[test]
    fn other_limits_lose_what_has_no_room_and_count_it(windows in windows(), steps in steps()) {
        let (_, log, truth) = recorded(&windows, &steps);
        let (files, taken) = replay(&log, Limits { series: 7, ..LIMITS });
        let left = read(&files);
        prop_assert!(left.iter().all(|(at, value)| truth.get(at) == Some(value)));
        let unusable: u32 = taken.into_iter().map(|taken| taken.unwrap()).sum();
        prop_assert_eq!(left.len() + unusable as usize, truth.len());
    }

    #[test]
    fn hostile_records_are_refused_or_taken_and_never_break_anything(
        windows in windows(), steps in steps(),
        changes in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()),
            1..20,
        ),
        junk in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..5),
    ) {
        let (_, mut log, _) = recorded(&windows, &steps);
        if !log.is_empty() {
            for (record, at, byte) in changes {
                let record = record.index(log.len());
                let at = at.index(log[record].len());
                log[record][at] = byte;
            }
            for mut record in junk {
                record.splice(..0, [1, 0, 1]);
                log.insert(log.len() / 2, record);
            }
        }
        let (files, _) = replay(&log, LIMITS);
        // A byte of a key may make two series alike: all of it is still to be read.
        for file in &files {
            prop_assert!(Model::read(file).is_ok_and(|(_, is_damaged)| !is_damaged));
        }
    }
}

/// Values in a record, by a decoder of the test's own.
fn values(record: &[u8]) -> usize {
    let mut bytes = record.iter().copied();
    let flags = bytes.by_ref().nth(1).unwrap();
    let mut numbers = Numbers(bytes.collect::<Vec<_>>().into_iter());
    let heads = 5 + usize::from(flags & 2 != 0) + usize::from(flags & 4 != 0);
    assert_eq!(numbers.by_ref().take(heads).count(), heads);
    let mut count = 0;
    while let Some(head) = numbers.next() {
        count += match head % 16 {
            14 => numbers.histogram(),
            15 => numbers.definition(),
            more => (0..=more).map(|_| numbers.next().map_or(0, |_| 1)).sum(),
        };
    }
    count
}

struct Numbers(std::vec::IntoIter<u8>);

impl Numbers {
    fn histogram(&mut self) -> usize {
        let which = self.next().unwrap();
        let numbers = which.count_ones() as usize + 1;
        usize::from(self.by_ref().take(numbers).count() == numbers)
    }

    fn definition(&mut self) -> usize {
        let kind = self.0.next().unwrap();
        let bounds = if kind == 2 { self.0.next().unwrap() } else { 0 };
        assert_eq!(self.by_ref().take(bounds.into()).count(), bounds.into());
        let (_, rest) = (self.next(), self.next().unwrap());
        assert_eq!(self.0.by_ref().take(rest as usize).count(), rest as usize);
        if kind == 2 { self.histogram() } else { self.next().map_or(0, |_| 1) }
    }
}

impl Iterator for Numbers {
    type Item = u128;

    fn next(&mut self) -> Option<u128> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.0.next()?;
            number |= u128::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return Some(number);
            }
        }
    }
}

#[test]
fn a_boot_whose_windows_have_the_numbers_of_the_one_before_begins_a_group_of_its_own() {
    let changes = Changes::from([(1, Value::Gauge(7))]);
    let mut live = Live::new(LIMITS);
    live.run(&[(1, 3, false, changes.clone()), (2, 3, false, changes)], &mut std::iter::repeat(1));
    let (files, _, truth) = live.end();
    assert_eq!(read(&files), truth);
}
