//! The large scenarios, small.

use sim::cardinality::{Attack, Outcome, attack};
use sim::machine;
use sim::thirty_days::{Report, Scale, run_month};

fn number(outcome: &Outcome, key: &str) -> u64 {
    outcome.status[key].parse().unwrap()
}

fn is_flat(report: &Report) {
    assert_eq!(report.allocations, 0, "services take no memory while they serve");
}

#[test]
fn thirty_days_of_bursts_leave_nothing_unaccounted_for() {
    let report = run_month(&Scale::small());
    println!("{report}");
    assert!(report.events >= 100_000, "{report}");
    assert!(report.rate_limited > 0);
    is_flat(&report);
}

#[test]
fn a_small_device_lives_through_a_week() {
    let report = run_month(&Scale::device_week());
    println!("{report}");
    is_flat(&report);
}

#[test]
fn distinct_label_values_without_end_hit_the_cap_of_their_metric_and_nobody_else() {
    let outcome = attack(Attack::Labels, 10_000);
    let cap = machine(0).metricsd.series_per_metric as usize;
    assert_eq!((outcome.series, outcome.overflow), (cap + 1, 1));
    assert_eq!((outcome.row.accepted, outcome.row.folded), (cap as u64, 10_000 - cap as u64));
    assert_eq!(number(&outcome, "folds"), outcome.row.folded);
    assert!(outcome.status["quarantine.0"].contains("hits label=user"));
    assert_eq!(outcome.allocations, 0);
}

#[test]
fn distinct_names_without_end_hit_the_cap_of_their_sender_and_nobody_else() {
    let outcome = attack(Attack::Names, 10_000);
    let cap = machine(0).metricsd.metrics_per_sender as usize;
    assert_eq!((outcome.series, outcome.overflow), (cap + 1, 1));
    assert_eq!((outcome.row.accepted, outcome.row.folded), (cap as u64, 10_000 - cap as u64));
    assert_eq!(number(&outcome, "folds"), outcome.row.folded);
    assert_eq!(outcome.allocations, 0);
}
