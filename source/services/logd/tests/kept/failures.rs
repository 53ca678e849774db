//! Disks that fail: appends go on, memory is bounded, what is missing is counted, and it heals.

use nexus_abi::ExitReason;
use nexus_port::BlockError;
use simkit::Disk;

use crate::rig::{Rig, SECTORS, STATEFSD, recipe};
use logd::{Keep, Logd};

/// What logd has told of its retention.
fn told(rig: &mut Rig) -> Vec<String> {
    let all = rig.all();
    let own = all.into_iter().filter(|seen| seen.message == "retention");
    own.map(|seen| seen.fields.trim_end().to_owned()).collect()
}

#[test]
fn without_a_disk_appends_go_on_and_what_has_no_room_is_counted() {
    let make = |start: simkit::Start| Logd::new(&recipe(), start.boot, Keep::Files);
    let mut rig = Rig::on(None, make);
    (0..100).for_each(|number| drop(rig.info(&format!("{number}")).to_string()));
    rig.seconds(100);
    assert_eq!(rig.status("retention"), "no_disk");
    assert_eq!(told(&mut rig), ["state=no_disk"]);
    let kept = rig.messages();
    assert!(kept.len() < 64);
    rig.world.attach(STATEFSD, Disk::new(SECTORS));
    rig.seconds(30);
    assert_eq!(rig.status("retention"), "ok");
    assert_eq!(told(&mut rig), ["state=no_disk", "state=ok"]);
    let missed: usize = rig.status("retention_missed").parse().unwrap();
    assert!(missed >= 100 - kept.len());
    rig.seconds(10);
    rig.cut(&[]);
    let found = rig.messages();
    assert!(!found.is_empty() && found.ends_with(&["99".to_owned()]), "{found:?}");
}

#[test]
fn every_write_may_fail_and_all_is_there_once_it_heals() {
    let errors = [BlockError::NoSpace, BlockError::Io, BlockError::ReadOnly];
    for (at, error) in (0..60).flat_map(|at| errors.map(|error| (at, error))) {
        let mut rig = Rig::new();
        let first = rig.disk().requests();
        rig.disk().fail(first + at, 1, error);
        for number in 0..24 {
            rig.info(&format!("{number}"));
            rig.seconds(if number % 3 == 2 { 10 } else { 0 });
        }
        rig.seconds(20);
        assert_eq!(rig.status("retention"), "ok", "failure {at}");
        assert_eq!(rig.status("retention_missed"), "0");
        rig.cut(&[]);
        let expected = (0..24).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(rig.messages(), expected, "failure {at}");
    }
}

#[test]
fn a_state_that_changes_often_is_told_once_a_second_at_most() {
    let mut rig = Rig::new();
    for _ in 0..10 {
        rig.world.kill(STATEFSD, ExitReason::Killed(9));
        rig.append(nexus_wire::Level::Error, "x");
        rig.world.settle();
        rig.world.restart(STATEFSD);
        rig.seconds(5);
    }
    let told = told(&mut rig);
    assert!(told.len() <= 50 && told.len() >= 2, "{told:?}");
    assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "only changes");
    assert_eq!(rig.status("retention"), "ok");
}

#[test]
fn a_disk_that_hangs_costs_nobody_anything_but_what_is_not_kept() {
    let mut rig = Rig::new();
    rig.world.pause(STATEFSD);
    (0..200).for_each(|number| drop(rig.info(&format!("{number}")).to_string()));
    rig.seconds(100);
    rig.world.resume(STATEFSD);
    rig.seconds(20);
    assert_eq!(rig.status("retention"), "ok");
    assert!(rig.status("retention_missed").parse::<u64>().unwrap() > 0);
    rig.cut(&[]);
    assert!(rig.messages().ends_with(&["199".to_owned()]));
}
