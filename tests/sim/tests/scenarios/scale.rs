//! The large scenarios, small.

use nexus_abi::ServiceId;
use nexus_bounded::Nanos;
use nexus_wire::{Kind, LedgerRow};
use sim::allocations::assert_flat;
use sim::cardinality::{Attack, attack, attack_as};
use sim::thirty_days::{Scale, run_month};
use sim::{Bed, Sabotage, Talker, Value, app, append, ledger, machine, registered, update};
use simkit::Config;

#[test]
fn thirty_days_of_bursts_leave_nothing_unaccounted_for() {
    println!("{}", run_month(&Scale::small()));
}

#[test]
#[ignore = "long: 5 minutes, optimised"]
fn thirty_days_of_a_hundred_million_events_leave_nothing_unaccounted_for() {
    println!("{}", run_month(&Scale::full()));
}

#[test]
fn a_small_device_lives_through_a_week() {
    println!("{}", run_month(&Scale::device_week()));
}

fn labels(count: u64) {
    let outcome = attack(Attack::Labels, count);
    println!("{outcome}");
    assert!(outcome.status["quarantine.0"].contains("hits label=user"));
}

#[test]
fn distinct_label_values_without_end_hit_the_cap_of_their_metric_and_nobody_else() {
    labels(10_000);
}

#[test]
#[ignore = "long: a few seconds, optimised"]
fn a_million_label_values_hit_the_cap_of_their_metric_and_nobody_else() {
    labels(1_000_000);
}

#[test]
fn distinct_names_without_end_hit_the_cap_of_their_sender_and_nobody_else() {
    println!("{}", attack(Attack::Names, 10_000));
}

#[test]
#[ignore = "long: a few seconds, optimised"]
fn a_million_names_hit_the_cap_of_their_sender_and_nobody_else() {
    println!("{}", attack(Attack::Names, 1_000_000));
}

const OF_OTHER_KINDS: [Attack; 3] = [Attack::Histograms, Attack::Gauges, Attack::Mixed];

#[test]
fn histograms_gauges_and_all_kinds_in_turn_hit_their_caps_and_nobody_else() {
    OF_OTHER_KINDS.iter().for_each(|kind| println!("{}", attack(*kind, 5_000)));
}

#[test]
#[ignore = "long: a few seconds, optimised"]
fn a_million_histograms_gauges_and_all_kinds_in_turn_hit_their_caps_and_nobody_else() {
    OF_OTHER_KINDS.iter().for_each(|kind| println!("{}", attack(*kind, 1_000_000)));
}

#[test]
fn distinct_registrations_without_end_hit_the_caps_and_nobody_else() {
    Kind::ALL.iter().for_each(|kind| registered::attack(*kind, 5_000));
}

#[test]
#[ignore = "long: a few seconds, optimised"]
fn a_million_registrations_hit_the_caps_and_nobody_else() {
    Kind::ALL.iter().for_each(|kind| registered::attack(*kind, 1_000_000));
}

/// A day in which something is broken on purpose.
fn broken_day(sabotage: Sabotage) {
    let length = Nanos::from_secs(86_400);
    let sabotage = Some(sabotage);
    let day = Scale { length, sabotage, events: 0, bursts: 64, checks: 1, ..Scale::small() };
    println!("{}", run_month(&day));
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
    broken_day(Sabotage::Memory);
}

#[test]
#[should_panic(expected = "fewer than 1000000 events")]
fn a_run_that_is_smaller_than_asked_for_is_noticed() {
    let length = Nanos::from_secs(3600);
    let hour = Scale { length, events: 1_000_000, bursts: 64, ..Scale::small() };
    println!("{}", run_month(&hour));
}

#[test]
#[should_panic(expected = "memory grows")]
fn memory_that_grows_is_noticed() {
    assert_flat(0, (1 << 20, 2 << 20));
}

#[test]
#[should_panic(expected = "nothing of anybody else's changes")]
fn an_attack_that_reaches_somebody_else_is_noticed() {
    drop(attack_as(&app(0), Attack::Labels, 1000));
}

#[test]
#[should_panic(expected = "nothing of anybody else's changes")]
fn registrations_that_reach_somebody_else_are_noticed() {
    registered::attack_as(&app(0), Kind::Counter, 5000);
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
