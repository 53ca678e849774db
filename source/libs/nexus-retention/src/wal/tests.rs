//! What a ring gives back after any cut, and what it says of the rest.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::sector::{Flaw, HEADER_BYTES, Header};
use super::*;
use crate::bytes::crc32c;

const LIMITS: Limits = Limits { sectors: 8, staged: 8, record_bytes: 1500 };

type Disk = Vec<Sector>;

/// A record as it came back.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    place: Place,
    epoch: u32,
    is_prefix: bool,
    bytes: Vec<u8>,
}

fn blank(sectors: u32) -> Disk {
    vec![[0; SECTOR_BYTES]; sectors as usize]
}

fn read_all(limits: Limits, disk: &Disk) -> Result<(Recovered, Vec<Seen>), WalError> {
    let mut seen = Vec::new();
    let recovered = recover(
        limits,
        |index, sector| {
            *sector = disk[index as usize];
            true
        },
        |Record { place, epoch, is_prefix, bytes }| {
            seen.push(Seen { place, epoch, is_prefix, bytes: bytes.to_vec() });
        },
    )?;
    Ok((recovered, seen))
}

fn open(limits: Limits, disk: &Disk) -> (Wal, Vec<Seen>) {
    let (recovered, seen) = read_all(limits, disk).unwrap();
    (Wal::new(limits, &recovered), seen)
}

fn writes(wal: &Wal, sync: Sync) -> Vec<(u32, Sector)> {
    wal.sectors(sync).map(|(index, sector)| (index, *sector)).collect()
}

fn sync(wal: &mut Wal, disk: &mut Disk) {
    while let Some(sync) = wal.sync() {
        for (index, sector) in writes(wal, sync) {
            disk[index as usize] = sector;
        }
        wal.synced(sync);
    }
}

/// Bytes that differ from record to record, and some of which look like a sector's beginning.
fn record(number: u64, len: usize) -> Vec<u8> {
    let own = number.to_le_bytes().into_iter().chain(*b"NW\x01\0");
    own.cycle().take(len).collect()
}

fn bytes_of(seen: &[Seen]) -> Vec<Vec<u8>> {
    seen.iter().map(|seen| seen.bytes.clone()).collect()
}

#[test]
fn records_come_back_in_order_whatever_their_length() {
    let mut disk = blank(8);
    let (mut wal, seen) = open(LIMITS, &disk);
    assert_eq!(seen, []);
    let lens = [0, 1, 459, 460, 461, 0, 463, 464, 465, 0];
    let all: Vec<_> = lens.iter().zip(0..).map(|(len, number)| record(number, *len)).collect();
    for (record, sequence) in all.iter().zip(0..) {
        assert_eq!(wal.append(record).map(|place| place.sequence), Ok(sequence));
    }
    sync(&mut wal, &mut disk);
    let (recovered, seen) = read_all(LIMITS, &disk).unwrap();
    assert_eq!(bytes_of(&seen), all);
    assert!(seen.iter().all(|seen| seen.is_prefix && seen.epoch == 1));
    assert!(recovered.loss.is_none());
    assert_eq!((recovered.epoch, recovered.end), (2, wal.end()));
}

#[test]
fn what_was_not_synced_is_not_there_and_its_numbers_are_given_again() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    wal.append(b"synced").unwrap();
    sync(&mut wal, &mut disk);
    wal.append(b"not synced").unwrap();
    let (mut wal, seen) = open(LIMITS, &disk);
    assert_eq!(bytes_of(&seen), [b"synced"]);
    assert_eq!(wal.append(b"another").map(|place| place.sequence), Ok(1));
    assert_eq!(wal.epoch(), 2);
}

#[test]
fn a_record_that_is_too_long_is_refused() {
    let (mut wal, _) = open(LIMITS, &blank(8));
    assert_eq!(wal.append(&[1; 1501]), Err(Refusal::TooLong));
    assert!(wal.append(&[1; 1500]).is_ok());
}

#[test]
fn memory_that_is_full_wants_a_sync() {
    let limits = Limits { staged: 2, record_bytes: 400, ..LIMITS };
    let mut disk = blank(8);
    let (mut wal, _) = open(limits, &disk);
    wal.append(&[1; 400]).unwrap();
    wal.append(&[2; 400]).unwrap();
    assert_eq!(wal.append(&[3; 400]), Err(Refusal::Unsynced));
    sync(&mut wal, &mut disk);
    wal.append(&[3; 400]).unwrap();
    sync(&mut wal, &mut disk);
    assert_eq!(bytes_of(&open(limits, &disk).1), [[1; 400], [2; 400], [3; 400]]);
}

#[test]
fn a_full_ring_refuses_until_a_release_is_durable() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    let mut places = Vec::new();
    while let Ok(place) = wal.append(&[7; 400]) {
        places.push(place);
        sync(&mut wal, &mut disk);
    }
    assert_eq!(places.len(), 7, "one sector is for the sync of a release");
    assert_eq!(wal.append(&[]), Err(Refusal::Unreleased));
    wal.release(places[3]);
    assert_eq!(wal.append(&[]), Err(Refusal::Unreleased), "the disk still points at the old tail");
    sync(&mut wal, &mut disk);
    assert_eq!(open(LIMITS, &disk).1.first().map(|seen| seen.place), Some(places[3]));
    assert!(wal.append(&[8; 400]).is_ok());
}

#[test]
fn a_record_is_released_alone_also_within_a_sector() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    wal.append(b"a").unwrap();
    let second = wal.append(b"b").unwrap();
    wal.release(second);
    sync(&mut wal, &mut disk);
    let (mut wal, seen) = open(LIMITS, &disk);
    assert_eq!(bytes_of(&seen), [b"b"]);
    wal.release(wal.end());
    sync(&mut wal, &mut disk);
    let (recovered, seen) = read_all(LIMITS, &disk).unwrap();
    assert_eq!(seen, []);
    assert!(recovered.loss.is_none(), "{}", recovered.loss);
    assert_eq!(recovered.end.sequence, 2);
}

#[test]
fn a_failed_sync_is_repeated_with_the_same_bytes() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    wal.append(&[1; 1000]).unwrap();
    let first = wal.sync().unwrap();
    let written = writes(&wal, first);
    wal.append(b"meanwhile").unwrap();
    let again = wal.sync().unwrap();
    assert!(writes(&wal, again).starts_with(&written));
    sync(&mut wal, &mut disk);
    assert_eq!(open(LIMITS, &disk).1.len(), 2);
}

/// A workload over several laps; each entry is the disk before a sync, the sectors that it writes,
/// what is needed and what had been synced before it.
struct Step {
    before: Disk,
    writes: Vec<(u32, Sector)>,
    /// The first record that is not released.
    first: u64,
    /// Records that are synced and not released before this sync.
    synced: Vec<(u64, Vec<u8>)>,
    /// Records that are synced if all of it is written.
    after: Vec<(u64, Vec<u8>)>,
}

fn workload(lens: &[usize], per_sync: usize, kept: usize) -> Vec<Step> {
    let mut disk = blank(LIMITS.sectors);
    let (mut wal, _) = open(LIMITS, &disk);
    let mut steps = Vec::new();
    let mut all: Vec<(Place, Vec<u8>)> = Vec::new();
    let mut synced = Vec::new();
    for (chunk, round) in lens.chunks(per_sync).zip(0..) {
        for len in chunk {
            let bytes = record(round, *len);
            let mut kept = kept;
            let mut is_released = true;
            while wal.append(&bytes).map(|place| all.push((place, bytes.clone()))).is_err() {
                // First without a sync in between: a release alone makes no room.
                if is_released {
                    all.drain(..all.len().saturating_sub(kept));
                    wal.release(all.first().map_or(wal.end(), |(place, _)| *place));
                    kept = kept.saturating_sub(1);
                } else {
                    sync_step(&mut wal, &mut disk, &all, &mut synced, &mut steps);
                }
                is_released = !is_released;
            }
        }
        sync_step(&mut wal, &mut disk, &all, &mut synced, &mut steps);
    }
    steps
}

fn sync_step(
    wal: &mut Wal,
    disk: &mut Disk,
    all: &[(Place, Vec<u8>)],
    synced: &mut Vec<(u64, Vec<u8>)>,
    steps: &mut Vec<Step>,
) {
    while let Some(sync) = wal.sync() {
        let writes = writes(wal, sync);
        let needed = all.iter().map(|(place, bytes)| (place.sequence, bytes.clone()));
        let after: Vec<_> = needed.collect();
        synced.retain(|record| after.contains(record));
        let before = disk.clone();
        for (index, sector) in &writes {
            disk[*index as usize] = *sector;
        }
        let first = wal.kept().sequence;
        steps.push(Step { before, writes, first, synced: synced.clone(), after: after.clone() });
        *synced = after;
        wal.synced(sync);
    }
}

/// What must hold for a disk as a crash in a sync may leave it.
fn check(step: &Step, disk: &Disk, what: &str) {
    let (recovered, seen) = read_all(LIMITS, disk).unwrap();
    let needed = |record: &&Seen| record.place.sequence >= step.first;
    let got: Vec<_> =
        seen.iter().filter(needed).map(|seen| (seen.place.sequence, seen.bytes.clone())).collect();
    assert!(got.starts_with(&step.synced), "{what}: a synced record is missing");
    let is_synced = |seen: &&Seen| step.synced.iter().any(|(n, _)| *n == seen.place.sequence);
    let is_prefix = seen.iter().filter(is_synced).all(|seen| seen.is_prefix);
    assert!(is_prefix, "{what}: a synced record is behind a gap");
    for record in &got {
        assert!(step.after.contains(record), "{what}: a record that never was");
    }
    assert!(got.is_sorted_by(|a, b| a.0 < b.0), "{what}: order");
    let prefix = seen.iter().take_while(|seen| seen.is_prefix).count();
    assert!(seen[prefix..].iter().all(|seen| !seen.is_prefix), "{what}: one prefix an epoch");
    let first = seen.first().map_or(0, |seen| seen.place.sequence);
    let is_dense = seen[..prefix].iter().zip(first..).all(|(seen, n)| seen.place.sequence == n);
    assert!(is_dense, "{what}: a prefix has no holes");
    if prefix < seen.len() {
        assert!(!recovered.loss.is_none(), "{what}: a loss that is not said");
    }
    // Whoever goes on from here loses nothing more, and gives no number twice.
    let mut disk = disk.clone();
    let mut wal = Wal::new(LIMITS, &recovered);
    if let Ok(place) = wal.append(b"goes on") {
        assert!(seen.iter().all(|seen| seen.place.sequence < place.sequence), "{what}");
        sync(&mut wal, &mut disk);
        let (_, again) = read_all(LIMITS, &disk).unwrap();
        assert!(bytes_of(&again).starts_with(&bytes_of(&seen)), "{what}: lost by going on");
        let last = again.last().unwrap();
        assert!(last.is_prefix && last.bytes == b"goes on", "{what}: {last:?}");
    }
}

/// All ways in which a crash may leave a sync: each subset of its sectors, each of the others
/// untouched or torn.
fn crash_everywhere(step: &Step) {
    let count = step.writes.len().min(8);
    for subset in 0_u32..1 << count {
        for torn in 0..=count {
            let mut disk = step.before.clone();
            for (at, (index, sector)) in step.writes.iter().enumerate() {
                let place = &mut disk[*index as usize];
                if subset >> at & 1 == 1 {
                    *place = *sector;
                } else if at == torn {
                    let half = 40 + at * 57;
                    place[..half].copy_from_slice(&sector[..half]);
                }
            }
            check(step, &disk, &std::format!("subset {subset:b}, torn {torn}"));
        }
    }
}

extern crate std;

#[test]
fn every_subset_of_a_sync_leaves_what_was_synced() {
    let lens = [10, 460, 700, 0, 5, 1500, 300, 300, 300, 1200, 1, 2, 3, 900, 464, 460, 459, 1400];
    let steps = workload(&lens.repeat(2), 3, 2);
    assert!(steps.len() > 10);
    for step in &steps {
        crash_everywhere(step);
    }
}

fn a_workload_before_its_last_sync() -> Step {
    workload(&[300, 600, 10, 900, 20, 700], 2, 3).pop().unwrap()
}

#[test]
#[should_panic(expected = "a synced record is missing")]
fn a_device_that_forgets_a_synced_sector_fails_the_check() {
    let step = a_workload_before_its_last_sync();
    let mut disk = step.before.clone();
    disk[1] = [0; SECTOR_BYTES];
    check(&step, &disk, "twin");
}

#[test]
#[should_panic(expected = "a record that never was")]
fn a_device_that_makes_records_up_fails_the_check() {
    let step = a_workload_before_its_last_sync();
    let mut disk = step.before.clone();
    let (mut wal, _) = open(LIMITS, &disk);
    wal.append(b"made up").unwrap();
    sync(&mut wal, &mut disk);
    check(&step, &disk, "twin");
}

#[test]
fn every_prefix_of_a_ring_gives_the_longest_prefix_of_its_records() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    let all: Vec<_> =
        [300, 600, 10, 900, 20, 700].iter().zip(0..).map(|(n, i)| record(i, *n)).collect();
    let ends: Vec<_> = all
        .iter()
        .map(|bytes| {
            wal.append(bytes).unwrap();
            wal.end().position
        })
        .collect();
    sync(&mut wal, &mut disk);
    let written = wal.end().position as usize;
    for cut in 0..=written {
        let mut short = disk.clone();
        short[cut..].fill([0; SECTOR_BYTES]);
        let (recovered, seen) = read_all(LIMITS, &short).unwrap();
        let whole = ends.iter().filter(|end| (**end as usize) < cut).count();
        assert_eq!(bytes_of(&seen), all[..whole], "cut at {cut}");
        let is_within = whole < all.len() && cut > 0 && short[cut - 1] != [0; SECTOR_BYTES];
        let lost = u64::from(is_within && recovered.end.sequence > whole as u64);
        assert_eq!(recovered.loss.records, lost, "cut at {cut}");
    }
    for (torn, byte) in (0..written).flat_map(|torn| (0..SECTOR_BYTES).map(move |at| (torn, at))) {
        let mut short = disk.clone();
        short[torn][byte..].fill(0);
        short[torn + 1..].fill([0; SECTOR_BYTES]);
        let (_, seen) = read_all(LIMITS, &short).unwrap();
        assert!(all.starts_with(&bytes_of(&seen)) && seen.iter().all(|seen| seen.is_prefix));
    }
}

#[test]
fn a_lost_sector_costs_its_records_and_says_how_many() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    for number in 0..5 {
        wal.append(&record(number, 400)).unwrap();
        sync(&mut wal, &mut disk);
    }
    disk[2][100] ^= 1;
    let (recovered, seen) = read_all(LIMITS, &disk).unwrap();
    let prefixes: Vec<_> = seen.iter().map(|seen| (seen.place.sequence, seen.is_prefix)).collect();
    assert_eq!(prefixes, [(0, true), (1, true), (3, false), (4, false)]);
    assert_eq!(recovered.loss, Loss { records: 1, sectors: 1, damaged: 1, ..Loss::default() });
    assert_eq!(
        std::format!("{}", recovered.loss),
        "lost 1 records in 1 sectors: 0 unreadable, 1 damaged, 0 never written"
    );
    // The next epoch is whole again.
    let mut wal = Wal::new(LIMITS, &recovered);
    wal.append(b"next").unwrap();
    sync(&mut wal, &mut disk);
    let (_, seen) = read_all(LIMITS, &disk).unwrap();
    assert!(seen.last().is_some_and(|seen| seen.is_prefix && seen.epoch == 2));
}

#[test]
fn an_unreadable_sector_is_not_a_damaged_one() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    for number in 0..3 {
        wal.append(&record(number, 400)).unwrap();
    }
    sync(&mut wal, &mut disk);
    let mut seen = 0;
    let read = |index: u32, sector: &mut Sector| {
        *sector = disk[index as usize];
        index != 1
    };
    let recovered = recover(LIMITS, read, |_| seen += 1).unwrap();
    assert_eq!((recovered.loss.unreadable, recovered.loss.damaged), (1, 0));
    assert_eq!(seen, 1);
    assert_eq!(recovered.loss.records, 2, "both records lie in that sector");
}

#[test]
fn a_torn_last_write_is_said() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    wal.append(b"synced").unwrap();
    sync(&mut wal, &mut disk);
    assert!(read_all(LIMITS, &disk).unwrap().0.loss.is_none());
    wal.append(b"torn").unwrap();
    let torn = wal.sync().unwrap();
    let (index, sector) = writes(&wal, torn)[0];
    disk[index as usize][..50].copy_from_slice(&sector[..50]);
    let (recovered, seen) = read_all(LIMITS, &disk).unwrap();
    assert_eq!(recovered.loss, Loss { is_torn: true, ..Loss::default() });
    assert_eq!(bytes_of(&seen), [b"synced"]);
}

#[test]
fn no_bytes_of_a_record_are_taken_for_a_sector() {
    // A record that holds a whole sector of a later epoch, at the place of a sector.
    let mut forged = [0; SECTOR_BYTES];
    let header = Header {
        epoch: 99,
        sectors: 8,
        position: 1,
        kept_sectors: 0,
        kept_sequence: 0,
        sequence: 0,
        begins: Some(0),
        used: 8,
    };
    forged[HEADER_BYTES..][..8].copy_from_slice(&[4, 0, 0, 0, b'f', b'a', b'k', b'e']);
    header.seal(&mut forged);
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    for shift in 0..2 {
        wal.append(&[&[0; PAYLOAD_BYTES - 4][shift..], &forged].concat()).unwrap();
    }
    sync(&mut wal, &mut disk);
    let (recovered, seen) = read_all(LIMITS, &disk).unwrap();
    assert_eq!((seen.len(), recovered.epoch), (2, 2));
}

#[test]
fn another_version_is_named_and_nothing_read() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    wal.append(b"x").unwrap();
    sync(&mut wal, &mut disk);
    disk[0][6] = 2;
    let crc = crc32c(&[&disk[0][4..]]);
    disk[0][..4].copy_from_slice(&crc.to_le_bytes());
    let error = read_all(LIMITS, &disk).unwrap_err();
    assert_eq!(error, WalError::Unsupported { version: 2 });
    assert!(std::format!("{error}").contains("version 2"));
    assert_eq!(Header::open(&disk[0]), Err(Flaw::Version(2)));
}

#[test]
fn a_log_of_another_size_is_named_and_nothing_read() {
    let mut disk = blank(8);
    let (mut wal, _) = open(LIMITS, &disk);
    wal.append(b"x").unwrap();
    sync(&mut wal, &mut disk);
    disk.extend(blank(8));
    let error = read_all(Limits { sectors: 16, ..LIMITS }, &disk).unwrap_err();
    assert_eq!(error, WalError::OtherSize { sectors: 8 });
}

#[test]
fn limits_that_cannot_work_are_told() {
    assert!(LIMITS.are_possible());
    for limits in [
        Limits { sectors: 3, ..LIMITS },
        Limits { sectors: SECTORS_MAX + 1, ..LIMITS },
        Limits { staged: 9, ..LIMITS },
        Limits { staged: 0, ..LIMITS },
        Limits { record_bytes: u32::MAX, ..LIMITS },
        Limits { sectors: 6, staged: 6, ..LIMITS },
    ] {
        assert!(!limits.are_possible(), "{limits:?}");
    }
}

#[test]
fn every_flipped_bit_is_detected_or_harmless() {
    let steps = workload(&[300, 20, 700, 40, 500, 500, 60, 460, 700, 80], 2, 3);
    let step = steps.last().unwrap();
    let mut disk = step.before.clone();
    for (index, sector) in &step.writes {
        disk[*index as usize] = *sector;
    }
    let (_, whole) = read_all(LIMITS, &disk).unwrap();
    for bit in 0..disk.len() * SECTOR_BYTES * 8 {
        let mut flipped = disk.clone();
        flipped[bit / 4096][bit / 8 % SECTOR_BYTES] ^= 1 << (bit % 8);
        let (recovered, seen) = read_all(LIMITS, &flipped).unwrap();
        // The newest sector says what is released: without it there may be more at the front.
        let known =
            |seen: &Seen| whole.iter().any(|w| (w.place, &w.bytes) == (seen.place, &seen.bytes));
        let first = whole[0].place.sequence;
        assert!(seen.iter().all(|seen| known(seen) || seen.place.sequence < first), "bit {bit}");
        let is_all = whole.iter().all(|w| seen.iter().any(|s| s.place == w.place));
        assert!(is_all || !recovered.loss.is_none(), "bit {bit}: silent");
    }
}

proptest! {
    #[test]
    fn any_crash_in_any_workload_leaves_what_was_synced(
        lens in proptest::collection::vec(prop_oneof![0..600_usize, 0..1501_usize], 1..40),
        per_sync in 1..5_usize, kept in 0..3_usize,
        at: prop::sample::Index, subset: u32, torn in 0..9_usize, cut in 0..SECTOR_BYTES,
    ) {
        let steps = workload(&lens, per_sync, kept);
        let step = at.get(&steps);
        let mut disk = step.before.clone();
        for (at, (index, sector)) in step.writes.iter().enumerate() {
            let place = &mut disk[*index as usize];
            if subset >> at & 1 == 1 {
                *place = *sector;
            } else if at == torn {
                place[..cut].copy_from_slice(&sector[..cut]);
            }
        }
        check(step, &disk, "any");
    }

    #[test]
    fn any_bytes_are_a_ring_of_something_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 4 * SECTOR_BYTES),
        begins: u16, used: u16, sequence: u64, kept_sequence: u64, position in 0..8_u64,
    ) {
        let limits = Limits { sectors: 4, staged: 4, record_bytes: 400 };
        let mut disk: Disk =
            bytes.chunks(SECTOR_BYTES).map(|chunk| chunk.try_into().unwrap()).collect();
        let header = Header {
            epoch: 1,
            sectors: 4,
            position,
            kept_sectors: (position % 4) as u32,
            kept_sequence,
            sequence,
            begins: Some(begins % 500).filter(|begins| *begins < 465),
            used: used % 465,
        };
        header.seal(&mut disk[(position % 4) as usize]);
        if let Ok((recovered, _)) = read_all(limits, &disk) {
            let mut wal = Wal::new(limits, &recovered);
            let is_taken = wal.append(b"goes on").is_ok();
            prop_assert_eq!(wal.sync().is_some(), is_taken);
        }
    }
}
