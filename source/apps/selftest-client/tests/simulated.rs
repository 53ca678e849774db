//! The whole table in the simulated world; and worlds in which it must fail.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use execd::Execd;
use guest::{Alteration, Cut, Lenient, Lie, Misremembered, Misremembering, Retold, Twin, Volatile};
use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_abi::{ExitReason, Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_bundle::{Left, LoadError, Processes, Program, StartError};
use nexus_metrics::Pace;
use nexus_port::Token;
use nexus_recipe::Recipe;
use nexus_wire::exec::ExecStatus;
use nexus_wire::{files, markers};
use policyd::Policyd;
use selftest_client::{Absence, Client, FATAL, Goal, expected, run};
use simkit::{Disk, NoAnswer, World};

mod lies;
mod recorded;

use lies::Queried;
use recorded::Recorded;

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
    /// Whether there is a disk.
    has_disk: bool,
    /// Whether this is not the first boot.
    is_again: bool,
    /// Who lies.
    lies: Lies,
    /// Why the last call had no answer.
    absence: Absence,
    /// Who is dead, and when they are started again.
    dead: Vec<(&'static str, Mono)>,
}

/// How a world differs from one in which all cases hold.
#[derive(Clone, Copy, Debug)]
struct Lies {
    /// metricsd gets nothing but malformed frames.
    spoiled: bool,
    /// The export is cut once metricsd is ready.
    cut: bool,
    /// A field of the export is altered.
    altered: Option<Alteration>,
    /// metricsd is told once more of a counter that was exported.
    told_again: bool,
    /// What we read is not what logd has.
    queried: Option<Queried>,
    /// logd stores what it refuses; whether it says that it refused.
    stores_refused: Option<bool>,
    /// execd says of what was denied that it was allowed.
    fails_open: bool,
    /// Who outlives what should end it.
    immortal: Option<&'static str>,
    /// What metricsd keeps is not what it gives back, from this boot on.
    remembered: Option<(u32, Misremembered)>,
    /// metricsd keeps nothing, although there is a disk.
    unkept: bool,
    /// The disk forgets all when its power is cut.
    volatile: bool,
}

/// What is recorded is brought so often while time passes.
const TICK: Nanos = Nanos::from_millis(1);
/// Ticks that a flush may take.
const FLUSH_TICKS: u32 = 100;
/// How long who died stays dead.
const DEATH: Nanos = Nanos::from_millis(100);

impl Simulated {
    fn tick(&mut self) {
        let now = self.world.now().mono;
        for (name, _) in self.dead.extract_if(.., |(_, again)| *again <= now) {
            self.world.restart(name);
        }
        self.recorded.poll(now, None);
        self.world.run_for(TICK);
    }

    fn new(recipe: &str, rights: Rights, lies: Lies) -> Self {
        Self::with(World::new(1), (recipe, rights), lies, false)
    }

    /// In a world with a disk, and statefsd on it.
    fn with_disk(lies: Lies) -> Self {
        let mut world = World::new(1);
        match lies.volatile {
            false => world.spawn("statefsd", |start| guest::statefsd(start.boot)),
            true => {
                world.spawn("statefsd", |start| Volatile::new(guest::statefsd(start.boot)));
            }
        }
        world.attach("statefsd", Disk::new(guest::state_recipe().statefsd.disk_bytes / 512));
        world.settle();
        Self::with(world, (GUEST, Rights::QUERY.with(Rights::SCRAPE)), lies, true)
    }

    /// Cuts the power of everything, and starts what comes before the selftest.
    fn reboot(&mut self) {
        for name in ["metricsd", "logd", "statefsd"] {
            self.world.kill(name, ExitReason::Killed(9));
        }
        let disk = self.world.disk("statefsd").cut(&[]);
        self.world.attach("statefsd", disk);
        for name in ["statefsd", "logd"] {
            self.world.restart(name);
            self.world.settle();
            if name == "statefsd" {
                // Somebody has to ask before it looks at its disk again.
                let mut frame = [0; 16];
                let hello = files::encode(&files::Request::Hello, 1, &mut frame).unwrap();
                self.world.call(self.me, name, hello).unwrap();
                self.world.settle();
            }
        }
        self.console.clear();
        self.is_again = true;
    }

    fn with(
        mut world: World,
        (recipe, rights): (&str, Rights),
        lies: Lies,
        has_disk: bool,
    ) -> Self {
        let recipe = Recipe::parse(recipe).unwrap();
        let of_logd = recipe.clone();
        let keep = if has_disk { Keep::Files } else { Keep::Nothing };
        let logd = move |start: simkit::Start| Logd::new(&of_logd, start.boot, keep);
        match lies.stores_refused {
            None => world.spawn("logd", logd),
            Some(says_refused) => {
                world.spawn("logd", move |start| Lenient { logd: logd(start), says_refused });
            }
        }
        let me = world.client(ME, rights);
        let recorded = Recorded::new(&mut world, (ME, &[ME]), rights, Pace::DEFAULT);
        let console = Vec::new();
        let (absence, dead) = (Absence::Unknown, Vec::new());
        let (shown, has_metricsd, is_again) = (0, true, false);
        Self {
            world,
            me,
            recorded,
            recipe,
            console,
            shown,
            has_metricsd,
            has_disk,
            is_again,
            lies,
            absence,
            dead,
        }
    }

    /// Ends a service, as the guest's services end of it.
    fn end(&mut self, name: &'static str) {
        self.world.kill(name, ExitReason::Exited(7));
        self.dead.push((name, self.world.now().mono.after(DEATH)));
        self.absence = Absence::Died;
    }

    fn console(recipe: &str, lies: Lies) -> (bool, Vec<String>) {
        let mut client = Self::new(recipe, Rights::QUERY.with(Rights::SCRAPE), lies);
        let all_hold = run(&mut client, Goal::Services);
        (all_hold, client.console)
    }

    /// Whether all that was recorded is brought.
    fn is_settled(&self) -> bool {
        let Recorded { couriers, metrics, .. } = &self.recorded;
        let now = self.world.now().mono;
        couriers.iter().all(|(_, courier, _)| courier.is_settled()) && metrics.is_settled(now)
    }

    fn show_services(&mut self) {
        let lines = self.world.console().iter().skip(self.shown).map(|line| &line.text);
        let is_proof = |line: &&String| !line.starts_with("statefsd: ") || line.ends_with(" ready");
        self.console.extend(lines.filter(is_proof).cloned());
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
        let names = ["logd", "metricsd", "policyd", "execd"];
        let name = names.into_iter().find(|name| ServiceId::from_name(name) == to);
        if frame == FATAL && name != self.lies.immortal && self.world.runs(name?) {
            self.end(name?);
            return None;
        }
        let mut frame = frame.to_vec();
        if self.lies.spoiled && name == Some("metricsd") {
            frame[0] = !frame[0];
        }
        if self.lies.told_again && lies::waits_for_a_round(&frame) {
            let _answer = self.world.call(self.me, "metricsd", &lies::told_again());
        }
        let got = match self.lies.queried.filter(|_| name == Some("logd")) {
            Some(queried) => queried.call(&frame, |frame| self.world.call(self.me, "logd", frame)),
            None => self.world.call(self.me, name?, &frame),
        };
        let got = got.map_err(|why| self.absence = absence(why)).ok()?;
        answer.get_mut(..got.len())?.copy_from_slice(&got);
        Some(got.len())
    }

    fn absence(&self) -> Absence {
        self.absence
    }

    fn flush(&mut self) {
        self.recorded.metrics.request_flush(self.world.now().mono);
        for _ in 0..FLUSH_TICKS {
            self.tick();
            if self.is_settled() {
                return;
            }
        }
    }

    fn logd_is_proven(&mut self) {
        if self.is_again {
            self.world.restart("metricsd");
        } else if self.has_metricsd {
            let keep = match self.lies.unkept {
                false if self.has_disk => Keep::Files,
                _ => Keep::Nothing,
            };
            let recipe = self.recipe.clone();
            let make = move |start: simkit::Start| Metricsd::new(&recipe, start.boot, keep);
            let (world, query) = (&mut self.world, Rights::QUERY);
            match self.lies {
                Lies { cut: true, .. } => {
                    world.spawn_with("metricsd", query, move |start| Cut::new(make(start)))
                }
                Lies { altered: Some(alteration), .. } => {
                    world.spawn_with("metricsd", query, move |start| Retold {
                        service: make(start),
                        alteration,
                    });
                }
                Lies { remembered: Some((boot, lie)), .. } => {
                    world.spawn_with("metricsd", query, move |start| Misremembering {
                        lie: (start.boot >= boot).then_some(lie),
                        service: make(start),
                        nonce: 0,
                    });
                }
                _ => world.spawn_with("metricsd", query, make),
            }
        }
    }

    fn print(&mut self, line: &str) {
        self.show_services();
        self.console.push(line.to_owned());
    }
}

fn absence(why: NoAnswer) -> Absence {
    match why {
        NoAnswer::Busy => Absence::Unknown,
        NoAnswer::NotReady => Absence::NotReady,
        NoAnswer::PeerDied => Absence::Died,
        NoAnswer::Late => Absence::Silent,
    }
}

fn everything() -> Vec<&'static str> {
    expected(Goal::Services).collect()
}

#[test]
fn all_cases_hold_and_print_what_is_expected_and_nothing_else() {
    let (all_hold, console) = Simulated::console(GUEST, NONE);
    assert_eq!(console, everything());
    assert!(all_hold);
}

#[test]
fn the_same_console_comes_of_a_second_run() {
    assert_eq!(Simulated::console(GUEST, NONE), Simulated::console(GUEST, NONE));
}

#[test]
fn without_the_right_to_read_nothing_is_proven() {
    let mut client = Simulated::new(GUEST, Rights::SCRAPE, NONE);
    assert!(!run(&mut client, Goal::Services));
    assert!(!client.console.iter().any(|line| line.starts_with("SELFTEST:")));
    assert!(client.console.last().unwrap().contains(markers::SELFTEST_LOGD_HARDENING));
}

#[test]
fn without_metricsd_logd_is_proven_and_nothing_of_metrics() {
    let rights = Rights::QUERY.with(Rights::SCRAPE);
    let mut client = Simulated::new(GUEST, rights, NONE);
    client.has_metricsd = false;
    assert!(!run(&mut client, Goal::Services));
    let logd = expected(Goal::Logd).collect::<Vec<_>>();
    assert_eq!(client.console[..logd.len()], logd);
    assert_eq!(client.console.len(), logd.len() + 1, "and a word of what is missing");
}

#[test]
fn from_invalid_traffic_nothing_of_metrics_is_proven() {
    fails_without(markers::METRICSD_REJECT_OVER_LIMIT, Lies { spoiled: true, ..NONE });
}

/// Rounds of 10 s take longer than a case waits: what is not exported is not believed.
#[test]
fn a_total_that_only_metricsd_knows_is_no_proof() {
    let (all_hold, console) = Simulated::console(MACHINE, NONE);
    assert!(!all_hold);
    assert!(!console.iter().any(|line| line == markers::SELFTEST_METRICS_COUNTERS));
}

const NONE: Lies = Lies {
    spoiled: false,
    cut: false,
    altered: None,
    told_again: false,
    queried: None,
    stores_refused: None,
    fails_open: false,
    immortal: None,
    remembered: None,
    unkept: false,
    volatile: false,
};

/// All lines before that one come, it does not, and nothing else but a word of what is missing.
fn fails_without(marker: &str, lies: Lies) {
    let (all_hold, console) = Simulated::console(GUEST, lies);
    ends_without(marker, lies, all_hold, console, &everything());
}

fn ends_without(
    marker: &str,
    lies: Lies,
    all_hold: bool,
    mut console: Vec<String>,
    expected: &[&str],
) {
    let word = console.pop().unwrap();
    let is_word = word.starts_with("selftest-client: no \"SELFTEST: ");
    assert!(!all_hold && is_word, "{lies:?}: {word}");
    let before = expected.iter().take_while(|line| **line != marker);
    let before = before.copied().collect::<Vec<_>>();
    assert_eq!(console, before, "{lies:?}: {word}");
}

fn altered(
    marker: &str,
    of: &'static str,
    key: &'static str,
    honest: Option<&'static str>,
    told: Option<&'static str>,
) {
    let altered = Some(Alteration { of, key, honest, told });
    fails_without(marker, Lies { altered, ..NONE });
}

/// Somebody whom nobody knows.
const STRANGER: Option<&str> = Some("00000000000000ab");

#[test]
fn a_counter_that_is_not_exactly_what_was_told_is_no_proof() {
    const MARKER: &str = markers::SELFTEST_METRICS_COUNTERS;
    const NAME: &str = "selftest_events_total";
    altered(MARKER, NAME, "value", Some("7"), Some("8"));
    altered(MARKER, NAME, "value", Some("40"), Some("41"));
    altered(MARKER, NAME, "origin", None, STRANGER);
    altered(MARKER, NAME, "kind", None, Some("gauge"));
    altered(MARKER, NAME, "unit", None, Some("ns"));
    altered(MARKER, NAME, "label.part", Some("b"), Some("c"));
    altered(MARKER, NAME, "label.extra", None, Some("1"));
    altered(MARKER, NAME, "overflow", None, Some("1"));
    altered(MARKER, NAME, "at_ns", None, None);
    altered(MARKER, NAME, "seq", None, Some("many"));
    altered(MARKER, "selftest_client_total", "value", Some("42"), Some("43"));
    altered(MARKER, "selftest_client_total", "value", Some("1"), Some("0"));
}

#[test]
fn a_counter_that_grows_once_it_was_seen_is_no_proof() {
    fails_without(markers::SELFTEST_METRICS_COUNTERS, Lies { told_again: true, ..NONE });
}

#[test]
fn a_gauge_that_is_not_exactly_what_was_told_is_no_proof() {
    const MARKER: &str = markers::SELFTEST_METRICS_GAUGES;
    const LOWEST: Option<&str> = Some("-9223372036854775808");
    altered(MARKER, "selftest_level", "value", Some("-9"), Some("9"));
    altered(MARKER, "selftest_level", "value", LOWEST, Some("-9223372036854775807"));
    altered(MARKER, "selftest_level", "origin", None, STRANGER);
    altered(MARKER, "selftest_client_level", "value", Some("-9"), Some("9"));
}

#[test]
fn a_histogram_that_is_not_exactly_what_was_told_is_no_proof() {
    const MARKER: &str = markers::SELFTEST_METRICS_HISTOGRAMS;
    const NAME: &str = "selftest_latency_ns";
    altered(MARKER, NAME, "le.2048", Some("3"), Some("2"));
    altered(MARKER, NAME, "le.8192", None, Some("4"));
    altered(MARKER, NAME, "le.inf", None, None);
    altered(MARKER, NAME, "count", Some("5"), Some("6"));
    altered(MARKER, NAME, "sum", Some("1099511634825"), Some("1099511634824"));
    altered(MARKER, NAME, "origin", None, STRANGER);
    altered(MARKER, "selftest_client_ns", "le.5000000", Some("2"), Some("1"));
    altered(MARKER, "selftest_client_ns", "unit", None, Some("none"));
}

#[test]
fn a_span_that_is_not_exactly_what_was_told_is_no_proof() {
    const MARKER: &str = markers::SELFTEST_TRACING_SPANS;
    const INNER: &str = "selftest.inner";
    const OUTER: &str = "selftest.outer";
    const TRACE: Option<&str> = Some("000000010000000100000000000003e9");
    altered(MARKER, INNER, "status", Some("error"), Some("ok"));
    altered(MARKER, INNER, "parent", None, Some("0000000000000001"));
    altered(MARKER, INNER, "parent", None, None);
    altered(MARKER, INNER, "trace", None, TRACE);
    altered(MARKER, INNER, "dur_ns", Some("345"), Some("346"));
    altered(MARKER, INNER, "name", None, Some("selftest.other"));
    altered(MARKER, INNER, "span", None, Some("0000000000000001"));
    altered(MARKER, INNER, "incarnation", None, Some("77"));
    altered(MARKER, INNER, "origin", None, STRANGER);
    altered(MARKER, OUTER, "parent", None, Some("0000000000000001"));
    altered(MARKER, OUTER, "attr.begun", None, None);
    altered(MARKER, OUTER, "attr.extra", None, Some("1"));
    altered(MARKER, "selftest.client.inner", "status", Some("error"), Some("ok"));
    altered(MARKER, "selftest.client.inner", "attr.code", Some("3"), Some("4"));
    altered(MARKER, "selftest.client.outer", "parent", None, Some("0000000000000001"));
    altered(MARKER, "selftest.client.outer", "dur_ns", None, Some("long"));
}

#[test]
fn an_export_that_is_cut_once_metricsd_is_ready_proves_no_more_than_that() {
    fails_without(markers::SELFTEST_METRICS_SECURITY, Lies { cut: true, ..NONE });
}

#[test]
fn a_query_that_gives_anything_else_than_it_was_asked_for_is_no_proof() {
    for queried in Queried::OF_QUERIES {
        let lies = Lies { queried: Some(queried), ..NONE };
        fails_without(markers::SELFTEST_LOG_QUERY, lies);
    }
}

#[test]
fn a_logd_that_shows_older_records_than_were_asked_for_is_not_hardened() {
    let lies = Lies { queried: Some(Queried::SinceEver), ..NONE };
    fails_without(markers::SELFTEST_LOGD_HARDENING, lies);
}

#[test]
fn a_logd_whose_guard_is_off_refuses_nothing() {
    let lies = Lies { stores_refused: Some(false), ..NONE };
    fails_without(markers::LOGD_REJECT_INVALID_ARGS, lies);
}

#[test]
fn a_logd_that_stores_what_it_says_it_refused_is_not_hardened() {
    let lies = Lies { stores_refused: Some(true), ..NONE };
    fails_without(markers::SELFTEST_LOGD_HARDENING, lies);
}

/// Nothing that could be started.
struct Nothing;

impl Processes for Nothing {
    type Loaded = ();

    fn left(&mut self) -> Option<Left> {
        None
    }

    fn load(&mut self, _: &Program) -> Result<(), LoadError> {
        Err(LoadError::NoEntry)
    }

    fn start(&mut self, (): (), _: Rights) -> Result<u32, StartError> {
        Err(StartError::Denied)
    }

    fn kill(&mut self, _: u32) {}

    fn ended(&mut self) -> Option<(u32, ExitReason)> {
        None
    }

    fn recorded(&mut self) {}
}

/// Says of what was denied that it was allowed, and came to nothing.
struct FailsOpen;

impl Lie for FailsOpen {
    fn reply(world: &mut impl nexus_port::World, token: Token, frame: &[u8]) {
        let mut told = frame.to_vec();
        if told[4] == ExecStatus::Denied.raw() {
            told[4] = ExecStatus::FetchFailed.raw();
        }
        world.reply(token, &told);
    }
}

fn through_outages(lies: Lies) -> (bool, Vec<String>) {
    let mut client = Simulated::new(GUEST, Rights::QUERY.with(Rights::SCRAPE), lies);
    client.world.settle();
    client.world.spawn("policyd", |_| Policyd::new(&guest::policy()));
    client.world.settle();
    let execd = |_| Execd::new(&guest::bundles_recipe().execd, Nothing);
    match lies.fails_open {
        false => client.world.spawn("execd", execd),
        true => {
            let make = move |start| Twin { service: execd(start), lie: FailsOpen };
            client.world.spawn("execd", make);
        }
    }
    client.world.settle();
    let all_hold = run(&mut client, Goal::Outages);
    (all_hold, client.console)
}

/// All before that marker holds, and what the services print until it fails may stand there.
fn outages_fail_without(marker: &str, lies: Lies) {
    let (all_hold, mut console) = through_outages(lies);
    let word = console.pop().unwrap();
    assert!(!all_hold && word.starts_with(&format!("selftest-client: no \"{marker}\"")), "{word}");
    let proven = console.iter().filter(|line| line.starts_with("SELFTEST:")).count();
    let mut cases = Goal::Outages.tables().iter().copied().flatten();
    assert_eq!(Some(proven), cases.position(|case| case.marker == marker), "{lies:?}: {word}");
}

#[test]
fn everything_outlives_outages_of_the_services() {
    let (all_hold, console) = through_outages(NONE);
    assert_eq!(console, expected(Goal::Outages).collect::<Vec<_>>());
    assert!(all_hold);
}

fn outage_altered(
    marker: &str,
    of: &'static str,
    key: &'static str,
    honest: Option<&'static str>,
    told: Option<&'static str>,
) {
    let altered = Some(Alteration { of, key, honest, told });
    outages_fail_without(marker, Lies { altered, ..NONE });
}

#[test]
fn an_outage_of_logd_after_which_anything_else_is_told_is_no_proof() {
    const MARKER: &str = markers::SELFTEST_LOGD_OUTAGE;
    const TOTAL: &str = "selftest_outage_total";
    const GAP: &str = "gap";
    outage_altered(MARKER, TOTAL, "value", Some("1"), Some("2"));
    outage_altered(MARKER, TOTAL, "value", Some("3"), Some("4"));
    outage_altered(MARKER, TOTAL, "origin", None, STRANGER);
    outage_altered(MARKER, TOTAL, "unit", None, Some("ns"));
    let restarted = Some("logd_restarted");
    outage_altered(MARKER, GAP, "reason", restarted, Some("logd_away"));
    outage_altered(MARKER, GAP, "event", None, Some("metric.v1"));
}

#[test]
fn an_outage_of_metricsd_after_which_anything_else_is_told_is_no_proof() {
    const MARKER: &str = markers::SELFTEST_METRICSD_OUTAGE;
    outage_altered(MARKER, "selftest_outage_total", "value", Some("5"), Some("8"));
}

#[test]
fn a_service_that_outlives_what_should_end_it_is_no_outage() {
    let immortal = |name| Lies { immortal: Some(name), ..NONE };
    outages_fail_without(markers::SELFTEST_LOGD_OUTAGE, immortal("logd"));
    outages_fail_without(markers::SELFTEST_METRICSD_OUTAGE, immortal("metricsd"));
}

#[test]
fn an_outage_of_policyd_in_which_anything_is_allowed_is_no_proof() {
    const MARKER: &str = markers::SELFTEST_POLICYD_OUTAGE;
    outages_fail_without(MARKER, Lies { fails_open: true, ..NONE });
    outages_fail_without(MARKER, Lies { immortal: Some("policyd"), ..NONE });
}

/// Two boots on one disk: what each proves.
fn two_boots(lies: Lies, goals: [Goal; 2]) -> [(bool, Vec<String>); 2] {
    let mut client = Simulated::with_disk(lies);
    let first = run(&mut client, goals[0]);
    let console = client.console.clone();
    client.reboot();
    let second = run(&mut client, goals[1]);
    [(first, console), (second, client.console)]
}

const SHORT: [Goal; 2] = [Goal::Retention, Goal::Kept];

fn proven(goal: Goal) -> (bool, Vec<String>) {
    (true, expected(goal).map(str::to_owned).collect())
}

#[test]
fn what_was_kept_comes_back_in_the_next_boot() {
    assert_eq!(two_boots(NONE, SHORT), SHORT.map(proven));
}

#[test]
fn what_was_kept_over_boundaries_of_longer_windows_comes_back_in_those_too() {
    let goals = [Goal::Boundaries, Goal::Rollups];
    assert_eq!(two_boots(NONE, goals), goals.map(proven));
}

fn is_not_kept(marker: &str, lies: Lies) {
    let mut client = Simulated::with_disk(lies);
    let all_hold = run(&mut client, Goal::Retention);
    let expected = expected(Goal::Retention).collect::<Vec<_>>();
    ends_without(marker, lies, all_hold, client.console, &expected);
}

#[test]
fn what_is_given_back_otherwise_than_it_was_told_is_not_kept() {
    for lie in Misremembered::ALL {
        let lies = Lies { remembered: Some((1, lie)), ..NONE };
        is_not_kept(markers::SELFTEST_METRICS_RETENTION, lies);
    }
}

#[test]
fn a_metricsd_that_keeps_nothing_has_kept_nothing() {
    is_not_kept(markers::SELFTEST_METRICS_RETENTION, Lies { unkept: true, ..NONE });
}

#[test]
fn windows_that_logd_has_not_seen_are_no_proof() {
    let [honest, told] = ["42", "43"].map(Some);
    let altered = Some(Alteration { of: "selftest_kept_total", key: "value", honest, told });
    is_not_kept(markers::SELFTEST_METRICS_RETENTION, Lies { altered, ..NONE });
}

/// The second boot fails at that marker, the first at none.
fn is_not_there_again(marker: &str, lies: Lies) {
    let [first, (all_hold, console)] = two_boots(lies, SHORT);
    assert_eq!(first, proven(Goal::Retention), "{lies:?}");
    let expected = expected(Goal::Kept).collect::<Vec<_>>();
    ends_without(marker, lies, all_hold, console, &expected);
}

#[test]
fn what_comes_back_otherwise_in_the_next_boot_was_not_kept() {
    for lie in Misremembered::ALL {
        let lies = Lies { remembered: Some((2, lie)), ..NONE };
        is_not_there_again(markers::SELFTEST_KEPT_METRICS, lies);
    }
}

#[test]
fn a_disk_that_forgets_with_its_power_has_kept_nothing_for_the_next_boot() {
    is_not_there_again(markers::SELFTEST_KEPT_LOGS, Lies { volatile: true, ..NONE });
}
