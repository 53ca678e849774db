//! Longer windows are what their samples say.

use std::collections::BTreeMap;

use nexus_bounded::Nanos;
use nexus_retention::keeper::RollError;
use nexus_retention::name::Tier;
use nexus_retention::segment::{Kind, Meta, Segment, SegmentError, Summary};
use proptest::prelude::*;

use crate::bed::{self, Model, RAW, Series, TENS, Value, model, small};

/// All samples of a longer window at once.
fn join(values: &[Value]) -> Option<Value> {
    let all = |pick: fn(&Value) -> i128| values.iter().map(pick).collect::<Vec<_>>();
    let joined = match values.first()? {
        Value::Counter(_) => Value::Counter(values.iter().fold(0, |sum, value| match value {
            Value::Counter(delta) => u64::saturating_add(sum, *delta),
            _ => sum,
        })),
        Value::Gauge(_) => {
            let all = all(|value| if let Value::Gauge(last) = value { (*last).into() } else { 0 });
            let of = |value: Option<&i128>| i64::try_from(*value.unwrap()).unwrap();
            Value::Summary(Summary {
                count: all.len() as u64,
                sum: all.iter().sum(),
                min: of(all.iter().min()),
                max: of(all.iter().max()),
                last: of(all.last()),
            })
        }
        Value::Histogram(first, _) => {
            let mut counts = vec![0_u64; first.len()];
            let mut sum = 0_i128;
            for value in values {
                let Value::Histogram(more, more_sum) = value else { continue };
                counts.iter_mut().zip(more).for_each(|(a, b)| *a = a.saturating_add(*b));
                sum = sum.saturating_add(*more_sum);
            }
            Value::Histogram(counts, sum)
        }
        Value::Summary(_) => return None,
    };
    Some(joined)
}

fn naive(raw: &Model, ratio: u64, tier: Tier) -> Model {
    let mut windows: BTreeMap<u64, bool> = BTreeMap::new();
    for (number, is_catchup) in &raw.windows {
        *windows.entry(number / ratio).or_default() |= is_catchup;
    }
    let series = raw.series.iter().map(|series| {
        let values = windows.keys().map(|window| {
            let rows = raw.windows.iter().zip(&series.values);
            let rows = rows.filter(|((number, _), _)| number / ratio == *window);
            join(&rows.filter_map(|(_, value)| value.clone()).collect::<Vec<_>>())
        });
        Series { values: values.collect(), ..series.clone() }
    });
    Model { tier, series: series.collect(), windows: windows.into_iter().collect() }
}

/// Rolls segments up one after another.
fn roll_up(sources: &[Vec<u8>], ratio: u64, tier: Tier) -> Result<Vec<u8>, RollError> {
    bed::roll_up(sources, ratio, Meta { boot: 3, tier })
}

fn by_key(mut model: Model) -> Model {
    model.series.sort_by(|a, b| a.key.cmp(&b.key));
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_rollup_is_what_all_samples_at_once_would_be(
        raw in model(RAW), group in 3..=64_usize, ratio in 2..20_u64,
    ) {
        let expected = naive(&raw, ratio, TENS);
        match roll_up(&[raw.write(group)], ratio, TENS) {
            Ok(bytes) => {
                let (read, is_damaged) = Model::read(&bytes).unwrap();
                prop_assert!(!is_damaged);
                prop_assert_eq!(by_key(read), by_key(expected.defined(64)));
            }
            Err(error) => {
                prop_assert_eq!(error, RollError::Source(SegmentError::Unsealed));
                prop_assert!(expected.windows.len() > 64);
            }
        }
    }

    #[test]
    fn a_rollup_of_rollups_is_that_of_the_samples(raw in model(RAW), group in 3..=64_usize) {
        let sixty = Tier::rollup(Nanos::from_secs(60));
        let raw = raw.write(group);
        if let Ok(tens) = roll_up(std::slice::from_ref(&raw), 10, TENS) {
            prop_assert_eq!(roll_up(&[tens], 6, sixty), roll_up(&[raw], 60, sixty));
        }
    }
}

#[test]
fn segments_are_rolled_up_one_after_another_and_series_are_found_again() {
    let mut first = small();
    first.windows = (100..108).map(|number| (number, false)).collect();
    let mut second = first.clone();
    second.windows = (110..118).map(|number| (number, false)).collect();
    // In another order, with one that is new.
    second.series.reverse();
    second.series.push(Series::new("new", Kind::Counter, vec![Some(Value::Counter(5)); 8]));
    let bytes = roll_up(&[first.write(4), second.write(4)], 10, TENS).unwrap();
    let (read, is_damaged) = Model::read(&bytes).unwrap();
    assert!(!is_damaged);
    assert_eq!(read.windows, [(10, false), (11, false)]);
    let [one, two] = [&first, &second].map(|raw| naive(raw, 10, TENS));
    for series in &read.series {
        let of = |model: &Model| {
            let same = model.series.iter().find(|known| known.key == series.key);
            same.and_then(|known| known.values[0].clone())
        };
        assert_eq!(series.values, [of(&one), of(&two)], "{series:?}");
    }
    assert_eq!(read.series.len(), 5);
}

#[test]
fn a_longer_window_of_two_segments_is_in_both_groups_and_adds_up() {
    let all = small();
    let parts = [0..3, 3..8].map(|rows| {
        let of = |series: &Series| Series {
            values: series.values[rows.clone()].to_vec(),
            ..series.clone()
        };
        let series = all.series.iter().map(of).collect();
        Model { windows: all.windows[rows.clone()].to_vec(), series, ..all.clone() }
    });
    let tens = parts.each_ref().map(|part| naive(part, 10, TENS).windows);
    assert_eq!(tens, [[(10, false)], [(10, true)]], "the same one");
    let sources = parts.map(|part| part.write(4));
    let bytes = roll_up(&sources, 10, TENS).unwrap();
    let groups: Vec<_> = Segment::open(&bytes[..]).unwrap().footer().groups().to_vec();
    assert_eq!(groups.len(), 2);
    let sixty = Tier::rollup(Nanos::from_secs(60));
    assert_eq!(
        Model::read(&roll_up(&[bytes], 6, sixty).unwrap()).unwrap(),
        Model::read(&roll_up(&[all.write(8)], 60, sixty).unwrap()).unwrap()
    );
}

#[test]
fn a_segment_before_the_one_before_is_not_rolled_up() {
    let first = small();
    let mut earlier = first.clone();
    earlier.windows = (0..8).map(|number| (number, false)).collect();
    let refused = roll_up(&[first.write(4), earlier.write(4)], 10, TENS);
    assert_eq!(refused, Err(RollError::Source(SegmentError::Unsealed)));
}

#[test]
fn a_damaged_segment_is_not_rolled_up() {
    let mut bytes = small().write(4);
    bytes[20] ^= 1;
    assert!(matches!(roll_up(&[bytes], 10, TENS), Err(RollError::Source(_))));
}

#[test]
fn counts_at_their_end_stay_possible() {
    let many = Summary { count: u64::MAX, sum: i128::from(u64::MAX) * 7, min: 7, max: 7, last: 7 };
    assert!(many.is_possible());
    assert_eq!(many.then(many), many);
    assert!(many.then(Summary::one(i64::MIN)).is_possible());
    assert!(!Summary { sum: 0, ..many }.is_possible());
    assert!(!Summary { count: 0, sum: 0, ..many }.is_possible());
    assert!(!Summary { last: 8, ..many }.is_possible());
}
