//! A simulated world with logd, metricsd and services whose cases are proven there.
//!
//! What is recorded is brought to the daemons in the name of one of the services, whose telemetry
//! the cases read.

use guest::{Alteration, Retold};
use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_abi::{Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_wire::markers;
use selftest_client::{Absence, Case, Client, prove};
use simkit::{NoAnswer, World};

#[path = "../recorded/mod.rs"]
mod recorded;

use recorded::Recorded;

const ME: &str = "selftest-client";

/// What is recorded is brought so often while time passes.
const TICK: Nanos = Nanos::from_millis(1);

/// See the module.
pub(crate) struct Hosted {
    pub(crate) world: World,
    me: simkit::Client,
    recorded: Recorded,
    /// Who is called, by name.
    hosts: Vec<&'static str>,
    console: Vec<String>,
    /// Lines of the services that are on the console already.
    shown: usize,
    absence: Absence,
    /// How long this machine takes to make a call of somebody, and of whom.
    pub(crate) slow: Option<(&'static str, Nanos)>,
}

impl Hosted {
    /// A world in which `spawn` starts the services behind logd and before metricsd, with what is
    /// recorded in the name of the first of `hosts`; metricsd may export something else than it
    /// was told.
    pub(crate) fn new(
        hosts: &[&'static str],
        spawn: impl FnOnce(&mut World),
        altered: Option<Alteration>,
    ) -> Self {
        let (mut world, recipe) = (World::new(1), guest::recipe());
        let of_logd = recipe.clone();
        world.spawn("logd", move |start| Logd::new(&of_logd, start.boot, Keep::Nothing));
        world.settle();
        let recorded =
            Recorded::new(&mut world, (hosts[0], &hosts[..1]), Rights::NONE, guest::PACE);
        spawn(&mut world);
        world.settle();
        let metricsd =
            move |start: simkit::Start| Metricsd::new(&recipe, start.boot, metricsd::Keep::Nothing);
        match altered {
            None => world.spawn_with("metricsd", Rights::QUERY, metricsd),
            Some(alteration) => {
                world.spawn_with("metricsd", Rights::QUERY, move |start| Retold {
                    service: metricsd(start),
                    alteration,
                });
            }
        }
        let me = world.client(ME, Rights::QUERY.with(Rights::SCRAPE));
        let hosts = [&["logd", "metricsd"], hosts].concat();
        let (console, shown, absence) = (Vec::new(), 0, Absence::Unknown);
        let mut hosted = Self { world, me, recorded, hosts, console, shown, absence, slow: None };
        while !hosted.console.iter().any(|line| line == markers::METRICSD_READY) {
            hosted.tick();
            hosted.show_services();
        }
        hosted.console.clear();
        hosted
    }

    fn tick(&mut self) {
        self.recorded.poll(self.world.now().mono, None);
        self.world.run_for(TICK);
    }

    fn show_services(&mut self) {
        let lines = self.world.console().iter().skip(self.shown);
        self.console.extend(lines.map(|line| line.text.clone()));
        self.shown = self.world.console().len();
    }

    /// Proves a table: whether it holds, and what stands on the console meanwhile.
    pub(crate) fn prove(mut self, cases: &[Case]) -> (bool, Vec<String>) {
        let all_hold = prove(&mut self, cases);
        (all_hold, self.console)
    }
}

impl Client for Hosted {
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
        let name = *self.hosts.iter().find(|name| ServiceId::from_name(name) == to)?;
        if let Some((_, takes)) = self.slow.filter(|(of, _)| *of == name) {
            self.pause(takes);
        }
        let got = self.world.call(self.me, name, frame);
        let got = got.map_err(|why| self.absence = absence(why)).ok()?;
        answer.get_mut(..got.len())?.copy_from_slice(&got);
        Some(got.len())
    }

    fn absence(&self) -> Absence {
        self.absence
    }

    /// What is recorded here is a service's, which brings it when it does.
    fn flush(&mut self) {}

    fn logd_is_proven(&mut self) {}

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

/// What has to stand on the console if a table holds.
pub(crate) fn expected(cases: &'static [Case]) -> (bool, Vec<String>) {
    let lines = cases.iter().flat_map(|case| case.services_print.iter().chain([&case.marker]));
    (true, lines.map(|line| (*line).to_owned()).collect())
}

/// Sees that a case was not proven: the word of why stands where its marker would.
pub(crate) fn fails(case: &Case, (all_hold, console): &(bool, Vec<String>), what: &str) {
    let word = format!("selftest-client: no \"{}\"", case.marker);
    let is_last = console.last().is_some_and(|last| last.starts_with(&word));
    assert!(!all_hold && is_last, "{what}: {console:?}");
}
