//! The first process: starts the others and says how they ended.

use core::fmt;

use nexus_abi::kernel::{CapabilityKind, Change, KernelError, NEVER, Received};
use nexus_abi::{ExitReason, Rights, ServiceId};
use nexus_rt::os::Clock;
use nexus_rt::os::calls::{self, Slot};

use crate::guests;
use crate::role::{self, Case, End, slot};
use crate::servers::STAMP;
use crate::wards;

/// How long a process runs that does not end by itself.
const RUN_MILLIS: u64 = 30;

/// How long an answer may take that is sure to come.
pub(crate) const PATIENCE_MILLIS: u64 = 1000;

/// Lives of one child, one after another: as many as the machine has pages, so that a single page
/// that each does not give back is missed in the end.
const LIVES: u32 = 32 << 20 >> 12;

/// A child that ends as soon as it begins.
pub(crate) const LIVES_SHORT: &str = "lives_short";

/// A child whose program does not fit its budget.
const NEVER_FITS: &str = "never_fits";

pub(crate) fn run() -> i32 {
    let mut failed = say("servers_start", guests::start(&["echo", "silent", "twice"]));
    for case in role::cases() {
        failed += say(case.name, holds(case));
    }
    failed += say("gives_no_more_rights_than_it_may", gives_no_more_rights_than_it_may());
    let told = wards::ends_are_told_until_they_are_acknowledged();
    failed += say("ends_are_told_until_they_are_acknowledged", told);
    failed += say("memory_comes_back", memory_comes_back());
    failed += say("memory_comes_back_of_who_never_lived", memory_of_failures_comes_back());
    stop(failed)
}

/// Prints a verdict; 1 if it is a bad one.
pub(crate) fn say(name: &str, is_ok: bool) -> u16 {
    let verdict = if is_ok { "ok" } else { "FAILED" };
    print(format_args!("trial {name}: {verdict}"));
    u16::from(!is_ok)
}

pub(crate) fn print(line: fmt::Arguments<'_>) {
    let _shown = calls::print(slot(CapabilityKind::Console, ""), line);
}

/// Stops the machine with a verdict.
pub(crate) fn stop(failed: u16) -> i32 {
    let _never = calls::halt(slot(CapabilityKind::Halt, ""), failed.min(99));
    1
}

/// Whether the case ends as it must, and everybody else works on.
pub(crate) fn holds(case: &Case) -> bool {
    let child = slot(CapabilityKind::Child, case.name);
    let ended =
        guests::restart(case.needs) && calls::spawn(child, rights()).is_ok() && ends(case, child);
    ended && echo_works()
}

/// The rights that the image gives hostile processes.
fn rights() -> Rights {
    Rights::QUERY
}

fn ends(case: &Case, child: Slot) -> bool {
    let expected = match case.ends {
        End::Exit => ExitReason::Exited(0),
        End::Fault(cause) => ExitReason::Killed(cause),
        End::Killed => {
            guests::wait_millis(RUN_MILLIS);
            if !echo_works() || calls::kill(child).is_err() {
                return false;
            }
            ExitReason::Killed(ExitReason::BY_PARENT)
        }
    };
    let ended = guests::end_of(ServiceId::from_name(case.name));
    if ended != expected {
        print(format_args!("{}: {ended:?}", case.name));
    }
    ended == expected
}

/// A call to a server that everybody may call comes back at once and right.
pub(crate) fn echo_works() -> bool {
    let mut answer = [0; 64];
    let deadline = Clock::new().in_millis(PATIENCE_MILLIS);
    let length = calls::call(role::server("echo"), b"still there?", &mut answer, deadline);
    length == Ok(STAMP + 12) && &answer[STAMP..STAMP + 12] == b"still there?"
}

/// Whoever is refused rights has not begun.
fn gives_no_more_rights_than_it_may() -> bool {
    let child = slot(CapabilityKind::Child, "waits_for_ever");
    let more = [Rights::SCRAPE, Rights::QUERY.with(Rights::SCRAPE)];
    let denied = more.map(|rights| calls::spawn(child, rights) == Err(KernelError::Denied));
    denied == [true; 2] && calls::child(child).is_ok_and(|now| now.life().is_none())
}

fn memory_comes_back() -> bool {
    (0..LIVES).all(|_| lives())
}

/// After many that did not fit there is memory for one that does.
fn memory_of_failures_comes_back() -> bool {
    let child = slot(CapabilityKind::Child, NEVER_FITS);
    let mut failures = (0..LIVES).map(|_| calls::spawn(child, Rights::NONE));
    failures.all(|spawned| spawned == Err(KernelError::NoMemory)) && lives()
}

/// Whether that child begins and ends.
fn lives() -> bool {
    let spawned = calls::spawn(slot(CapabilityKind::Child, LIVES_SHORT), Rights::NONE);
    let name = ServiceId::from_name(LIVES_SHORT);
    spawned.is_ok() && guests::end_of(name) == ExitReason::Exited(0)
}

/// The next change of a child; whatever else comes is forgotten.
pub(crate) fn change() -> Option<(ServiceId, Change)> {
    match calls::wait(NEVER) {
        Ok(Received::Child { service, change }) => Some((service, change)),
        _ => None,
    }
}
