//! Power is cut after each step of a workload over several rotations, in every way that few
//! unflushed sectors can suffer.

use nexus_retention::wal::{self, SECTOR_BYTES};
use simkit::{Disk, fates};
use statefs::blocking;

use crate::bed::SECTORS;
use crate::bed::{STATEFSD, swap};
use crate::owner::{LIMITS, Rig, record};

const SECTORS_OF_LOG: u32 = LIMITS.files * LIMITS.file_sectors;

/// The records on a disk, as whoever holds it reads them; nothing may be missing among them.
pub(crate) fn records_on(disk: &mut Disk) -> Vec<Vec<u8>> {
    let store = blocking::mount(disk, &[]).unwrap();
    let mut ring = vec![[0; SECTOR_BYTES]; SECTORS_OF_LOG as usize];
    for entry in store.list("logd/g1/wal.") {
        let slot: usize = entry.name.as_str().rsplit('.').next().unwrap().parse().unwrap();
        let mut bytes = vec![0; entry.len as usize];
        blocking::read(&store, disk, entry.file, 0, &mut bytes).unwrap();
        let (sectors, rest) = bytes.as_chunks::<SECTOR_BYTES>();
        assert!(rest.is_empty());
        let first = slot * LIMITS.file_sectors as usize;
        ring[first..first + sectors.len()].copy_from_slice(sectors);
    }
    let limits = wal::Limits {
        sectors: SECTORS_OF_LOG,
        staged: LIMITS.staged,
        record_bytes: LIMITS.record_bytes,
    };
    let mut found = Vec::new();
    let read = |index: u32, sector: &mut wal::Sector| {
        *sector = ring[index as usize];
        true
    };
    let recovered = wal::recover(limits, read, |record| found.push(record.bytes.to_vec())).unwrap();
    assert!(recovered.loss.is_none(), "{}", recovered.loss);
    found
}

/// The number of a record that is as it was.
fn number(bytes: &[u8]) -> usize {
    let number = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    assert_eq!(bytes, record(number));
    number
}

/// What was acknowledged is there, at most what was appended, one behind another and each once.
fn check(found: &[Vec<u8>], acknowledged: usize, appended: usize) {
    let numbers = found.iter().map(|bytes| number(bytes)).collect::<Vec<_>>();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    let end = numbers.last().map_or(0, |last| last + 1);
    assert!((acknowledged..=appended).contains(&end), "{end} of {acknowledged}..={appended}");
    assert!(numbers.len() >= 3.min(acknowledged), "what there is room for is kept: {numbers:?}");
}

#[test]
fn what_a_sync_has_acknowledged_is_there_after_every_cut() {
    let mut rig = Rig::new(Disk::new(SECTORS));
    let (mut acknowledged, mut appended, mut cuts) = (0, 0, 0);
    while appended < 120 {
        for _ in 0..1 + appended % 3 {
            assert_eq!(rig.append(&record(appended)), "ok");
            appended += 1;
        }
        rig.begin_sync();
        loop {
            let disk = rig.disk();
            for fate in fates(disk.volatile(), 8, appended as u64) {
                check(&records_on(&mut disk.cut(&fate)), acknowledged, appended);
                cuts += 1;
            }
            if rig.has_synced() {
                break;
            }
            assert!(rig.world.round(), "the sync ends");
        }
        acknowledged = appended;
        rig.world.settle();
    }
    println!("{cuts} cuts");
    assert!(cuts > 1000);
}

#[test]
fn a_life_that_begins_after_a_cut_finds_the_same_and_goes_on() {
    let mut rig = Rig::new(Disk::new(SECTORS));
    let (mut acknowledged, mut appended, mut disks) = (0, 0, Vec::new());
    while appended < 40 {
        for _ in 0..1 + appended % 3 {
            assert_eq!(rig.append(&record(appended)), "ok");
            appended += 1;
        }
        rig.begin_sync();
        while !rig.has_synced() {
            let disk = rig.world.disk(STATEFSD);
            let prefixes = (0..=disk.volatile()).map(|end| vec![simkit::Fate::Kept; end]);
            disks.extend(prefixes.map(|fate| (disk.cut(&fate), acknowledged, appended)));
            assert!(rig.world.round());
        }
        acknowledged = appended;
        rig.world.settle();
    }
    for (disk, acknowledged, appended) in disks {
        swap(&mut rig.world, disk);
        let found = rig.owner().found.clone();
        check(&found, acknowledged, appended);
        let next = found.last().map_or(0, |last| number(last) + 1);
        for number in next..next + 2 {
            assert_eq!(rig.append(&record(number)), "ok");
            rig.sync();
            rig.world.settle();
        }
        check(&records_on(&mut rig.disk().cut(&[])), next + 2, next + 2);
    }
}

#[test]
#[should_panic(expected = "0 of 1..=1")]
fn a_record_that_was_acknowledged_and_is_not_there_is_noticed() {
    check(&[], 1, 1);
}
