//! Which role an entry plays.

use nexus_abi::ServiceId;
use nexus_abi::kernel::CapabilityKind;
use nexus_rt::os::calls::{self, Slot};

use crate::{
    bench, beside, budgets, faults, hostile, judge, pairs, requests, resources, servers, wards,
};

/// How a hostile process has to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// By itself, after it has seen that it could do no harm.
    Exit,
    /// By a fault of this number.
    Fault(u32),
    /// By its parent, as it does not end otherwise.
    Killed,
}

/// A hostile process.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> i32,
    pub(crate) ends: End,
    /// Servers that have to be fresh.
    pub(crate) needs: &'static [&'static str],
}

impl Case {
    /// One that needs no fresh servers and has to end by itself.
    pub(crate) const fn exits(name: &'static str, run: fn() -> i32) -> Self {
        Self { name, run, ends: End::Exit, needs: &[] }
    }

    /// The same, killed.
    pub(crate) const fn is_killed(name: &'static str, run: fn() -> i32) -> Self {
        Self { ends: End::Killed, ..Self::exits(name, run) }
    }

    /// The same, with fresh servers.
    pub(crate) const fn with(self, needs: &'static [&'static str]) -> Self {
        Self { needs, ..self }
    }
}

/// Those who do their worst, in the order they are tried; each may be tried again and again.
pub(crate) fn hostile_cases() -> impl Iterator<Item = &'static Case> {
    let askers = hostile::CASES.iter().chain(requests::CASES);
    faults::CASES.iter().chain(askers)
}

/// All of them.
pub(crate) fn cases() -> impl Iterator<Item = &'static Case> {
    let others = [resources::CASES, budgets::CASES, pairs::CASES];
    hostile_cases().chain(others.into_iter().flatten())
}

type Role = (&'static str, fn() -> i32);

const OTHERS: &[Role] = &[
    ("judge", judge::run),
    ("judge-beside", beside::run),
    (beside::FLOOD, requests::floods_a_service),
    ("bench", bench::run),
    ("echo", servers::echo),
    ("silent", servers::silent),
    ("twice", servers::twice),
    ("mortal", servers::mortal),
    ("mirror", servers::mirror),
    ("clumsy", pairs::clumsy),
    ("fractions", pairs::fractions),
    (judge::LIVES_SHORT, || 0),
    (wards::GUARDIAN, wards::guardian),
    (wards::WARD, || 0),
];

const NO_SUCH_ROLE: i32 = 404;

/// Plays the role of our name.
pub(crate) fn play(_argument: u64) -> i32 {
    let me = calls::info().service;
    let cases = cases().map(|case| (case.name, case.run));
    let mut roles = cases.chain(OTHERS.iter().copied());
    let role = roles.find(|(name, _)| ServiceId::from_name(name) == me);
    role.map_or(NO_SUCH_ROLE, |(_, run)| run())
}

/// The capability to call a server, which the image gives to each role that asks for it.
pub(crate) fn server(name: &str) -> Slot {
    slot(CapabilityKind::Call, name)
}

/// A capability that the image gives; a slot that holds nothing if it does not.
pub(crate) fn slot(kind: CapabilityKind, name: &str) -> Slot {
    let key = if name.is_empty() { ServiceId::from_raw(0) } else { ServiceId::from_name(name) };
    calls::find(kind, key).unwrap_or(Slot(u64::MAX))
}

/// What a role comes to: 0 if all of these hold, else the number of the first that does not.
pub(crate) fn all(claims: impl IntoIterator<Item = bool>) -> i32 {
    (1..).zip(claims).find(|(_, holds)| !holds).map_or(0, |(number, _)| number)
}
