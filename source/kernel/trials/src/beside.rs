//! The judge beside a system at work: its first child proves the system, and meanwhile hostile
//! processes do their worst, round after round, until that child has ended. From the moment that
//! the child says so others turn on a service of the system.
//!
//! The machine stops with 0 only if every hostile process ended as it must in every round, if each
//! of them did so while the child was at work, and if the child ended well.

use nexus_abi::kernel::{CapabilityKind, Change};
use nexus_abi::{ExitReason, FRAME_BYTES_MAX, Rights};
use nexus_rt::os::calls::{self, Slot};

use crate::guests;
use crate::judge::{change, holds, print, say, stop};
use crate::role::{hostile_cases, slot};

/// Who proves the system. It serves when services may be flooded and others may begin.
const WORKER: &str = "selftest-client";
const WELL: ExitReason = ExitReason::Exited(0);
/// Who floods one of them.
pub(crate) const FLOOD: &str = "floods_a_service";
/// Who asks the kernel, and that service, whatever comes to its mind.
const RANDOM: &str = "asks_a_million_things";

pub(crate) fn run() -> i32 {
    let Some(mut worker) = Worker::start() else { return 1 };
    let mut failed = say("servers_start", guests::start(&["echo", "silent", "twice"]));
    failed += round(&mut worker, |name, is_ok| say(name, is_ok));
    if worker.end.is_some_and(|end| end != WELL) {
        print(format_args!("judge: {WORKER} has failed beside hostile processes"));
        return stop(1);
    }
    failed += say("a_round_while_the_system_works", worker.end.is_none());
    let mut rounds = 1;
    while worker.end.is_none() {
        failed += round(&mut worker, |name, is_ok| if is_ok { 0 } else { say(name, false) });
        rounds += 1;
    }
    failed += say(FLOOD, flood_ends());
    failed += say(RANDOM, end_of(RANDOM) == WELL);
    print(format_args!("judge: {rounds} rounds beside {WORKER}"));
    stop(failed + u16::from(worker.end != Some(WELL)))
}

/// All hostile processes, one after another; how many verdicts were bad.
fn round(worker: &mut Worker, mut verdict: impl FnMut(&str, bool) -> u16) -> u16 {
    let mut failed = 0;
    for case in hostile_cases().filter(|case| case.name != RANDOM) {
        failed += verdict(case.name, holds(case));
        worker.look();
    }
    failed
}

/// Whether it goes on until it is ended.
fn flood_ends() -> bool {
    let killed = calls::kill(slot(CapabilityKind::Child, FLOOD)).is_ok();
    let reason = ExitReason::Killed(ExitReason::BY_PARENT);
    killed && end_of(FLOOD) == reason
}

/// How a child ended, or will: its end may be forgotten already.
fn end_of(name: &str) -> ExitReason {
    loop {
        match calls::child(slot(CapabilityKind::Child, name)).ok().and_then(|now| now.latest) {
            Some(Change::Ended(reason)) => return reason,
            _ => drop(change()),
        }
    }
}

/// The child that proves the system.
struct Worker {
    slot: Slot,
    /// Whether it serves, and others know.
    serves: bool,
    end: Option<ExitReason>,
}

impl Worker {
    fn start() -> Option<Self> {
        let slot = slot(CapabilityKind::Child, WORKER);
        calls::spawn(slot, Rights::QUERY.with(Rights::SCRAPE)).ok()?;
        Some(Self { slot, serves: false, end: None })
    }

    /// Sees what has become of it: changes that came while others were waited for are forgotten.
    fn look(&mut self) {
        match calls::child(self.slot).ok().and_then(|status| status.latest) {
            Some(Change::Serves) if !self.serves => self.pass_on(),
            Some(Change::Ended(reason)) => self.end = Some(reason),
            _ => {}
        }
    }

    /// Our parent starts the next one when we serve in turn.
    fn pass_on(&mut self) {
        self.serves = true;
        let _nothing = calls::receive(&mut [0; FRAME_BYTES_MAX], 0);
        for name in [FLOOD, RANDOM] {
            let _begun = calls::spawn(slot(CapabilityKind::Child, name), Rights::QUERY);
        }
    }
}
