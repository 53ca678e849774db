//! The power is cut at every write, in every way; what was synced is there.

use std::cell::RefCell;
use std::rc::Rc;

use nexus_bounded::{Mono, Nanos};
use nexus_port::BlockError;
use nexus_retention::Keep;
use nexus_retention::keeper::{Limits, Unrolled};
use simkit::{Disk, Fate, fates};

use crate::keeping::{BYTES_MAX, Known, Rig, SECTORS, STATEFSD, Windows, coarse_limits, limits};
use crate::oracle::longer_windows_are_whole;

/// The disk at some moment, and what was known to be durable.
struct Moment {
    disk: Disk,
    synced: Vec<(u32, u64)>,
    recorded: Windows,
}

/// Every moment at which the disk had been asked to write or flush once more.
fn moments(made: Limits, disk: Disk, windows: u64) -> Vec<Moment> {
    let mut rig = Rig::with(Some(disk), windows, Keep::Files, made, Rc::default(), 0);
    let (mut all, mut seen) = (Vec::new(), 0);
    let mut look = |rig: &mut Rig| {
        let takes = rig.takes();
        assert!(takes <= BYTES_MAX, "{takes}");
        let disk = rig.world.disk(STATEFSD);
        if disk.requests() > seen {
            seen = disk.requests();
            let disk = disk.clone();
            let known = rig.known.borrow();
            let (synced, recorded) = (known.synced.clone(), known.recorded.clone());
            all.push(Moment { disk, synced, recorded });
        }
    };
    let end = Mono(0).after(Nanos::from_secs(windows + 2));
    loop {
        while rig.world.round() {
            look(&mut rig);
        }
        if !rig.world.skip_ahead(end) {
            break;
        }
    }
    let known = rig.known.borrow();
    assert_eq!(known.recorded.len() as u64 + known.skipped, windows);
    all
}

/// What the next life finds is what was synced, and it goes on.
fn survives(made: Limits, moment: &Moment, fates: &[Fate]) {
    let disk = moment.disk.cut(fates);
    let known =
        Rc::new(RefCell::new(Known { recorded: moment.recorded.clone(), ..Known::default() }));
    let mut rig = Rig::with(Some(disk), 4, Keep::Files, made, Rc::clone(&known), 1);
    rig.seconds_within(7, BYTES_MAX);
    let keeper = rig.keeper();
    assert!(keeper.is_live(), "{:?}", keeper.trouble());
    assert_eq!(keeper.losses().strange, 0);
    let kept = rig.kept();
    // The oldest may have made room: twelve segments of up to eight windows are kept.
    let oldest = kept.keys().next().copied().unwrap_or_default();
    let makes_room = moment.synced.len() > 80;
    for at in moment.synced.iter().filter(|at| !makes_room || **at >= oldest) {
        assert_eq!(kept.get(at), moment.recorded.get(at), "{at:?} was synced");
    }
    let recorded = known.borrow().recorded.clone();
    for (at, window) in &kept {
        assert_eq!(Some(window), recorded.get(at), "{at:?} never was");
    }
    let of_now = |windows: &Windows| windows.keys().filter(|(boot, _)| *boot == 2).count();
    assert!(of_now(&recorded) >= 3 && of_now(&kept) == of_now(&recorded));
    if !makes_room {
        longer_windows_are_whole(&mut rig, &kept);
        assert_eq!(rig.keeper().store().unrolled(), Unrolled::default());
    }
    let used = rig.used();
    assert!(used <= BYTES_MAX, "{used}");
}

fn every_cut(windows: u64, every: usize, samples: usize) {
    let moments = moments(limits(), Disk::new(SECTORS), windows);
    assert!(moments.len() > windows as usize);
    let mut cuts = 0;
    for (at, moment) in moments.iter().enumerate() {
        let all = fates(moment.disk.volatile(), samples, at as u64);
        for fates in all.skip(at % every).step_by(every) {
            survives(limits(), moment, &fates);
            cuts += 1;
        }
    }
    println!("{cuts} cuts at {} moments", moments.len());
}

#[test]
fn what_was_synced_survives_cuts_of_power() {
    every_cut(60, 5, 4);
}

/// A write fails, then the power is cut: what had been begun anew is cut again.
fn every_cut_after_an_error(windows: u64, every: usize) {
    let writes = moments(coarse_limits(), Disk::new(SECTORS), windows).len() as u64;
    for first in (0..writes).step_by(every) {
        let mut disk = Disk::new(SECTORS);
        disk.fail(first, 1, BlockError::Io);
        for moment in moments(coarse_limits(), disk, windows).iter().skip(first as usize) {
            survives(coarse_limits(), moment, &[]);
        }
    }
}

#[test]
fn what_was_synced_survives_a_cut_of_power_after_an_error() {
    every_cut_after_an_error(48, 6);
}

#[test]
#[ignore = "long: every cut at every write"]
fn what_was_synced_survives_every_cut_of_power() {
    every_cut(120, 1, 40);
    every_cut_after_an_error(60, 1);
}

#[test]
#[should_panic(expected = "was synced")]
fn a_disk_that_forgets_what_was_synced_is_noticed() {
    let mut moments = moments(limits(), Disk::new(SECTORS), 30);
    let last = moments.pop().unwrap();
    let earlier = moments.swap_remove(moments.len() / 2);
    survives(limits(), &Moment { disk: earlier.disk, ..last }, &[]);
}
