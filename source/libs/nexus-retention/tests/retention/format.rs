//! The bytes on the disk: against what was written once and for all, and against the page that
//! documents them.

use std::path::Path;

use nexus_retention::key;
use nexus_retention::manifest::{Manifest, ManifestError};
use nexus_retention::segment::{Segment, SegmentError, TRAILER_BYTES};
use nexus_retention::wal::{self, Limits, SECTOR_BYTES, Sector, Wal, WalError};

use crate::bed::{Model, small};
use crate::files::manifest;
use crate::recorded;

const PAGE: &str = include_str!("../../../../../docs/retention-format.md");

/// Written by the first program that wrote version 1. Never to be changed: what reads version 1
/// must read these.
const GOLDEN: [(&str, &str); 4] = [
    ("v1.wal.txt", include_str!("v1.wal.txt")),
    ("v1.segment.txt", include_str!("v1.segment.txt")),
    ("v1.manifest.txt", include_str!("v1.manifest.txt")),
    ("v1.records.txt", include_str!("v1.records.txt")),
];

const LIMITS: Limits = Limits { sectors: 8, staged: 8, record_bytes: 1000 };

fn records() -> Vec<Vec<u8>> {
    vec![b"first".to_vec(), vec![0xab; 590], b"foo".to_vec(), b"behind a sync".to_vec(), vec![]]
}

/// The log, written now.
fn write_wal() -> Vec<u8> {
    let mut disk = vec![0; 8 * SECTOR_BYTES];
    let recovered = wal::recover(LIMITS, |_, _| true, |_| {}).unwrap();
    let mut log = Wal::new(LIMITS, &recovered);
    for batch in records().chunks(3) {
        batch.iter().for_each(|record| assert!(log.append(record).is_ok()));
        let sync = log.sync().unwrap();
        for (index, sector) in log.sectors(sync) {
            disk[index as usize * SECTOR_BYTES..][..SECTOR_BYTES].copy_from_slice(sector);
        }
        log.synced(sync);
    }
    disk
}

fn read_wal(disk: &[u8]) -> Result<Vec<Vec<u8>>, WalError> {
    let mut records = Vec::new();
    let read = |index: u32, sector: &mut Sector| {
        sector.copy_from_slice(&disk[index as usize * SECTOR_BYTES..][..SECTOR_BYTES]);
        true
    };
    wal::recover(LIMITS, read, |record| records.push(record.bytes.to_vec()))?;
    Ok(records)
}

/// Records as the log has them, each behind its length.
fn write_records() -> Vec<u8> {
    let behind = |record: Vec<u8>| [&(record.len() as u32).to_le_bytes()[..], &record].concat();
    recorded::small().map(behind).concat()
}

fn split_records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk() {
        let (record, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
        records.push(record.to_vec());
        bytes = rest;
    }
    records
}

fn written_now() -> [Vec<u8>; 4] {
    [write_wal(), small().write(4), manifest().encode().to_vec(), write_records()]
}

fn to_text(bytes: &[u8]) -> String {
    let mut text = format!("{}\n", bytes.len());
    for (row, at) in bytes.chunks(32).zip(0..).filter(|(row, _)| row.iter().any(|b| *b != 0)) {
        let digits: String = row.iter().map(|byte| format!("{byte:02x}")).collect();
        text += &format!("{} {digits}\n", at * 32);
    }
    text
}

fn from_text(text: &str) -> Vec<u8> {
    let (len, rows) = text.split_once('\n').unwrap();
    let mut bytes = vec![0; len.parse().unwrap()];
    for row in rows.lines() {
        let (at, digits) = row.split_once(' ').unwrap();
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        let row: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        bytes[at.parse().unwrap()..][..row.len()].copy_from_slice(&row);
    }
    bytes
}

fn golden() -> [Vec<u8>; 4] {
    GOLDEN.map(|(_, text)| from_text(text))
}

#[test]
fn what_version_1_wrote_is_read_for_ever() {
    let [wal, segment, kept, kept_records] = golden();
    assert_eq!(read_wal(&wal), Ok(records()));
    assert_eq!(Model::read(&segment), Ok((small().defined(4), false)));
    assert_eq!(Manifest::decode(&kept), Ok(manifest()));
    assert_eq!(recorded::told(&split_records(&kept_records)), recorded::small_model());
}

#[test]
fn version_1_is_written_as_ever() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let others = GOLDEN.iter().zip(written_now()).filter(|((name, golden), now)| {
        let now = to_text(now);
        let is_other = now != *golden;
        if is_other {
            std::fs::write(folder.join(name), now).unwrap();
        }
        is_other
    });
    let others: Vec<_> = others.map(|((name, _), _)| name).collect();
    let folder = folder.display();
    assert!(others.is_empty(), "other bytes are a new version: {others:?} in {folder}");
}

/// CRC-32C bit by bit, as the page says.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[test]
fn a_newer_version_is_named() {
    let [mut wal, mut segment, mut kept, _] = golden();
    wal[6] = 2;
    let crc = crc32c(&wal[4..SECTOR_BYTES]);
    wal[..4].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(read_wal(&wal), Err(WalError::Unsupported { version: 2 }));
    segment[8] = 2;
    let crc = crc32c(&segment[..12]);
    segment[12..16].copy_from_slice(&crc.to_le_bytes());
    let error = Segment::open(&segment[..]).err();
    assert_eq!(error, Some(SegmentError::Unsupported { version: 2 }));
    kept[8] = 2;
    let body = kept.len() - 4;
    let crc = crc32c(&kept[..body]);
    kept[body..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Manifest::decode(&kept), Err(ManifestError::Unsupported { version: 2 }));
}

/// The rows of the table behind a mark of the page, without its head.
fn table(mark: &str) -> Vec<Vec<String>> {
    let (_, rest) = PAGE.split_once(&format!("<!-- table: {mark} -->\n")).unwrap();
    let rows = rest.lines().take_while(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        cells.collect::<Vec<_>>()
    };
    rows.map(cells).collect()
}

/// How a cell shows bytes: a decimal number, hexadecimal digits or a text.
fn shown(bytes: &[u8], cell: &str) -> String {
    let number = || bytes.iter().rev().fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
    match cell {
        "..." => cell.to_owned(),
        _ if cell.starts_with("`0x") => format!("`{:#010x}`", number()),
        _ if cell.starts_with('`') => format!("`{:?}`", std::str::from_utf8(bytes).unwrap()),
        _ => number().to_string(),
    }
}

/// Holds a table to bytes: rows are dense from `start` on, and show what is there.
fn compare(mark: &str, start: usize, bytes: &[u8]) {
    let mut at = start;
    for row in table(mark) {
        let [place, len, what, example] = &row[..] else { panic!("{row:?}") };
        assert_eq!(place, &at.to_string(), "{mark}: {what}");
        let len: usize = len.parse().unwrap();
        assert_eq!(example, &shown(&bytes[at..at + len], example), "{mark}: {what} at {at}");
        at += len;
    }
}

#[test]
fn the_page_shows_every_byte_of_the_format() {
    let [wal, segment, kept, kept_records] = golden();
    compare("sector", 0, &wal[SECTOR_BYTES..2 * SECTOR_BYTES]);
    assert_eq!(table("sector").last().unwrap()[1], wal::PAYLOAD_BYTES.to_string());
    compare("header", 0, &segment);
    let trailer = &segment[segment.len() - TRAILER_BYTES..];
    compare("trailer", 0, trailer);
    let place = u32::from_le_bytes(trailer[..4].try_into().unwrap()) as usize;
    compare("footer", 0, &segment[place..]);
    compare("group", 35, &segment[place..]);
    compare("manifest", 0, &kept);
    let records = split_records(&kept_records);
    compare("record", 0, &records[1]);
    compare("items", 0, &records[1][21..]);
    let mut room = [0; key::BYTES_MAX];
    let key = recorded::small_key(&mut room);
    compare("key", 0, key);
    assert_eq!(&records[0][11..][..key.len()], key);
}

#[test]
fn blocks_are_checked_as_the_page_says() {
    let [_, segment, ..] = golden();
    let read = Segment::open(&segment[..]).unwrap();
    for group in read.footer().groups() {
        let at = group.index.offset as usize;
        let (payload, crc) = segment[at..at + group.index.len as usize].split_last_chunk().unwrap();
        let covered = [payload, &group.index.offset.to_le_bytes()].concat();
        assert_eq!(crc32c(&covered), u32::from_le_bytes(*crc));
    }
}
