//! Windows: by time, aligned, skipped after a pause.

use crate::common::{Bench, Series, recipe, secs, sender};
use nexus_abi::Sender;
use nexus_bounded::Mono;
use nexus_wire::MetricStatus;

/// A service at a time in seconds since boot.
fn at(seconds: u64) -> (Bench, Sender) {
    let mut bench = Bench::new(&recipe(&[]));
    bench.now = Mono(secs(seconds));
    (bench, sender("execd"))
}

fn go(bench: &mut Bench, seconds: u64) {
    bench.now = Mono(secs(seconds));
}

fn short(series: &Series) -> (u64, u32, i128, i64, i64, i64) {
    let window = series.short;
    (window.number, window.count, window.sum, window.min, window.max, window.last)
}

fn long(series: &Series) -> (u64, u32, i128, i64, i64, i64) {
    let window = series.long;
    (window.number, window.count, window.sum, window.min, window.max, window.last)
}

#[test]
fn a_counters_window_holds_its_increments_and_its_total_at_the_end() {
    let (mut bench, who) = at(60);
    for value in [5, 1, 9] {
        bench.inc(who, "n", "", value);
    }
    assert_eq!(short(&bench.one(who, "n", "")), (5, 0, 0, 0, 0, 0), "window 5 is before its time");
    go(&mut bench, 69);
    bench.inc(who, "n", "", 2);
    go(&mut bench, 70);
    assert_eq!(short(&bench.one(who, "n", "")), (6, 4, 17, 1, 9, 17));
    bench.inc(who, "n", "", 100);
    assert_eq!(short(&bench.one(who, "n", "")), (6, 4, 17, 1, 9, 17), "the open one is not shown");
    go(&mut bench, 80);
    assert_eq!(short(&bench.one(who, "n", "")), (7, 1, 100, 100, 100, 117));
    go(&mut bench, 90);
    assert_eq!(short(&bench.one(who, "n", "")), (8, 0, 0, 0, 0, 0), "nothing in window 8");
    go(&mut bench, 120);
    assert_eq!(long(&bench.one(who, "n", "")), (1, 5, 117, 1, 100, 117));
    bench.inc(who, "n", "", 3);
    assert_eq!(long(&bench.one(who, "n", "")), (1, 5, 117, 1, 100, 117));
    go(&mut bench, 180);
    assert_eq!(long(&bench.one(who, "n", "")), (2, 1, 3, 3, 3, 120));
}

#[test]
fn a_sample_on_the_boundary_belongs_to_the_later_window() {
    let (mut bench, who) = at(60);
    bench.now = Mono(secs(70) - 1);
    bench.inc(who, "n", "", 1);
    go(&mut bench, 70);
    bench.inc(who, "n", "", 2);
    assert_eq!(short(&bench.one(who, "n", "")).2, 1);
    go(&mut bench, 80);
    assert_eq!(short(&bench.one(who, "n", "")).2, 2);
}

#[test]
fn a_gauges_windows_hold_its_values_and_the_last_of_them() {
    let (mut bench, who) = at(60);
    for value in [-5, 9, 3] {
        bench.set(who, "level", "", value);
    }
    go(&mut bench, 75);
    bench.set(who, "level", "", i64::MIN);
    bench.set(who, "level", "", i64::MIN);
    assert_eq!(short(&bench.one(who, "level", "")), (6, 3, 7, -5, 9, 3));
    go(&mut bench, 85);
    let twice = 2 * i128::from(i64::MIN);
    assert_eq!(short(&bench.one(who, "level", "")), (7, 2, twice, i64::MIN, i64::MIN, i64::MIN));
    bench.set(who, "level", "", 1);
    go(&mut bench, 120);
    assert_eq!(long(&bench.one(who, "level", "")), (1, 6, twice + 8, i64::MIN, 9, 1));
    go(&mut bench, 130);
    bench.set(who, "level", "", 4);
    go(&mut bench, 179);
    assert_eq!(long(&bench.one(who, "level", "")), (1, 6, twice + 8, i64::MIN, 9, 1));
}

#[test]
fn a_histograms_windows_hold_its_observations() {
    let (mut bench, who) = at(60);
    for value in [10, 30, 20] {
        bench.observe(who, "h", "", value);
    }
    go(&mut bench, 70);
    assert_eq!(short(&bench.one(who, "h", "")), (6, 3, 60, 10, 30, 20));
    go(&mut bench, 120);
    assert_eq!(long(&bench.one(who, "h", "")), (1, 3, 60, 10, 30, 20));
}

#[test]
fn after_a_pause_of_a_year_windows_are_skipped() {
    let (mut bench, who) = at(60);
    bench.inc(who, "n", "", 5);
    let year = 366 * 86_400;
    go(&mut bench, year);
    let before = year / 10 - 1;
    assert_eq!(short(&bench.one(who, "n", "")), (before, 0, 0, 0, 0, 0));
    bench.inc(who, "n", "", 7);
    go(&mut bench, year + 10);
    assert_eq!(short(&bench.one(who, "n", "")), (before + 1, 1, 7, 7, 7, 12));
    go(&mut bench, year + 60);
    let seen = bench.one(who, "n", "");
    assert_eq!(long(&seen), (year / 60, 1, 7, 7, 7, 12));
}

/// A clock that ticks in steps of 10 ms gives many events the same time and none a wrong window.
#[test]
fn a_coarse_clock_gives_the_same_windows() {
    let (mut fine, who) = at(60);
    let (mut coarse, _) = at(60);
    let tick = 10_000_000;
    for step in 0..7_000u64 {
        let time = secs(60) + step * 3_000_001;
        fine.now = Mono(time);
        coarse.now = Mono(time / tick * tick);
        for bench in [&mut fine, &mut coarse] {
            assert_eq!(bench.inc(who, "n", "", step % 7), MetricStatus::Ok);
        }
        if step % 500 == 0 {
            let (fine, coarse) = (fine.one(who, "n", ""), coarse.one(who, "n", ""));
            assert_eq!((fine.short, fine.long), (coarse.short, coarse.long));
        }
    }
}

#[test]
fn sums_of_windows_are_what_the_counter_rose() {
    let (mut bench, who) = at(60);
    let (mut shorts, mut longs) = (0, 0);
    for second in 60..240 {
        go(&mut bench, second);
        if second % 10 == 0 && second > 60 {
            shorts += bench.one(who, "n", "").short.sum;
        }
        if second % 60 == 0 && second > 60 {
            longs += bench.one(who, "n", "").long.sum;
        }
        if second % 7 != 0 {
            bench.inc(who, "n", "", second);
        }
    }
    go(&mut bench, 240);
    let seen = bench.one(who, "n", "");
    assert_eq!((shorts + seen.short.sum, longs + seen.long.sum), (seen.value, seen.value));
}
