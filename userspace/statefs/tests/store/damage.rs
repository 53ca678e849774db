//! Flipped bits, unreadable sectors, and images that are none.

use std::collections::BTreeSet;

use nexus_port::SECTOR_BYTES;
use simkit::{Disk, Rng};
use statefs::blocking::{self, Error};
use statefs::{Finding, FormatError, Store, fsck};

use crate::bed::{Bed, LIMITS, Model, bytes, check, contents, new_disk, read_all};

/// A store with files of every kind, and what is in them.
fn populated() -> (Disk, Model, u64) {
    let mut bed = Bed::new();
    bed.append("log", &bytes(1300, 1)).unwrap();
    bed.sync().unwrap();
    bed.replace("value", &bytes(30, 2)).unwrap();
    bed.replace("segment", &bytes(2000, 3)).unwrap();
    bed.sync().unwrap();
    bed.append("log", &bytes(100, 4)).unwrap();
    bed.sync().unwrap();
    (bed.disk, bed.now, bed.store.synced().0)
}

/// Superblocks, both copies of four pages (one of the formatting, one a sync), and the sectors of
/// files: 2 of the log, whose other 384 bytes are in the journal, 1, and 4.
const SECTORS_IN_USE: usize = 2 + 2 * 4 + 2 + 1 + 4;

/// Reads everything from a damaged disk: what is told, what is lost, and that nothing is wrong.
fn contained(disk: &mut Disk, model: &Model, synced: u64) -> bool {
    let mut findings = Vec::new();
    let report = fsck(disk, |finding| findings.push(finding)).unwrap();
    assert_eq!(report.is_clean(), findings.is_empty());
    let store = blocking::mount(disk, &[]).unwrap();
    assert_eq!((store.synced().0, store.list("").count()), (synced, model.len()));
    let mut lost = 0;
    for (name, expected) in model {
        match read_all(&store, disk, name) {
            Ok(bytes) => assert_eq!(bytes, *expected),
            Err(Error::Damaged(_) | Error::Device(_)) => {
                lost += 1;
                assert!(findings.iter().any(|finding| is_of(finding, name)), "{findings:?}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(lost, report.losses);
    assert!(lost <= 1 && report.lost_bytes <= 508);
    !report.is_clean()
}

fn is_of(finding: &Finding, file: &str) -> bool {
    matches!(finding, Finding::Damaged { name, .. } if name.as_str() == file)
}

/// Flips a bit in the bytes of `offsets` of each sector; the sectors where that was found.
fn flipped(offsets: impl Fn(usize) -> bool) -> BTreeSet<usize> {
    let (disk, model, synced) = populated();
    let mut found = BTreeSet::new();
    let mut unnoticed = BTreeSet::new();
    for byte in (0..disk.image().len()).filter(|byte| offsets(byte % SECTOR_BYTES)) {
        let mut disk = disk.clone();
        disk.flip(byte, 1 << (byte % 8));
        let is_found = contained(&mut disk, &model, synced);
        if is_found { &mut found } else { &mut unnoticed }.insert(byte / SECTOR_BYTES);
    }
    assert!(found.is_disjoint(&unnoticed), "every bit of a sector counts, or none");
    found
}

#[test]
fn a_flipped_bit_is_found_and_costs_at_most_its_sector() {
    let offsets = [0, 3, 5, 9, 23, 24, 300, 511];
    assert_eq!(flipped(|offset| offsets.contains(&offset)).len(), SECTORS_IN_USE);
}

#[test]
#[ignore = "long: a minute, optimised"]
fn a_flipped_bit_in_any_byte_is_found_and_costs_at_most_its_sector() {
    assert_eq!(flipped(|_| true).len(), SECTORS_IN_USE);
}

#[test]
fn an_unreadable_sector_is_found_and_costs_at_most_itself() {
    let (disk, model, synced) = populated();
    let spoilt = |sector: &u32| {
        let mut disk = disk.clone();
        disk.spoil(*sector);
        contained(&mut disk, &model, synced)
    };
    assert_eq!((0..LIMITS.sectors).filter(spoilt).count(), SECTORS_IN_USE);
}

#[test]
fn a_flaw_is_mended_by_the_next_sync() {
    let (disk, model, _) = populated();
    let mut mended = 0;
    for sector in (1..65).chain(LIMITS.sectors as usize - 65..LIMITS.sectors as usize - 1) {
        let mut disk = disk.clone();
        disk.flip(sector * SECTOR_BYTES + 100, 1);
        let mut store = blocking::mount(&mut disk, &[]).unwrap();
        if check(&mut disk).is_clean() {
            continue;
        }
        mended += 1;
        blocking::sync(&mut store, &mut disk).unwrap();
        assert!(check(&mut disk).is_clean(), "{sector}");
        let store = blocking::mount(&mut disk, &[]).unwrap();
        assert_eq!(contents(&store, &mut disk), model);
    }
    assert_eq!(mended, 8, "two copies of four pages");
}

#[test]
fn a_page_with_both_copies_damaged_costs_the_syncs_behind_it_and_says_so() {
    let (pristine, _, synced) = populated();
    let area = blocking::mount(&mut pristine.clone(), &[]).unwrap().disk_format().area_sectors();
    let copies = |page: u32| [page + 1 + area, LIMITS.sectors - 1 - area + page];
    for page in 0..3 {
        let mut disk = pristine.clone();
        for sector in copies(page) {
            disk.flip(sector as usize * SECTOR_BYTES, 0xff);
        }
        let mut findings = Vec::new();
        let report = fsck(&mut disk, |finding| findings.push(finding)).unwrap();
        assert!(!report.is_whole(), "{page}: {findings:?}");
        match page {
            0 => assert!(matches!(findings[..], [Finding::Unmountable(_)])),
            _ => assert_eq!(findings, [Finding::Lost { sync: u64::from(page) }]),
        }
        assert!(u64::from(page) < synced);
    }
}

#[test]
fn a_newer_area_whose_snapshot_is_damaged_twice_is_missed() {
    let (mut disk, model, synced) = populated();
    let mut bed = Bed::of(disk.clone(), blocking::mount(&mut disk, &[]).unwrap());
    bed.replace("value", b"newer").unwrap();
    bed.sync().unwrap();
    bed.replace("value", b"newest").unwrap();
    bed.sync().unwrap();
    let mut disk = bed.disk;
    let area = bed.store.disk_format().area_sectors();
    for sector in [1, LIMITS.sectors - 1 - 2 * area] {
        disk.flip(sector as usize * SECTOR_BYTES + 99, 0xff);
    }
    let mut findings = Vec::new();
    fsck(&mut disk, |finding| findings.push(finding)).unwrap();
    assert_eq!(findings, [Finding::Lost { sync: synced }]);
    let store = blocking::mount(&mut disk, &[]).unwrap();
    assert!(store.recovery().is_lost);
    assert_eq!(contents(&store, &mut disk), model);
}

#[test]
fn what_is_no_store_or_a_newer_one_is_named() {
    let error = |disk: &mut Disk| fsck(disk, |_| {}).unwrap_err();
    assert_eq!(error(&mut Disk::new(0)), FormatError::NotAStore);
    assert_eq!(error(&mut Disk::new(LIMITS.sectors)), FormatError::NotAStore);
    let (mut disk, _, _) = populated();
    for sector in [0, LIMITS.sectors as usize - 1] {
        disk.flip(sector * SECTOR_BYTES + 20, 1);
    }
    assert_eq!(error(&mut disk), FormatError::Damaged);
}

#[test]
fn an_image_that_was_cut_short_is_not_mounted_and_tells_what_is_left() {
    let (disk, model, _) = populated();
    let mut short = Disk::from_image(&disk.image()[..100 * SECTOR_BYTES]);
    let error = blocking::mount(&mut short, &[]).err();
    let expected = FormatError::CutShort { sectors: LIMITS.sectors };
    assert_eq!(error, Some(Error::Format(expected)));
    let report = check(&mut short);
    assert!(!report.is_whole());
    assert_eq!(report.files as usize, model.len());
    assert_eq!(report.lost_bytes as usize, model["value"].len() + model["segment"].len());
}

#[test]
fn whatever_happens_to_many_sectors_nothing_panics_and_no_byte_is_wrong() {
    let (pristine, model, _) = populated();
    let mut rng = Rng::new(7);
    for _ in 0..300 {
        let mut disk = pristine.clone();
        for _ in 0..rng.up_to(40) {
            let byte = rng.up_to(pristine.image().len() as u64 - 1) as usize;
            let byte = if rng.one_in(2) { byte } else { byte % (80 * SECTOR_BYTES) };
            disk.flip(byte, 1 << rng.up_to(7));
        }
        let Ok(report) = fsck(&mut disk, |_| {}) else { continue };
        let Ok(store) = blocking::mount(&mut disk, &[]) else {
            assert!(!report.is_whole());
            continue;
        };
        is_right_or_said(&store, &mut disk, &model);
    }
}

/// Each byte that is read is one that a sync had made durable.
fn is_right_or_said(store: &Store, disk: &mut Disk, model: &Model) {
    for entry in store.list("") {
        let name = entry.name.as_str();
        if let Ok(bytes) = read_all(store, disk, name) {
            assert!(model[name].starts_with(&bytes), "{name}");
        }
    }
}

#[test]
fn formatting_again_leaves_nothing_of_what_was_there() {
    let (mut disk, _, _) = populated();
    let store = blocking::format(&mut disk, LIMITS, &[]).unwrap();
    assert_eq!(store.disk_format().generation(), 2);
    let store = blocking::mount(&mut disk, &[]).unwrap();
    assert_eq!((store.list("").count(), store.synced().0), (0, 1));
    assert_eq!(new_disk().1.free_sectors(), store.free_sectors());
}
