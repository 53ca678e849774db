//! The bytes on the disk: against an image that was written once and for all, and against the page
//! that documents them.

use std::path::Path;

use nexus_port::SECTOR_BYTES;
use simkit::Disk;
use statefs::blocking::{self, Error, sync};
use statefs::{Format, FormatError, Limits, Store, Twin, VERSION, fsck};

use crate::bed::{Model, bytes, check, contents};

const LIMITS: Limits = Limits { sectors: 260, files: 4, open: 2 };

/// Written by the first program that wrote version 1. Never to be changed: what reads version 1
/// must read this.
const GOLDEN: &str = include_str!("v1.image.txt");

const PAGE: &str = include_str!("../../../../docs/state-format.md");

/// What is in the image of the file.
fn golden_model() -> Model {
    let mut log = bytes(600, 1);
    log.extend(bytes(10, 2));
    Model::from([("log".into(), log), ("value".into(), b"1\n".into())])
}

/// The same image, written now.
fn write_image() -> Disk {
    let mut disk = Disk::new(LIMITS.sectors);
    let mut store = blocking::format(&mut disk, LIMITS, &[]).unwrap();
    let log = store.create("log", 1000).unwrap();
    store.append(log, &bytes(600, 1)).unwrap();
    let old = store.replace("old", b"old").unwrap();
    sync(&mut store, &mut disk).unwrap();
    store.append(log, &bytes(10, 2)).unwrap();
    store.replace("value", b"1\n").unwrap();
    store.delete(old).unwrap();
    sync(&mut store, &mut disk).unwrap();
    disk
}

/// Rows of 32 bytes that are not zeros: sector, offset, hexadecimal digits.
fn to_text(image: &[u8]) -> String {
    let mut text = String::new();
    for (row, at) in image.chunks(32).zip(0..).filter(|(row, _)| row.iter().any(|byte| *byte != 0))
    {
        let (sector, offset) = (at * 32 / SECTOR_BYTES, at * 32 % SECTOR_BYTES);
        text += &format!("{sector} {offset} {}\n", hex(row));
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn from_text(text: &str) -> Vec<u8> {
    let mut image = vec![0; LIMITS.sectors as usize * SECTOR_BYTES];
    for line in text.lines() {
        let [sector, offset, digits] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let at = sector.parse::<usize>().unwrap() * SECTOR_BYTES + offset.parse::<usize>().unwrap();
        image[at..at + 32].copy_from_slice(&unhex(digits));
    }
    image
}

fn golden() -> Disk {
    Disk::from_image(&from_text(GOLDEN))
}

#[test]
fn an_image_of_version_1_is_read_for_ever() {
    let mut disk = golden();
    assert!(check(&mut disk).is_clean());
    let mut store = blocking::mount(&mut disk, &[]).unwrap();
    assert_eq!(contents(&store, &mut disk), golden_model());
    let log = store.find("log").unwrap();
    store.append(log, b"goes on").unwrap();
    sync(&mut store, &mut disk).unwrap();
    assert!(check(&mut disk).is_clean());
}

#[test]
fn version_1_is_written_as_ever() {
    let now = to_text(write_image().image());
    if now != GOLDEN {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("v1.image.txt");
        std::fs::write(&path, now).unwrap();
        panic!("other bytes are a new version of the format; they are in {}", path.display());
    }
}

/// CRC-32C bit by bit, as the page says.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[test]
fn a_newer_version_is_named_whichever_copy_says_so() {
    for twin in [Twin::Front, Twin::Back] {
        let mut image = golden().image().to_vec();
        let at = Format::new(LIMITS, 1).unwrap().superblock(twin) as usize * SECTOR_BYTES;
        image[at + 8] = 2;
        let crc = crc32c(&image[at..at + 508]);
        image[at + 508..at + 512].copy_from_slice(&crc.to_le_bytes());
        let mut disk = Disk::from_image(&image);
        let expected = FormatError::Unsupported { version: 2 };
        assert_eq!(fsck(&mut disk, |_| {}), Err(expected));
        assert_eq!(blocking::mount(&mut disk, &[]).err(), Some(Error::Format(expected)));
        assert!(expected.to_string().contains("version 2"));
    }
}

#[test]
fn limits_that_cannot_be_are_refused() {
    let new = |sectors, files, open| Format::new(Limits { sectors, files, open }, 1).map(drop);
    assert_eq!(new(260, 4, 2), Ok(()));
    assert_eq!(new(259, 4, 2), Err(FormatError::TooSmall { needed: 260 }));
    assert_eq!(new(u32::MAX, 8192, 8192), Ok(()));
    for (files, open) in [(0, 0), (1, 0), (1, 2), (8193, 1)] {
        assert_eq!(new(1_000_000, files, open), Err(FormatError::Limits));
    }
    let mut small = Disk::new(200);
    let refused = blocking::format(&mut small, LIMITS, &[]).err();
    assert_eq!(refused, Some(Error::Format(FormatError::CutShort { sectors: 260 })));
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

/// Whether bytes are what a cell shows: a decimal number, hexadecimal digits or a text.
fn is_shown(bytes: &[u8], cell: &str) -> bool {
    let cell = cell.trim_matches('`');
    if let Some(digits) = cell.strip_prefix("0x") {
        return hex(bytes) == digits;
    }
    if let Some(text) = cell.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return bytes == text.replace("\\n", "\n").as_bytes();
    }
    let number = bytes.iter().rev().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    cell.parse() == Ok(number)
}

/// Rows `at | bytes | what | example` of a sector.
fn fields_hold(mark: &str, sector: &[u8]) {
    let mut end = 0;
    for row in table(mark) {
        let (at, len) = (row[0].parse::<usize>().unwrap(), row[1].parse::<usize>().unwrap());
        assert_eq!(at, end, "{mark}: {row:?}");
        end = at + len;
        let example = &row[3];
        assert!(
            example == "..." || is_shown(&sector[at..end], example),
            "{mark}: {row:?}, {}",
            hex(&sector[at..end])
        );
    }
    assert_eq!(end, SECTOR_BYTES, "{mark}");
}

/// Rows `bytes | what | example` of things one behind another; what is left.
fn items_hold<'a>(mark: &str, mut bytes: &'a [u8]) -> &'a [u8] {
    for row in table(mark) {
        let (field, rest) = bytes.split_at(row[0].parse().unwrap());
        assert!(row[2] == "..." || is_shown(field, &row[2]), "{mark}: {row:?}, {}", hex(field));
        bytes = rest;
    }
    bytes
}

#[test]
fn the_page_shows_the_bytes_that_are_written() {
    let disk = write_image();
    let sector = |at: u32| {
        let at = at as usize * SECTOR_BYTES;
        &disk.image()[at..at + SECTOR_BYTES]
    };
    let format = Format::decode(sector(0)).unwrap();
    assert_eq!(sector(0), sector(259));
    fields_hold("superblock", sector(0));
    // Formatting begins area B; its first page is the snapshot, the syncs follow.
    let page = |sync: u32| sector(1 + format.area_sectors() + sync - 1);
    fields_hold("page", page(2));
    let rest = items_hold("erased", &page(3)[24..]);
    let rest = items_hold("grown", items_hold("put whole", rest));
    assert!(rest.iter().all(|byte| *byte == 0));
    items_hold("put log", items_hold("put old", &page(2)[24..]));
    fields_hold("sector", sector(format.data().start));
}

#[test]
fn the_page_shows_checksums_that_can_be_recomputed() {
    let image = write_image().image().to_vec();
    let sector = |at: usize| image[at * SECTOR_BYTES..(at + 1) * SECTOR_BYTES].to_vec();
    assert_eq!(crc32c(&sector(0)[..508]).to_le_bytes(), sector(0)[508..]);
    let page = sector(33);
    let salted = [&page[4..], &1_u32.to_le_bytes()].concat();
    assert_eq!(crc32c(&salted).to_le_bytes(), page[..4]);
    let data = sector(65);
    let id = (1_u64 << 32 | 1).to_le_bytes();
    let salted =
        [&data[..508], &1_u32.to_le_bytes()[..], &id[..], &0_u32.to_le_bytes()[..]].concat();
    assert_eq!(crc32c(&salted).to_le_bytes(), data[508..]);
}

#[test]
fn the_page_shows_the_limits_and_the_memory_they_take() {
    let constants = [
        ("`VERSION`", u64::from(VERSION)),
        ("`SECTOR_BYTES`", SECTOR_BYTES as u64),
        ("`PAYLOAD_BYTES`", statefs::PAYLOAD_BYTES as u64),
        ("`NAME_BYTES_MAX`", statefs::NAME_BYTES_MAX as u64),
        ("`EXTENTS_MAX`", statefs::EXTENTS_MAX as u64),
        ("`FILES_MAX`", u64::from(statefs::FILES_MAX)),
        ("`QUOTAS_MAX`", statefs::QUOTAS_MAX as u64),
        ("`STAGE_SECTORS`", statefs::STAGE_SECTORS as u64),
        ("`APPEND_BYTES_MAX`", statefs::APPEND_BYTES_MAX as u64),
    ];
    let rows = table("limits").into_iter().map(|row| (row[2].clone(), row[1].parse().unwrap()));
    assert_eq!(
        rows.collect::<Vec<(String, u64)>>(),
        constants.map(|(name, value)| (name.to_owned(), value))
    );
    for row in table("sizes") {
        let number = |at: usize| row[at].replace(',', "").parse::<u32>().unwrap();
        let limits = Limits { sectors: number(0), files: number(1) as u16, open: number(2) as u16 };
        let format = Format::new(limits, 1).unwrap();
        assert_eq!(format.area_sectors(), number(3), "{row:?}");
        assert_eq!(format.data().sectors, number(4), "{row:?}");
        assert_eq!(Store::memory(&format) / 1024, number(5) as usize, "{row:?}");
    }
}
