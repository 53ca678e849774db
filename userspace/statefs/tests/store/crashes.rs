//! Power is cut at every write, in every way.

use simkit::{Disk, Fate, fates};
use statefs::blocking;

use crate::bed::{Bed, Model, bytes, check, contents};

fn cut_everywhere(rounds: usize, samples: usize) -> usize {
    let mut bed = Bed::new();
    bed.keeps_flushes = true;
    bed.workload(rounds).unwrap();
    bed.append("wal/a", &bytes(2000, 1)).unwrap();
    bed.drive().unwrap();
    let last = (bed.disk.clone(), bed.store.synced().0);
    bed.flushes.push(last);
    let mut cuts = 0;
    for (seed, (disk, synced)) in (0..).zip(&bed.flushes) {
        for fates in fates(disk.volatile(), samples, seed) {
            holds(&bed, disk, *synced, &fates);
            cuts += 1;
        }
    }
    cuts
}

/// After a cut the store is as at the last durable sync or the one under way, and goes on.
fn holds(bed: &Bed, before: &Disk, synced: u64, fates: &[Fate]) {
    let mut disk = before.cut(fates);
    let report = check(&mut disk);
    assert!(report.is_whole(), "{report:?}");
    let store = blocking::mount(&mut disk, &[]).unwrap();
    let found = store.synced().0;
    assert!(found == synced || found == synced + 1, "{found} after {synced}");
    assert!(!store.recovery().is_lost);
    let expected = bed.synced.get(&found).expect("somebody asked for that sync");
    assert_eq!(contents(&store, &mut disk), *expected, "{fates:?}");
    goes_on(disk, store, expected.clone());
}

fn goes_on(disk: Disk, store: statefs::Store, now: Model) {
    let mut bed = Bed::of(disk, store);
    bed.now = now;
    let log = bed.now.keys().find(|name| bed.is_log(name)).cloned();
    bed.append(&log.unwrap_or("new".into()), &bytes(900, 3)).unwrap();
    bed.replace("meta/boot", &bytes(10, 9)).unwrap();
    bed.sync().unwrap();
    let report = check(&mut bed.disk);
    assert!(report.is_clean(), "{report:?}");
    let store = blocking::mount(&mut bed.disk, &[]).unwrap();
    assert_eq!(contents(&store, &mut bed.disk), bed.now);
}

#[test]
fn whatever_was_synced_survives_every_cut() {
    let cuts = cut_everywhere(17, 2);
    println!("{cuts} cuts");
    assert!(cuts > 500);
}

#[test]
#[ignore = "long: a minute, optimised"]
fn whatever_was_synced_survives_every_cut_of_a_long_run() {
    println!("{} cuts", cut_everywhere(80, 100));
}

/// Changes something, and begins a sync; the disk before its record is flushed.
fn interrupted(bed: &mut Bed, seed: usize) -> (Disk, u64) {
    bed.flushes.clear();
    bed.keeps_flushes = true;
    bed.append("a", &bytes(3, seed)).unwrap();
    bed.append("c", &bytes(3, seed)).unwrap();
    bed.sync().unwrap();
    bed.flushes.pop().unwrap()
}

#[test]
fn two_syncs_that_are_cut_off_one_after_the_other_are_never_mixed() {
    let mut bed = Bed::new();
    for (seed, name) in ["a", "b", "c"].iter().enumerate() {
        bed.append(name, &bytes(490, seed)).unwrap();
    }
    bed.sync().unwrap();
    let (before, base) = (bed.disk, bed.now);
    let again = |disk: &mut Disk| {
        let store = blocking::mount(disk, &[]).unwrap();
        let now = contents(&store, disk);
        let mut bed = Bed::of(disk.clone(), store);
        bed.now = now;
        bed
    };
    let mut first = again(&mut before.clone());
    let (torn, _) = interrupted(&mut first, 7);
    let snapshot = torn.volatile() / 2;
    assert!(snapshot >= 3, "{snapshot} pages");
    for fates in fates(snapshot, 0, 1).map(|half| [half.clone(), half].concat()) {
        let mut second = again(&mut torn.cut(&fates));
        assert!(second.now == base || second.now == first.now);
        let found = second.now.clone();
        let (torn, _) = interrupted(&mut second, 8);
        for fates in self::fates(snapshot, 0, 1).map(|half| [half.clone(), half].concat()) {
            let now = again(&mut torn.cut(&fates)).now;
            assert!(now == found || now == second.now, "{fates:?}");
        }
    }
}

#[test]
fn a_store_that_did_not_wait_for_its_flushes_would_be_found_out() {
    let mut bed = Bed::new();
    bed.append("wal/a", &bytes(2000, 1)).unwrap();
    bed.begin_sync().unwrap();
    let before = bed.disk.clone();
    bed.drive().unwrap();
    let mut liar = before;
    let written = bed.disk.image().chunks(512).zip(0..).filter(|(sector, at)| {
        let at = *at as usize * 512;
        liar.image()[at..at + 512] != **sector
    });
    let written = written.map(|(sector, at)| (at, sector.to_vec())).collect::<Vec<_>>();
    for (sector, bytes) in &written {
        let request = nexus_port::BlockRequest::Write { sector: *sector, bytes };
        nexus_port::BlockDevice::carry_out(&mut liar, request);
    }
    let is_found_out = |fates: Vec<Fate>| {
        let mut disk = liar.cut(&fates);
        !check(&mut disk).is_whole()
    };
    assert!(fates(written.len(), 0, 0).any(is_found_out));
}
