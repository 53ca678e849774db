//! What daemons have kept, read without them.

use std::path::{Path, PathBuf};
use std::process::Output;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos, Wall};
use nexus_retention::key::{BYTES_MAX, SeriesKey};
use nexus_retention::manifest::{Kept, Manifest, TierState};
use nexus_retention::name::{SegmentName, Tier};
use nexus_retention::record::{Header, Taken, Value, Writer};
use nexus_retention::recorder::{Limits, Recorder};
use nexus_retention::segment::{Anchor, Form, Limits as SegmentLimits, Meta, SegmentWriter};
use nexus_retention::wal::{self, SECTOR_BYTES, Wal};
use nexus_wire::{Kind, Labels, MetricName, Unit};
use serde_json::{Value as Json, json};
use statefs::blocking;

use crate::fsck::Disk;
use crate::support::{Folder, obsctl, text};

const SECOND: u64 = 1_000_000_000;
const RAW: Tier = Tier::raw(Nanos(SECOND));
/// When the machine was booted.
const BOOTED: u64 = 1_700_000_000;

const LIMITS: Limits = Limits {
    series: 8,
    segment_windows: 60,
    align_windows: 10,
    group_bytes: 40_000,
    window_bytes: 8000,
    record_bytes: Limits::RECORD_BYTES_MIN,
};

/// What was added to the counter in a window.
pub(crate) const fn added(window: u64) -> u64 {
    window * 3 % 17
}

pub(crate) fn total(windows: impl Iterator<Item = u64>) -> u64 {
    windows.map(added).sum()
}

pub(crate) fn anchor(window: u64) -> Anchor {
    Anchor { mono: Mono(window * SECOND), wall: Some(Wall((BOOTED + window) * SECOND)) }
}

/// A sealed segment.
pub(crate) type Sealed = (SegmentName, Vec<u8>);

/// The records of windows of one series, and the segments that they make; before the window `cut`
/// one ends early.
pub(crate) fn record(
    windows: std::ops::Range<u64>,
    cut: Option<u64>,
) -> (Vec<Vec<u8>>, Vec<Sealed>) {
    let (mut recorder, mut records, mut sealed) = (Recorder::new(LIMITS), vec![], vec![]);
    let key = SeriesKey {
        service: ServiceId::from_name("execd"),
        kind: Kind::Counter,
        unit: Unit::None,
        is_overflow: false,
        name: MetricName::new("jobs_total").unwrap(),
        labels: Labels::EMPTY,
    };
    for window in windows {
        if cut == Some(window) {
            assert!(recorder.end_segment());
        }
        seal(&mut recorder, &mut sealed);
        let header = recorder.open(1, window).unwrap();
        let mut writer = Writer::new(&LIMITS);
        writer.begin(Header { anchor: Some(anchor(window)), ..header });
        let value = Value::Counter(added(window));
        let taken = if header.segment == window {
            writer.define(0, &Form::Counter, key.write(&mut [0; BYTES_MAX]), &value)
        } else {
            writer.put(0, &value)
        };
        assert_eq!(taken, Taken::Yes);
        let record = writer.finish().unwrap();
        recorder.take(record).unwrap();
        records.push(record.to_vec());
    }
    (records, sealed)
}

fn seal(recorder: &mut Recorder, sealed: &mut Vec<Sealed>) {
    let Some(group) = recorder.ended() else { return };
    let name = SegmentName { boot: group.boot(), first: group.segment() };
    let last = group.windows().last().unwrap();
    let mut writer = SegmentWriter::new(SegmentLimits { series: LIMITS.series });
    let mut bytes = writer.begin(Meta { boot: name.boot, tier: RAW }).to_vec();
    while !recorder.drain(&mut writer, 8, &mut |more| bytes.extend(more)).unwrap() {}
    bytes.extend(writer.finish(anchor(last)));
    sealed.push((name, bytes));
}

/// The sectors of a log that holds records.
pub(crate) fn log(records: &[Vec<u8>]) -> Vec<u8> {
    let limits = wal::Limits { sectors: 64, staged: 64, record_bytes: 8000 };
    let mut wal = Wal::new(limits, &wal::recover(limits, |_, _| false, |_| {}).unwrap());
    let mut ring = Vec::new();
    for record in records {
        wal.append(record).unwrap();
        let sync = wal.sync().unwrap();
        wal.sectors(sync).for_each(|(_, sector)| ring.extend(sector));
        wal.synced(sync);
    }
    ring
}

/// What metricsd keeps of two minutes and ten seconds: two segments, the rest in the log.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let (records, sealed) = record(0..130, None);
    let name = |first| SegmentName { boot: 1, first };
    let kept = Some(Kept { oldest: name(0), newest: name(60), end: 120 });
    let tier = |seconds, kept| TierState { window: Nanos::from_secs(seconds), kept };
    let manifest = Manifest { boot: 1, tiers: [tier(1, kept), tier(10, None), tier(60, None)] };
    let segments =
        sealed.iter().map(|(name, bytes)| (name.file(RAW).as_str().to_owned(), bytes.clone()));
    let mut files: Vec<_> = segments.collect();
    files.push(("wal.00".to_owned(), log(&records[120..])));
    files.push(("manifest".to_owned(), manifest.encode().to_vec()));
    files
}

pub(crate) fn image(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    image_of("metricsd", files)
}

/// A disk with files of a daemon's.
pub(crate) fn image_of(daemon: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut disk = Disk(vec![0; 1024 * SECTOR_BYTES]);
    let open = files.len().max(4) as u16;
    let limits = statefs::Limits { sectors: 1024, files: 16, open };
    let mut store = blocking::format(&mut disk, limits, &[]).unwrap();
    for (name, bytes) in files {
        let name = format!("{daemon}/g1/{name}");
        let file = store.create(&name, bytes.len() as u32 + 508).unwrap();
        for piece in bytes.chunks(1000) {
            store.append(file, piece).unwrap();
            blocking::sync(&mut store, &mut disk).unwrap();
        }
    }
    disk.0
}

/// A folder with an image of a daemon's.
pub(crate) struct Machine {
    folder: Folder,
    pub(crate) image: PathBuf,
    bytes: Vec<u8>,
}

impl Machine {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self::of("metricsd", bytes)
    }

    pub(crate) fn of(daemon: &str, bytes: Vec<u8>) -> Self {
        let folder = Folder::new("kept");
        let image = folder.0.join(format!("{daemon}.img"));
        std::fs::write(&image, &bytes).unwrap();
        Self { folder, image, bytes }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let output = obsctl(&self.folder, args);
        assert_eq!(std::fs::read(&self.image).unwrap(), self.bytes, "it is only looked at");
        output
    }

    pub(crate) fn dir(&self) -> &str {
        self.folder.0.to_str().unwrap()
    }

    /// What a command says as JSON, of the folder.
    pub(crate) fn json(&self, args: &[&str]) -> (Option<i32>, Vec<Json>) {
        let output = self.run(&[args, &["-o", "json", "--state-dir", self.dir()]].concat());
        let lines = text(&output.stdout);
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code(), lines)
    }
}

pub(crate) fn sum(lines: &[Json]) -> u64 {
    lines.iter().filter_map(|line| line["added"].as_u64()).sum()
}

#[test]
fn history_is_read_from_the_files_of_daemons_that_do_not_run() {
    let machine = Machine::new(image(&files()));
    let (code, lines) = machine.json(&["history", "jobs_total"]);
    let all: Vec<u64> = lines.iter().map(|line| line["added"].as_u64().unwrap()).collect();
    assert_eq!((code, all), (Some(0), (0..130).map(added).collect()));
    let first = &lines[0];
    assert_eq!(first["time"], json!("2023-11-14T22:13:20Z"), "{first}");
    assert_eq!((&first["boot"], &first["service"]), (&json!(1), &json!("execd")));

    let (_, lines) = machine.json(&["history", "jobs_total", "--step", "1 min"]);
    assert_eq!((lines.len(), sum(&lines)), (3, total(0..130)));
    assert_eq!(lines[1]["added"].as_u64(), Some(total(60..120)));
    assert_eq!(lines[1]["windows"], json!(60));
}

#[test]
fn a_time_is_asked_for_as_people_say_it_against_the_newest_that_is_kept() {
    let machine = Machine::new(image(&files()));
    let (_, lines) = machine.json(&["history", "jobs_total", "--since", "-9s"]);
    assert_eq!(sum(&lines), total(120..130));
    let until = ["history", "jobs_total", "--until", "2023-11-14T22:14:00Z"];
    let (_, lines) = machine.json(&until);
    assert_eq!((lines.len(), sum(&lines)), (41, total(0..=40)));
    let wrong = machine.run(&["history", "x", "--step", "soon", "--state-dir", machine.dir()]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("no length"), "{}", text(&wrong.stderr));
}

#[test]
fn an_image_of_the_whole_disk_says_the_same_for_people() {
    let machine = Machine::new(image(&files()));
    let image = machine.image.to_str().unwrap();
    let output = machine.run(&["metrics", "jobs", "--step", "10s", "--image", image]);
    let out = text(&output.stdout);
    assert!(
        out.contains("jobs_total") && out.contains("execd") && out.contains(['█', '#']),
        "{out}"
    );
    let total = total(0..130);
    assert!(out.contains(&format!("{}_{:03}", total / 1000, total % 1000)), "{total}: {out}");
    let output = machine.run(&["history", "jobs_total", "--step", "1min", "--image", image]);
    let out = text(&output.stdout);
    assert!(out.contains("TIME") && out.lines().count() == 6, "{out}");
}

#[test]
fn what_is_damaged_is_named_and_the_rest_is_shown() {
    let mut files = files();
    files[1].1[40] ^= 1;
    let machine = Machine::new(image(&files));
    let (code, lines) = machine.json(&["history", "jobs_total"]);
    let rest = total((0..60).chain(120..130));
    assert_eq!((code, sum(&lines)), (Some(1), rest));
    let lost = lines.iter().find(|line| line["kind"] == json!("lost")).unwrap();
    assert_eq!(lost["why"], json!("damaged"));

    let (code, lines) = machine.json(&["fsck"]);
    assert_eq!(code, Some(1));
    let name = SegmentName { boot: 1, first: 60 }.file(RAW);
    let says = lines.iter().any(|line| {
        let text = line["text"].as_str().unwrap_or_default();
        line["loss"] == json!(true) && text.contains(name.as_str()) && text.contains("damaged")
    });
    assert!(says, "{lines:?}");
}

#[test]
fn a_whole_image_is_whole_and_status_says_what_is_in_it() {
    let machine = Machine::new(image(&files()));
    let (code, lines) = machine.json(&["fsck"]);
    assert_eq!((code, lines.len()), (Some(0), 1), "{lines:?}");
    let image = machine.image.to_str().unwrap();
    let output = machine.run(&["status", "--image", image]);
    let out = text(&output.stdout);
    assert!(
        out.contains("2 segments of raw")
            && out.contains("1 in the log")
            && out.contains("generation g1"),
        "{out}"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_segment_that_is_missing_and_a_newer_log_are_losses_of_fsck() {
    let mut some = files();
    some.remove(1);
    let (code, lines) = Machine::new(image(&some)).json(&["fsck"]);
    assert!(code == Some(1) && lines[0].to_string().contains("is not there"), "{lines:?}");

    let mut newer = files();
    let manifest = &mut newer.last_mut().unwrap().1;
    manifest[8] = 9;
    let end = manifest.len() - 4;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&manifest[..end]);
    manifest[end..].copy_from_slice(&crc.to_le_bytes());
    let (code, lines) = Machine::new(image(&newer)).json(&["fsck"]);
    assert!(code == Some(1) && lines[0].to_string().contains("version 9"), "{lines:?}");
}

#[test]
fn what_cannot_be_read_is_said_with_what_to_do() {
    let machine = Machine::new(vec![0; 4096]);
    let dir = machine.dir().to_owned();
    for (args, says) in [
        (["history", "x", "--state-dir", &dir], "not a state disk"),
        (["history", "x", "--state-dir", "/nowhere"], "/nowhere/metricsd.img: cannot be read"),
        (["history", "x", "--image", "/nowhere/x"], "/nowhere/x: cannot be read"),
        (["log", "x", "--state-dir", &dir], "only a daemon that runs"),
    ] {
        let output = machine.run(&args);
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(says), "{args:?}: {error}");
    }
    assert!(!Path::new("/nowhere").exists());
    let empty = Machine::new(image(&[]));
    let output = empty.run(&["history", "x", "--state-dir", empty.dir()]);
    assert!(text(&output.stderr).contains("metricsd has kept nothing there"));
}

#[test]
fn an_image_that_is_locked_is_read_all_the_same_and_its_writer_is_named() {
    use rustix::fs::{FlockOperation, flock};
    let machine = Machine::new(image(&files()));
    let writer = std::fs::OpenOptions::new().write(true).open(&machine.image).unwrap();
    flock(&writer, FlockOperation::NonBlockingLockExclusive).unwrap();
    let output = machine.run(&["history", "jobs_total", "--state-dir", machine.dir()]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert!(error.contains("is in use") && !error.contains("has changed"), "{error}");
    drop(writer);
    let output = machine.run(&["history", "jobs_total", "--state-dir", machine.dir()]);
    assert_eq!(text(&output.stderr), "");
}
