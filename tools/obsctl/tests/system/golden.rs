//! Images that version 1 of the formats has written: whatever comes later has to read them.
//!
//! They are text, a line for each sector that is not all zeros: its number and its bytes in
//! hexadecimal, behind a line with how many sectors there are. What is in them, `kept` and
//! `kept_logs` say; while the version is 1, those make the same bytes.

use std::fmt::Write as _;

use nexus_port::{BlockRequest, SECTOR_BYTES};
use serde_json::json;
use statefs::{Found, blocking};

use crate::fsck::Disk;
use crate::kept::{self, Machine, image_of};
use crate::kept_logs;
use crate::support::text;

const METRICSD: &str = include_str!("golden/metricsd.v1.txt");
const LOGD: &str = include_str!("golden/logd.v1.txt");

fn to_text(image: &[u8]) -> String {
    let mut text = format!("{}\n", image.len() / SECTOR_BYTES);
    for (sector, at) in image.chunks(SECTOR_BYTES).zip(0..) {
        if sector.iter().any(|byte| *byte != 0) {
            write!(text, "{at} ").unwrap();
            sector.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
            text.push('\n');
        }
    }
    text
}

fn from_text(text: &str) -> Vec<u8> {
    let mut lines = text.lines();
    let sectors: usize = lines.next().unwrap().parse().unwrap();
    let mut image = vec![0; sectors * SECTOR_BYTES];
    for line in lines {
        let (at, hex) = line.split_once(' ').unwrap();
        let at = at.parse::<usize>().unwrap() * SECTOR_BYTES;
        for (byte, place) in hex.as_bytes().chunks(2).zip(&mut image[at..at + SECTOR_BYTES]) {
            *place = u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 16).unwrap();
        }
    }
    image
}

#[test]
fn what_version_1_of_metricsd_kept_is_read() {
    let machine = Machine::of("metricsd", from_text(METRICSD));
    let (code, lines) = machine.json(&["history", "jobs_total"]);
    let all: Vec<u64> = lines.iter().map(|line| line["added"].as_u64().unwrap()).collect();
    assert_eq!((code, all), (Some(0), (0..130).map(kept::added).collect()));
    assert_eq!(lines[129]["time"], json!("2023-11-14T22:15:29Z"));
    assert_eq!(machine.json(&["fsck"]).0, Some(0));
}

#[test]
fn what_version_1_of_logd_kept_is_read() {
    let machine = Machine::of("logd", from_text(LOGD));
    let (code, lines) = machine.json(&["logs", "-b", "all"]);
    let all = [(1, 1), (1, 2), (1, 3), (1, -2), (1, 6), (2, 1), (2, 2), (2, 3), (2, 4), (2, 0)];
    assert_eq!((code, kept_logs::shown(&lines)), (Some(0), all.to_vec()));
    assert_eq!(lines[0]["message"], json!("what 1 of boot 1"));
}

/// Where the first byte of a file lies.
fn place_of(image: &[u8], file: &str) -> usize {
    let mut disk = Disk(image.to_vec());
    let store = blocking::view(&mut disk).unwrap();
    let Ok(Found::Disk(span)) = store.locate(store.find(file).unwrap(), 0, 1) else {
        panic!("a sector of it")
    };
    let BlockRequest::Read { sector, .. } = span.request() else { panic!("to be read") };
    sector as usize * SECTOR_BYTES
}

/// What `fsck` says is lost.
fn losses(machine: &Machine) -> Vec<String> {
    let (code, lines) = machine.json(&["fsck"]);
    assert_eq!(code, Some(1), "{lines:?}");
    let lost = lines.iter().filter(|line| line["loss"] == json!(true));
    lost.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_damaged_sector_of_one_of_them_costs_what_is_in_it_and_is_named() {
    let mut image = from_text(METRICSD);
    let place = place_of(&image, "metricsd/g1/wal.00");
    image[place] ^= 1;
    let machine = Machine::of("metricsd", image);
    let (code, lines) = machine.json(&["history", "jobs_total"]);
    let rest: Vec<_> = lines.iter().map(|line| line["added"].as_u64().unwrap()).collect();
    assert_eq!((code, rest), (Some(1), (0..120).map(kept::added).collect()));
    assert_eq!(
        losses(&machine),
        [
            format!(
                "metricsd/g1/wal.00: 508 bytes from byte 0 on are lost: sector {} is damaged",
                place / SECTOR_BYTES
            ),
            "metricsd/g1/wal: lost 1 records in 1 sectors: 1 unreadable, 0 damaged, 0 never written"
                .to_owned(),
            "metricsd/g1/wal: 9 values cannot be used: something before them is missing".to_owned(),
        ]
    );
}

#[test]
fn a_damaged_journal_of_one_of_them_is_an_older_state_and_that_is_said() {
    let mut image = from_text(METRICSD);
    let name = b"jobs_total";
    // The ends of its segments are in the store's journal, which has them more than once.
    let is_name = |at: &usize| image[*at..].starts_with(name);
    let places: Vec<_> = (0..image.len()).filter(is_name).collect();
    assert!(places.len() > 1, "{places:?}");
    places.into_iter().for_each(|at| image[at] ^= 1);
    let machine = Machine::of("metricsd", image);
    let output = machine.run(&["history", "jobs_total", "--state-dir", machine.dir()]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("metricsd has kept nothing there"), "{error}");
    assert_eq!(losses(&machine), ["syncs that had been durable are lost: files are as of sync 1"]);
}

#[test]
fn the_same_is_written_today() {
    let files = |name: &str, bytes| [(name.to_owned(), bytes)];
    let metricsd = to_text(&image_of("metricsd", &kept::files()));
    let logd = to_text(&image_of("logd", &files("wal.00", kept::log(&kept_logs::records()))));
    let is_same = metricsd == METRICSD && logd == LOGD;
    assert!(is_same, "another format has another version, and images of its own beside these");
}
