//! One daemon is away, hangs, begins anew or refuses: the other goes on, and what was lost is told.

use std::collections::BTreeSet;

use nexus_abi::{ExitReason, Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_log::{Courier, Level, Record};
use nexus_recipe::Budget;
use nexus_wire::Kind;
use sim::{Bed, Make, Producer, Seen, Talker, Totals, app, ledger, machine, run, update};
use simkit::{Config, Link};

const SECOND: Nanos = Nanos::from_secs(1);

/// What happens to logd half a minute after the start, for a minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    None,
    Paused,
    Dead,
    /// Dead, and there again at once.
    Replaced,
    /// It takes next to nothing of metricsd.
    Refusing,
}

impl Trouble {
    fn begin(self, bed: &mut Bed) {
        match self {
            Self::None | Self::Refusing => {}
            Self::Paused => bed.world.pause("logd"),
            Self::Dead => bed.world.kill("logd", ExitReason::Killed(9)),
            Self::Replaced => {
                bed.world.kill("logd", ExitReason::Killed(9));
                bed.world.restart("logd");
            }
        }
    }

    fn end(self, bed: &mut Bed) {
        match self {
            Self::None | Self::Refusing | Self::Replaced => {}
            Self::Paused => bed.world.resume("logd"),
            Self::Dead => bed.world.restart("logd"),
        }
    }
}

/// What a client of metricsd has heard: when it asked, when it was answered, and how.
type Heard = Vec<(Mono, Mono, Vec<u8>)>;

/// Both daemons after the trouble.
struct Aftermath {
    bed: Bed,
    producers: Vec<Producer>,
    heard: Heard,
    /// What logd had acknowledged to metricsd before the trouble.
    acknowledged: u64,
}

fn live_through(trouble: Trouble) -> Aftermath {
    let recipe = machine(3);
    let mut make = Make::new(Config::kind(5), &recipe);
    if trouble == Trouble::Refusing {
        let rule = make.logd.senders.iter_mut().find(|rule| rule.name == "metricsd").unwrap();
        let (events_per_s, events_burst) = (20, 220);
        rule.logd_budget =
            Some(Budget { events_per_s, events_burst, bytes_per_s: 65_536, bytes_burst: 524_288 });
    }
    let mut bed = Bed::with(make);
    let mut producers: Vec<_> =
        (0..2).map(|number| Producer::new(&mut bed, &app(number), SECOND)).collect();
    let asker = Talker::new(&mut bed, &app(2));
    let question = update(Kind::Histogram, "asked", "", 5);
    let (mut heard, mut acknowledged) = (Vec::new(), 0);
    for second in 0..90 {
        if second == 30 {
            acknowledged = bed.state("metricsd", "export_acknowledged");
            trouble.begin(&mut bed);
        }
        for producer in &mut producers {
            let now = bed.world.now().mono;
            producer.count(second, 1);
            producer.observe(second as u64);
            (0..20).for_each(|_| producer.span(now, Nanos::from_millis(9)));
        }
        for _ in 0..4 {
            run(&mut bed, &mut producers, Nanos::from_millis(250));
            let asked = bed.world.now().mono;
            let reply = bed.world.call(asker.client, "metricsd", &question).unwrap();
            heard.push((asked, bed.world.now().mono, reply));
        }
    }
    trouble.end(&mut bed);
    run(&mut bed, &mut producers, Nanos::from_secs(300));
    Aftermath { bed, producers, heard, acknowledged }
}

impl Aftermath {
    /// Counts of the gap records that metricsd wrote for a reason.
    fn gaps(&mut self, reason: &str) -> u64 {
        let journal = self.bed.journal();
        let gaps = journal.iter().filter(|seen| seen.is_export_gap(reason));
        gaps.map(|gap| gap.number("count")).sum()
    }

    fn dropped(&mut self) -> u64 {
        self.bed.audit("metricsd").iter().map(|row| row.dropped).sum()
    }

    /// Whatever happened: ingest noticed nothing, totals are right, and both ledgers add up.
    fn is_accounted_for(&mut self) {
        let calm = live_through(Trouble::None);
        assert!(self.heard == calm.heard, "metricsd answers the same, as fast");
        ledger::check(&mut self.bed);
        let series = self.bed.scrape();
        for producer in &self.producers {
            let totals = Totals::of(producer.service, &series);
            assert_eq!(totals.counted, u128::from(producer.counted));
            assert_eq!(totals.observations, u128::from(producer.observations));
        }
        assert_eq!(self.bed.state("metricsd", "export_queue_bytes"), 0);
        assert_eq!(self.dropped(), self.bed.state("metricsd", "export_spans_dropped"));
        assert_eq!(self.gaps("queue_full"), self.dropped(), "every lost span is in a gap record");
    }
}

#[test]
fn while_logd_hangs_ingest_goes_on_and_what_found_no_room_is_on_record() {
    let mut after = live_through(Trouble::Paused);
    after.is_accounted_for();
    assert!(after.dropped() > 1000);
    let taken = after.bed.row("logd", "metricsd");
    let acknowledged = after.bed.state("metricsd", "export_acknowledged");
    assert_eq!(taken.accepted + taken.dropped, acknowledged);
}

#[test]
fn while_logd_is_dead_ingest_goes_on_and_both_losses_are_on_record() {
    let mut after = live_through(Trouble::Dead);
    after.is_accounted_for();
    assert!(after.dropped() > 1000);
    assert_eq!(after.gaps("logd_restarted"), after.acknowledged);
    let taken = after.bed.row("logd", "metricsd");
    let acknowledged = after.bed.state("metricsd", "export_acknowledged");
    assert_eq!(taken.accepted + taken.dropped, acknowledged - after.acknowledged);
}

#[test]
fn a_logd_that_begins_anew_is_told_what_went_with_its_predecessor() {
    let mut after = live_through(Trouble::Replaced);
    after.is_accounted_for();
    assert_eq!(after.dropped(), 0);
    assert_eq!(after.gaps("logd_restarted"), after.acknowledged);
    let series = after.bed.scrape().len();
    let journal = after.bed.journal();
    let names: BTreeSet<_> = journal
        .iter()
        .filter(|seen| seen.field("event") == Some("metric.v1"))
        .map(|seen| seen.field("series").unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), series, "and it has every series");
}

#[test]
fn a_logd_that_refuses_slows_the_export_and_nothing_else() {
    let mut after = live_through(Trouble::Refusing);
    after.is_accounted_for();
    assert!(after.dropped() > 1000);
    let row = after.bed.row("logd", "metricsd");
    assert!(row.refused_total() > 0, "{row:?}");
    let acknowledged = after.bed.state("metricsd", "export_acknowledged");
    assert_eq!(row.accepted + row.dropped, acknowledged);
}

#[test]
#[should_panic(expected = "every lost span is in a gap record")]
fn a_loss_that_nobody_tells_of_is_noticed() {
    let mut after = live_through(Trouble::Paused);
    // A journal that never got the gap records: they went with a logd that died once more.
    after.bed.world.kill("logd", ExitReason::Killed(9));
    after.bed.world.restart("logd");
    after.is_accounted_for();
}

#[test]
fn totals_are_right_however_often_metricsd_dies_under_its_clients() {
    for seed in 0..6 {
        let mut bed = Bed::new(Config::unkind(seed), &machine(4));
        let mut producers: Vec<_> =
            (0..4).map(|number| Producer::new(&mut bed, &app(number), SECOND)).collect();
        for step in 0..40_u64 {
            for (number, producer) in (0..).zip(&mut producers) {
                producer.count(step as usize, step + number);
                producer.observe(step * 1000);
                producer.set(step.cast_signed());
                producer.span(bed.world.now().mono, Nanos::from_millis(2));
            }
            run(&mut bed, &mut producers, Nanos::from_millis(700));
            if step % 10 == seed {
                bed.world.kill("metricsd", ExitReason::Killed(9));
                run(&mut bed, &mut producers, Nanos::from_secs(step % 3));
                bed.world.restart("metricsd");
            }
        }
        run(&mut bed, &mut producers, Nanos::from_secs(60));
        let series = bed.scrape();
        for producer in &producers {
            let totals = Totals::of(producer.service, &series);
            assert_eq!(totals.counted, u128::from(producer.counted), "seed {seed}");
            assert_eq!(totals.observations, u128::from(producer.observations), "seed {seed}");
        }
        ledger::check(&mut bed);
    }
}

#[test]
fn a_batch_that_is_sent_again_changes_nothing() {
    let mut bed = Bed::new(Config::kind(9), &machine(1));
    let mut producers = vec![Producer::new(&mut bed, &app(0), SECOND)];
    producers[0].link.kept = Some(Vec::new());
    for step in 0..5 {
        producers[0].count(step, 3);
        producers[0].observe(70);
        producers[0].span(bed.world.now().mono, SECOND);
        run(&mut bed, &mut producers, Nanos::from_secs(2));
    }
    run(&mut bed, &mut producers, Nanos::from_secs(30));
    let service = producers[0].service;
    let picture = |bed: &mut Bed| {
        let series = bed.scrape().into_iter().filter(|series| series.service == service);
        let spans = bed.journal().into_iter().filter(|seen| seen.scope == "spans").count();
        (series.map(sim::Series::timeless).collect::<Vec<_>>(), spans)
    };
    let (before, row) = (picture(&mut bed), bed.row("metricsd", &app(0)));
    let sent = producers[0].link.kept.take().unwrap();
    let items = producers[0].link.items;
    assert!(sent.len() >= 5);
    for frame in &sent {
        assert!(producers[0].link.say_again(frame));
        bed.world.run_for(SECOND);
    }
    let after = bed.row("metricsd", &app(0));
    assert_eq!(after.repeated - row.repeated, items);
    assert_eq!((after.offered, after.accepted), (row.offered, row.accepted));
    assert_eq!(picture(&mut bed), before);
}

/// A program that logs.
struct Author {
    courier: Courier,
    link: Link,
    due: Mono,
    said: u64,
}

impl Author {
    fn say(&mut self, now: Mono) {
        self.said += 1;
        let message = format!("line {}", self.said);
        let record = Record {
            level: Level::Info,
            scope: "app",
            message: &message,
            fields: "",
            cut: 0,
            fields_cut: 0,
            span: None,
        };
        self.due = self.courier.submit(&record, now, &mut self.link);
    }
}

#[test]
fn what_a_program_logs_is_in_the_journal_or_in_the_gap_that_its_client_tells_of() {
    for (seed, trouble) in [(1, Trouble::Paused), (2, Trouble::Dead), (3, Trouble::Paused)] {
        let mut bed = Bed::new(Config { resolution: SECOND, ..Config::kind(seed) }, &machine(1));
        let link = bed.world.link(&app(0), Rights::NONE, "logd");
        let mut author = Author { courier: Courier::new(), link, due: Mono(0), said: 0 };
        for second in 0..400 {
            if second == 20 {
                trouble.begin(&mut bed);
            }
            if second == 100 {
                trouble.end(&mut bed);
            }
            bed.world.run_for(SECOND);
            for _ in 0..4 {
                let now = bed.world.now().mono;
                if (20..100).contains(&second) {
                    (0..20).for_each(|_| author.say(now));
                }
                author.due = author.courier.poll(now, &mut author.link);
                bed.world.settle();
            }
        }
        assert!(author.courier.is_settled());
        let journal = bed.journal();
        let service = ServiceId::from_name(&app(0));
        let own = || journal.iter().filter(|seen| seen.service == service);
        let found = own().filter(|seen| !seen.gap && seen.message.starts_with("line"));
        let in_journal_gap = own().filter(|seen| seen.gap).map(|seen| seen.number("count"));
        let told = own().filter(|seen| seen.field("event") == Some("gap.v1"));
        let unsure =
            |seen: &Seen| seen.field("unconfirmed").map_or(0, |_| seen.number("unconfirmed"));
        let told: u64 = told.map(|seen| seen.number("count") + unsure(seen)).sum();
        assert!(told > 0, "{trouble:?}");
        let known = found.count() as u64 + in_journal_gap.sum::<u64>() + told;
        assert!(known >= author.said, "{trouble:?}: {known} of {}", author.said);
    }
}
