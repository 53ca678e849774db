//! Caps: exact, guaranteed, and nobody else's business.

use crate::common::{Bench, Series, roomy, roomy_device, secs, sender};
use metricsd::Metricsd;
use nexus_abi::{ExitReason, Sender};
use nexus_recipe::Recipe;
use nexus_wire::{Kind, MetricStatus};

fn overflow(series: &[Series], kind: Kind) -> i128 {
    let found = series.iter().filter(|series| series.overflow && series.kind == kind);
    found.map(|series| series.value).sum()
}

fn regular(series: &[Series]) -> usize {
    series.iter().filter(|series| !series.overflow).count()
}

fn total(series: &[Series]) -> i128 {
    series.iter().filter(|series| series.kind == Kind::Counter).map(|series| series.value).sum()
}

/// Others with a few series of each kind.
fn neighbours(bench: &mut Bench) -> Vec<Sender> {
    let senders: Vec<Sender> = (0..5).map(|n| sender(&format!("neighbour{n}"))).collect();
    for who in &senders {
        for n in 0..3 {
            bench.inc(*who, "ticks", &format!("n={n}\n"), n + 1);
            bench.set(*who, "level", &format!("n={n}\n"), -5);
        }
        bench.observe(*who, "h", "", 100);
    }
    senders
}

fn view_of(bench: &mut Bench, senders: &[Sender]) -> Vec<Vec<Series>> {
    senders.iter().map(|who| bench.scrape(*who)).collect()
}

#[test]
fn a_million_label_values_keep_the_cap_and_the_total() {
    let mut bench = Bench::new(&roomy(&[]));
    let neighbours = neighbours(&mut bench);
    let before = view_of(&mut bench, &neighbours);
    let attacker = sender("execd");
    let mut sum = 0;
    for n in 0..1_000_000u64 {
        let status = bench.inc(attacker, "hits", &format!("user={n}\n"), n % 11);
        let expected = if n < 256 { MetricStatus::Ok } else { MetricStatus::OverLimit };
        assert_eq!(status, expected);
        sum += i128::from(n % 11);
    }
    let series = bench.scrape(attacker);
    assert_eq!((regular(&series), series.len()), (256, 257));
    assert_eq!(total(&series), sum);
    assert_eq!(view_of(&mut bench, &neighbours), before);
    let row = bench.ledger(attacker);
    assert_eq!((row.accepted, row.folded, row.kept), (256, 999_744, 257));
    assert!(bench.state("quarantine.0").contains("hits label=user folds=999744"));
}

#[test]
fn a_million_names_keep_the_cap_and_the_total() {
    let mut bench = Bench::new(&roomy(&[]));
    let neighbours = neighbours(&mut bench);
    let before = view_of(&mut bench, &neighbours);
    let attacker = sender("execd");
    let mut sum = 0;
    for n in 0..1_000_000u64 {
        bench.inc(attacker, &format!("name{n}"), "", n % 11);
        sum += i128::from(n % 11);
    }
    for n in 0..1000 {
        assert_eq!(bench.set(attacker, &format!("level{n}"), "", 1), MetricStatus::OverLimit);
        bench.observe(attacker, &format!("h{n}"), "", 7);
    }
    let series = bench.scrape(attacker);
    assert_eq!(regular(&series), 256, "metrics_per_sender");
    assert_eq!(total(&series), sum);
    let histogram = series.iter().find(|series| series.kind == Kind::Histogram).unwrap();
    assert_eq!((histogram.count(), histogram.value, histogram.overflow), (1000, 7000, true));
    assert_eq!((histogram.name.as_str(), histogram.labels.as_str()), ("overflow", ""));
    assert_eq!(view_of(&mut bench, &neighbours), before);
}

#[test]
fn every_sender_has_its_floor_whatever_others_took() {
    let recipe = roomy_device();
    let mut bench = Bench::new(&recipe);
    for n in 0..10 {
        let greedy = sender(&format!("greedy{n}"));
        // The first take texts, the others rows.
        let width = if n < 2 { 100 } else { 3 };
        for m in 0..400 {
            bench.inc(greedy, &format!("n{}", m % 60), &format!("m={m:0width$}\n"), 1);
            bench.observe(greedy, &format!("h{}", m % 20), &format!("m={m}\n"), 1);
        }
        assert_eq!(total(&bench.scrape(greedy)), 400);
    }
    let late = sender("late");
    let floor = recipe.metricsd.series_floor as usize;
    // Its floor less its two overflow series, at their longest texts.
    for m in 0..floor - 3 {
        let name = format!("{m:a>48}");
        let labels = format!("k{m}={}\nl={}\n", "v".repeat(120), "w".repeat(60));
        assert_eq!(bench.inc(late, &name, &labels, 1), MetricStatus::Ok);
    }
    assert_eq!(bench.observe(late, "h", "", 1), MetricStatus::Ok);
    assert_eq!(regular(&bench.scrape(late)), floor - 2);
    assert_eq!(bench.observe(late, "h2", "", 5), MetricStatus::OverLimit);
    assert_eq!(bench.inc(late, "more", "", 5), MetricStatus::OverLimit);
    let series = bench.scrape(late);
    assert_eq!((overflow(&series, Kind::Counter), overflow(&series, Kind::Histogram)), (5, 5));
}

#[test]
fn idle_series_give_way_oldest_first_and_leave_their_totals() {
    let limits =
        [("series_per_sender", "18"), ("series_per_metric", "16"), ("metrics_per_sender", "16")];
    let mut bench = Bench::new(&roomy(&limits));
    let who = sender("execd");
    for n in 0..16 {
        bench.inc(who, &format!("n{n:02}"), "", 100 + n);
        bench.pause(secs(10));
    }
    let held = bench.register(who, Kind::Counter, "n01", "");
    assert_eq!(bench.inc(who, "new", "", 1), MetricStatus::OverLimit, "nothing is idle yet");
    bench.pause(secs(15 * 60));
    for name in ["n02", "n03"] {
        bench.inc(who, name, "", 0);
    }
    for name in ["new0", "new1"] {
        assert_eq!(bench.inc(who, name, "", 1), MetricStatus::OverLimit, "16 metrics");
    }
    let _ = held;
    assert_eq!(total(&bench.scrape(who)), (100..116).sum::<i128>() + 3);
}

#[test]
fn reclaiming_follows_age_and_leaves_the_registered() {
    let limits = [("series_per_sender", "18"), ("series_per_metric", "18")];
    let mut bench = Bench::new(&roomy(&[&limits[..], &[("metrics_per_sender", "18")]].concat()));
    let who = sender("execd");
    for n in 0..16 {
        bench.inc(who, "n", &format!("n={n:02}\n"), 100 + n);
        bench.pause(secs(10));
    }
    let held = bench.register(who, Kind::Counter, "n", "n=01\n");
    bench.pause(secs(16 * 60));
    bench.inc(who, "n", "n=02\n", 0);
    // 0 is the oldest; 1 is registered, 2 has been touched.
    for (new, gone) in [("a", 0), ("b", 3), ("c", 4)] {
        assert_eq!(bench.inc(who, "n", &format!("n={new}\n"), 1), MetricStatus::Ok);
        let series = bench.scrape(who);
        let gone = format!("n={gone:02}\n");
        assert!(!series.iter().any(|series| series.labels == gone), "{new} for {gone}");
        assert_eq!(regular(&series), 16);
    }
    let series = bench.scrape(who);
    assert_eq!(overflow(&series, Kind::Counter), 100 + 103 + 104);
    assert_eq!(bench.update(who, held, 1), MetricStatus::Ok);
    assert_eq!(bench.state("reclaimed"), "3");
    assert_eq!(total(&bench.scrape(who)), (100..116).sum::<i128>() + 4);
}

fn has(bench: &mut Bench, who: Sender, labels: &str) -> bool {
    bench.scrape(who).iter().any(|series| series.labels == labels)
}

#[test]
fn a_series_that_is_let_go_is_idle_from_then_on() {
    let limits = [("series_per_sender", "16"), ("series_per_metric", "16")];
    let mut bench = Bench::new(&roomy(&[&limits[..], &[("metrics_per_sender", "16")]].concat()));
    let who = sender("execd");
    bench.register(who, Kind::Counter, "n", "n=1\n");
    for n in 2..15 {
        bench.inc(who, "n", &format!("n={n}\n"), 1);
    }
    bench.pause(secs(16 * 60));
    bench.gone(who, ExitReason::Killed(9));
    for n in 0..13 {
        assert_eq!(bench.inc(who, "n", &format!("new={n}\n"), 1), MetricStatus::Ok);
    }
    assert_eq!(bench.inc(who, "n", "new=13\n", 1), MetricStatus::OverLimit);
    assert!(has(&mut bench, who, "n=1\n"));
    bench.pause(secs(16 * 60));
    assert_eq!(bench.inc(who, "n", "new=13\n", 1), MetricStatus::Ok);
    assert!(!has(&mut bench, who, "n=1\n"), "it was let go before the others were made");
}

#[test]
fn a_metric_in_quarantine_keeps_its_series_until_that_ends() {
    let limits = [("series_per_sender", "18"), ("series_per_metric", "14")];
    let more = [("metrics_per_sender", "16"), ("quarantine", "\"1 h\"")];
    let mut bench = Bench::new(&roomy(&[limits, more].concat()));
    let who = sender("execd");
    for n in 0..15 {
        bench.inc(who, "n", &format!("n={n:02}\n"), 1);
    }
    // 14 of the metric in quarantine, its overflow, and one younger than they.
    bench.pause(secs(10));
    bench.inc(who, "other", "", 1);
    bench.pause(secs(16 * 60));
    assert_eq!(bench.inc(who, "new0", "", 1), MetricStatus::Ok);
    let names: Vec<_> = bench.scrape(who).into_iter().map(|series| series.name).collect();
    assert!(!names.contains(&"other".to_owned()), "{names:?}");
    assert_eq!(names.iter().filter(|name| *name == "n").count(), 15, "{names:?}");
    bench.pause(secs(3600));
    bench.inc(who, "new0", "", 1);
    assert_eq!(bench.inc(who, "new1", "", 1), MetricStatus::Ok);
    assert!(!has(&mut bench, who, "n=00\n"));
    assert_eq!(total(&bench.scrape(who)), 15 + 1 + 2 + 1);
}

#[test]
fn the_sender_beyond_its_floor_whose_series_is_oldest_gives_way() {
    let limits = [
        ("series", "512"),
        ("series_per_sender", "128"),
        ("series_per_metric", "128"),
        ("metrics_per_sender", "100"),
        ("senders", "16"),
        ("registrations", "512"),
        ("histograms", "128"),
    ];
    let mut bench = Bench::new(&roomy(&limits));
    let senders = ["young", "old", "modest", "late"].map(sender);
    let [young, old, modest, late] = senders;
    bench.inc(modest, "n", "", 1);
    bench.pause(secs(10));
    for (who, count) in [(old, 126), (young, 126), (late, 46)] {
        for n in 0..count {
            bench.inc(who, "n", &format!("n={n}\n"), 1);
        }
        bench.pause(secs(10));
    }
    assert_eq!(bench.inc(late, "n", "new=\n", 1), MetricStatus::OverLimit, "nothing is idle");
    bench.pause(secs(16 * 60));
    let before = view_of(&mut bench, &senders).iter().map(|view| regular(view)).collect::<Vec<_>>();
    assert_eq!(bench.inc(late, "n", "new=1\n", 1), MetricStatus::Ok);
    let after = view_of(&mut bench, &senders).iter().map(|view| regular(view)).collect::<Vec<_>>();
    assert_eq!(after, [before[0], before[1] - 1, before[2], before[3] + 1]);
    assert!(!has(&mut bench, old, "n=0\n"), "the one that was touched first");
    assert_eq!(total(&bench.scrape(old)), 126);
}

#[test]
fn quarantine_ends_at_its_time_and_existing_series_go_on() {
    let mut bench = Bench::new(&roomy(&[("series_per_metric", "2"), ("quarantine", "\"60 s\"")]));
    let who = sender("execd");
    for n in 0..3 {
        bench.inc(who, "n", &format!("n={n}\n"), 1);
    }
    bench.pause(secs(59));
    assert_eq!(bench.inc(who, "n", "n=9\n", 1), MetricStatus::OverLimit);
    assert_eq!(bench.inc(who, "n", "n=1\n", 1), MetricStatus::Ok);
    assert_eq!(bench.inc(who, "other", "n=9\n", 1), MetricStatus::Ok, "only this metric");
    assert_eq!(bench.state("quarantines"), "1");
    bench.pause(secs(1));
    assert_eq!(bench.state("quarantined"), "0");
    assert_eq!(bench.inc(who, "n", "n=9\n", 1), MetricStatus::OverLimit, "it is full still");
    assert_eq!(bench.state("quarantines"), "2");
}

/// A long and varied input; what is left of it, and what is in quarantine.
fn history(recipe: &Recipe, seed: u64) -> (Vec<Series>, Vec<String>) {
    let mut bench = Bench::of(Metricsd::with_seed(recipe, 7, metricsd::Keep::Nothing, seed));
    let mut random = 12345u64;
    for step in 0..30_000u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (a, b, c) = ((random >> 33) % 8, (random >> 40) % 50, (random >> 50) % 40);
        let who = sender(&format!("s{a}"));
        let labels = format!("l={c}\n");
        match step % 3 {
            0 => bench.inc(who, &format!("c{}", b % 6), &labels, c),
            1 => bench.set(who, &format!("g{}", b % 6), &labels, 1),
            _ => bench.observe(who, &format!("h{}", b % 3), &labels, c),
        };
        bench.pause((random >> 20) % secs(2));
    }
    let quarantined: usize = bench.state("quarantined").parse().unwrap();
    let named = (0..quarantined.min(8)).map(|n| bench.state(&format!("quarantine.{n}"))).collect();
    assert_ne!(bench.state("reclaimed"), "0");
    (bench.scrape_all(), named)
}

#[test]
fn another_order_of_hashes_reclaims_and_quarantines_the_same() {
    let limits = [
        ("series", "512"),
        ("series_per_sender", "128"),
        ("series_per_metric", "3"),
        ("metrics_per_sender", "100"),
        ("senders", "16"),
        ("registrations", "512"),
        ("histograms", "128"),
        ("series_idle", "\"10 min\""),
        ("quarantine", "\"5 min\""),
    ];
    let recipe = roomy(&limits);
    let first = history(&recipe, 1);
    assert!(!first.1.is_empty() && first.0.len() > 300, "{}", first.0.len());
    for seed in [2, 0xdead_beef_0bad_cafe] {
        assert_eq!(history(&recipe, seed), first);
    }
}
