//! Starts children in the order of the image, and again when they end. What it has to say of them
//! stands on the console, and in the journal.
//!
//! How the process waits is its program's: whether it hears anybody while it does.

use guest::names;
use init::{DEATHS_MAX, DEATHS_SPAN, Fate, PATIENCE, Step, Supervisor};
use nexus_abi::kernel::{CAPABILITIES_MAX, CapabilityKind, Change, KernelError, NEVER, Received};
use nexus_abi::{Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_log::{error, warn};
use nexus_rt::os::calls::{self, Slot};
use nexus_rt::os::{Aside, Clock, Logs, SET_ASIDE, say, seal, tell_memory};

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1000 * MILLISECOND;

/// Children have slots in a row, in the order in which they are started.
#[derive(Clone, Copy)]
struct Children {
    first: usize,
}

impl Children {
    /// Those that the image gives us, and how many they are.
    fn find() -> (Self, usize) {
        let is_child = |slot: &usize| calls::child(Slot(*slot as u64)).is_ok();
        let first = (0..CAPABILITIES_MAX).find(is_child).unwrap_or_default();
        (Self { first }, (first..CAPABILITIES_MAX).take_while(is_child).count())
    }

    fn slot(self, at: usize) -> Slot {
        Slot((self.first + at) as u64)
    }

    fn at(self, service: ServiceId) -> Option<usize> {
        let Slot(slot) = calls::find(CapabilityKind::Child, service).ok()?;
        (slot as usize).checked_sub(self.first)
    }

    fn name(self, at: usize) -> &'static str {
        let is_it = |name: &&str| self.at(ServiceId::from_name(name)) == Some(at);
        names().find(is_it).unwrap_or("a child without a name")
    }
}

/// Starts a child with all the rights that the image gives it.
fn spawn(child: Slot) -> bool {
    let both = Rights::QUERY.with(Rights::SCRAPE);
    let sets = [both, Rights::QUERY, Rights::SCRAPE, Rights::NONE];
    let mut tries = sets.into_iter().map(|rights| calls::spawn(child, rights));
    tries.find(|spawned| !matches!(spawned, Err(KernelError::Denied))).is_some_and(|s| s.is_ok())
}

/// What has become of a child.
enum End {
    /// It has ended.
    Of(Change),
    /// It could not be started.
    Unborn,
}

impl core::fmt::Display for End {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Of(change) => write!(f, "ended, {change:?}"),
            Self::Unborn => f.write_str("cannot be started"),
        }
    }
}

struct Init<W> {
    children: Children,
    supervisor: Supervisor,
    clock: Clock,
    logs: Logs,
    /// Waits for anything that concerns children, until a time in ticks.
    wait: W,
}

impl<W: FnMut(u64) -> Result<Received, KernelError>> Init<W> {
    fn next(&mut self) {
        match self.supervisor.next(self.clock.now()) {
            Step::Start { at, set_aside } => self.start(at, set_aside),
            Step::Late { at, count } => tell_late(self.children.name(at), count),
            Step::Wait(until) => self.wait(until),
        }
    }

    /// Nobody that we start comes before us: it knows what we ask before it does anything.
    fn start(&mut self, at: usize, set_aside: bool) {
        let (child, now) = (self.children.slot(at), self.clock.now());
        if !spawn(child) {
            self.supervisor.failed(at, now);
            return self.tell(at, &End::Unborn, now);
        }
        if set_aside {
            let asked = calls::signal(child, SET_ASIDE);
            assert!(asked.is_ok(), "a child that has not run has not ended");
        }
        self.supervisor.started(at, now);
    }

    fn wait(&mut self, until: Option<Mono>) {
        let deadline = until.map_or(NEVER, |until| self.clock.deadline(until));
        if let Ok(Received::Child { service, change }) =
            self.logs.receive(self.clock, deadline, &mut self.wait)
            && let Some(at) = self.children.at(service)
        {
            let now = self.clock.now();
            self.supervisor.changed(at, change, now);
            self.tell(at, &End::Of(change), now);
        }
    }

    /// Says what becomes of a child, if it is dead.
    fn tell(&self, at: usize, end: &End, now: Mono) {
        let name = self.children.name(at);
        match self.supervisor.fate(at, now) {
            Some((Fate::Again { after, set_aside }, deaths)) => {
                set_aside.into_iter().for_each(|count| tell_suspicion(name, count));
                tell_again(name, end, after, deaths);
            }
            Some((Fate::GivenUp, deaths)) => tell_given_up(name, end, deaths),
            None => {}
        }
    }
}

fn tell_suspicion(name: &str, count: u32) {
    say(format_args!("init: {name}: stored state is suspect and set aside, no. {count}"));
    warn!("init", "stored state is suspect and set aside"; child = name, count = count);
}

fn tell_again(name: &str, end: &End, after: Nanos, deaths: u32) {
    let pause = after.0 / MILLISECOND;
    say(format_args!("init: {name} {end}; again in {pause} ms"));
    warn!("init", "{name} {end}"; child = name, again_ms = pause, deaths = deaths);
}

fn tell_given_up(name: &str, end: &End, deaths: u32) {
    let span = DEATHS_SPAN.0 / SECOND;
    say(format_args!("init: {name} {end}; given up, {DEATHS_MAX} deaths within {span} s"));
    error!("init", "{name} {end}; given up"; child = name, deaths = deaths);
}

fn tell_late(name: &str, count: u32) {
    let patience = PATIENCE.0 / SECOND;
    say(format_args!(
        "init: {name} does not serve after {patience} s; those behind it begin, no. {count}"
    ));
    error!("init", "{name} does not serve"; child = name, count = count, after_s = patience);
}

/// Runs for ever.
pub(crate) fn run(wait: impl FnMut(u64) -> Result<Received, KernelError>) -> i32 {
    let (children, count) = Children::find();
    let supervisor = Supervisor::new(count);
    let logs = Logs::install_without_console();
    let mut init = Init { children, supervisor, clock: Clock::new(), logs, wait };
    seal();
    tell_memory("init");
    loop {
        init.next();
    }
}
