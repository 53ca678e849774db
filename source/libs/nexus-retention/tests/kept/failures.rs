//! Disks that fail, are full, or are not what they were: nothing is lost that is in memory, and
//! nothing comes twice.

use nexus_abi::ExitReason;
use nexus_port::BlockError;
use nexus_retention::files::Trouble;
use simkit::Disk;

use crate::bed::{SECTORS, STATEFSD};
use crate::crashes::records_on;
use crate::owner::{Rig, record};

const ROUNDS: usize = 16;

/// Appends and syncs a record; how many seconds that takes.
fn keep(rig: &mut Rig, number: usize) -> u64 {
    assert_eq!(rig.append(&record(number)), "ok");
    rig.begin_sync();
    rig.world.settle();
    for seconds in 0..60 {
        if rig.has_synced() {
            rig.world.settle();
            return seconds;
        }
        rig.seconds(1);
    }
    panic!("it does not heal");
}

/// What is on the disk now is the newest of so many records, each once.
fn check(rig: &mut Rig, count: usize, at_least: usize) {
    let found = records_on(&mut rig.disk().cut(&[]));
    assert_eq!(found, (count - found.len()..count).map(record).collect::<Vec<_>>());
    assert!(found.len() >= at_least);
}

#[test]
fn every_write_and_every_flush_may_fail_and_nothing_is_lost_or_doubled() {
    let mut rig = Rig::new(Disk::new(SECTORS));
    let first = rig.disk().requests();
    for number in 0..ROUNDS {
        keep(&mut rig, number);
    }
    let requests = rig.disk().requests() - first;
    assert!(requests > 50, "{requests}");
    let mut seen = 0;
    let errors = [BlockError::NoSpace, BlockError::Io];
    for (at, error) in (0..requests).flat_map(|at| errors.map(|error| (at, error))) {
        let mut rig = Rig::new(Disk::new(SECTORS));
        let first = rig.disk().requests();
        rig.disk().fail(first + at, 1, error);
        let slow = (0..ROUNDS).map(|number| keep(&mut rig, number)).sum::<u64>();
        check(&mut rig, ROUNDS, 3);
        // Some do no harm: each page of the store's journal is written twice.
        assert_eq!(slow > 0, !rig.owner().troubles.is_empty());
        seen += u64::from(slow > 0);
        assert_eq!(rig.owner().log.trouble(), None, "it heals");
    }
    assert!(seen > requests, "{seen} of {requests}, each of which failed twice");
}

#[test]
fn a_disk_that_fails_for_long_is_named_and_costs_what_finds_no_room_in_memory() {
    let mut rig = Rig::new(Disk::new(SECTORS));
    keep(&mut rig, 0);
    let now = rig.disk().requests();
    rig.disk().fail(now, u64::MAX, BlockError::Io);
    let taken = (1..20).take_while(|number| rig.append(&record(*number)) == "ok").count();
    rig.begin_sync();
    rig.seconds(100);
    assert!(!rig.has_synced());
    assert_eq!(rig.append(&record(taken + 1)), "Unsynced");
    assert!(rig.owner().log.trouble().is_some());
    rig.disk().fail(0, 0, BlockError::Io);
    rig.seconds(20);
    assert!(rig.has_synced());
    check(&mut rig, taken + 1, taken + 1);
}

#[test]
fn without_anybody_who_has_files_it_waits_and_says_so() {
    let mut rig = Rig::new(Disk::new(SECTORS));
    keep(&mut rig, 0);
    rig.world.kill(STATEFSD, ExitReason::Killed(9));
    rig.append(&record(1));
    rig.begin_sync();
    rig.seconds(10);
    assert_eq!(rig.owner().log.trouble(), Some(Trouble::NoDisk));
    rig.world.restart(STATEFSD);
    rig.seconds(5);
    assert!(rig.has_synced());
    assert_eq!(rig.owner().log.trouble(), None);
    check(&mut rig, 2, 2);
}

#[test]
fn a_share_that_is_full_is_named_and_heals_when_it_has_room() {
    let mut rig = Rig::new(Disk::new(SECTORS));
    let client = rig.world.client("logd", nexus_abi::Rights::NONE);
    let name = nexus_wire::files::FileName::new("other").unwrap();
    let create = nexus_wire::files::NewFile { name, capacity: 44 * 1024 };
    let mut out = [0; 4096];
    let create = nexus_wire::files::Request::Create(create);
    let frame = nexus_wire::files::encode(&create, 1, &mut out).unwrap();
    rig.world.call(client, STATEFSD, frame).unwrap();
    let full = (0..20).position(|number| {
        assert_eq!(rig.append(&record(number)), "ok");
        rig.begin_sync();
        rig.world.settle();
        !rig.has_synced()
    });
    let full = full.unwrap();
    assert_eq!(rig.owner().log.trouble(), Some(Trouble::Full));
    let target = nexus_wire::files::Target { name, draft: false };
    let delete = nexus_wire::files::Request::Delete(target);
    let frame = nexus_wire::files::encode(&delete, 1, &mut out).unwrap();
    rig.world.call(client, STATEFSD, frame).unwrap();
    let sync = nexus_wire::files::Request::Sync { epoch: (1 << 48) | (1 << 32) | 1 };
    let frame = nexus_wire::files::encode(&sync, 1, &mut out).unwrap();
    rig.world.call(client, STATEFSD, frame).unwrap();
    rig.seconds(20);
    assert!(rig.has_synced());
    check(&mut rig, full + 1, full + 1);
}

#[test]
fn a_disk_that_is_set_back_gets_what_is_in_memory_behind_what_it_has() {
    let mut rig = Rig::new(Disk::new(SECTORS));
    for number in 0..4 {
        keep(&mut rig, number);
    }
    let earlier = rig.disk().clone();
    for number in 4..8 {
        keep(&mut rig, number);
    }
    rig.append(&record(8));
    rig.world.kill(STATEFSD, ExitReason::Killed(9));
    rig.world.attach(STATEFSD, earlier);
    rig.world.restart(STATEFSD);
    rig.begin_sync();
    rig.seconds(20);
    assert!(rig.has_synced());
    let found = records_on(&mut rig.disk().cut(&[]));
    assert_eq!(found, [0, 1, 2, 3, 8].map(record));
    keep(&mut rig, 9);
    assert_eq!(records_on(&mut rig.disk().cut(&[])), [0, 1, 2, 3, 8, 9].map(record));
}

#[test]
fn bits_that_flip_cost_what_they_hit_and_the_rest_is_found() {
    let mut rig = Rig::new(Disk::new(SECTORS));
    for number in 0..9 {
        keep(&mut rig, number);
    }
    let disk = rig.disk().clone();
    let image = disk.image().to_vec();
    let second = record(4);
    let mut damaged = disk;
    for at in 0..image.len() - 100 {
        if image[at..at + 100] == second[..100] {
            damaged.flip(at + 20, 1);
        }
    }
    let mut rig = Rig::new(damaged);
    rig.world.settle();
    let loss = rig.recovered().loss;
    // A sector of the disk holds parts of two of the log.
    assert!((1..=2).contains(&loss.records) && loss.unreadable > 0, "{loss}");
    let found = rig.owner().found.clone();
    assert!(!found.contains(&second) && found.contains(&record(6)) && found.contains(&record(8)));
    keep(&mut rig, 9);
}
