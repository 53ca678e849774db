//! Images that version 1 of the formats has written: whatever comes later has to read them.
//!
//! They are text, a line for each sector that is not all zeros: its number and its bytes in
//! hexadecimal, behind a line with how many sectors there are. What is in them, `kept` and
//! `kept_logs` say; while the version is 1, those make the same bytes.

use std::fmt::Write as _;

use nexus_port::SECTOR_BYTES;
use serde_json::json;

use crate::kept::{self, Machine, image_of};
use crate::kept_logs;

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

#[test]
fn one_of_them_that_is_damaged_is_not_read_as_if_it_were_whole() {
    let mut image = from_text(METRICSD);
    let name = b"jobs_total";
    // What a file no longer uses may hold it too.
    let is_name = |at: &usize| image[*at..].starts_with(name);
    let places: Vec<_> = (0..image.len()).filter(is_name).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| image[at] ^= 1);
    let machine = Machine::of("metricsd", image);
    let output = machine.run(&["history", "jobs_total", "--state-dir", machine.dir()]);
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    let output = machine.run(&["fsck", "--state-dir", machine.dir()]);
    assert_ne!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn the_same_is_written_today() {
    let files = |name: &str, bytes| [(name.to_owned(), bytes)];
    let metricsd = to_text(&image_of("metricsd", &kept::files()));
    let logd = to_text(&image_of("logd", &files("wal.00", kept::log(&kept_logs::records()))));
    let is_same = metricsd == METRICSD && logd == LOGD;
    assert!(is_same, "another format has another version, and images of its own beside these");
}
