//! Which level each of our packages stands on. A package may use lower levels only.

/// The levels, lowest first. A package that is missing here breaks the law `layers`.
const LEVELS: &[&[&str]] = &[
    &["nexus-abi", "nexus-bounded"],
    &["nexus-wire", "nexus-port", "nexus-recipe", "neuron-core"],
    &[
        "nexus-gate",
        "nexus-retention",
        "nexus-policy",
        "nexus-bundle",
        "nexus-log",
        "nexus-metrics",
        "nexus-session",
        "statefs",
    ],
    &[
        "logd",
        "metricsd",
        "statefsd",
        "timed",
        "policyd",
        "bundlemgrd",
        "dsoftbusd",
        "entropyd",
        "execd",
        "init",
        "selftest-client",
    ],
    &["nexus-rt", "neuron"],
    &["simkit", "tape", "sim", "load", "trials"],
    &["obsctl", "hostprobe", "xtask", "guest", "demo"],
];

/// Up to here code is pure: no platform, clock, socket, thread, randomness or panic.
const PURE: usize = 3;

/// The level of the packages that only test and measure.
const TESTS: usize = 5;

/// The level of the services; none of them may use another.
pub(crate) const SERVICES: usize = 3;

/// The port, which a service's `src/main.rs` alone may name.
pub(crate) const PORT: &str = "nexus-rt";

/// The service of files, which other services' `src/main.rs` may host through the port.
pub(crate) const HOSTED: &str = "statefsd";

/// Whether a package is for a service's `src/main.rs` alone.
pub(crate) fn is_joined(package: &str) -> bool {
    [PORT, HOSTED].contains(&package)
}

/// The level of a package.
pub(crate) fn of(package: &str) -> Option<usize> {
    LEVELS.iter().position(|level| level.contains(&package))
}

/// Whether a package belongs to the pure levels.
pub(crate) fn is_pure(package: &str) -> bool {
    of(package).is_some_and(|level| level <= PURE)
}

/// Whether a package only tests and measures others.
pub(crate) fn is_test(package: &str) -> bool {
    of(package) == Some(TESTS)
}

/// The libraries below the services: what boots in the guest without the standard library.
pub(crate) fn guest_libraries() -> impl Iterator<Item = &'static str> {
    LEVELS.iter().take(SERVICES).copied().flatten().copied()
}
