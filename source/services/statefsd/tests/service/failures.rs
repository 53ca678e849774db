use nexus_port::BlockError;
use nexus_wire::FileStatus;
use nexus_wire::files::Request;
use simkit::Disk;
use statefs::{Limits, blocking};

use crate::rig::{NAME, RECIPE, Rig, SECTORS, bytes, draft, file};

#[test]
fn a_sync_that_the_disk_does_not_do_is_an_error_and_the_epoch_tells_what_is_lost() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    let epoch = rig.hello(me).unwrap().epoch;
    assert_eq!(rig.replace(me, "kept", b"1"), FileStatus::Ok);
    assert_eq!(rig.status(me, &Request::Sync { epoch }), FileStatus::Ok);
    assert_eq!(rig.replace(me, "lost", b"2"), FileStatus::Ok);
    assert_eq!(rig.begin_draft(me, "draft", 100), FileStatus::Ok);
    rig.break_disk();
    assert_eq!(rig.status(me, &Request::Sync { epoch }), FileStatus::IoError);
    assert_eq!(rig.hello(me), Err(FileStatus::NotReady));
    assert_eq!(rig.replace(me, "more", b"3"), FileStatus::NotReady);
    rig.mend_disk();
    rig.seconds(1);
    assert_eq!(rig.list(me, ""), ["kept"]);
    assert_eq!(rig.append(me, draft("draft"), 0, b"x"), FileStatus::NotFound);
    assert_eq!(rig.status(me, &Request::Sync { epoch }), FileStatus::Lost);
    assert_ne!(rig.hello(me).unwrap().epoch, epoch);
    assert_eq!(rig.sync(me), FileStatus::Ok);
}

#[test]
fn a_next_life_mounts_by_itself_before_anybody_asks() {
    let mut rig = Rig::new();
    assert_eq!(rig.replace(rig.metricsd, "kept", b"1"), FileStatus::Ok);
    assert_eq!(rig.sync(rig.metricsd), FileStatus::Ok);
    rig.world.kill(NAME, nexus_abi::ExitReason::Killed(9));
    rig.world.restart(NAME);
    rig.world.settle();
    assert_eq!(rig.service().store().state(), statefs::State::Ready);
    assert_eq!(rig.service().store().list("").count(), 1);
}

#[test]
fn the_next_life_has_an_epoch_of_its_own() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    let epoch = rig.hello(me).unwrap().epoch;
    assert_eq!(rig.replace(me, "a", b"1"), FileStatus::Ok);
    rig.cut(&[]);
    assert_eq!(rig.status(me, &Request::Sync { epoch }), FileStatus::Lost);
}

/// What the disk counts of an epoch.
fn run(rig: &mut Rig) -> u32 {
    rig.hello(rig.metricsd).unwrap().epoch as u32
}

#[test]
fn what_was_synced_makes_the_next_cut_of_power_begin_another_run_and_nothing_else_has_to() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    assert_eq!(run(&mut rig), 1);
    for boot in 2..9 {
        assert_eq!(rig.replace(me, "kept", b"1"), FileStatus::Ok);
        assert_eq!(rig.sync(me), FileStatus::Ok);
        assert_eq!(rig.replace(me, "lost", b"2"), FileStatus::Ok);
        rig.cut(&[]);
        assert_eq!(run(&mut rig), boot);
        assert_eq!(rig.replace(me, "lost", b"2"), FileStatus::Ok);
        rig.cut(&[]);
        assert_eq!((run(&mut rig), rig.list(me, "")), (boot, vec!["kept".to_owned()]));
    }
}

#[test]
fn a_mount_that_the_disk_cannot_tell_from_the_last_is_another_epoch_all_the_same() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    let (epoch, first) = (rig.hello(me).unwrap().epoch, run(&mut rig));
    assert_eq!(rig.replace(me, "lost", b"1"), FileStatus::Ok);
    rig.break_disk();
    assert_eq!(rig.status(me, &Request::Sync { epoch }), FileStatus::IoError);
    rig.mend_disk();
    rig.seconds(8);
    assert_eq!(run(&mut rig), first + 1, "formatting is durable");
    let epoch = rig.hello(me).unwrap().epoch;
    assert_eq!(rig.replace(me, "lost", b"1"), FileStatus::Ok);
    rig.break_disk();
    assert_eq!(rig.status(me, &Request::Sync { epoch }), FileStatus::IoError);
    rig.mend_disk();
    rig.seconds(8);
    assert_eq!(run(&mut rig), first + 1);
    assert_eq!(rig.status(me, &Request::Sync { epoch }), FileStatus::Lost);
}

#[test]
fn a_disk_that_is_broken_is_tried_again_and_told_of_once() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    assert_eq!(rig.replace(me, "a", b"1"), FileStatus::Ok);
    rig.break_disk();
    assert_eq!(rig.sync(me), FileStatus::IoError);
    rig.seconds(100);
    let io =
        "statefsd: no disk: the device reports an error: see its own log, or try another device";
    assert_eq!(rig.lines()[2..], [io]);
    let tries = rig.world.disk(NAME).requests();
    rig.seconds(80);
    assert_eq!(rig.world.disk(NAME).requests() - tries, 10, "one flush in 8 seconds");
    rig.mend_disk();
    rig.seconds(8);
    assert_eq!(rig.lines()[3..], ["statefsd: 0 files as of sync 1"]);
    assert_eq!(rig.replace(me, "a", b"1"), FileStatus::Ok);
    assert_eq!(rig.sync(me), FileStatus::Ok);
    assert_eq!(rig.replace(me, "a", b"2"), FileStatus::Ok);
    rig.break_disk();
    assert_eq!(rig.sync(me), FileStatus::IoError);
    assert_eq!(rig.lines()[4..], [io], "another trouble, after a sync that was durable");
}

#[test]
fn every_single_failure_is_told_or_harmless() {
    let errors = [BlockError::NoSpace, BlockError::Io];
    for (at, error) in (0..30).flat_map(|at| errors.map(|error| (at, error))) {
        let mut rig = Rig::new();
        let me = rig.metricsd;
        let first = rig.world.disk(NAME).requests();
        rig.world.disk(NAME).fail(first + at, 1, error);
        let mut held = Vec::new();
        for round in 0..8 {
            let value = bytes(2000, round);
            let is_done = rig.replace(me, "value", &value) == FileStatus::Ok;
            let is_synced = rig.sync(me) == FileStatus::Ok && is_done;
            if is_synced {
                held.clone_from(&value);
            } else {
                rig.seconds(1);
            }
            let read = rig.read(me, "value").unwrap_or_default();
            // A sync that failed may be there all the same.
            assert!(read == held || (!is_synced && read == value), "failure {at}, round {round}");
            held = read;
        }
        assert_eq!(held, bytes(2000, 7), "it heals");
    }
}

#[test]
fn without_a_disk_everything_is_not_ready_and_nothing_is_lost_but_time() {
    let mut rig = Rig::with(1, RECIPE, None);
    let me = rig.metricsd;
    rig.seconds(20);
    assert_eq!(rig.hello(me), Err(FileStatus::NotReady));
    assert_eq!(rig.create(me, "a", 100), FileStatus::NotReady);
    assert_eq!(rig.lines().len(), 1);
    rig.world.attach(NAME, Disk::new(SECTORS));
    rig.seconds(8);
    assert_eq!(rig.create(me, "a", 100), FileStatus::Ok);
}

/// What a disk holds, and what is said of it.
fn refused(disk: Disk, says: &str) {
    let image = disk.image().to_vec();
    let mut rig = Rig::on(disk);
    rig.seconds(20);
    assert_eq!(rig.hello(rig.metricsd), Err(FileStatus::NotReady));
    let lines = rig.lines();
    assert!(lines.len() == 1 && lines[0].contains(says), "{lines:?}");
    assert!(rig.world.disk(NAME).image() == image, "it is left alone");
}

#[test]
fn a_disk_that_holds_something_else_is_left_alone() {
    let mut foreign = Disk::from_image(&vec![7; SECTORS as usize * 512]);
    refused(foreign.clone(), "not a state disk");
    foreign = Disk::new(SECTORS);
    foreign.flip(0, 1);
    refused(foreign, "not a state disk");
    refused(Disk::new(SECTORS - 1), "cut short");
    let mut other = Disk::new(SECTORS);
    let limits = Limits { sectors: SECTORS, files: 17, open: 6 };
    drop(blocking::format(&mut other, limits, &[]).unwrap());
    refused(other, "formatted for 576 sectors, 17 files, 6 growing");
    let mut smaller = Disk::new(SECTORS - 64);
    let limits = Limits { sectors: SECTORS - 64, files: 17, open: 7 };
    drop(blocking::format(&mut smaller, limits, &[]).unwrap());
    refused(smaller, "formatted for 512 sectors, 17 files, 7 growing");
    let mut newer = Rig::new().world.disk(NAME).clone();
    newer.flip(8, 2);
    newer.flip((SECTORS as usize - 1) * 512 + 8, 2);
    refused(newer, "both superblocks are damaged");
}

#[test]
fn a_disk_that_the_host_has_formatted_serves() {
    let recipe = nexus_recipe::StateRecipe::parse(RECIPE).unwrap();
    let limits = statefsd::layout(&recipe).unwrap().limits();
    let mut disk = Disk::new(SECTORS);
    let mut store = blocking::format(&mut disk, limits, &[]).unwrap();
    store.replace("metricsd/from-host", b"hello").unwrap();
    store.replace("metricsd/NOT-reachable".to_lowercase().as_str(), b"hello").unwrap();
    blocking::sync(&mut store, &mut disk).unwrap();
    let mut rig = Rig::on(disk);
    assert_eq!(rig.read(rig.metricsd, "from-host").unwrap(), b"hello");
    assert_eq!(rig.read(rig.logd, "from-host"), Err(FileStatus::NotFound));
}

#[test]
fn one_unreadable_superblock_is_no_matter_and_two_are() {
    let mut disk = Rig::new().world.disk(NAME).clone();
    disk.spoil(0);
    let mut rig = Rig::on(disk.clone());
    assert!(rig.hello(rig.metricsd).is_ok());
    disk.spoil(SECTORS - 1);
    let mut rig = Rig::on(disk);
    assert_eq!(rig.hello(rig.metricsd), Err(FileStatus::NotReady));
}

#[test]
fn damaged_bytes_are_told_and_the_others_are_read() {
    let mut rig = Rig::new();
    let (me, all) = (rig.metricsd, bytes(4000, 1));
    assert_eq!(rig.replace(me, "a", &all), FileStatus::Ok);
    assert_eq!(rig.sync(me), FileStatus::Ok);
    let image = rig.world.disk(NAME).image().to_vec();
    let first = image.windows(508).position(|window| window == &all[..508]).unwrap();
    let third = first + 2 * 512;
    rig.world.disk(NAME).flip(third, 4);
    assert_eq!(rig.read_at(me, "a", 0, 4000).unwrap().1, all[..1016]);
    assert_eq!(rig.read_at(me, "a", 1016, 4000), Err(FileStatus::Damaged));
    assert_eq!(rig.read_at(me, "a", 1524, 4000).unwrap().1, all[1524..]);
    rig.world.disk(NAME).spoil((third / 512) as u32);
    assert_eq!(rig.read_at(me, "a", 1016, 4000), Err(FileStatus::IoError));
    assert_eq!(rig.read_at(me, "a", 1524, 4000).unwrap().1, all[1524..]);
}

#[test]
fn a_disk_without_room_for_a_file_in_few_pieces_says_so_and_goes_on() {
    let mut rig = Rig::new();
    let me = rig.metricsd;
    let free = rig.hello(me).unwrap().free;
    assert_eq!(rig.create(me, "a", free as u32), FileStatus::OverQuota);
    assert_eq!(rig.create(me, "a", 1000), FileStatus::Ok);
    assert_eq!(rig.append(me, file("a"), 0, b"x"), FileStatus::Ok);
}
