use std::collections::BTreeMap;

use nexus_abi::{ExitReason, Incarnation, Sender};
use nexus_bounded::Nanos;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Mood(Mood),
    Restart,
    Start(u64, u32),
    End(u64, u32),
    Whole(u64, u32),
    Flood(u64),
    Gone(u64),
    Add(u32),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let mood = prop::sample::select(vec![
        Mood::Up,
        Mood::Up,
        Mood::Up,
        Mood::Away,
        Mood::Stopped,
        Mood::LosesReplies,
        Mood::LosesCalls,
        Mood::RateLimits,
        Mood::Babbles,
        Mood::Denies,
    ]);
    let who = 1..5u64;
    prop_oneof![
        2 => mood.prop_map(Step::Mood),
        1 => Just(Step::Restart),
        4 => (who.clone(), 1..9u32).prop_map(|(who, local)| Step::Start(who, local)),
        4 => (who.clone(), 1..9u32).prop_map(|(who, local)| Step::End(who, local)),
        4 => (who.clone(), 100..200u32).prop_map(|(who, local)| Step::Whole(who, local)),
        1 => who.clone().prop_map(Step::Flood),
        1 => who.prop_map(Step::Gone),
        3 => (0..9u32).prop_map(Step::Add),
        4 => (1..4000u64).prop_map(Step::Wait),
    ]
}

fn small() -> nexus_recipe::Recipe {
    let mut recipe = recipe();
    recipe.metricsd.export.interval = Nanos::from_secs(2);
    recipe.metricsd.export.queue_bytes = 4096;
    recipe.metricsd.span_ttl = Nanos::from_secs(20);
    recipe
}

/// The clock ticks in steps of 10 ms if `coarse`.
fn wait(bench: &mut Bench, millis: u64, coarse: bool) {
    let millis = if coarse { millis.next_multiple_of(10) } else { millis };
    bench.run_for(Nanos::from_millis(millis));
}

struct Run {
    bench: Bench,
    lives: BTreeMap<u64, u32>,
    /// Spans that were accepted as ended, or begun and not ended yet.
    begun: u64,
    lost_with_journal: u64,
}

impl Run {
    fn who(&self, id: u64) -> Sender {
        let life = self.lives.get(&id).copied().unwrap_or(1);
        Sender { incarnation: Incarnation::new(life), ..sender(id) }
    }

    fn step(&mut self, step: &Step, coarse: bool) {
        match *step {
            Step::Mood(mood) => self.bench.journal.mood = mood,
            Step::Restart => {
                self.lost_with_journal += self.distinct_spans();
                self.bench.restart_journal();
            }
            Step::Start(id, local) => {
                let who = self.who(id);
                let began = self.bench.start(who, &start(who, local, "live", "k=v\n"));
                self.begun += u64::from(began.is_ok());
            }
            Step::End(id, local) => {
                let who = self.who(id);
                let _known = self.bench.end(who, &end(who, local, 70, "k=w\n"));
            }
            Step::Whole(id, local) => {
                let who = self.who(id);
                self.begun += u64::from(self.bench.whole(who, &whole(who, local, "whole")).is_ok());
            }
            Step::Flood(id) => {
                let who = self.who(id);
                for local in 1000..1040 {
                    self.bench.whole(who, &whole(who, local, "flood")).unwrap();
                    self.begun += 1;
                }
            }
            Step::Gone(id) => {
                self.bench.gone(self.who(id), ExitReason::Disconnected);
                *self.lives.entry(id).or_insert(1) += 1;
            }
            Step::Add(place) => self.bench.series.add(place, 1),
            Step::Wait(millis) => wait(&mut self.bench, millis, coarse),
        }
    }

    /// Records of spans that the journal has, repeats counted once.
    fn distinct_spans(&self) -> u64 {
        let spans = self.bench.records("spans");
        let seqs = spans.iter().map(|kept| kept.get("seq").unwrap().to_owned());
        seqs.collect::<std::collections::BTreeSet<_>>().len() as u64
    }
}

fn every_span_is_kept_or_counted(steps: &[Step], refuses: bool, coarse: bool) {
    let mut bench = Bench::new(&small());
    if refuses {
        bench.journal.refuses.insert("live".into());
    }
    let mut run = Run { bench, lives: BTreeMap::new(), begun: 0, lost_with_journal: 0 };
    for step in steps {
        run.step(step, coarse);
    }
    run.bench.journal.mood = Mood::Up;
    wait(&mut run.bench, 90_000, coarse);

    assert_eq!(run.bench.spans.len(), 0, "every live span has expired");
    let dropped = (1..5).map(|id| {
        let slot = run.bench.owner(sender(id)).slot;
        run.bench.dropped(slot)
    });
    let dropped = dropped.sum::<u64>();
    let kept = run.distinct_spans();
    // What a restarted journal had may come again if its acknowledgement was lost.
    assert!(kept + dropped <= run.begun);
    assert!(kept + dropped + run.lost_with_journal >= run.begun);
    if run.lost_with_journal == 0 {
        assert_eq!(kept + dropped, run.begun);
        let told = run.bench.told_lost("queue_full") + run.bench.told_lost("refused");
        if run.bench.exporter.state().logd_restarts == 0 {
            assert_eq!(told, dropped);
        }
    }
    for (place, total) in &run.bench.series.totals {
        let records = run.bench.records("metrics");
        let place = place.to_string();
        let of_place = records.iter().filter(|kept| kept.get("series") == Some(&place));
        let newest = of_place.max_by_key(|kept| kept.get("seq").unwrap().parse::<u64>().unwrap());
        assert_eq!(newest.and_then(|kept| kept.get("value")), Some(total.to_string().as_str()));
    }
    assert!(run.bench.exporter.state().ready);
    assert_eq!(run.bench.journal.lines.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_journal_does_every_span_is_there_or_counted(
        steps in proptest::collection::vec(step(), 1..60),
        refuses in any::<bool>(),
    ) {
        every_span_is_kept_or_counted(&steps, refuses, false);
    }

    #[test]
    fn the_same_holds_with_a_clock_that_ticks_in_steps_of_10_ms(
        steps in proptest::collection::vec(step(), 1..60),
        refuses in any::<bool>(),
    ) {
        every_span_is_kept_or_counted(&steps, refuses, true);
    }
}
