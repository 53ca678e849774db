//! A disk that is not there, fails, is full, or slow: what is recorded goes on, and it heals.

use std::rc::Rc;

use nexus_port::BlockError;
use nexus_retention::Keep;
use nexus_retention::files::Trouble;
use nexus_retention::keeper::{Limits, Unrolled, WORK_MAX};
use simkit::Disk;

use crate::keeping::{BYTES_MAX, Rig, SECTORS, STATEFSD, Windows, coarse_limits, limits};
use crate::oracle::longer_windows_are_whole;

/// What is kept was recorded, and nothing else.
#[track_caller]
fn is_right(rig: &mut Rig) -> (Windows, Windows) {
    let kept = rig.kept();
    let recorded = rig.known.borrow().recorded.clone();
    for (at, window) in &kept {
        assert_eq!(Some(window), recorded.get(at), "{at:?}");
    }
    (kept, recorded)
}

fn fails_at_every_write(
    made: Limits,
    (error, count): (BlockError, u64),
    windows: u64,
    every: usize,
) {
    let begin = |disk, until| Rig::with(Some(disk), until, Keep::Files, made, Rc::default(), 0);
    let writes = {
        let mut rig = begin(Disk::new(SECTORS), windows);
        rig.seconds(windows);
        rig.world.disk(STATEFSD).requests()
    };
    let mut reloads = 0;
    for first in (0..writes).step_by(every) {
        let mut disk = Disk::new(SECTORS);
        disk.fail(first, count, error);
        let mut rig = begin(disk, windows + 30);
        // Pauses double: the last failures may need a while to be got over.
        rig.seconds(windows + 120);
        assert!(rig.keeper().is_live(), "{first}: {:?}", rig.keeper().trouble());
        assert_eq!(rig.keeper().trouble(), None, "{first}: it has healed");
        let (kept, recorded) = is_right(&mut rig);
        let losses = *rig.keeper().losses();
        let lost = recorded.keys().filter(|at| !kept.contains_key(*at)).count();
        assert_eq!(lost, 0, "{first}: {losses:?}");
        assert_eq!((losses.windows, losses.values, losses.strange), (0, 0, 0), "{first}");
        assert!(rig.used() <= BYTES_MAX);
        longer_windows_are_whole(&mut rig, &kept);
        assert_eq!(rig.keeper().store().unrolled(), Unrolled::default(), "{first}");
        reloads += losses.reloads;
    }
    assert!(reloads > 0, "some failures cost a draft");
}

#[test]
fn a_write_that_fails_loses_nothing_that_was_recorded() {
    fails_at_every_write(limits(), (BlockError::Io, 1), 40, 5);
    fails_at_every_write(limits(), (BlockError::NoSpace, 2), 40, 7);
    fails_at_every_write(coarse_limits(), (BlockError::Io, 1), 70, 3);
}

#[test]
#[ignore = "long: every write fails, once, twice and for a while"]
fn whichever_writes_fail_nothing_that_was_recorded_is_lost() {
    for count in [1, 2, 5, 9] {
        for made in [limits(), coarse_limits()] {
            fails_at_every_write(made, (BlockError::Io, count), 60, 1);
            fails_at_every_write(made, (BlockError::NoSpace, count), 60, 1);
        }
    }
}

#[test]
fn without_a_disk_windows_are_skipped_and_with_one_they_are_kept() {
    let mut rig = Rig::new(None, 60);
    rig.seconds(20);
    assert_eq!(rig.keeper().trouble(), Some(Trouble::NoDisk));
    assert!(rig.known.borrow().recorded.is_empty());
    rig.world.attach(STATEFSD, Disk::new(SECTORS));
    rig.seconds(42);
    assert_eq!(rig.keeper().trouble(), None);
    let (kept, recorded) = is_right(&mut rig);
    assert!(kept == recorded && kept.len() > 20, "{}", kept.len());
}

#[test]
fn a_disk_that_fails_for_long_costs_windows_and_no_more_and_heals() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 120);
    rig.seconds(20);
    let disk = rig.world.disk(STATEFSD);
    let now = disk.requests();
    disk.fail(now, u64::MAX, BlockError::Io);
    rig.seconds(60);
    assert!(rig.keeper().trouble().is_some());
    assert!(rig.known.borrow().skipped > 20, "memory is bounded, windows wait");
    rig.world.disk(STATEFSD).fail(0, 0, BlockError::Io);
    rig.seconds(42);
    assert_eq!(rig.keeper().trouble(), None);
    let (kept, recorded) = is_right(&mut rig);
    let lost: Vec<_> = recorded.keys().filter(|at| !kept.contains_key(*at)).collect();
    assert!(lost.is_empty(), "{lost:?}: what was recorded waited in memory");
}

#[test]
fn no_event_does_more_than_its_share_of_work() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 200);
    rig.seconds(202);
    let most = rig.known.borrow().work_max;
    assert!(most > 1 && most <= u64::from(WORK_MAX), "{most}");
}

#[test]
fn a_disk_that_takes_a_second_for_everything_holds_up_nobody() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 80);
    rig.seconds(4);
    for _ in 0..38 {
        rig.world.pause(STATEFSD);
        rig.seconds(1);
        rig.world.resume(STATEFSD);
        rig.seconds(1);
    }
    rig.seconds(5);
    let (kept, recorded) = is_right(&mut rig);
    assert_eq!(kept.len(), recorded.len());
    let known = rig.known.borrow();
    assert!(known.skipped <= 1, "{} windows waited", known.skipped);
    assert!(known.work_max <= u64::from(WORK_MAX), "{}", known.work_max);
}
