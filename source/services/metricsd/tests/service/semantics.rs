//! What counters, gauges and histograms are, by fixed vectors.

use crate::common::{Bench, life, recipe, secs, sender};
use nexus_wire::{Kind, MetricStatus, Reason, Unit};

#[test]
fn a_counter_only_rises_and_stays_at_its_end() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let mut last = 0;
    for value in [0, 1, 255, i64::MAX as u64, i64::MAX as u64, 1, 5] {
        assert_eq!(bench.inc(who, "n", "", value), MetricStatus::Ok);
        let now = bench.one(who, "n", "").value;
        assert!(now >= last);
        last = now;
    }
    assert_eq!(last, i128::from(u64::MAX));
    assert_eq!(bench.state("saturations"), "3");
    let id = bench.register(who, Kind::Counter, "n", "");
    assert_eq!(bench.update(who, id, u64::MAX), MetricStatus::Ok);
    assert_eq!(bench.one(who, "n", "").value, i128::from(u64::MAX));
}

#[test]
fn a_gauge_holds_the_last_value_from_end_to_end() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let id = bench.register(who, Kind::Gauge, "level", "");
    for value in [0, -1, i64::MIN, i64::MAX, 7] {
        assert_eq!(bench.set(who, "level", "", value), MetricStatus::Ok);
        assert_eq!(bench.one(who, "level", "").value, i128::from(value));
        assert_eq!(bench.update(who, id, (!value).cast_unsigned()), MetricStatus::Ok);
        assert_eq!(bench.one(who, "level", "").value, i128::from(!value));
    }
    bench.pause(secs(10));
    let closed = bench.one(who, "level", "").short;
    assert_eq!((closed.count, closed.min, closed.max), (10, i64::MIN, i64::MAX));
    assert_eq!((closed.sum, closed.last), (-5, !7));
}

#[test]
fn a_histogram_puts_each_value_into_the_bucket_of_the_first_bound_that_holds_it() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("timed");
    let max = i64::MAX as u64;
    // The recipe's bounds for this prefix: 0, 250 us, .. 8 ms.
    for value in [0, 1, 249_999, 250_000, 250_001, 7_999_999, 8_000_000, 8_000_001, max] {
        assert_eq!(bench.observe(who, "timed_coalesce_ns", "", value), MetricStatus::Ok);
    }
    let seen = bench.one(who, "timed_coalesce_ns", "");
    let counts: Vec<u64> = seen.buckets.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [1, 3, 1, 0, 0, 0, 2, 2]);
    assert_eq!(seen.buckets[1].0, Some(250_000));
    assert_eq!(seen.buckets.last().unwrap().0, None);
    assert_eq!(seen.value, 24_750_001 + i128::from(max));

    // Powers of two for every other name.
    for value in [1023, 1024, 1025] {
        assert_eq!(bench.observe(who, "other_ns", "", value), MetricStatus::Ok);
    }
    let seen = bench.one(who, "other_ns", "");
    assert_eq!(
        (seen.buckets.len(), seen.buckets[0], seen.buckets[1]),
        (25, (Some(1024), 2), (Some(2048), 1))
    );
}

#[test]
fn a_registration_brings_its_own_bounds_and_another_layout_is_a_conflict() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let mut register = |bounds: &[u64], unit| {
        bench.register_with(who, Kind::Histogram, "h", "k=v\n", unit, bounds, "Helps").0
    };
    assert_eq!(register(&[1, 10], Unit::Bytes), MetricStatus::Ok);
    assert_eq!(register(&[1, 10], Unit::Bytes), MetricStatus::Ok);
    assert_eq!(register(&[], Unit::Bytes), MetricStatus::Ok);
    assert_eq!(register(&[1, 11], Unit::Bytes), MetricStatus::Conflict);
    assert_eq!(register(&[1, 10], Unit::Seconds), MetricStatus::Conflict);
    assert_eq!(bench.refusals(who, Reason::Conflict), 2);
    for value in [0, 1, 2, 10, 11] {
        assert_eq!(bench.observe(who, "h", "k=v\n", value), MetricStatus::Ok);
    }
    let seen = bench.one(who, "h", "k=v\n");
    assert_eq!(seen.buckets, [(Some(1), 2), (Some(10), 2), (None, 1)]);
    assert_eq!((seen.unit, seen.help.as_str()), (Unit::Bytes, "Helps"));
    // Other labels of the same metric have the same bounds.
    bench.observe(who, "h", "k=w\n", 5);
    assert_eq!(bench.one(who, "h", "k=w\n").buckets.len(), 3);
}

#[test]
fn a_registration_completes_what_an_update_by_name_left_open() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    bench.inc(who, "n", "", 1);
    let (status, _) =
        bench.register_with(who, Kind::Counter, "n", "", Unit::Bytes, &[], "What it is");
    assert_eq!(status, MetricStatus::Ok);
    let seen = bench.one(who, "n", "");
    assert_eq!((seen.unit, seen.help.as_str(), seen.value), (Unit::Bytes, "What it is", 1));
}

#[test]
fn the_same_name_in_another_kind_or_of_another_sender_is_another_series() {
    let mut bench = Bench::new(&recipe(&[]));
    let (a, b) = (sender("execd"), sender("timed"));
    bench.inc(a, "x", "", 1);
    bench.set(a, "x", "", -2);
    bench.observe(a, "x", "", 3);
    bench.inc(b, "x", "", 4);
    let mut values: Vec<_> =
        bench.scrape(a).iter().map(|series| (series.kind, series.value)).collect();
    values.sort_unstable();
    assert_eq!(values, [(Kind::Counter, 1), (Kind::Gauge, -2), (Kind::Histogram, 3)]);
    assert_eq!(bench.one(b, "x", "").value, 4);
}

#[test]
fn name_and_labels_do_not_run_into_each_other() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    bench.inc(who, "a", "b=c\n", 1);
    bench.inc(who, "ab", "=c\n", 1);
    bench.inc(who, "ab=c", "", 2);
    assert_eq!(bench.scrape(who).len(), 2);
}

#[test]
fn secrets_are_replaced_and_the_replaced_key_is_one_series() {
    let mut bench = Bench::new(&recipe(&[]));
    let who = sender("execd");
    let canary = "ghp_0123456789abcdefABCDEF";
    for label in [format!("password={canary}\n"), format!("password={canary}x\n")] {
        assert_eq!(bench.inc(who, "n", &label, 1), MetricStatus::Ok);
        assert_eq!(bench.inc(who, "n", &label, 1), MetricStatus::Ok);
    }
    assert_eq!(bench.inc(who, canary, "", 1), MetricStatus::Ok);
    assert_eq!(bench.one(who, "n", "password=[redacted]\n").value, 4);
    assert_eq!(bench.one(who, "[redacted]", "").value, 1);
    assert_eq!(bench.scrape(who).len(), 2);
    assert_eq!(bench.ledger(who).redacted, 5);
    let (status, found) = bench.lookup(who, Kind::Counter, "n", &format!("password={canary}\n"));
    assert_eq!(status, MetricStatus::Ok);
    assert_eq!(bench.update(who, found.unwrap(), 1), MetricStatus::Ok);
    assert_eq!(bench.one(who, "n", "password=[redacted]\n").value, 5);
}

#[test]
fn lookup_finds_what_is_there_and_makes_nothing() {
    let mut bench = Bench::new(&recipe(&[]));
    let (who, other) = (sender("execd"), sender("timed"));
    assert_eq!(bench.lookup(who, Kind::Counter, "n", "").0, MetricStatus::NotFound);
    assert!(bench.scrape(who).is_empty());
    bench.inc(who, "n", "", 2);
    let id = bench.lookup(who, Kind::Counter, "n", "").1.unwrap();
    assert_eq!(bench.update(who, id, 3), MetricStatus::Ok);
    assert_eq!(bench.one(who, "n", "").value, 5);
    assert_eq!(bench.lookup(other, Kind::Counter, "n", "").0, MetricStatus::NotFound);
    let (status, second) = bench.try_register(who, Kind::Counter, "n", "");
    assert_eq!((status, second), (MetricStatus::Ok, Some(id)), "one number for one series");
    let elsewhere = bench.register(life("execd", 2), Kind::Counter, "n", "");
    assert_ne!(elsewhere, id, "each life has its own");
}
