//! A plain model of what a segment holds.

use nexus_bounded::{Mono, Nanos, Wall};
use nexus_retention::keeper::{RollError, Roller};
use nexus_retention::name::Tier;
use nexus_retention::segment::{
    Anchor, Form, Kind, Limits, LocalId, Meta, Piece, ROWS, Samples, Segment, SegmentError,
    SegmentWriter, Shape, Summary, Windows,
};
use proptest::prelude::*;

pub(crate) const RAW: Tier = Tier::raw(Nanos::from_secs(1));
pub(crate) const TENS: Tier = Tier::rollup(Nanos::from_secs(10));
pub(crate) const ANCHOR: Anchor =
    Anchor { mono: Mono(5_000_000_000), wall: Some(Wall(1_700_000_000_000_000_000)) };

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Counter(u64),
    Gauge(i64),
    Summary(Summary),
    Histogram(Vec<u64>, i128),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Series {
    pub(crate) key: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) bounds: Vec<u64>,
    /// One a window.
    pub(crate) values: Vec<Option<Value>>,
}

impl Series {
    pub(crate) fn new(key: &str, kind: Kind, values: Vec<Option<Value>>) -> Self {
        let bounds = match kind {
            Kind::Histogram { buckets } => (1..u64::from(buckets)).map(|at| at * 100).collect(),
            _ => Vec::new(),
        };
        Self { key: key.into(), kind, bounds, values }
    }

    pub(crate) fn form(&self) -> Form<'_> {
        match self.kind {
            Kind::Counter => Form::Counter,
            Kind::Gauge => Form::Gauge,
            Kind::Histogram { .. } => Form::Histogram(&self.bounds),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Model {
    pub(crate) tier: Tier,
    /// Number, and whether it is catchup.
    pub(crate) windows: Vec<(u64, bool)>,
    pub(crate) series: Vec<Series>,
}

pub(crate) fn put(samples: &mut Samples, row: usize, value: &Value) {
    match value {
        Value::Counter(delta) => samples.put_counter(row, *delta),
        Value::Gauge(last) => samples.put_gauge(row, *last),
        Value::Summary(summary) => samples.put_summary(row, *summary),
        Value::Histogram(counts, sum) => samples.put_histogram(row, counts.iter().copied(), *sum),
    }
}

pub(crate) fn get(samples: &Samples, row: usize) -> Option<Value> {
    let Shape { kind, is_rollup } = samples.shape();
    match kind {
        Kind::Counter => samples.counter(row).map(Value::Counter),
        Kind::Gauge if is_rollup => samples.summary(row).map(Value::Summary),
        Kind::Gauge => samples.gauge(row).map(Value::Gauge),
        Kind::Histogram { .. } => {
            samples.histogram(row).map(|(counts, sum)| Value::Histogram(counts.collect(), sum))
        }
    }
}

impl Model {
    pub(crate) fn groups(&self, group: usize) -> Vec<Windows> {
        let chunks = self.windows.chunks(group);
        let windows = chunks.map(|chunk| {
            let mut windows = Windows::new();
            assert!(chunk.iter().all(|(number, is_catchup)| windows.push(*number, *is_catchup)));
            windows
        });
        windows.collect()
    }

    /// The segment's bytes. A series is defined in the first group in which it does something.
    pub(crate) fn write(&self, group: usize) -> Vec<u8> {
        self.write_in(3, group)
    }

    /// As [`Self::write`], in any boot.
    pub(crate) fn write_in(&self, boot: u32, group: usize) -> Vec<u8> {
        let mut writer = SegmentWriter::new(Limits { series: self.series.len() as u32 });
        let mut out = writer.begin(Meta { boot, tier: self.tier }).to_vec();
        let mut ids: Vec<Option<LocalId>> = vec![None; self.series.len()];
        for (windows, at) in self.groups(group).iter().zip(0..) {
            let rows = at * group..at * group + windows.len();
            writer.begin_group(windows).unwrap();
            for (series, id) in self.series.iter().zip(&mut ids).filter(|(_, id)| id.is_none()) {
                if series.values[rows.clone()].iter().any(Option::is_some) {
                    let (new, bytes) = writer.define(&series.key, &series.form()).unwrap();
                    out.extend(bytes);
                    *id = Some(new);
                }
            }
            let mut order: Vec<_> = ids.iter().zip(&self.series).collect();
            order.sort_by_key(|(id, _)| **id);
            for (id, series) in order {
                let Some(id) = *id else { continue };
                out.extend(writer.add(id, &self.samples(series, rows.clone())));
            }
            out.extend(writer.end_group());
        }
        out.extend(writer.finish(ANCHOR));
        assert_eq!(writer.len(), out.len() as u64);
        out
    }

    fn samples(&self, series: &Series, rows: std::ops::Range<usize>) -> Samples {
        let mut samples = Samples::new();
        samples.clear(Shape { kind: series.kind, is_rollup: self.tier.is_rollup });
        for (value, row) in series.values[rows].iter().zip(0..) {
            if let Some(value) = value {
                put(&mut samples, row, value);
            }
        }
        samples
    }

    /// What a segment says, and whether something in it was lost.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, bool), SegmentError> {
        let mut segment = Segment::open(bytes)?;
        let mut model = Self { tier: segment.footer().meta.tier, windows: vec![], series: vec![] };
        let mut is_damaged = false;
        let windows = segment.groups(|windows| {
            let numbers = windows.numbers().iter().zip(0..);
            model.windows.extend(numbers.map(|(number, row)| (*number, windows.is_catchup(row))));
        });
        is_damaged |= windows.is_err();
        let mut ids = Vec::new();
        let listed = segment.series(|id, form, key| {
            let bounds = if let Form::Histogram(bounds) = form { bounds.to_vec() } else { vec![] };
            ids.push((id, form.kind()));
            let values = vec![None; model.windows.len()];
            model.series.push(Series { key: key.to_vec(), kind: form.kind(), bounds, values });
        });
        is_damaged |= listed.is_err();
        let mut samples = Samples::new();
        segment.read(&ids, 0..=u64::MAX, &mut samples, |piece| match piece {
            Piece::Samples { id, windows, samples } => {
                let at = ids.iter().position(|(known, _)| *known == id).unwrap();
                let first = windows.first().unwrap();
                let start = model.windows.iter().position(|(number, _)| *number == first).unwrap();
                for row in (0..ROWS).filter(|row| samples.has(*row)) {
                    model.series[at].values[start + row] = get(samples, row);
                }
            }
            Piece::Lost { .. } => is_damaged = true,
        });
        Ok((model, is_damaged))
    }

    /// The series that did something, in the order in which a segment defines them.
    pub(crate) fn defined(&self, group: usize) -> Self {
        let first = |series: &Series| series.values.iter().position(Option::is_some);
        let mut series: Vec<_> =
            self.series.iter().filter(|series| first(series).is_some()).cloned().collect();
        series.sort_by_key(|series| first(series).map(|first| first / group));
        Self { series, ..self.clone() }
    }
}

fn summary() -> impl Strategy<Value = Summary> {
    proptest::collection::vec(gauge(), 1..5).prop_map(|values| {
        values[1..]
            .iter()
            .fold(Summary::one(values[0]), |all, value| all.then(Summary::one(*value)))
    })
}

fn gauge() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), -500..500_i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..200_u64, any::<u64>(), Just(u64::MAX)]
}

/// Sums that saturate depend on their order; no program gets there.
fn sum() -> impl Strategy<Value = i128> {
    prop_oneof![Just(0), -1000..100_000_i128, any::<i128>().prop_map(|sum| sum >> 20)]
}

fn series(tier: Tier, windows: usize, key: String) -> BoxedStrategy<Series> {
    let values = move |value: BoxedStrategy<Value>| {
        let sparse = proptest::collection::vec(proptest::option::of(value.clone()), windows);
        let dense = proptest::collection::vec(value.prop_map(Some), windows);
        prop_oneof![sparse, dense]
    };
    let of = move |key: String, kind, values: BoxedStrategy<Vec<Option<Value>>>| {
        values.prop_map(move |values| Series::new(&key, kind, values)).boxed()
    };
    let gauges = if tier.is_rollup {
        values(summary().prop_map(Value::Summary).boxed()).boxed()
    } else {
        values(gauge().prop_map(Value::Gauge).boxed()).boxed()
    };
    let (counter_key, gauge_key) = (key.clone(), key.clone());
    prop_oneof![
        of(counter_key, Kind::Counter, values(count().prop_map(Value::Counter).boxed()).boxed()),
        of(gauge_key, Kind::Gauge, gauges),
        (1..=25_u8).prop_flat_map(move |buckets| {
            let value = (proptest::collection::vec(count(), usize::from(buckets)), sum());
            let value = value.prop_map(|(counts, sum)| Value::Histogram(counts, sum)).boxed();
            of(key.clone(), Kind::Histogram { buckets }, values(value).boxed())
        }),
    ]
    .boxed()
}

/// Any windows of any series of a tier.
pub(crate) fn model(tier: Tier) -> impl Strategy<Value = Model> {
    let gap = prop_oneof![4 => Just(1_u64), 1 => 1..1000_u64];
    let windows = proptest::collection::vec((gap, any::<bool>()), 1..150);
    (windows, 0..5_usize).prop_flat_map(move |(gaps, count)| {
        let mut number = 0;
        let mut next = |(gap, is_catchup)| {
            number += gap;
            (number, is_catchup)
        };
        let windows: Vec<_> = gaps.into_iter().map(&mut next).collect();
        let all = (0..count).map(|at| series(tier, windows.len(), format!("app/series_{at}")));
        let all: Vec<_> = all.collect();
        (Just(windows), all).prop_map(move |(windows, series)| Model { tier, windows, series })
    })
}

/// A small segment with one series of each kind, some rows absent, and two groups.
pub(crate) fn small() -> Model {
    let windows: Vec<_> = (100..108).map(|number| (number + number / 105, number == 103)).collect();
    let counter = (0..8).map(|at| Some(Value::Counter(at * at))).collect();
    let gauge = (0..8).map(|at| (at % 3 != 1).then_some(Value::Gauge(2000 - at * 7))).collect();
    let constant = vec![Some(Value::Gauge(-40)); 8];
    let histogram = |at: u64| Value::Histogram(vec![at, 0, 3], i128::from(at) * 50);
    let histogram = (0..8).map(|at| (at > 4).then(|| histogram(at))).collect();
    let series = vec![
        Series::new("app requests_total", Kind::Counter, counter),
        Series::new("app temperature", Kind::Gauge, gauge),
        Series::new("app temperature_limit", Kind::Gauge, constant),
        Series::new("disk latency", Kind::Histogram { buckets: 3 }, histogram),
    ];
    Model { tier: RAW, windows, series }
}

/// Rolls segments up one after another.
pub(crate) fn roll_up(sources: &[Vec<u8>], ratio: u64, meta: Meta) -> Result<Vec<u8>, RollError> {
    let mut roller = Roller::new(ratio, Limits { series: 16 }, 4096);
    let mut out = Vec::new();
    let mut append = |at: u32, bytes: &[u8]| {
        assert_eq!(at as usize, out.len(), "behind what is there");
        out.extend(bytes);
    };
    roller.begin(meta, 0);
    for source in sources {
        roller.add(source, &mut append)?;
    }
    roller.finish(ANCHOR, &mut append);
    Ok(out)
}
