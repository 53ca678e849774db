//! The registry against a model that never folds: what was offered is all there.

use std::collections::BTreeMap;

use crate::common::{Bench, Series, roomy_device, sender};
use nexus_wire::{Kind, MetricStatus};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Step {
    who: u8,
    kind: Kind,
    name: u8,
    label: u16,
    value: u64,
    pause: u64,
}

prop_compose! {
    fn step()(
        who in 0u8..24,
        kind in prop::sample::select(Kind::ALL),
        name in 0u8..80,
        label in prop_oneof![Just(0u16), 0..100u16],
        value in 0..1_000_000u64,
        pause in prop_oneof![9 => 0..secs_max(3), 1 => 0..secs_max(400)],
    ) -> Step {
        Step { who, kind, name, label, value, pause }
    }
}

const fn secs_max(n: u64) -> u64 {
    n * 1_000_000_000
}

/// Sums over everybody: counters' totals, histograms' counts and sums.
fn sums(series: &[Series]) -> (i128, u64, i128) {
    let own = sender("metricsd").service();
    sums_of(series.iter().filter(|series| series.service != own))
}

fn sums_of<'a>(series: impl Iterator<Item = &'a Series>) -> (i128, u64, i128) {
    let mut sums = (0, 0, 0);
    for series in series {
        match series.kind {
            Kind::Counter => sums.0 += series.value,
            Kind::Gauge => {}
            Kind::Histogram => {
                sums.1 += series.count();
                sums.2 += series.value;
            }
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_offered_is_in_series_or_in_overflow(
        steps in prop::collection::vec(step(), 1..1500),
    ) {
        let mut bench = Bench::new(&roomy_device());
        let (mut offered, mut gauges) = ((0, 0, 0), BTreeMap::new());
        for step in &steps {
            bench.pause(step.pause);
            let who = sender(&format!("s{}", step.who));
            let name = format!("n{}", step.name);
            let none = step.label == 0;
            let labels = if none { String::new() } else { format!("l={}\n", step.label) };
            match step.kind {
                Kind::Counter => {
                    bench.inc(who, &name, &labels, step.value);
                    offered.0 += i128::from(step.value);
                }
                Kind::Gauge => {
                    let value = i64::try_from(step.value).unwrap();
                    if bench.set(who, &name, &labels, value) == MetricStatus::Ok {
                        gauges.insert((step.who, name, labels), value);
                    }
                }
                Kind::Histogram => {
                    bench.observe(who, &name, &labels, step.value);
                    offered.1 += 1;
                    offered.2 += i128::from(step.value);
                }
            }
        }
        let series = bench.scrape_all();
        // metricsd's own counters fall to the evicted too when metricsd loses its seat.
        let found = sums(&series);
        let found_all = sums_of(series.iter());
        prop_assert!(found.0 >= offered.0);
        prop_assert_eq!((found.1, found.2), (offered.1, offered.2));
        // What metricsd itself says it took, whatever was folded or reclaimed since.
        let taken = ["counted_total", "observed_total", "observed_sum"];
        let taken = taken.map(|key| bench.state(key).parse::<i128>().unwrap());
        prop_assert_eq!(taken, [found_all.0, i128::from(found_all.1), found_all.2]);
        for gauge in series.iter().filter(|series| series.kind == Kind::Gauge) {
            let Some(who) =
                (0..24).find(|n| sender(&format!("s{n}")).service() == gauge.service)
            else {
                continue;
            };
            let expected = gauges.get(&(who, gauge.name.clone(), gauge.labels.clone()));
            prop_assert_eq!(Some(gauge.value), expected.map(|value| i128::from(*value)));
        }
    }
}
