//! The large scenarios, small.

use nexus_abi::ServiceId;
use nexus_bounded::Nanos;
use nexus_wire::{Kind, LedgerRow};
use sim::cardinality::{Attack, Outcome, attack, attack_as};
use sim::thirty_days::{Report, Scale, run_month};
use sim::{Bed, Sabotage, Talker, Value, app, append, ledger, machine, update};
use simkit::Config;

fn number(outcome: &Outcome, key: &str) -> u64 {
    outcome.status[key].parse().unwrap()
}

/// The services take nothing; what the scenario itself keeps varies a little.
fn is_flat(allocations: u64, (before, after): (i64, i64)) {
    assert_eq!(allocations, 0, "services take no memory while they serve");
    assert!(after < before + 512 * 1024, "{before} B, then {after} B");
}

#[test]
fn thirty_days_of_bursts_leave_nothing_unaccounted_for() {
    let report = run_month(&Scale::small());
    println!("{report}");
    assert!(report.events >= 100_000, "{report}");
    assert!(report.rate_limited > 0);
    is_flat(report.allocations, report.memory);
}

#[test]
fn a_small_device_lives_through_a_week() {
    let report = run_month(&Scale::device_week());
    println!("{report}");
    is_flat(report.allocations, report.memory);
}

#[test]
fn distinct_label_values_without_end_hit_the_cap_of_their_metric_and_nobody_else() {
    let outcome = attack(Attack::Labels, 10_000);
    let cap = machine(0).metricsd.series_per_metric as usize;
    assert_eq!((outcome.series, outcome.overflow), (cap + 1, 1));
    assert_eq!((outcome.row.accepted, outcome.row.folded), (cap as u64, 10_000 - cap as u64));
    assert_eq!(number(&outcome, "folds"), outcome.row.folded);
    assert!(outcome.status["quarantine.0"].contains("hits label=user"));
    is_flat(outcome.allocations, outcome.memory);
}

#[test]
fn distinct_names_without_end_hit_the_cap_of_their_sender_and_nobody_else() {
    let outcome = attack(Attack::Names, 10_000);
    let cap = machine(0).metricsd.metrics_per_sender as usize;
    assert_eq!((outcome.series, outcome.overflow), (cap + 1, 1));
    assert_eq!((outcome.row.accepted, outcome.row.folded), (cap as u64, 10_000 - cap as u64));
    assert_eq!(number(&outcome, "folds"), outcome.row.folded);
    is_flat(outcome.allocations, outcome.memory);
}

/// A day in which something is broken on purpose.
fn broken_day(sabotage: Sabotage) -> Report {
    let length = Nanos::from_secs(86_400);
    let sabotage = Some(sabotage);
    run_month(&Scale { length, sabotage, bursts: 64, checks: 1, ..Scale::small() })
}

#[test]
#[should_panic(expected = "assertion `left == right` failed: LedgerRow")]
fn a_record_that_is_thrown_away_is_noticed() {
    broken_day(Sabotage::Appends);
}

#[test]
#[should_panic(expected = "assertion `left == right` failed: LedgerRow")]
fn a_count_that_is_thrown_away_is_noticed() {
    broken_day(Sabotage::Counts);
}

#[test]
#[should_panic(expected = "services take no memory while they serve")]
fn memory_that_is_taken_while_serving_is_noticed() {
    let report = broken_day(Sabotage::Memory);
    is_flat(report.allocations, report.memory);
}

#[test]
#[should_panic(expected = "nothing of anybody else's changes")]
fn an_attack_that_reaches_somebody_else_is_noticed() {
    drop(attack_as(&app(0), Attack::Labels, 1000));
}

#[test]
fn more_senders_than_seats_push_each_other_out_and_every_total_stays_exact() {
    // What the services count of their own stays below this.
    const STEP: i64 = 1 << 40;
    let mut recipe = machine(30);
    (recipe.metricsd.senders, recipe.logd.senders) = (8, 8);
    let mut bed = Bed::new(Config::kind(8), &recipe);
    let mut talkers: Vec<_> = (0..30).map(|number| Talker::new(&mut bed, &app(number))).collect();
    let count = update(Kind::Counter, "c", "", STEP);
    let observe = update(Kind::Histogram, "h", "", STEP);
    let record = append("app", "here", "");
    for _ in 0..10 {
        for talker in &mut talkers {
            let frames = [&count, &observe, &count].map(Vec::as_slice);
            talker.update(&mut bed, frames, |_, counted| assert!(counted));
            talker.append(&mut bed, [record.as_slice(), record.as_slice()]);
            bed.world.run_for(Nanos::from_millis(400));
        }
    }
    assert!(bed.state("metricsd", "senders_displaced") > 200);
    ledger::check(&mut bed);
    let (mut counted, mut observed) = (0, 0);
    for series in bed.scrape() {
        match series.value {
            Value::Counter(total) => counted += total >> 40,
            Value::Histogram(sum, _) => observed += sum >> 40,
            Value::Gauge(_) => {}
        }
    }
    assert_eq!((counted, observed), (600, 300));
    let own = ["logd", "metricsd", "obsctl"].map(ServiceId::from_name);
    let stranger = |row: &LedgerRow| !own.iter().any(|own| Some(*own) == row.service_id());
    let rows = bed.audit("metricsd");
    let accepted = rows.iter().filter(|row| stranger(row)).map(|row| row.accepted).sum::<u64>();
    assert_eq!(accepted, 900);
}
