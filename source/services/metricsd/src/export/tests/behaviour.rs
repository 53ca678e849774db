use nexus_bounded::{Mono, Nanos};
use nexus_gate::SenderSlot;
use nexus_wire::{Level, markers};

use super::*;

const SECOND: Nanos = Nanos::from_secs(1);

fn ready() -> Bench {
    let mut bench = Bench::device();
    bench.run_for(Nanos::from_secs(3));
    assert_eq!(bench.journal.lines, [markers::METRICSD_READY]);
    bench
}

/// What logd is not told if it ends now, in words.
fn undone(bench: &Bench) -> String {
    let mut words = String::new();
    bench.exporter.undone(&bench.series).write(&mut words).unwrap();
    words
}

#[test]
fn ready_is_said_once_the_very_record_was_read_back() {
    let bench = ready();
    let own = bench.records("metricsd");
    assert_eq!(own.len(), 1);
    assert_eq!((own[0].message.as_str(), own[0].level), ("ready", Level::Info));
    assert_eq!(own[0].fields, "boot=9\nevent=ready.v1\nseq=1\n");
    assert!(bench.exporter.state().ready);
}

#[test]
fn ready_is_not_said_while_the_record_cannot_be_read_back() {
    for mood in [Mood::Denies, Mood::Away, Mood::LosesCalls, Mood::LosesReplies, Mood::Stopped] {
        let mut bench = Bench::device();
        bench.journal.mood = mood;
        bench.run_for(Nanos::from_secs(30));
        assert!(bench.journal.lines.is_empty(), "{mood:?}");
        if mood != Mood::Stopped {
            bench.journal.mood = Mood::Up;
            bench.run_for(Nanos::from_secs(30));
            assert_eq!(bench.journal.lines, [markers::METRICSD_READY], "{mood:?}");
        }
    }
}

#[test]
fn ready_is_not_said_for_a_record_of_somebody_else_in_its_place() {
    let mut bench = Bench::device();
    bench.poll();
    bench.deliver_once();
    bench.journal.records[0].fields = "boot=8\nevent=ready.v1\nseq=1\n".into();
    bench.deliver();
    assert!(bench.journal.lines.is_empty());
    bench.run_for(Nanos::from_secs(30));
    assert_eq!(bench.journal.lines, [markers::METRICSD_READY]);
}

#[test]
fn an_ended_span_is_exported_at_once() {
    let mut bench = ready();
    let who = sender(1);
    bench.start(who, &start(who, 1, "exec.path", "bundle=a\n")).unwrap();
    bench.end(who, &end(who, 1, 130, "result=ok\n")).unwrap();
    bench.deliver();
    let spans = bench.records("spans");
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].message.as_str(), spans[0].level), ("exec.path", Level::Info));
    assert_eq!(
        spans[0].fields,
        "attr.bundle=a\nattr.result=ok\ndur_ns=30\nend_ns=130\nevent=span.v1\nincarnation=1\n\
         name=exec.path\norigin=0000000000005001\nseq=2\nspan=0000500100000001\nstart_ns=100\n\
         status=ok\ntrace=0000000900000100525f194500000001\n"
    );
}

#[test]
fn a_span_too_large_for_one_record_is_split_with_its_ids_in_each_part() {
    let mut bench = ready();
    let who = sender(1);
    let name = "n".repeat(48);
    let short = ('b'..='p').map(|key| format!("{key}=\n")).collect::<String>();
    let attrs = format!("a={}\n{short}", "x".repeat(128));
    let mut large = whole(who, 1, &name);
    (large.start.start_ns, large.end_ns) = (u64::MAX - 1, u64::MAX);
    large.start.attrs = nexus_wire::AttrBytes::new(attrs.as_bytes()).unwrap();
    large.start.parent = nexus_wire::SpanId::new(who.service(), 7);
    bench.whole(who, &large).unwrap();
    bench.deliver();
    let parts = bench.records("spans");
    assert_eq!(parts.len(), 2);
    for (part, said) in parts.iter().zip(["1/2", "2/2"]) {
        assert_eq!(part.get("part"), Some(said));
        for key in ["event", "name", "origin", "seq", "span", "trace"] {
            assert_eq!(part.get(key), parts[0].get(key), "{key}");
            assert!(part.get(key).is_some(), "{key}");
        }
        assert!(part.fields.len() <= 512);
    }
    let whole = parts
        .iter()
        .flat_map(|part| part.fields.lines())
        .filter_map(|line| line.strip_prefix("attr."));
    assert_eq!(whole.map(|line| format!("{line}\n")).collect::<String>(), attrs);
}

#[test]
fn a_round_exports_what_has_changed_and_every_full_one_everything() {
    let mut recipe = recipe();
    recipe.metricsd.export.full_every = 3;
    recipe.metricsd.export.interval = SECOND;
    let mut bench = Bench::new(&recipe);
    bench.run_for(Nanos(1));
    bench.series.add(3, 5);
    bench.series.add(4, 6);
    bench.run_for(SECOND);
    let shown = |bench: &Bench| {
        let records = bench.records("metrics");
        let shown =
            |kept: &Kept| [kept.get("series"), kept.get("value")].map(|v| v.unwrap().to_owned());
        records.iter().map(shown).map(|v| v.join("=")).collect::<Vec<_>>()
    };
    assert_eq!(shown(&bench), ["3=5", "4=6"]);
    bench.series.add(4, 1);
    bench.run_for(SECOND);
    assert_eq!(shown(&bench)[2..], ["4=7"]);
    bench.run_for(SECOND);
    assert_eq!(shown(&bench)[3..], ["3=5", "4=7"], "the fourth round is full");
    bench.run_for(SECOND);
    assert_eq!(shown(&bench).len(), 5, "nothing has changed");
    let seqs = bench.journal.records.iter().map(|kept| kept.get("seq").unwrap().to_owned());
    assert_eq!(seqs.collect::<Vec<_>>(), (1..=6).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_lost_reply_brings_the_same_records_again_under_the_same_numbers() {
    let mut bench = ready();
    bench.journal.mood = Mood::LosesReplies;
    let who = sender(1);
    bench.whole(who, &whole(who, 1, "once")).unwrap();
    bench.deliver();
    bench.run_for(Nanos::from_millis(50));
    bench.journal.mood = Mood::Up;
    bench.run_for(Nanos::from_secs(1));
    let spans = bench.records("spans");
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0].fields, spans[1].fields);
    assert_eq!(bench.exporter.state().repeats, 1);
}

#[test]
fn spans_beyond_the_queue_are_counted_and_told_once_the_journal_is_back() {
    let mut bench = ready();
    let (loud, quiet) = (sender(1), sender(2));
    bench.journal.mood = Mood::Away;
    for local in 1..=500 {
        bench.whole(loud, &whole(loud, local, "flood")).unwrap();
    }
    let went = bench.now;
    bench.run_for(Nanos::from_secs(60));
    bench.whole(quiet, &whole(quiet, 1, "modest")).unwrap();
    let dropped = bench.exporter.state().spans_dropped;
    assert!(dropped > 0);
    bench.journal.mood = Mood::Up;
    bench.run_for(Nanos::from_secs(120));
    let seat = bench.owner(loud).slot;
    assert_eq!(bench.dropped(seat), dropped);
    let seat = bench.owner(quiet).slot;
    assert_eq!(bench.dropped(seat), 0);
    assert_eq!(bench.told_lost("queue_full"), dropped);
    let gaps = bench.records("metricsd");
    let gap = gaps.iter().find(|kept| kept.message == "gap").unwrap();
    assert_eq!(gap.get("origin"), Some("0000000000005001"));
    assert_eq!(gap.get("first_ns").map(str::to_owned), Some(went.0.to_string()));
    assert_eq!(gap.level, Level::Warn);
    let spans = bench.records("spans");
    assert_eq!(spans.len() as u64, 501 - dropped);
    assert_eq!(spans.iter().filter(|kept| kept.message == "modest").count(), 1);
}

#[test]
fn a_journal_that_stands_still_costs_places_and_nothing_else() {
    let mut bench = ready();
    let who = sender(1);
    bench.journal.mood = Mood::Stopped;
    for local in 1..=300 {
        bench.whole(who, &whole(who, local, "on")).unwrap();
    }
    bench.run_for(Nanos::from_secs(600));
    let state = bench.exporter.state();
    assert_eq!(state.in_flight, recipe().metricsd.export.in_flight);
    assert!(state.queue_bytes <= recipe().metricsd.export.queue_bytes);
    bench.journal.mood = Mood::Up;
    bench.run_for(Nanos::from_secs(60));
    assert_eq!(bench.records("spans").len() as u64 + bench.told_lost("queue_full"), 300);
}

#[test]
fn another_boot_of_the_journal_is_a_gap_and_everything_is_exported_again() {
    let mut bench = ready();
    let who = sender(1);
    bench.series.add(3, 5);
    bench.whole(who, &whole(who, 1, "lost")).unwrap();
    bench.run_for(Nanos::from_secs(30));
    assert_eq!(bench.records("metrics").len(), 1);
    let acknowledged = bench.exporter.state().acknowledged;
    assert_eq!(acknowledged, 3);
    bench.restart_journal();
    bench.whole(who, &whole(who, 2, "kept")).unwrap();
    bench.run_for(Nanos::from_secs(2));
    assert_eq!(bench.told_lost("logd_restarted"), acknowledged);
    assert_eq!(bench.records("metrics").len(), 1, "the series has not changed");
    assert_eq!(bench.exporter.state().logd_restarts, 1);
    assert_eq!(bench.exporter.state().lost, acknowledged);
    assert_eq!(bench.journal.lines.len(), 1, "ready is said once");
}

#[test]
fn a_record_refused_for_good_is_counted_and_what_was_with_it_arrives() {
    let mut bench = ready();
    let who = sender(1);
    bench.journal.refuses.insert("bad".into());
    bench.journal.mood = Mood::Stopped;
    for local in 1..=4 {
        bench.whole(who, &whole(who, local, "filler")).unwrap();
    }
    for (local, name) in (10..).zip(["one", "bad", "two", "bad", "three"]) {
        bench.whole(who, &whole(who, local, name)).unwrap();
    }
    bench.journal.mood = Mood::Up;
    bench.run_for(Nanos::from_secs(5));
    let names = bench.records("spans").into_iter().map(|kept| kept.message);
    let names = names.filter(|name| name != "filler").collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["one", "three", "two"]);
    let seat = bench.owner(who).slot;
    assert_eq!(bench.dropped(seat), 2);
    assert_eq!(bench.told_lost("refused"), 2);
    assert_eq!(bench.exporter.state().refused, 2);
}

#[test]
fn a_journal_without_time_gets_everything_later() {
    for mood in [Mood::RateLimits, Mood::Babbles, Mood::LosesCalls] {
        let mut bench = ready();
        let who = sender(1);
        bench.journal.mood = mood;
        bench.whole(who, &whole(who, 1, "late")).unwrap();
        bench.run_for(Nanos::from_secs(20));
        assert_eq!(bench.exporter.state().away, mood != Mood::RateLimits, "{mood:?}");
        assert!(bench.records("spans").is_empty());
        bench.journal.mood = Mood::Up;
        bench.run_for(Nanos::from_secs(20));
        assert_eq!(bench.records("spans").len(), 1, "{mood:?}");
        assert!(!bench.exporter.state().away);
    }
}

#[test]
fn attempts_are_made_at_growing_distances() {
    let mut bench = ready();
    bench.journal.mood = Mood::LosesCalls;
    let who = sender(1);
    bench.whole(who, &whole(who, 1, "x")).unwrap();
    bench.run_for(Nanos::from_secs(60));
    // 0.1, 0.2, 0.4, .. 5, 5, ..: about sixteen in a minute.
    let repeats = bench.exporter.state().repeats;
    assert!((12..=20).contains(&repeats), "{repeats}");
}

#[test]
fn snapshots_go_on_under_a_flood_of_spans() {
    let mut bench = ready();
    let who = sender(1);
    for second in 0..60 {
        bench.series.add(7, 1);
        for local in 0..100 {
            bench.whole(who, &whole(who, second * 100 + local + 1, "flood")).unwrap();
        }
        bench.run_for(SECOND);
    }
    assert!(!bench.records("metrics").is_empty());
}

#[test]
fn stop_exports_what_waits_and_what_has_changed() {
    let mut bench = ready();
    let who = sender(1);
    bench.series.add(3, 5);
    bench.whole(who, &whole(who, 1, "last")).unwrap();
    assert!(!bench.exporter.stopped());
    bench.exporter.stop();
    bench.poll();
    assert!(!bench.exporter.stopped(), "calls are under way");
    bench.run_for(Nanos::from_secs(1));
    assert!(bench.exporter.stopped());
    assert_eq!((bench.records("spans").len(), bench.records("metrics").len()), (1, 1));
    assert_eq!(undone(&bench), "", "everything is done");
}

#[test]
fn stop_does_not_wait_for_a_journal_that_is_away() {
    let mut bench = ready();
    let who = sender(1);
    bench.journal.mood = Mood::Away;
    bench.whole(who, &whole(who, 1, "last")).unwrap();
    bench.series.add(3, 5);
    bench.exporter.stop();
    bench.poll();
    assert!(bench.exporter.stopped());
    // The span was on its way when nobody was there to take it.
    assert_eq!(
        undone(&bench),
        "1 records that logd has not acknowledged, 0 ended spans, the last values of 1 series and \
         word of 0 losses not sent"
    );
}

#[test]
fn what_a_journal_that_answers_nothing_leaves_undone_is_known_whenever_patience_ends() {
    let mut bench = ready();
    let who = sender(1);
    bench.journal.mood = Mood::Stopped;
    // As many calls as may be under way, each with a span, and then some spans more.
    for local in 1..=5 {
        bench.whole(who, &whole(who, local, "last")).unwrap();
        bench.poll();
    }
    (0..3).for_each(|place| bench.series.add(place, 5));
    bench.exporter.stop();
    bench.run_for(Nanos::from_secs(60));
    assert!(!bench.exporter.stopped(), "it waits for as long as it is let");
    assert_eq!(
        undone(&bench),
        "2 records that logd has not acknowledged, 3 ended spans, the last values of 3 series and \
         word of 0 losses not sent"
    );
    bench.journal.mood = Mood::Up;
    bench.run_for(Nanos::from_secs(5));
    assert!(bench.exporter.stopped());
    assert_eq!(undone(&bench), "");
}

#[test]
fn an_idle_export_sleeps_until_the_next_round() {
    let bench = ready();
    let interval = recipe().metricsd.export.interval;
    assert_eq!(bench.exporter.deadline(), Some(Mono(interval.0)));
}

#[test]
fn losses_of_a_sender_without_a_seat_stand_in_the_row_of_the_evicted() {
    let mut recipe = recipe();
    recipe.metricsd.senders = 2;
    let mut bench = Bench::new(&recipe);
    bench.journal.mood = Mood::Away;
    let loud = sender(1);
    for local in 1..=500 {
        bench.whole(loud, &whole(loud, local, "flood")).unwrap();
    }
    let dropped = bench.exporter.state().spans_dropped;
    for other in 2..=4 {
        bench.now = bench.now.after(SECOND);
        bench.whole(sender(other), &whole(sender(other), 1, "new")).unwrap();
    }
    bench.journal.mood = Mood::Up;
    bench.run_for(Nanos::from_secs(60));
    let all = bench.exporter.state().spans_dropped;
    assert!(bench.dropped(SenderSlot::EVICTED) >= dropped);
    assert_eq!(bench.told_lost("queue_full"), all);
}
