//! Memory is taken by constructors, and never more than they say.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use allocation_counter::{AllocationInfo, measure};
use nexus_bounded::{Mono, Nanos};
use nexus_retention::keeper::Roller;
use nexus_retention::name::Tier;
use nexus_retention::record::{Taken, Value, Writer};
use nexus_retention::recorder::{self, Recorder};
use nexus_retention::segment::{
    Anchor, Form, Kind, Limits, LocalId, Meta, Samples, Segment, SegmentWriter, Shape, Windows,
};
use nexus_retention::wal::{self, SECTOR_BYTES, Scan, Wal};

const SERIES: u32 = 300;
const RAW: Tier = Tier::raw(Nanos::from_secs(1));
const TENS: Tier = Tier::rollup(Nanos::from_secs(10));

fn windows(first: u64) -> Windows {
    let mut windows = Windows::new();
    assert!((first..first + 64).all(|number| windows.push(number, false)));
    windows
}

/// Writes a segment of two groups into memory that is large enough.
fn write(writer: &mut SegmentWriter, samples: &mut Samples, out: &mut Vec<u8>) {
    out.extend(writer.begin(Meta { boot: 1, tier: RAW }));
    for first in [0, 64] {
        writer.begin_group(&windows(first)).unwrap();
        for id in 0..SERIES {
            if first == 0 {
                out.extend(writer.define(&id.to_le_bytes(), &Form::Counter).unwrap().1);
            }
        }
        for id in 0..SERIES {
            samples.clear(Shape { kind: Kind::Counter, is_rollup: false });
            (0..64).for_each(|row| samples.put_counter(row, (row as u64 * u64::from(id)) << 20));
            out.extend(writer.add(LocalId(id), samples));
        }
        out.extend(writer.end_group());
    }
    out.extend(writer.finish(Anchor { mono: Mono(1), wall: None }));
}

fn is_nothing(info: &AllocationInfo) -> bool {
    info.count_total == 0
}

#[test]
fn a_writer_takes_what_it_says_and_then_nothing() {
    let limits = Limits { series: SERIES };
    let mut writer = None;
    let made = measure(|| writer = Some(SegmentWriter::new(limits)));
    let mut writer = writer.unwrap();
    let said = limits.memory() as u64;
    assert!(made.bytes_total <= said && made.bytes_total + 4096 > said, "{made:?}, said {said}");
    let (mut samples, mut out) = (Samples::new(), Vec::with_capacity(1 << 20));
    let used = measure(|| write(&mut writer, &mut samples, &mut out));
    assert!(is_nothing(&used), "{used:?}");
    let mut segment = Segment::open(&out[..]).unwrap();
    let ids = [(LocalId(7), Kind::Counter), (LocalId(250), Kind::Counter)];
    let mut pieces = 0;
    let read = measure(|| segment.read(&ids, 0..=127, &mut samples, |_| pieces += 1));
    assert!(is_nothing(&read), "{read:?}");
    assert_eq!(pieces, 4);
    let mut roller = Roller::new(10, limits, 1 << 14);
    let mut rolled = Vec::with_capacity(1 << 20);
    let rolled_up = measure(|| {
        roller.begin(Meta { boot: 1, tier: TENS }, 0);
        roller.add(&out, |_, bytes| rolled.extend(bytes)).unwrap();
        roller.finish(Anchor { mono: Mono(1), wall: None }, |_, bytes| rolled.extend(bytes));
    });
    assert!(is_nothing(&rolled_up), "{rolled_up:?}");
    assert_eq!(Segment::open(&rolled[..]).unwrap().check(), Ok(()));
}

#[test]
fn a_log_takes_what_it_says_and_then_nothing() {
    let limits = wal::Limits { sectors: 64, staged: 16, record_bytes: 1000 };
    let mut disk = vec![[0; SECTOR_BYTES]; 64];
    let recovered = wal::recover(limits, |_, _| true, |_| {}).unwrap();
    let mut log = None;
    let made = measure(|| log = Some(Wal::new(limits, &recovered)));
    let mut log = log.unwrap();
    assert!(made.bytes_total <= limits.memory() as u64, "{made:?}");
    let used = measure(|| {
        for _ in 0..200 {
            let place = log.append(&[3; 700]).unwrap();
            let sync = log.sync().unwrap();
            log.sectors(sync).for_each(|(index, sector)| disk[index as usize] = *sector);
            log.synced(sync);
            log.release(place);
        }
    });
    assert!(is_nothing(&used), "{used:?}");
    let mut scan = Scan::new(64);
    disk.iter().for_each(|sector| scan.take(Some(sector)));
    let mut replay = scan.replay(limits).unwrap();
    let mut seen = 0;
    let read = measure(|| {
        while let Some(index) = replay.wants() {
            replay.take(Some(&disk[index as usize]), |_| seen += 1);
        }
    });
    assert!(is_nothing(&read), "{read:?}");
    assert!(seen > 0);
}

/// Records windows until a group has ended, and turns it into columns.
fn record(
    recorder: &mut Recorder,
    writer: &mut Writer,
    segments: &mut SegmentWriter,
    out: &mut Vec<u8>,
) {
    out.extend(segments.begin(Meta { boot: 1, tier: RAW }));
    for window in 0..70 {
        let header = recorder.open(1, window).unwrap();
        writer.begin(header);
        for id in 0..SERIES {
            let value = Value::Counter(window << 30);
            let put = |writer: &mut Writer| match header.segment {
                first if first == window => {
                    writer.define(id, &Form::Counter, &id.to_le_bytes(), &value)
                }
                _ => writer.put(id, &value),
            };
            if put(writer) == Taken::RecordFull {
                assert_eq!(recorder.take(writer.finish().unwrap()), Ok(0));
                assert_eq!(put(writer), Taken::Yes);
            }
        }
        assert_eq!(recorder.take(writer.finish().unwrap()), Ok(0));
        while recorder.ended().is_some() {
            recorder.drain(segments, 10, &mut |bytes| out.extend(bytes)).unwrap();
        }
    }
    assert!(recorder.end_segment());
    while recorder.ended().is_some() {
        recorder.drain(segments, 10, &mut |bytes| out.extend(bytes)).unwrap();
    }
    out.extend(segments.finish(Anchor { mono: Mono(1), wall: None }));
}

#[test]
fn a_recorder_takes_what_it_says_and_then_nothing() {
    let limits = recorder::Limits {
        series: SERIES,
        segment_windows: 128,
        align_windows: 8,
        group_bytes: 1 << 18,
        window_bytes: 1 << 13,
        record_bytes: 1500,
    };
    let (mut recorder, mut writer) = (None, None);
    let made = measure(|| recorder = Some(Recorder::new(limits)));
    let said = limits.memory() as u64;
    assert!(made.bytes_total <= said && made.bytes_total + 50_000 > said, "{made:?}, said {said}");
    let made = measure(|| writer = Some(Writer::new(&limits)));
    assert!(made.bytes_total <= Writer::memory(&limits) as u64, "{made:?}");
    let mut segments = SegmentWriter::new(Limits { series: SERIES });
    let mut out = Vec::with_capacity(1 << 20);
    let (mut recorder, mut writer) = (recorder.unwrap(), writer.unwrap());
    let used = measure(|| record(&mut recorder, &mut writer, &mut segments, &mut out));
    assert!(is_nothing(&used), "{used:?}");
    assert_eq!(Segment::open(&out[..]).unwrap().check(), Ok(()));
}
