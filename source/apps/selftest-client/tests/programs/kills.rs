//! Who starts programs, and who has them, dies meanwhile or is not there.

use nexus_abi::ExitReason;
use nexus_bounded::Nanos;
use nexus_wire::bundles::{BundleStatus, Request};
use nexus_wire::exec::ExecStatus;
use selftest_client::Client as _;

use crate::asking::bundle;
use crate::lies::Lies;
use crate::world::Simulated;

const SECOND: Nanos = Nanos::from_secs(1);
const DIES: ExitReason = ExitReason::Killed(9);

fn world() -> Simulated {
    Simulated::new("execd", Lies::default())
}

fn crashes(sim: &Simulated) -> Vec<String> {
    let lines = sim.world.console().iter().map(|line| line.text.clone());
    lines.filter(|line| line.starts_with("execd: crash report")).collect()
}

#[test]
fn what_runs_when_execd_dies_is_taken_over_and_started_once_only() {
    let mut sim = world();
    let pid = sim.start("demo.wait").unwrap();
    sim.kill("execd");
    assert_eq!(sim.running(), [(pid, "demo-wait".to_owned())], "of which bundle nobody knows");
    assert_eq!(sim.start("demo.wait"), Err(ExecStatus::LoadFailed));
    sim.pause(SECOND);
    sim.machine.borrow_mut().end(pid, ExitReason::Killed(13));
    sim.pause(SECOND);
    assert_eq!(crashes(&sim), [format!("execd: crash report pid={pid} code=141 name=demo-wait")]);
    assert!(sim.running().is_empty());
    assert_eq!(sim.start("demo.wait"), Ok(pid + 1));
}

#[test]
fn what_ends_while_execd_is_dead_is_reported_by_its_next_life() {
    let mut sim = world();
    let pid = sim.start("demo.wait").unwrap();
    sim.pause(SECOND);
    sim.world.kill("execd", DIES);
    sim.machine.borrow_mut().end(pid, ExitReason::Killed(13));
    sim.pause(SECOND);
    sim.world.restart("execd");
    sim.pause(SECOND);
    assert_eq!(crashes(&sim), [format!("execd: crash report pid={pid} code=141 name=demo-wait")]);
    sim.kill("execd");
    assert_eq!(crashes(&sim).len(), 1, "once");
}

/// As often as a leak would need to fill the share of the disk.
#[test]
fn what_was_being_brought_when_bundlemgrd_dies_is_given_up_with_its_room() {
    let mut sim = world();
    let bytes = bundle("demo.hoard", 127 << 10);
    for _ in 0..5 {
        assert_eq!(sim.begin("demo.hoard", bytes.len()), BundleStatus::Ok);
        sim.bring(&bytes[..90 << 10]);
        sim.kill("bundlemgrd");
        assert_eq!(sim.ask_bundlemgrd(&Request::Commit), BundleStatus::OutOfOrder);
        assert_eq!(sim.start("demo.hoard"), Err(ExecStatus::NotFound));
    }
    assert_eq!(sim.install("demo.hoard", &bytes), BundleStatus::Ok);
    sim.kill("bundlemgrd");
    let is_there = Err(ExecStatus::LoadFailed);
    assert_eq!(sim.start("demo.hoard"), is_there, "whole, and not the program of its entry");
}

#[test]
fn without_policyd_nothing_is_started_or_brought_and_both_say_why() {
    let mut sim = world();
    sim.world.kill("policyd", DIES);
    assert_eq!(sim.start("demo.hello"), Err(ExecStatus::Denied));
    assert_eq!(sim.begin("demo.hoard", 100), BundleStatus::Denied);
    let said = sim.logged();
    let is_reason = |scope: &str| {
        let mut of = said.iter().filter(|record| record.scope == scope);
        of.any(|record| record.fields.contains("reason=policyd away\n"))
    };
    assert!(is_reason("execd") && is_reason("bundlemgrd"), "{said:?}");
    sim.world.restart("policyd");
    sim.pause(SECOND);
    assert!(sim.start("demo.hello").is_ok());
}

#[test]
fn without_bundlemgrd_nothing_is_started_and_without_statefsd_nothing_is_brought() {
    let mut sim = world();
    sim.world.kill("bundlemgrd", DIES);
    assert_eq!(sim.start("demo.hello"), Err(ExecStatus::FetchFailed));
    sim.world.restart("bundlemgrd");
    sim.pause(SECOND);
    sim.world.kill("statefsd", DIES);
    assert_eq!(sim.begin("demo.hoard", 100), BundleStatus::NotReady);
    assert!(sim.start("demo.hello").is_ok(), "the boot image is there");
}

#[test]
fn without_logd_a_crash_stands_on_the_console() {
    let mut sim = world();
    let pid = sim.start("demo.wait").unwrap();
    sim.pause(SECOND);
    sim.world.kill("logd", DIES);
    sim.machine.borrow_mut().end(pid, ExitReason::Exited(3));
    sim.pause(SECOND);
    assert_eq!(crashes(&sim), [format!("execd: crash report pid={pid} code=3 name=demo.wait")]);
}
