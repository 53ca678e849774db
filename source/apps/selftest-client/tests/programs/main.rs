//! Bundles and programs in the simulated world; and worlds in which their cases must fail.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asking;
#[path = "../services/counts.rs"]
mod counts;
mod intruder;
mod kills;
mod lies;
mod machine;
mod others;
#[path = "../recorded/mod.rs"]
mod recorded;
mod world;

use guest::Alteration;
use nexus_abi::ExitReason;
use nexus_wire::bundles::BundleStatus;
use nexus_wire::markers;
use selftest_client::{BUNDLES, CORE_LOGS, Case, EXEC};

use lies::Lies;
use world::Simulated;

const NONE: Lies = Lies {
    altered: None,
    spoils_bundles: false,
    falls: None,
    starves: false,
    is_credulous: false,
    is_blind: false,
    mistaken: None,
    may_read: false,
    state: None,
    may_start: false,
    confuses_uploads: false,
    repeats: false,
    mute: None,
};

fn lines(tables: &[&[Case]]) -> Vec<&'static str> {
    let cases = tables.iter().copied().flatten();
    cases.flat_map(|case| case.services_print.iter().copied().chain([case.marker])).collect()
}

/// What the cases of bundles come to, told by the numbers of bundlemgrd.
fn bundles(lies: Lies) -> (bool, Vec<String>) {
    let mut sim = Simulated::new("bundlemgrd", lies);
    let all_hold = sim.prove(&[BUNDLES]);
    (all_hold, sim.console)
}

/// And those of programs, by the numbers of execd.
fn programs(lies: Lies) -> (bool, Vec<String>) {
    let mut sim = Simulated::new("execd", lies);
    let hoard = asking::bundle("demo.hoard", 60_000);
    assert_eq!(sim.install("demo.hoard", &hoard), BundleStatus::Ok);
    let all_hold = sim.prove(&[EXEC, CORE_LOGS]);
    (all_hold, sim.console)
}

#[test]
fn the_cases_of_bundles_hold_and_print_what_is_expected_and_nothing_else() {
    let (all_hold, console) = bundles(NONE);
    assert_eq!(console, lines(&[BUNDLES]));
    assert!(all_hold);
}

#[test]
fn the_cases_of_programs_hold_and_print_what_is_expected_and_nothing_else() {
    let (all_hold, console) = programs(NONE);
    assert_eq!(console, lines(&[EXEC, CORE_LOGS]));
    assert!(all_hold);
}

/// The marker is the first that does not come.
fn fails_without(marker: &str, (all_hold, mut console): (bool, Vec<String>), lies: Lies) {
    let word = console.pop().unwrap();
    let is_word = word.starts_with(&format!("selftest-client: no \"{marker}\""));
    assert!(!all_hold && is_word, "{lies:?}: {word}");
    assert!(!console.iter().any(|line| line == marker), "{lies:?}");
}

fn altered(
    marker: &str,
    prove: fn(Lies) -> (bool, Vec<String>),
    of: &'static str,
    key: &'static str,
    [honest, told]: [Option<&'static str>; 2],
) {
    let lies = Lies { altered: Some(Alteration { of, key, honest, told }), ..NONE };
    fails_without(marker, prove(lies), lies);
}

#[test]
fn bundles_with_another_bit_are_no_proof() {
    let lies = Lies { spoils_bundles: true, ..NONE };
    fails_without(markers::SELFTEST_BUNDLES, bundles(lies), lies);
}

#[test]
fn numbers_of_bundlemgrd_that_are_not_exactly_what_was_asked_are_no_proof() {
    const MARKER: &str = markers::SELFTEST_BUNDLES;
    altered(MARKER, bundles, "bundlemgrd_requests_total", "value", [Some("1"), Some("2")]);
    altered(MARKER, bundles, "bundlemgrd_requests_total", "label.op", [Some("commit"), Some("x")]);
    altered(MARKER, bundles, "bundlemgrd_corrupt_total", "label.defect", [None, Some("magic")]);
    altered(MARKER, bundles, "bundlemgrd_installed_bytes", "le.65536", [Some("2"), Some("1")]);
    altered(MARKER, bundles, "bundlemgrd_installed_bytes", "unit", [None, Some("ns")]);
    altered(MARKER, bundles, "bundlemgrd_bundles", "value", [Some("5"), Some("4")]);
    altered(MARKER, bundles, "bundlemgrd_state_bytes", "origin", [None, Some("00000000000000ab")]);
}

#[test]
fn numbers_of_execd_that_are_not_exactly_what_was_asked_are_no_proof() {
    const MARKER: &str = markers::SELFTEST_EXEC;
    altered(MARKER, programs, "execd_spawns_total", "value", [Some("2"), Some("3")]);
    altered(MARKER, programs, "execd_denials_total", "value", [Some("2"), Some("1")]);
    altered(MARKER, programs, "execd_failures_total", "label.reason", [None, Some("corrupt")]);
    altered(MARKER, programs, "execd_exits_total", "value", [Some("1"), Some("2")]);
    altered(MARKER, programs, "execd_processes_live", "value", [Some("1"), Some("2")]);
}

#[test]
fn spans_of_a_start_that_are_no_tree_are_no_proof() {
    const MARKER: &str = markers::SELFTEST_EXEC;
    altered(MARKER, programs, "fetch", "parent", [None, Some("0000000000000001")]);
    altered(MARKER, programs, "load", "trace", [None, Some("000000010000000100000000000003e9")]);
    altered(MARKER, programs, "start", "status", [Some("ok"), Some("error")]);
    altered(MARKER, programs, "policy", "start_ns", [None, Some("1")]);
    altered(MARKER, programs, "fetch", "dur_ns", [None, Some("9999999999")]);
    altered(MARKER, programs, "exec.path", "status", [Some("error"), Some("ok")]);
    altered(MARKER, programs, "exec.path", "parent", [None, Some("0000000000000001")]);
    altered(MARKER, programs, "exec.path", "attr.bundle", [None, Some("demo.other")]);
}

#[test]
fn a_program_that_never_had_its_turn_does_not_wait() {
    let lies = Lies { starves: true, ..NONE };
    fails_without(markers::SELFTEST_EXEC, programs(lies), lies);
}

#[test]
fn a_program_that_runs_in_the_name_of_another_is_no_proof() {
    let lies = Lies { is_credulous: true, ..NONE };
    fails_without(markers::SELFTEST_EXEC, programs(lies), lies);
}

#[test]
fn a_program_that_ends_otherwise_is_not_the_crash_that_was_reported() {
    for falls in [ExitReason::Killed(13), ExitReason::Exited(0)] {
        let lies = Lies { falls: Some(falls), ..NONE };
        fails_without(markers::SELFTEST_CRASH_REPORT, programs(lies), lies);
    }
}

#[test]
fn a_report_without_the_last_lines_is_none() {
    let lies = Lies { is_blind: true, ..NONE };
    fails_without(markers::SELFTEST_CRASH_REPORT, programs(lies), lies);
}

#[test]
fn a_core_service_that_says_nothing_to_logd_is_missed() {
    for mute in ["policyd", "timed", "bundlemgrd"] {
        let lies = Lies { mute: Some(mute), ..NONE };
        fails_without(markers::SELFTEST_CORE_LOGS, programs(lies), lies);
    }
}
