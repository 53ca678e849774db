//! The whole table in the simulated world; and worlds in which it must fail.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use logd::Logd;
use metricsd::Metricsd;
use nexus_abi::{Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_log::memory::{Captured, Logged};
use nexus_log::{Courier, Record};
use nexus_metrics::{Flusher, Pace};
use nexus_recipe::Recipe;
use nexus_wire::markers;
use selftest_client::{Client, LOGD, METRICSD, expected, run};
use simkit::{Link, World};

const ME: &str = "selftest-client";

/// What the guest's programs are compiled with, and what a larger machine has.
const GUEST: &str = include_str!("../../../../recipes/observability/guest.toml");
const MACHINE: &str = include_str!("../../../../recipes/observability/metrics.toml");

/// A client in the simulated world that keeps what stands on the console.
struct Simulated {
    world: World,
    me: simkit::Client,
    recorded: Recorded,
    recipe: Recipe,
    console: Vec<String>,
    /// Lines of the services that are on the console already.
    shown: usize,
    /// Whether metricsd may begin once logd is proven.
    has_metricsd: bool,
    /// Whether metricsd gets nothing but malformed frames.
    spoils: bool,
}

/// What this process records, and its ways to the services.
struct Recorded {
    /// One world at a time: what a process records is recorded once.
    logged: Captured,
    /// Records that were handed to the courier.
    brought: usize,
    courier: Courier,
    logd: Link,
    metrics: Flusher<&'static nexus_metrics::Client>,
    metricsd: Link,
}

impl Recorded {
    fn new(world: &mut World, rights: Rights) -> Self {
        Self {
            logged: nexus_log::memory::capture(),
            brought: 0,
            courier: Courier::new(),
            logd: world.link(ME, rights, "logd"),
            // Another world of this process may have recorded before.
            metrics: Flusher::for_forked_child(nexus_metrics::global(), Pace::DEFAULT),
            metricsd: world.link(ME, rights, "metricsd"),
        }
    }

    fn poll(&mut self, now: Mono) {
        let all = self.logged.records();
        for logged in &all[self.brought..] {
            let Logged { level, scope, message, fields, cut, fields_cut, span } = logged;
            let (level, cut, fields_cut, span) = (*level, *cut, *fields_cut, *span);
            let record = Record { level, scope, message, fields, cut, fields_cut, span };
            self.courier.submit(&record, now, &mut self.logd);
        }
        self.brought = all.len();
        self.courier.poll(now, &mut self.logd);
        self.metrics.poll(now, &mut self.metricsd);
    }

    fn is_settled(&self, now: Mono) -> bool {
        self.courier.is_settled() && self.metrics.is_settled(now)
    }
}

/// What is recorded is brought so often while time passes.
const TICK: Nanos = Nanos::from_millis(1);
/// Ticks that a flush may take.
const FLUSH_TICKS: u32 = 100;

impl Simulated {
    fn tick(&mut self) {
        self.recorded.poll(self.world.now().mono);
        self.world.run_for(TICK);
    }

    fn new(recipe: &str, rights: Rights) -> Self {
        let recipe = Recipe::parse(recipe).unwrap();
        let mut world = World::new(1);
        let of_logd = recipe.clone();
        world.spawn("logd", move |start| Logd::new(&of_logd, start.boot));
        let me = world.client(ME, rights);
        let recorded = Recorded::new(&mut world, rights);
        let console = Vec::new();
        Self { world, me, recorded, recipe, console, shown: 0, has_metricsd: true, spoils: false }
    }

    fn console(recipe: &str) -> (bool, Vec<String>) {
        let mut client = Self::new(recipe, Rights::QUERY.with(Rights::SCRAPE));
        let all_hold = run(&mut client, false);
        (all_hold, client.console)
    }

    fn show_services(&mut self) {
        let lines = self.world.console().iter().skip(self.shown);
        self.console.extend(lines.map(|line| line.text.clone()));
        self.shown = self.world.console().len();
    }
}

impl Client for Simulated {
    fn id(&self) -> ServiceId {
        ServiceId::from_name(ME)
    }

    fn now(&mut self) -> Mono {
        self.world.now().mono
    }

    fn pause(&mut self, length: Nanos) {
        let until = self.world.now().mono.after(length);
        while self.world.now().mono.after(TICK) <= until {
            self.tick();
        }
        self.world.run_for(until.since(self.world.now().mono));
    }

    fn call(&mut self, to: ServiceId, frame: &[u8], answer: &mut [u8]) -> Option<usize> {
        let name = ["logd", "metricsd"].into_iter().find(|name| ServiceId::from_name(name) == to);
        let mut frame = frame.to_vec();
        if self.spoils && name == Some("metricsd") {
            frame[0] = !frame[0];
        }
        let got = self.world.call(self.me, name?, &frame).ok()?;
        answer.get_mut(..got.len())?.copy_from_slice(&got);
        Some(got.len())
    }

    fn flush(&mut self) {
        self.recorded.metrics.request_flush(self.world.now().mono);
        for _ in 0..FLUSH_TICKS {
            self.tick();
            if self.recorded.is_settled(self.world.now().mono) {
                return;
            }
        }
    }

    fn logd_is_proven(&mut self) {
        if self.has_metricsd {
            let recipe = self.recipe.clone();
            let make = move |start: simkit::Start| Metricsd::new(&recipe, start.boot);
            self.world.spawn_with("metricsd", Rights::QUERY, make);
        }
    }

    fn print(&mut self, line: &str) {
        self.show_services();
        self.console.push(line.to_owned());
    }
}

fn everything() -> Vec<&'static str> {
    expected(LOGD).chain(expected(METRICSD)).collect()
}

#[test]
fn all_cases_hold_and_print_what_is_expected_and_nothing_else() {
    let (all_hold, console) = Simulated::console(GUEST);
    assert_eq!(console, everything());
    assert!(all_hold);
}

#[test]
fn the_same_console_comes_of_a_second_run() {
    assert_eq!(Simulated::console(GUEST), Simulated::console(GUEST));
}

#[test]
fn without_the_right_to_read_nothing_is_proven() {
    let mut client = Simulated::new(GUEST, Rights::SCRAPE);
    assert!(!run(&mut client, false));
    assert!(!client.console.iter().any(|line| line.starts_with("SELFTEST:")));
    assert!(client.console.last().unwrap().contains(markers::SELFTEST_LOGD_HARDENING));
}

#[test]
fn without_metricsd_logd_is_proven_and_nothing_of_metrics() {
    let mut client = Simulated::new(GUEST, Rights::QUERY.with(Rights::SCRAPE));
    client.has_metricsd = false;
    assert!(!run(&mut client, false));
    let logd = expected(LOGD).collect::<Vec<_>>();
    assert_eq!(client.console[..logd.len()], logd);
    assert_eq!(client.console.len(), logd.len() + 1, "and a word of what is missing");
}

#[test]
fn from_invalid_traffic_nothing_of_metrics_is_proven() {
    let mut client = Simulated::new(GUEST, Rights::QUERY.with(Rights::SCRAPE));
    client.spoils = true;
    assert!(!run(&mut client, false));
    let seen = [markers::METRICSD_READY, markers::METRICSD_REJECT_INVALID_ARGS];
    let seen = expected(LOGD).chain(seen).collect::<Vec<_>>();
    assert_eq!(client.console[..client.console.len() - 1], seen);
}

/// Rounds of 10 s take longer than a case waits: what is not exported is not believed.
#[test]
fn a_total_that_only_metricsd_knows_is_no_proof() {
    let (all_hold, console) = Simulated::console(MACHINE);
    assert!(!all_hold);
    assert!(!console.iter().any(|line| line == markers::SELFTEST_METRICS_COUNTERS));
}
