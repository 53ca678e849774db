//! Spans and windows, also by a clock that ticks in steps of 10 ms.

use std::collections::BTreeMap;

use nexus_bounded::{Mono, Nanos};
use nexus_wire::Kind;
use nexus_wire::metrics::WindowView;
use sim::{Bed, Producer, Seen, Series, Talker, app, machine, run, update};
use simkit::Config;

const SECOND: u64 = 1_000_000_000;
const TICK: Nanos = Nanos::from_millis(10);

/// The worlds that each of these is tried in.
fn worlds() -> [Config; 3] {
    [Config::kind(1), Config::kind(2).ticking(TICK), Config::unkind(3)]
}

fn until(bed: &mut Bed, at: Nanos) {
    bed.world.run_until(Mono(at.0));
}

fn series(bed: &mut Bed, name: &str) -> Series {
    bed.scrape().into_iter().find(|series| series.name == name).unwrap()
}

fn spans(bed: &mut Bed) -> Vec<Seen> {
    bed.journal().into_iter().filter(|seen| seen.scope == "spans").collect()
}

#[test]
fn spans_are_paired_and_last_as_long_as_they_did() {
    for config in worlds() {
        let mut bed = Bed::new(config, &machine(2));
        let mut producers: Vec<_> = (0..2)
            .map(|number| Producer::new(&mut bed, &app(number), Nanos::from_secs(1)))
            .collect();
        let mut expected = BTreeMap::new();
        for length in [0, 1, 999, 10_000_000, 10_000_001, 7 * SECOND] {
            for producer in &mut producers {
                // As its own clock has it, which need not tick.
                producer.span(Mono(SECOND + 3), Nanos(length));
            }
            *expected.entry(length).or_insert(0) += 4;
            run(&mut bed, &mut producers, Nanos::from_millis(1300));
        }
        run(&mut bed, &mut producers, Nanos::from_secs(5));
        let spans = spans(&mut bed);
        let mut lengths = BTreeMap::new();
        spans.iter().for_each(|span| *lengths.entry(span.number("dur_ns")).or_insert(0) += 1);
        assert_eq!(lengths, expected);
        for part in spans.iter().filter(|span| span.field("name") == Some("app.part")) {
            let is_parent = |span: &&Seen| span.field("span") == part.field("parent");
            let whole = spans.iter().find(is_parent).unwrap();
            assert_eq!(whole.field("trace"), part.field("trace"));
            assert_eq!(whole.field("origin"), part.field("origin"));
            assert_eq!((part.field("status"), whole.field("status")), (Some("ok"), Some("error")));
        }
    }
}

#[test]
fn a_span_that_outlives_its_program_is_closed_as_abandoned_within_a_tick() {
    for config in worlds() {
        let mut bed = Bed::new(config, &machine(1));
        let mut producers = vec![Producer::new(&mut bed, &app(0), Nanos::from_secs(1))];
        let begun = bed.world.now().mono;
        drop(producers[0].begin("app.lost", None, begun));
        run(&mut bed, &mut producers, Nanos::from_secs(4));
        assert_eq!(bed.live_spans().len(), 1);
        let gone = bed.world.now().mono;
        producers[0].hang_up();
        bed.world.run_for(Nanos::from_secs(20));
        assert_eq!(bed.live_spans().len(), 0);
        let spans = spans(&mut bed);
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].field("status"), Some("abandoned"));
        let grace = machine(1).metricsd.session_grace;
        let closed = spans[0].ts_ns;
        let (early, late) = (gone.after(grace).0, gone.after(grace).0 + 2 * TICK.0 + SECOND / 2);
        assert!((early..late).contains(&closed), "{early} <= {closed} < {late}");
    }
}

/// Counts once at each of these times; a kind world or one that ticks.
fn count_at(bed: &mut Bed, talker: &mut Talker, times: &[Nanos]) {
    let frame = update(Kind::Counter, "c", "", 1);
    for at in times {
        until(bed, *at);
        talker.update(bed, [frame.as_slice()], |_, counted| assert!(counted));
    }
}

#[test]
fn windows_begin_at_multiples_of_their_lengths_whenever_counting_began() {
    for config in [Config::kind(1), Config::kind(1).ticking(TICK)] {
        let mut bed = Bed::new(config, &machine(1));
        let mut talker = Talker::new(&mut bed, &app(0));
        let ms = |ms| Nanos::from_millis(ms);
        // The last tick of one window and the first of the next.
        count_at(&mut bed, &mut talker, &[ms(53_000), ms(59_990), ms(60_000), ms(69_990)]);
        until(&mut bed, ms(65_000).max(ms(69_995)));
        let counted = |window: WindowView| (window.number, window.count, window.sum);
        let in_minute = series(&mut bed, "c");
        assert_eq!(counted(in_minute.long), (0, 2, 2));
        assert_eq!(counted(in_minute.short), (5, 2, 2), "the window before the open one");
        until(&mut bed, ms(70_000));
        assert_eq!(counted(series(&mut bed, "c").short), (6, 2, 2));
        until(&mut bed, ms(120_000));
        let after = series(&mut bed, "c");
        assert_eq!(counted(after.long), (1, 2, 2));
        assert_eq!(counted(after.short), (11, 0, 0), "nothing happened in the last ten seconds");
    }
}

#[test]
fn exported_windows_are_those_of_their_time() {
    for config in worlds() {
        let mut bed = Bed::new(config, &machine(1));
        let mut producers = vec![Producer::new(&mut bed, &app(0), Nanos::from_secs(1))];
        for step in 0..130 {
            producers[0].count(0, 1 + step % 3);
            run(&mut bed, &mut producers, Nanos::from_secs(1));
        }
        let journal = bed.journal();
        let mut windows = BTreeMap::new();
        let of_counter = |seen: &&Seen| {
            seen.field("name") == Some("app_done_total") && seen.field("label.part") == Some("a")
        };
        for record in journal.iter().filter(of_counter) {
            // In parts that carry the window whole.
            let (Some(_), Some(_)) = (record.field("w10s.n"), record.field("w10s.sum")) else {
                continue;
            };
            let (number, sum) = (record.number("w10s.n"), record.number("w10s.sum"));
            assert!(number < record.ts_ns / (10 * SECOND), "a window is told when it is closed");
            assert_eq!(*windows.entry(number).or_insert(sum), sum, "and stays what it is");
        }
        assert!(windows.len() >= 8, "{windows:?}");
        assert!(windows.values().skip(1).all(|sum| (16..=24).contains(sum)), "{windows:?}");
    }
}

#[test]
fn after_a_pause_windows_are_skipped_and_what_was_held_up_is_marked() {
    for config in worlds() {
        let mut bed = Bed::new(config, &machine(1));
        let mut producers = vec![Producer::new(&mut bed, &app(0), Nanos::from_secs(1))];
        producers[0].count(0, 1);
        run(&mut bed, &mut producers, Nanos::from_secs(12));
        bed.world.pause("metricsd");
        for _ in 0..300 {
            producers[0].count(0, 1);
            run(&mut bed, &mut producers, Nanos::from_secs(10));
        }
        let before = bed.world.events();
        bed.world.resume("metricsd");
        run(&mut bed, &mut producers, Nanos::from_secs(12));
        assert!(bed.world.events() - before < 2000, "no event for each window that was skipped");
        let part = |bed: &mut Bed| {
            let all = bed.scrape().into_iter();
            all.into_iter().find(|series| series.labels == "part=a\n").unwrap()
        };
        let caught_up = part(&mut bed);
        assert_eq!(caught_up.value, sim::Value::Counter(301));
        assert!(caught_up.catchup, "{caught_up:?}");
        let window = caught_up.short.number.max(caught_up.long.number * 6);
        assert!(window >= 295, "{caught_up:?}");
        run(&mut bed, &mut producers, Nanos::from_secs(120));
        assert!(!part(&mut bed).catchup, "the mark goes with its windows");
    }
}
