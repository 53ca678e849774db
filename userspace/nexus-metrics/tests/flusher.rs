//! The flusher against a model of metricsd: whatever breaks, totals are exact and nothing counts
//! twice; where something had to be given up, it is counted.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

mod model;

use model::{Fault, Metricsd, Wire};
use nexus_bounded::{Mono, Nanos};
use nexus_metrics::{
    Bounds, Client, Counter, Flusher, Gauge, Histogram, LossReason, MetricName, OpenSpan, Pace,
    SpanName, SpanStatus, key,
};
use nexus_wire::metrics::Recorded;
use proptest::prelude::*;
use std::collections::BTreeMap;

const PACE: Pace = Pace::DEFAULT;

/// A process that records and flushes, and what it believes to have recorded.
struct Process {
    client: &'static Client,
    flusher: Flusher<&'static Client>,
    counters: Vec<Counter>,
    histogram: Histogram,
    gauge: Gauge,
    wire: Wire,
    now: Mono,
    totals: Vec<u64>,
    observed: Vec<u64>,
    level: Option<i64>,
    open: Vec<OpenSpan>,
    spans: u32,
}

fn name(text: &str) -> MetricName<'_> {
    MetricName::new(text).unwrap()
}

impl Process {
    fn new() -> Self {
        let client: &'static Client = Box::leak(Box::new(Client::new()));
        let counters = (0..5)
            .map(|at| client.counter(name("c"), &[("n", &at.to_string())]).unwrap())
            .collect::<Vec<_>>();
        Self {
            client,
            flusher: Flusher::new(client, PACE),
            totals: vec![0; counters.len()],
            counters,
            histogram: client.histogram(name("h"), &[], Bounds::powers_of_two(0, 8)).unwrap(),
            gauge: client.gauge(name("g"), &[]).unwrap(),
            wire: Wire::new(Metricsd::new(1)),
            now: Mono(1_000_000_000),
            observed: Vec::new(),
            level: None,
            open: Vec::new(),
            spans: 0,
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Add(at, count) => {
                let at = at % self.counters.len();
                self.client.add(self.counters[at], count);
                self.totals[at] += count;
            }
            Act::Observe(value) => {
                self.client.observe(self.histogram, value);
                self.observed.push(value);
            }
            Act::Set(value) => {
                self.client.set(self.gauge, value);
                self.level = Some(value);
            }
            Act::Begin => {
                let name = SpanName::new("work").unwrap();
                if let Some(span) = self.client.begin_span(name, None, self.now) {
                    self.open.push(span);
                    self.spans += 1;
                }
            }
            Act::End => {
                if let Some(mut span) = self.open.pop() {
                    self.client.span_attr(&mut span, key!("code"), 7);
                    self.client.end_span(span, self.now, SpanStatus::Ok);
                }
            }
            Act::Wait(ms) => self.wait(Nanos::from_millis(ms)),
            Act::Fault(fault) => self.wire.fail(fault),
        }
    }

    /// Polls as a port does: when asked to, and whenever a reply is there.
    fn wait(&mut self, time: Nanos) {
        let until = self.now.after(time);
        loop {
            let next = self.flusher.poll(self.now, &mut self.wire);
            if self.wire.has_reply() {
                self.now = self.now.after(Nanos(1000));
                continue;
            }
            if next > until {
                break;
            }
            self.now = next.max(self.now.after(Nanos(1000)));
        }
        self.now = self.now.max(until);
    }

    /// Ends all spans and waits until everything is told.
    fn finish(&mut self) {
        while !self.open.is_empty() {
            self.act(&Act::End);
        }
        self.wire.heal();
        self.flusher.request_flush(self.now);
        for _ in 0..200 {
            self.wait(Nanos::from_millis(500));
            if self.flusher.is_settled(self.now) {
                return;
            }
        }
        panic!("the flusher never settled");
    }

    fn told_counters(&self) -> Vec<u64> {
        let label = |at: usize| format!("n={at}\n");
        (0..self.counters.len()).map(|at| self.wire.metricsd.total("c", &label(at))).collect()
    }

    fn expected_buckets(&self) -> BTreeMap<u8, u64> {
        let mut buckets = BTreeMap::new();
        for value in &self.observed {
            let bucket = (0..8).find(|at| *value <= 1 << at).unwrap_or(8);
            *buckets.entry(bucket).or_default() += 1;
        }
        buckets
    }
}

#[derive(Clone, Debug)]
enum Act {
    Add(usize, u64),
    Observe(u64),
    Set(i64),
    Begin,
    End,
    Wait(u64),
    Fault(Fault),
}

fn act(faults: impl Strategy<Value = Fault> + 'static) -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..5usize, 0..100u64).prop_map(|(at, count)| Act::Add(at, count)),
        2 => (0..300u64).prop_map(Act::Observe),
        1 => any::<i64>().prop_map(Act::Set),
        2 => Just(Act::Begin),
        2 => Just(Act::End),
        4 => (0..3000u64).prop_map(Act::Wait),
        3 => faults.prop_map(Act::Fault),
    ]
}

/// What a connection and a busy metricsd may do while metricsd remembers us.
fn passing_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Break),
        (1..4u32).prop_map(Fault::BreakAfter),
        (1..4u32).prop_map(Fault::LoseReplies),
        (1..4u32).prop_map(Fault::RateLimit),
        (1..4u32).prop_map(Fault::Full),
        (1..3u32).prop_map(Fault::NotThere),
        Just(Fault::Coalesce),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn while_metricsd_remembers_us_everything_arrives_exactly_once(
        acts in prop::collection::vec(act(passing_fault()), 1..60)
    ) {
        let mut process = Process::new();
        acts.iter().for_each(|act| process.act(act));
        process.finish();
        prop_assert_eq!(process.told_counters(), process.totals.clone());
        let metricsd = &process.wire.metricsd;
        prop_assert_eq!(metricsd.buckets("h"), process.expected_buckets());
        prop_assert_eq!(metricsd.sum("h"), process.observed.iter().sum::<u64>());
        prop_assert_eq!(metricsd.gauge("g"), process.level);
        prop_assert_eq!(metricsd.finished_spans(), (1..=process.spans).map(|id| (id, 1)).collect());
        prop_assert_eq!(metricsd.lost(), 0);
    }

    #[test]
    fn after_restarts_of_metricsd_totals_are_exact_and_no_span_comes_twice(
        acts in prop::collection::vec(
            act(prop_oneof![3 => passing_fault(), 1 => Just(Fault::Restart)]),
            1..60,
        )
    ) {
        let mut process = Process::new();
        acts.iter().for_each(|act| process.act(act));
        process.finish();
        prop_assert_eq!(process.told_counters(), process.totals.clone());
        let metricsd = &process.wire.metricsd;
        prop_assert_eq!(metricsd.buckets("h"), process.expected_buckets());
        prop_assert_eq!(metricsd.gauge("g"), process.level);
        let spans = metricsd.finished_spans();
        prop_assert!(spans.values().all(|times| *times == 1), "{:?}", spans);
        let missing = u64::from(process.spans) - spans.len() as u64;
        prop_assert!(missing <= metricsd.lost(), "{} of {}", missing, metricsd.lost());
        let real = process.totals.iter().sum::<u64>() + process.observed.len() as u64;
        prop_assert!(metricsd.kept() <= real, "{} of {} is kept twice", metricsd.kept(), real);
    }

    #[test]
    fn when_metricsd_forgets_us_nothing_counts_twice_and_what_is_given_up_is_counted(
        acts in prop::collection::vec(
            act(prop_oneof![3 => passing_fault(), 1 => Just(Fault::Forget)]),
            1..60,
        )
    ) {
        let mut process = Process::new();
        acts.iter().for_each(|act| process.act(act));
        process.finish();
        let told = process.told_counters();
        prop_assert!(told.iter().zip(&process.totals).all(|(told, real)| told <= real));
        let metricsd = &process.wire.metricsd;
        prop_assert!(metricsd.finished_spans().values().all(|times| *times == 1));
        let whole = told == process.totals
            && metricsd.buckets("h") == process.expected_buckets()
            && metricsd.finished_spans().len() == process.spans as usize;
        prop_assert!(whole || metricsd.lost() > 0);
    }
}

#[test]
fn the_life_is_known_once_metricsd_has_said_it_and_not_when_it_is_resumed() {
    let mut process = Process::new();
    assert_eq!(process.client.life(), None);
    let poll = |process: &mut Process| {
        (0..4).for_each(|_| {
            process.now = process.now.after(Nanos::from_secs(1));
            process.flusher.poll(process.now, &mut process.wire);
        });
    };
    poll(&mut process);
    let life = process.client.life().map(|(boot, life)| (boot, life.raw()));
    assert_eq!(life, Some((1, 1)));
    process.wire.fail(Fault::Break);
    poll(&mut process);
    assert_eq!(process.client.life(), None, "metricsd may keep the first number");
}

#[test]
fn a_metricsd_that_begins_anew_hears_apart_what_its_predecessor_was_told() {
    let mut process = Process::new();
    for round in 1..=3 {
        process.act(&Act::Add(0, 5));
        process.act(&Act::Observe(1));
        process.finish();
        let metricsd = &process.wire.metricsd;
        assert_eq!(metricsd.kept(), round * 6, "each of them is in the windows of one epoch");
        assert_eq!(process.told_counters()[0], round * 5, "and all of them in the totals");
        process.wire.fail(Fault::Restart);
    }
}

#[test]
fn a_span_that_is_open_for_long_is_made_known_before_it_ends() {
    let mut process = Process::new();
    process.act(&Act::Begin);
    process.wait(Nanos::from_secs(3));
    assert_eq!(process.wire.metricsd.open_spans(), 1);
    process.finish();
    assert_eq!(process.wire.metricsd.open_spans(), 0);
    assert_eq!(process.wire.metricsd.finished_spans(), BTreeMap::from([(1, 1)]));
}

#[test]
fn a_series_that_metricsd_refuses_does_not_hold_up_the_others() {
    let mut process = Process::new();
    process.wire.metricsd.refuse_name("h");
    process.act(&Act::Add(0, 3));
    process.act(&Act::Observe(1));
    process.finish();
    assert_eq!(process.told_counters()[0], 3);
    assert!(process.wire.metricsd.buckets("h").is_empty());
    assert_eq!(process.wire.metricsd.lost_for(LossReason::Refused), 1);
}

#[test]
fn without_metricsd_the_flusher_tries_again_at_growing_intervals() {
    let mut process = Process::new();
    process.wire.fail(Fault::NotThere(u32::MAX));
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let next = process.flusher.poll(process.now, &mut process.wire);
        pauses.push(next.since(process.now).0);
        process.now = next;
    }
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
    assert_eq!(pauses.last(), Some(&PACE.retry_max.0));
}

#[test]
fn more_series_than_fit_one_batch_all_arrive() {
    let mut process = Process::new();
    let counters: Vec<_> = (0..700)
        .map(|at| process.client.counter(name("many"), &[("n", &at.to_string())]).unwrap())
        .collect();
    for (at, counter) in counters.iter().enumerate() {
        process.client.add(*counter, at as u64 + 1);
    }
    process.finish();
    for at in 0..counters.len() {
        assert_eq!(process.wire.metricsd.total("many", &format!("n={at}\n")), at as u64 + 1);
    }
}

#[test]
fn a_forked_child_tells_only_what_it_recorded_itself() {
    let mut process = Process::new();
    process.act(&Act::Add(0, 5));
    process.act(&Act::Observe(1));
    process.act(&Act::Begin);
    process.act(&Act::End);
    process.flusher = Flusher::for_forked_child(process.client, PACE);
    process.act(&Act::Add(0, 2));
    process.act(&Act::Observe(200));
    process.finish();
    assert_eq!(process.told_counters()[0], 2);
    assert_eq!(process.wire.metricsd.buckets("h"), BTreeMap::from([(8, 1)]));
    assert_eq!(process.wire.metricsd.sum("h"), 200);
    assert!(process.wire.metricsd.finished_spans().is_empty());
}

#[test]
fn what_was_recorded_in_all_is_told_once_everything_is() {
    let mut process = Process::new();
    for act in [Act::Add(0, 7), Act::Add(1, 5), Act::Observe(40), Act::Observe(2), Act::Set(9)] {
        process.act(&act);
    }
    process.wait(Nanos::from_secs(5));
    let recorded = Recorded { counted: 12, observed: 2, sum: 42 };
    assert_eq!(process.wire.metricsd.recorded(), Some(recorded));
    process.act(&Act::Add(0, 1));
    process.wait(Nanos::from_secs(5));
    let recorded = Recorded { counted: 13, ..recorded };
    assert_eq!(process.wire.metricsd.recorded(), Some(recorded));
}

#[test]
fn what_metricsd_refused_is_not_told_as_recorded() {
    let mut process = Process::new();
    process.wire.metricsd.refuse_name("h");
    process.act(&Act::Observe(40));
    process.act(&Act::Add(0, 7));
    process.wait(Nanos::from_secs(5));
    let recorded = Recorded { counted: 7, observed: 0, sum: 0 };
    assert_eq!(process.wire.metricsd.recorded(), Some(recorded));
}
