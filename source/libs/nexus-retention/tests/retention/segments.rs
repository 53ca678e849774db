//! What goes into a segment comes out of it.

use nexus_retention::segment::{
    BUCKETS_MAX, Form, GROUPS_MAX, KEY_BYTES_MAX, Kind, Limits, LocalId, Meta, Piece, Refusal,
    Samples, Segment, SegmentWriter, Shape, Windows,
};
use proptest::prelude::*;

use crate::bed::{ANCHOR, Model, RAW, Series, TENS, Value, get, model, small};

fn windows(numbers: std::ops::Range<u64>) -> Windows {
    let mut windows = Windows::new();
    assert!(numbers.into_iter().all(|number| windows.push(number, false)));
    windows
}

#[test]
fn groups_that_share_a_longer_window_are_given_up_together_with_their_series() {
    let mut writer = SegmentWriter::new(Limits { series: 8 });
    let mut out = writer.begin(Meta { boot: 1, tier: TENS }).to_vec();
    for (numbers, key) in [(5..8, "a"), (10..12, "b"), (11..13, "c")] {
        writer.begin_group(&windows(numbers)).unwrap();
        let (_, bytes) = writer.define(key.as_bytes(), &Form::Counter).unwrap();
        out.extend(bytes);
        out.extend(writer.end_group());
    }
    writer.give_up_chain(out.len() as u32);
    out.extend(writer.finish(ANCHOR));
    let mut segment = Segment::open(&out[..]).unwrap();
    assert_eq!(segment.check(), Ok(()));
    let groups: Vec<_> = segment.footer().groups().iter().map(|g| (g.first, g.last)).collect();
    assert_eq!((groups, segment.footer().series), (vec![(5, 7)], 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_samples_come_back_exactly(model in model(RAW), group in 1..=64_usize) {
        prop_assume!(model.windows.len() <= group * GROUPS_MAX);
        let bytes = model.write(group);
        prop_assert_eq!(&bytes, &model.write(group), "the same input, the same bytes");
        prop_assert_eq!(Model::read(&bytes), Ok((model.defined(group), false)));
        prop_assert_eq!(Segment::open(&bytes[..]).unwrap().check(), Ok(()));
    }

    #[test]
    fn any_longer_windows_come_back_exactly(model in model(TENS), group in 10..=64_usize) {
        let bytes = model.write(group);
        prop_assert_eq!(Model::read(&bytes), Ok((model.defined(group), false)));
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Model::read(&bytes).is_err());
    }
}

#[test]
fn a_segment_says_what_it_is_of() {
    let bytes = small().write(4);
    let segment = Segment::open(&bytes[..]).unwrap();
    let footer = segment.footer();
    assert_eq!((footer.meta, footer.anchor), (Meta { boot: 3, tier: RAW }, ANCHOR));
    assert_eq!(footer.series, 4);
    let windows: Vec<_> = footer.groups().iter().map(|group| (group.first, group.last)).collect();
    assert_eq!(windows, [(100, 103), (104, 108)]);
}

#[test]
fn one_series_is_read_in_a_range_and_nothing_else() {
    let values = |at: u64| (0..300).map(|n| Some(Value::Counter(n * at % 97))).collect();
    let all = (0..200).map(|at| Series::new(&format!("s{at:03}"), Kind::Counter, values(at)));
    let model = Model {
        tier: RAW,
        windows: (0..300).map(|number| (number, false)).collect(),
        series: all.collect(),
    };
    let bytes = model.write(60);
    let read = std::cell::Cell::new(0);
    let mut segment = Segment::open(Counting { bytes: &bytes, read: &read }).unwrap();
    read.set(0);
    let mut seen = Vec::new();
    segment.read(&[(LocalId(150), Kind::Counter)], 130..=200, &mut Samples::new(), |piece| {
        let Piece::Samples { id, windows, samples } = piece else { panic!("{piece:?}") };
        assert_eq!(id, LocalId(150));
        for (number, row) in windows.numbers().iter().zip(0..) {
            seen.push((*number, get(samples, row)));
        }
    });
    let expected: Vec<_> =
        (120..240).map(|n| (n, model.series[150].values[n as usize].clone())).collect();
    assert_eq!(seen, expected);
    assert!(read.get() * 5 < bytes.len(), "{} of {}", read.get(), bytes.len());
}

struct Counting<'a> {
    bytes: &'a [u8],
    read: &'a std::cell::Cell<usize>,
}

impl nexus_retention::segment::Source for Counting<'_> {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> bool {
        self.read.set(self.read.get() + out.len());
        self.bytes.read(offset, out)
    }
}

#[test]
fn more_than_the_limits_is_refused_and_changes_nothing() {
    let mut writer = SegmentWriter::new(Limits { series: 1 });
    let mut out = writer.begin(Meta { boot: 1, tier: RAW }).to_vec();
    writer.begin_group(&windows(0..1)).unwrap();
    let long = [7; KEY_BYTES_MAX + 1];
    assert_eq!(writer.define(&long, &Form::Gauge), Err(Refusal::Key));
    let (id, bytes) = writer.define(&long[1..], &Form::Gauge).unwrap();
    out.extend(bytes);
    assert_eq!(writer.define(b"second", &Form::Gauge), Err(Refusal::Series));
    let mut samples = Samples::new();
    samples.clear(Shape { kind: Kind::Gauge, is_rollup: false });
    samples.put_gauge(0, i64::MIN);
    out.extend(writer.add(id, &samples));
    out.extend(writer.end_group());
    for group in 1..GROUPS_MAX as u64 {
        writer.begin_group(&windows(group..group + 1)).unwrap();
        out.extend(writer.add(id, &samples));
        out.extend(writer.end_group());
    }
    assert_eq!(writer.begin_group(&windows(99..100)), Err(Refusal::Groups));
    out.extend(writer.finish(ANCHOR));
    let (model, is_damaged) = Model::read(&out).unwrap();
    assert!(!is_damaged);
    assert_eq!(model.series[0].values, vec![Some(Value::Gauge(i64::MIN)); GROUPS_MAX]);
}

#[test]
fn the_largest_chunks_and_keys_fit() {
    let buckets = BUCKETS_MAX as u8;
    let wild = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let value = |at: u64| {
        let counts = (0..u64::from(buckets)).map(|bucket| wild(at * 31 + bucket) | 1 << 63);
        Some(Value::Histogram(counts.collect(), i128::MAX - i128::from(at)))
    };
    let series = |at: u64| {
        let key = format!("{at}{}", "k".repeat(KEY_BYTES_MAX - 1));
        let kind = Kind::Histogram { buckets };
        Series::new(&key, kind, (0..64).map(|row| value(at * 64 + row)).collect())
    };
    let windows = (0..64).map(|at| (u64::MAX - 64 * 64 + at * at, at % 2 == 0)).collect();
    let model = Model { tier: RAW, windows, series: (0..3).map(series).collect() };
    assert_eq!(Model::read(&model.write(64)), Ok((model.clone(), false)));
}
