//! The same seed makes the same run, byte by byte; the order of hashes makes no difference at all.

use nexus_bounded::Nanos;
use nexus_wire::Kind;
use sim::{Bed, Make, Producer, Seen, Series, Talker, app, append, machine, run, update};
use simkit::Config;

/// Everything that can be read at the end.
#[derive(PartialEq, Eq, Debug)]
struct Picture {
    trace: u64,
    journal: Vec<Seen>,
    series: Vec<Series>,
    status: Vec<(String, String)>,
}

/// Senders of all kinds, at their caps, with series that are reclaimed and metrics in quarantine.
fn live(config: Config, hash_seed: Option<u64>) -> Picture {
    let mut recipe = machine(5);
    recipe.metricsd.series = 256;
    recipe.metricsd.series_per_sender = 40;
    recipe.metricsd.series_per_metric = 6;
    recipe.metricsd.series_floor = 3;
    recipe.metricsd.series_idle = Nanos::from_secs(60);
    let mut bed = Bed::with(Make { hash_seed, ..Make::new(config, &recipe) });
    let mut producers: Vec<_> =
        (0..2).map(|number| Producer::new(&mut bed, &app(number), Nanos::from_secs(1))).collect();
    let mut talkers: Vec<_> = (2..5).map(|number| Talker::new(&mut bed, &app(number))).collect();
    for round in 0..40_u64 {
        for producer in &mut producers {
            producer.count(round as usize, round);
            producer.observe(round << 12);
            producer.span(bed.world.now().mono, Nanos::from_millis(3));
        }
        for talker in &mut talkers {
            let kinds = [Kind::Counter, Kind::Gauge, Kind::Histogram];
            let frames: Vec<_> = (0..8)
                .map(|at| {
                    let number = round * 5 + at * at;
                    let (name, labels) = (format!("m{}", number % 2), format!("at={number}\n"));
                    update(kinds[(number / 2 % 3) as usize], &name, &labels, 1)
                })
                .collect();
            talker.update(&mut bed, frames.iter().map(Vec::as_slice), |_, _| {});
            let line = append("app", &format!("round {round}"), "");
            talker.append(&mut bed, [line.as_slice()]);
        }
        run(&mut bed, &mut producers, Nanos::from_secs(9));
    }
    let (trace, journal, series) = (bed.world.trace_hash(), bed.journal(), bed.scrape());
    let status = bed.status("metricsd").into_iter().collect();
    Picture { trace, journal, series, status }
}

fn number(picture: &Picture, key: &str) -> u64 {
    let found = picture.status.iter().find(|(name, _)| name == key);
    found.unwrap().1.parse().unwrap()
}

#[test]
fn the_same_seed_makes_the_same_run_byte_by_byte() {
    for config in [Config::kind(1), Config::unkind(2)] {
        let first = live(config.clone(), None);
        assert_eq!(first, live(config, None));
    }
}

#[test]
fn another_seed_makes_another_run() {
    assert_ne!(live(Config::unkind(2), None).trace, live(Config::unkind(4), None).trace);
}

#[test]
fn another_order_of_hashes_changes_nothing_that_anybody_sees() {
    let first = live(Config::kind(1), Some(1));
    assert!(number(&first, "reclaimed") > 10, "{:?}", first.status);
    assert!(number(&first, "quarantines") > 2, "{:?}", first.status);
    for hash_seed in [2, 0xdead_beef] {
        assert_eq!(live(Config::kind(1), Some(hash_seed)), first);
    }
}
