//! The device fails at every write and flush.

use nexus_port::BlockError;
use simkit::{Disk, Fate};
use statefs::blocking::{self, Error};
use statefs::{Fault, Refusal, State, Store};

use crate::bed::{Bed, bytes, check, contents};

/// Runs the workload with `count` requests failing from the `first` on; how many it made.
fn fails_at(first: u64, count: u64, error: BlockError, rounds: usize) -> u64 {
    let mut bed = Bed::new();
    let before = bed.disk.requests();
    bed.disk.fail(before + first, count, error);
    let result = bed.workload(rounds);
    let requests = bed.disk.requests() - before;
    if bed.store.tolerated() > 0 && result.is_ok() {
        assert_eq!(bed.store.tolerated(), 1, "one copy of a record of many");
        survives_a_cut(&bed);
    } else if first < requests {
        assert_eq!(result, Err(Error::Fault(Fault::Device(error))), "told at {first}");
        assert_eq!(bed.store.state(), State::Failed(Fault::Device(error)));
        assert_eq!(bed.store.replace("x", b"1"), Err(Refusal::Failed));
        assert_eq!(bed.store.sync(), Err(Refusal::Failed));
        survives_a_cut(&bed);
        heals(bed, count);
    } else {
        assert_eq!(result, Ok(()));
    }
    requests
}

/// Power is cut before anything is tried again.
fn survives_a_cut(bed: &Bed) {
    let count = bed.disk.volatile();
    for fates in [vec![], vec![Fate::Kept; count], vec![Fate::Torn; count]] {
        let mut disk = bed.disk.cut(&fates);
        let store = blocking::mount(&mut disk, &[]).unwrap();
        holds(bed, &store, &mut disk);
    }
}

fn holds(bed: &Bed, store: &Store, disk: &mut Disk) {
    let (found, acknowledged) = (store.synced(), bed.store.synced());
    assert!(found == acknowledged || found.0 == acknowledged.0 + 1);
    assert!(!store.recovery().is_lost);
    assert_eq!(Some(&contents(store, disk)), bed.synced.get(&found.0));
}

/// Mounting again and again ends well once the device does, without a byte of what was durable
/// lost.
fn heals(mut bed: Bed, count: u64) {
    let acknowledged = bed.store.synced();
    let mut tries = 0;
    while bed.store.state() != State::Ready {
        bed.store.mount();
        tries += 1;
        assert!(tries <= count, "it heals with the device");
        let _ignored = bed.drive();
    }
    let found = bed.store.synced();
    assert!(found == acknowledged || found.0 == acknowledged.0 + 1);
    bed.now = bed.synced.get(&found.0).unwrap().clone();
    assert_eq!(contents(&bed.store, &mut bed.disk), bed.now);
    bed.replace("meta/boot", &bytes(99, 5)).unwrap();
    bed.replace("wal/new", &bytes(999, 5)).unwrap();
    bed.sync().unwrap();
    let mut disk = bed.disk.cut(&[]);
    assert!(check(&mut disk).is_clean());
    let store = blocking::mount(&mut disk, &[]).unwrap();
    assert_eq!(contents(&store, &mut disk), bed.now);
}

fn everywhere(rounds: usize) -> u64 {
    let requests = fails_at(u64::MAX / 2, 0, BlockError::Io, rounds);
    for first in 0..requests {
        for count in 1..=3 {
            fails_at(first, count, BlockError::NoSpace, rounds);
            fails_at(first, count, BlockError::Io, rounds);
        }
    }
    requests
}

#[test]
fn an_error_at_any_write_or_flush_is_told_and_heals() {
    assert!(everywhere(17) > 100);
}

#[test]
#[ignore = "long: a minute, optimised"]
fn an_error_at_any_write_or_flush_of_a_long_run_is_told_and_heals() {
    println!("{} requests failed, each in six ways", everywhere(50));
}

#[test]
fn a_sector_that_can_never_be_written_costs_a_sync_now_and_then_and_nothing_that_was_durable() {
    let format = *Bed::new().store.disk_format();
    for sector in (1..format.limits().sectors - 1).step_by(3) {
        let mut bed = Bed::new();
        bed.disk.wear_out(sector);
        for round in 0..70 {
            let name = format!("value/{}", round % 5);
            let done = bed.replace(&name, &bytes(2000, round)).and_then(|()| bed.sync());
            if done.is_err() {
                bed.store.mount();
                bed.drive().unwrap();
                bed.now = bed.synced.get(&bed.store.synced().0).unwrap().clone();
            }
            if round % 10 == 9 || done.is_err() {
                assert_eq!(contents(&bed.store, &mut bed.disk), bed.now, "{sector}");
            }
        }
        assert!(bed.store.synced().0 > 60, "{sector}: {:?}", bed.store.synced());
    }
}

#[test]
fn formatting_that_fails_is_told_and_leaves_no_store() {
    for request in 0..6 {
        let mut disk = Disk::new(crate::bed::LIMITS.sectors);
        disk.fail(request, 1, BlockError::Io);
        let failed = blocking::format(&mut disk, crate::bed::LIMITS, &[]);
        assert_eq!(failed.err(), Some(Error::Fault(Fault::Device(BlockError::Io))), "{request}");
        blocking::format(&mut disk, crate::bed::LIMITS, &[]).unwrap();
        assert!(check(&mut disk).is_clean());
    }
}
