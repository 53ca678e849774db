//! A simulated world with bundles and programs, and a client in it that keeps what stands on the
//! console.

use std::cell::RefCell;
use std::rc::Rc;

use bundlemgrd::Bundlemgrd;
use dsoftbusd::{Dsoftbusd, Says};
use entropyd::Entropyd;
use execd::Execd;
use guest::Mistaken;
use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_abi::{Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_bundle::{Manifest, pack};
use nexus_log::memory::Logged;
use nexus_metrics::Pace;
use nexus_port::Service;
use nexus_recipe::{BundlesRecipe, Keys, Policy, PolicyRule, Recipe};
use nexus_wire::bundles::{BundleName, BundleVersion};
use policyd::Policyd;
use selftest_client::{Case, Client, prove};
use simkit::{Disk, Start, World};
use statefsd::Statefsd;
use timed::Timed;

use crate::counts::Counts;
use crate::lies::{Confused, Lies, Repeating, Spoiled};
use crate::machine::{self, Children, Machine};
use crate::recorded::Recorded;

const ME: &str = "selftest-client";
const GUEST: &str = include_str!("../../../../../recipes/observability/guest.toml");
const BUNDLES: &str = include_str!("../../../../../recipes/system/bundles.toml");
const KEYS: &str = include_str!("../../../../../recipes/system/keys.toml");
const POLICY: &str = include_str!("../../../../../recipes/system/policy.toml");

/// What is recorded is brought so often while time passes.
const TICK: Nanos = Nanos::from_millis(1);

/// Those whose records come under their own names.
const LOGGING: [&str; 4] = ["policyd", "timed", "bundlemgrd", "execd"];

/// Whom the cases and the intruder call.
pub(crate) const CALLED: [&str; 9] = [
    "logd",
    "metricsd",
    "statefsd",
    "policyd",
    "timed",
    "bundlemgrd",
    "execd",
    "entropyd",
    "dsoftbusd",
];

/// See the module.
pub(crate) struct Simulated {
    pub(crate) world: World,
    me: simkit::Client,
    recorded: Recorded,
    pub(crate) machine: Rc<RefCell<Machine>>,
    pub(crate) console: Vec<String>,
    shown: usize,
    lies: Lies,
}

/// The bundles that the boot image carries, each of one program.
fn boot() -> &'static [&'static [u8]] {
    let recipe = BundlesRecipe::parse(BUNDLES).unwrap();
    let bundles = recipe.boot.iter().map(|bundle| {
        let manifest = Manifest {
            name: BundleName::new(&bundle.name).unwrap(),
            version: BundleVersion::new(&bundle.version).unwrap(),
            entry: BundleName::new(&bundle.entry).unwrap(),
            memory_kib: bundle.memory_kib,
            rights: bundle.rights(),
            program_bytes: 0,
        };
        &*pack(&manifest, &machine::PROGRAM).unwrap().leak()
    });
    bundles.collect::<Vec<_>>().leak()
}

impl Simulated {
    /// Everything runs, and what its services record is told as `who`'s.
    pub(crate) fn new(who: &str, lies: Lies) -> Self {
        let mut world = World::new(1);
        let mut spawner = Spawner { world: &mut world, mistaken: lies.mistaken };
        spawner.spawn("statefsd", Rights::NONE, move |start| statefsd(lies, &start));
        world.attach("statefsd", Disk::new(guest::state_recipe().statefsd.disk_bytes / 512));
        world.settle();
        let recorded = Recorded::new(&mut world, (who, &LOGGING), Rights::NONE, Pace::DEFAULT);
        let recipe = Recipe::parse(GUEST).unwrap();
        let of_logd = recipe.clone();
        let mut spawner = Spawner { world: &mut world, mistaken: lies.mistaken };
        spawner
            .spawn("logd", Rights::NONE, move |start| Logd::new(&of_logd, start.boot, Keep::Files));
        let metricsd = move |start: Start| Metricsd::new(&recipe, start.boot, Keep::Nothing);
        match lies.altered {
            None => spawner.spawn("metricsd", Rights::QUERY, metricsd),
            Some(alteration) => spawner.spawn("metricsd", Rights::QUERY, move |start| {
                guest::Retold { service: metricsd(start), alteration }
            }),
        }
        let machine = Rc::new(RefCell::new(Machine::default()));
        machine.borrow_mut().falls = lies.falls;
        machine.borrow_mut().starves = lies.starves;
        machine.borrow_mut().may_read = lies.may_read;
        machine.borrow_mut().is_credulous = lies.is_credulous;
        let mut spawner = Spawner { world: &mut world, mistaken: lies.mistaken };
        spawn_services(&mut spawner, &machine, lies);
        let me = world.client(ME, Rights::QUERY.with(Rights::SCRAPE));
        let mut sim = Self { world, me, recorded, machine, console: Vec::new(), shown: 0, lies };
        sim.pause(Nanos::from_millis(100));
        sim
    }

    fn tick(&mut self) {
        machine::go_on(&self.machine, &mut self.world);
        self.recorded.poll(self.world.now().mono, self.lies.mute);
        self.world.run_for(TICK);
    }

    /// Proves these tables; whether they hold, and what the services printed meanwhile.
    pub(crate) fn prove(&mut self, tables: &[&[Case]]) -> bool {
        self.shown = self.world.console().len();
        self.console.clear();
        tables.iter().all(|cases| prove(self, cases))
    }

    fn show_services(&mut self) {
        let lines = self.world.console().iter().skip(self.shown).map(|line| form(&line.text));
        self.console.extend(lines);
        self.shown = self.world.console().len();
    }

    /// All that services have logged.
    pub(crate) fn logged(&self) -> Vec<Logged> {
        self.recorded.logged.records()
    }

    /// What a service answers.
    pub(crate) fn answer(&mut self, name: &str, frame: &[u8]) -> Vec<u8> {
        self.world.call(self.me, name, frame).unwrap()
    }

    /// Ends a service and starts it again, as init does.
    pub(crate) fn kill(&mut self, name: &str) {
        self.world.kill(name, nexus_abi::ExitReason::Killed(9));
        self.world.restart(name);
        self.pause(Nanos::from_millis(50));
    }
}

/// A line with the number of a process left open.
fn form(line: &str) -> String {
    let Some((before, behind)) = line.split_once("pid=") else { return line.to_owned() };
    let behind = behind.trim_start_matches(|digit: char| digit.is_ascii_digit());
    format!("{before}pid=<pid>{behind}")
}

/// How services are put into the world: one of them may take the intruder for the selftest.
struct Spawner<'w> {
    world: &'w mut World,
    mistaken: Option<&'static str>,
}

impl Spawner<'_> {
    fn spawn<S: Service + 'static>(
        &mut self,
        name: &str,
        rights: Rights,
        mut make: impl FnMut(Start) -> S + 'static,
    ) {
        if self.mistaken == Some(name) {
            self.world.spawn_with(name, rights, move |start| Mistaken::new(make(start)));
        } else {
            self.world.spawn_with(name, rights, make);
        }
    }
}

fn policy(lies: Lies) -> Policy {
    let mut policy = Policy::parse(POLICY).unwrap();
    if lies.may_start {
        let what = ["demo.wait".to_owned()].into();
        let rule = PolicyRule { who: "demo-intruder".to_owned(), what };
        policy.spawn = policy.spawn.iter().cloned().chain([rule]).collect();
    }
    policy
}

fn statefsd(lies: Lies, start: &Start) -> Statefsd {
    let mut recipe = guest::state_recipe();
    if let Some(change) = lies.state {
        change(&mut recipe);
    }
    Statefsd::new(&recipe, start.boot).unwrap()
}

fn spawn_services(spawner: &mut Spawner<'_>, machine: &Rc<RefCell<Machine>>, lies: Lies) {
    let recipe = BundlesRecipe::parse(BUNDLES).unwrap();
    spawner.spawn("policyd", Rights::NONE, move |_| Policyd::new(&policy(lies)));
    spawner.spawn("timed", Rights::NONE, |_| Timed::new());
    let (limits, boot) = (recipe.bundlemgrd, boot());
    let bundlemgrd = move |_: Start| Bundlemgrd::new(&limits, boot);
    if lies.spoils_bundles {
        let make = move |start| guest::Twin { service: bundlemgrd(start), lie: Spoiled };
        spawner.spawn("bundlemgrd", Rights::NONE, make);
    } else if lies.confuses_uploads {
        let make = move |start| guest::Twin { service: bundlemgrd(start), lie: Confused };
        spawner.spawn("bundlemgrd", Rights::NONE, make);
    } else {
        spawner.spawn("bundlemgrd", Rights::NONE, bundlemgrd);
    }
    let (limits, machine) = (recipe.execd, Rc::clone(machine));
    let execd = move |_: Start| Execd::new(&limits, Children::find(Rc::clone(&machine)));
    let rights = if lies.is_blind { Rights::NONE } else { Rights::QUERY };
    spawner.spawn("execd", rights, execd);
    match lies.repeats {
        false => spawner.spawn("entropyd", Rights::NONE, |_| Entropyd::new(Counts(1))),
        true => spawner.spawn("entropyd", Rights::NONE, |_| guest::Twin {
            service: Entropyd::new(Counts(1)),
            lie: Repeating,
        }),
    }
    let endpoint = |name: &'static str, says| {
        move |_: Start| Dsoftbusd::new(&Keys::parse(KEYS).unwrap().ring(name).unwrap(), says)
    };
    spawner.spawn("dsoftbusd-peer", Rights::NONE, endpoint("dsoftbusd-peer", Says::PEER));
    spawner.spawn("dsoftbusd", Rights::NONE, endpoint("dsoftbusd", Says::LOCAL));
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
        let name = CALLED.into_iter().find(|name| ServiceId::from_name(name) == to)?;
        let got = self.world.call(self.me, name, frame).ok()?;
        answer.get_mut(..got.len())?.copy_from_slice(&got);
        Some(got.len())
    }

    fn flush(&mut self) {}

    fn logd_is_proven(&mut self) {}

    fn print(&mut self, line: &str) {
        self.show_services();
        self.console.push(line.to_owned());
    }
}
