//! metricsd's files, read by somebody who has nothing else.

use std::collections::BTreeMap;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos, Wall};
use nexus_retention::history::{Step, Total};
use nexus_retention::key::{BYTES_MAX, SeriesKey};
use nexus_retention::manifest::{Kept, Manifest, TierState};
use nexus_retention::name::SegmentName;
use nexus_retention::offline::{Archive, Files, Finding, Problem};
use nexus_retention::record::{Header, Value, Writer};
use nexus_retention::recorder::{Limits, Recorder};
use nexus_retention::segment::{
    Anchor, Form, Limits as SegmentLimits, Meta, SegmentError, SegmentWriter,
};
use nexus_retention::wal::{self, SECTOR_BYTES, Wal, WalError};
use nexus_wire::metrics::{Range, RangeEntry, RangeLost};
use nexus_wire::{HistoryLoss, Kind, Labels, MetricName, Tier, Unit};
use proptest::prelude::*;

use crate::bed::{ANCHOR, RAW, TENS, roll_up};

const LIMITS: Limits = Limits {
    series: 8,
    segment_windows: 60,
    align_windows: 10,
    group_bytes: 40_000,
    window_bytes: 8000,
    record_bytes: Limits::RECORD_BYTES_MIN,
};

/// Of a file of the log, and how many files there are.
const FILE_SECTORS: usize = 24;
const WAL_FILES: u32 = 4;

/// Files in memory.
#[derive(Clone, Default)]
struct Folder(BTreeMap<String, Vec<u8>>);

impl Files for Folder {
    fn list(&mut self) -> Vec<(String, u32)> {
        self.0.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u32)).collect()
    }

    fn read(&mut self, name: &str, offset: u32, out: &mut [u8]) -> bool {
        let bytes = self.0.get(name).and_then(|bytes| bytes.get(offset as usize..));
        let bytes = bytes.and_then(|bytes| bytes.get(..out.len()));
        bytes.map(|bytes| out.copy_from_slice(bytes)).is_some()
    }
}

fn key(name: &str, kind: Kind) -> Vec<u8> {
    let key = SeriesKey {
        service: ServiceId::from_name("execd"),
        kind,
        unit: Unit::None,
        is_overflow: false,
        name: MetricName::new(name).unwrap(),
        labels: Labels::EMPTY,
    };
    key.write(&mut [0; BYTES_MAX]).to_vec()
}

/// What the two series do in a window.
fn values(window: u64) -> (u64, i64) {
    (window * 3 % 17, (window * 7919 % 1000).cast_signed() - 500)
}

/// A metricsd as simple as can be: the records of its windows, and the segments that it seals.
struct Metricsd {
    recorder: Recorder,
    records: Vec<Vec<u8>>,
    sealed: BTreeMap<SegmentName, Vec<u8>>,
    before: i64,
}

impl Metricsd {
    fn run(boot: u32, windows: std::ops::Range<u64>) -> Self {
        let mut all = Self {
            recorder: Recorder::new(LIMITS),
            records: Vec::new(),
            sealed: BTreeMap::new(),
            before: 0,
        };
        windows.for_each(|window| all.window(boot, window));
        all
    }

    fn window(&mut self, boot: u32, window: u64) {
        self.drain();
        let header = self.recorder.open(boot, window).unwrap();
        let mut writer = Writer::new(&LIMITS);
        let wall = Wall(1_700_000_000_000_000_000 + window * 1_000_000_000);
        let anchor = Some(Anchor { mono: Mono(window * 1_000_000_000), wall: Some(wall) });
        writer.begin(Header { anchor, ..header });
        if header.sequence == 0 {
            self.before = 0;
        }
        let (added, last) = values(window);
        let (counter, gauge) = (Value::Counter(added), Value::Gauge { last, before: self.before });
        let put = if header.segment == window {
            let (jobs, depth) = (key("jobs_total", Kind::Counter), key("depth", Kind::Gauge));
            [
                writer.define(0, &Form::Counter, &jobs, &counter),
                writer.define(1, &Form::Gauge, &depth, &gauge),
            ]
        } else {
            [writer.put(0, &counter), writer.put(1, &gauge)]
        };
        assert_eq!(put, [nexus_retention::record::Taken::Yes; 2]);
        self.before = last;
        let record = writer.finish().unwrap().to_vec();
        self.recorder.take(&record).unwrap();
        self.records.push(record);
    }

    fn drain(&mut self) {
        let Some(group) = self.recorder.ended() else { return };
        let name = SegmentName { boot: group.boot(), first: group.segment() };
        let mut writer = SegmentWriter::new(SegmentLimits { series: LIMITS.series });
        let mut bytes = writer.begin(Meta { boot: name.boot, tier: RAW }).to_vec();
        while !self.recorder.drain(&mut writer, 8, &mut |more| bytes.extend(more)).unwrap() {}
        bytes.extend(writer.finish(ANCHOR));
        self.sealed.insert(name, bytes);
    }
}

/// A log that holds records, laid over its files.
fn log(folder: &mut Folder, prefix: &str, records: &[Vec<u8>]) {
    let sectors = FILE_SECTORS as u32 * WAL_FILES;
    let limits = wal::Limits { sectors, staged: sectors, record_bytes: 8000 };
    let recovered = wal::recover(limits, |_, _| false, |_| {}).unwrap();
    let mut wal = Wal::new(limits, &recovered);
    let mut ring = vec![0; sectors as usize * SECTOR_BYTES];
    let mut end = 0;
    for record in records {
        wal.append(record).unwrap();
        let sync = wal.sync().unwrap();
        for (index, sector) in wal.sectors(sync) {
            let at = index as usize * SECTOR_BYTES;
            ring[at..at + SECTOR_BYTES].copy_from_slice(sector);
            end = end.max(at + SECTOR_BYTES);
        }
        wal.synced(sync);
    }
    for (bytes, at) in ring[..end].chunks(FILE_SECTORS * SECTOR_BYTES).zip(0..) {
        folder.0.insert(format!("{prefix}wal.{at:02}"), bytes.to_vec());
    }
}

fn manifest(raw: Option<(u64, u64)>, tens: Option<(u64, u64)>) -> Manifest {
    let kept = |(first, end)| {
        let name = |first| SegmentName { boot: 1, first };
        Kept { oldest: name(0), newest: name(first), end }
    };
    let state = |window, kept| TierState { window, kept };
    let sixties = state(Nanos::from_secs(60), None);
    let tiers = [state(RAW.window, raw.map(kept)), state(TENS.window, tens.map(kept)), sixties];
    Manifest { boot: 1, tiers }
}

/// Two minutes sealed, one of them rolled up, and twelve windows more in the log.
fn folder() -> Folder {
    let mut folder = Folder::default();
    let all = Metricsd::run(1, 0..132);
    for (name, bytes) in &all.sealed {
        folder.0.insert(format!("g2/{}", name.file(RAW).as_str()), bytes.clone());
    }
    log(&mut folder, "g2/", &all.records[120..]);
    let first = all.sealed[&SegmentName { boot: 1, first: 0 }].clone();
    let tens = roll_up(&[first], 10, Meta { boot: 1, tier: TENS }).unwrap();
    let name = SegmentName { boot: 1, first: 0 };
    folder.0.insert(format!("g2/{}", name.file(TENS).as_str()), tens);
    let manifest = manifest(Some((60, 120)), Some((0, 6)));
    folder.0.insert("g2/manifest".to_owned(), manifest.encode().to_vec());
    folder.0.insert("g1/manifest".to_owned(), vec![1, 2, 3]);
    folder
}

/// What a question brings: steps by name, and what is lost.
fn ask(
    folder: &mut Folder,
    archive: &Archive,
    range: &Range<'_>,
) -> (BTreeMap<(String, u64), Step>, Vec<RangeLost>) {
    let (mut steps, mut lost, mut name) = (BTreeMap::new(), Vec::new(), String::new());
    let answered = archive.ask(folder, range, |_, entry| {
        match entry {
            RangeEntry::Series(series) => name = series.name.to_owned(),
            RangeEntry::Lost(of) => lost.push(*of),
            RangeEntry::Clock(_) => {}
            RangeEntry::Row(row) => {
                let step = Step::of(row).unwrap();
                let place = steps.entry((name.clone(), step.number));
                place.and_modify(|before: &mut Step| *before = before.then(step)).or_insert(step);
            }
        }
        true
    });
    assert!(answered.is_ok());
    (steps, lost)
}

const JOBS: Range<'_> = Range { name: "jobs_total", is_prefix: false, ..Range::ALL };

/// What was added in each step of so many windows.
fn jobs(windows: std::ops::Range<u64>, step: u64) -> Vec<(u64, u64)> {
    let mut steps = BTreeMap::new();
    windows.for_each(|at| *steps.entry(at / step).or_insert(0) += values(at).0);
    steps.into_iter().collect()
}

fn added(steps: &BTreeMap<(String, u64), Step>) -> Vec<(u64, u64)> {
    let added = steps.iter().filter_map(|((name, number), step)| match step.total {
        Total::Counter(added) if name == "jobs_total" => Some((*number, added)),
        _ => None,
    });
    added.collect()
}

#[test]
fn sealed_segments_and_the_log_are_read_as_one() {
    let mut folder = folder();
    let archive = Archive::open(&mut folder, true);
    assert_eq!((archive.findings.as_slice(), archive.generation()), (&[][..], "g2/"));
    let raw = Range { tier: Tier::Raw, ..JOBS };
    let (steps, lost) = ask(&mut folder, &archive, &raw);
    assert_eq!((added(&steps), lost), (jobs(0..132, 1), vec![]));
    let tens = Range { step_ns: 10_000_000_000, ..JOBS };
    let (steps, lost) = ask(&mut folder, &archive, &tens);
    assert_eq!((added(&steps), lost), (jobs(0..132, 10), vec![]), "of all tiers");
    let gauges = Range { name: "depth", tier: Tier::Raw, ..Range::ALL };
    let (steps, _) = ask(&mut folder, &archive, &gauges);
    let last = steps.values().map(|step| match step.total {
        Total::Gauge(summary) => summary.last,
        _ => panic!("a gauge"),
    });
    assert_eq!(last.collect::<Vec<_>>(), (0..132).map(|at| values(at).1).collect::<Vec<_>>());
}

fn findings(folder: &mut Folder) -> Vec<(String, Problem)> {
    let archive = Archive::open(folder, true);
    archive.findings.into_iter().map(|Finding { file, problem }| (file, problem)).collect()
}

fn raw(first: u64) -> String {
    format!("g2/{}", SegmentName { boot: 1, first }.file(RAW).as_str())
}

#[test]
fn without_a_manifest_the_segments_say_how_long_their_windows_are() {
    for bytes in [None, Some(vec![0; 20]), Some(b"NXKEEPS\n....".to_vec())] {
        let mut folder = folder();
        folder.0.remove("g2/manifest");
        bytes.map(|bytes| folder.0.insert("g2/manifest".to_owned(), bytes));
        let archive = Archive::open(&mut folder, true);
        assert_eq!(archive.findings.len(), 1);
        assert!(
            archive.findings[0].file == "g2/manifest" && !archive.findings[0].problem.is_loss()
        );
        let (steps, _) = ask(&mut folder, &archive, &Range { tier: Tier::Raw, ..JOBS });
        assert_eq!(added(&steps), jobs(0..132, 1));
    }
}

#[test]
fn a_segment_that_the_manifest_names_and_that_is_not_there_is_missed() {
    let mut folder = folder();
    folder.0.remove(&raw(60));
    assert_eq!(findings(&mut folder), [(raw(60), Problem::Missing)]);
    assert!(Problem::Missing.is_loss());
}

#[test]
fn what_is_damaged_is_named_and_the_rest_is_read() {
    let mut folder = folder();
    folder.0.get_mut(&raw(60)).unwrap()[40] ^= 1;
    let found = findings(&mut folder);
    let [(file, Problem::Segment(SegmentError::Damaged(_)))] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(*file, raw(60));
    let archive = Archive::open(&mut folder, false);
    let (steps, lost) = ask(&mut folder, &archive, &Range { tier: Tier::Raw, ..JOBS });
    let rest: Vec<_> =
        jobs(0..132, 1).into_iter().filter(|(at, _)| !(60..120).contains(at)).collect();
    assert_eq!(added(&steps), rest);
    assert!(!lost.is_empty() && lost.iter().all(|lost| lost.why == HistoryLoss::Damaged));
}

/// As after a death between the sealing of a segment and the release of the log.
#[test]
fn a_damaged_segment_whose_windows_the_log_still_has_is_read_from_there() {
    let mut folder = folder();
    let all = Metricsd::run(1, 0..132);
    folder.0.retain(|name, _| !name.starts_with("g2/wal"));
    log(&mut folder, "g2/", &all.records[60..]);
    let twice = Archive::open(&mut folder, true);
    let (steps, _) = ask(&mut folder, &twice, &Range { tier: Tier::Raw, ..JOBS });
    assert_eq!(added(&steps), jobs(0..132, 1), "nothing comes twice");
    folder.0.get_mut(&raw(60)).unwrap().truncate(50);
    let archive = Archive::open(&mut folder, true);
    let (steps, lost) = ask(&mut folder, &archive, &Range { tier: Tier::Raw, ..JOBS });
    assert_eq!((added(&steps), lost), (jobs(0..132, 1), vec![]));
    assert_eq!(
        findings(&mut folder),
        [(raw(60), Problem::InLog(SegmentError::Unsealed))],
        "and said to be whole there"
    );
}

#[test]
fn a_part_of_the_log_that_is_gone_costs_its_windows_and_is_counted() {
    let mut folder = folder();
    let bytes = folder.0.get_mut("g2/wal.00").unwrap();
    bytes[3 * SECTOR_BYTES + 60] ^= 1;
    let found = findings(&mut folder);
    let [(file, Problem::LogLoss(loss)), rest @ ..] = &found[..] else { panic!("{found:?}") };
    assert_eq!((file.as_str(), loss.records, loss.damaged), ("g2/wal", 1, 1));
    assert!(
        matches!(rest, [(_, Problem::Values { .. })]),
        "gauges behind it are unknown: {rest:?}"
    );
    let archive = Archive::open(&mut folder, true);
    let (steps, _) = ask(&mut folder, &archive, &Range { tier: Tier::Raw, ..JOBS });
    let rest: Vec<_> = jobs(0..132, 1).into_iter().filter(|(at, _)| *at != 123).collect();
    assert_eq!(added(&steps), rest);
}

/// Changes the version of a sector, and mends its checksum.
fn of_version_2(sector: &mut [u8]) {
    sector[6] = 2;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&sector[4..]);
    sector[..4].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_newer_log_is_named_and_never_misread() {
    let mut folder = folder();
    let bytes = folder.0.get_mut("g2/wal.00").unwrap();
    bytes.chunks_mut(SECTOR_BYTES).for_each(of_version_2);
    folder.0.remove("g2/wal.01");
    let foreign = Problem::Log(WalError::Unsupported { version: 2 });
    assert_eq!(findings(&mut folder), [("g2/wal".to_owned(), foreign)]);
    assert!(foreign.is_loss());
    let archive = Archive::open(&mut folder, false);
    let (steps, _) = ask(&mut folder, &archive, &Range { tier: Tier::Raw, ..JOBS });
    assert_eq!(added(&steps), jobs(0..120, 1));
}

#[test]
fn files_that_nobody_knows_are_named_and_left() {
    let mut folder = folder();
    for name in ["g2/raw.tmp", "g2/notes", "g2/5m.00000001.0000000000000000"] {
        folder.0.insert(name.to_owned(), vec![7; 30]);
    }
    let found = findings(&mut folder);
    let of = |name: &str| found.iter().find(|(file, _)| file == name).map(|(_, problem)| *problem);
    assert_eq!(of("g2/raw.tmp"), Some(Problem::Unfinished));
    assert_eq!(of("g2/notes"), Some(Problem::Unknown));
    assert_eq!(of("g2/5m.00000001.0000000000000000"), Some(Problem::Unknown));
    assert!(found.iter().all(|(_, problem)| !problem.is_loss()));
}

proptest! {
    #[test]
    fn any_damage_is_survived_and_no_number_is_wrong(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(),
            any::<proptest::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut folder = folder();
        for (file, at, byte, how) in damage {
            let names: Vec<_> = folder.0.keys().cloned().collect();
            let Some(name) = names.get(file.index(names.len().max(1))) else { continue };
            let bytes = folder.0.get_mut(name).filter(|bytes| !bytes.is_empty());
            let Some(bytes) = bytes else { continue };
            let at = at.index(bytes.len());
            match how {
                0 => bytes.truncate(at),
                1 => { folder.0.remove(name); }
                2 => bytes[at..].fill(byte),
                _ => bytes[at] = byte,
            }
        }
        let archive = Archive::open(&mut folder, true);
        let (steps, _) = ask(&mut folder, &archive, &Range { tier: Tier::Raw, ..JOBS });
        let all = jobs(0..132, 1);
        prop_assert!(added(&steps).iter().all(|step| all.contains(step)));
    }
}
