//! Longer windows that lie in two segments, because a shorter one ended within them.

use nexus_bounded::Nanos;
use nexus_retention::manifest::{Kept, Manifest, TierState};
use nexus_retention::name::{SegmentName, Tier};
use nexus_retention::rollup::Roller;
use nexus_retention::segment::{Limits, Meta, Segment, SegmentWriter};
use serde_json::{Value as Json, json};

use crate::kept::{Machine, Sealed, anchor, image, log, record, sum, total};

const SHORT: Tier = Tier::rollup(Nanos::from_secs(10));
const LONG: Tier = Tier::rollup(Nanos::from_secs(60));

/// A segment of the windows of shorter ones.
fn roll_up(parts: &[Sealed], ratio: u64, tier: Tier) -> Sealed {
    let name = SegmentName { boot: 1, first: parts[0].0.first / ratio };
    let mut writer = SegmentWriter::new(Limits { series: 8 });
    let mut out = writer.begin(Meta { boot: 1, tier }).to_vec();
    let mut roller = Roller::new(8, 4096);
    roller.begin();
    for (_, bytes) in parts {
        let mut segment = Segment::open(&bytes[..]).unwrap();
        roller.add(&mut segment, ratio, &mut writer, |bytes| out.extend(bytes)).unwrap();
    }
    out.extend(writer.finish(anchor(180)));
    (name, out)
}

/// Three minutes of which no raw windows are left but the last ten seconds, in the log. A raw
/// segment ended at 95 s: the short window of 90 s and the long one of 60 s are in two segments.
fn files() -> Vec<(String, Vec<u8>)> {
    let (records, raw) = record(0..190, Some(95));
    assert_eq!(raw.iter().map(|(name, _)| name.first).collect::<Vec<_>>(), [0, 60, 95, 120]);
    let short = [&raw[..2], &raw[2..]].map(|parts| roll_up(parts, 10, SHORT));
    let long = [&short[..1], &short[1..]].map(|parts| roll_up(parts, 6, LONG));
    let kept = |sealed: &[Sealed; 2], end| {
        let [oldest, newest] = [&sealed[0], &sealed[1]].map(|(name, _)| *name);
        Some(Kept { oldest, newest, end })
    };
    let tier = |seconds, kept| TierState { window: Nanos::from_secs(seconds), kept };
    let tiers = [tier(1, None), tier(10, kept(&short, 18)), tier(60, kept(&long, 3))];
    let named =
        |tier: Tier| move |(name, bytes): Sealed| (name.file(tier).as_str().to_owned(), bytes);
    let mut files: Vec<_> = short.into_iter().map(named(SHORT)).collect();
    files.extend(long.into_iter().map(named(LONG)));
    files.push(("wal.00".to_owned(), log(&records[180..])));
    files.push(("manifest".to_owned(), Manifest { boot: 1, tiers }.encode().to_vec()));
    files
}

fn added(lines: &[Json]) -> Vec<Option<u64>> {
    lines.iter().map(|line| line["added"].as_u64()).collect()
}

#[test]
fn a_longer_window_that_lies_in_two_segments_is_one_and_what_both_have() {
    let machine = Machine::new(image(&files()));
    for (tier, step, end) in [("short", 10, 180), ("long", 60, 180), ("auto", 60, 190)] {
        let (code, lines) = machine.json(&[
            "history",
            "jobs_total",
            "--tier",
            tier,
            "--step",
            &format!("{step} s"),
        ]);
        let expected = (0..end).step_by(step).map(|from| {
            let to = (from + step).min(end);
            Some(total(from as u64..to as u64))
        });
        assert_eq!((code, added(&lines)), (Some(0), expected.collect()), "{tier}: {lines:?}");
        assert!(lines.iter().all(|line| line["kind"] == json!("step")), "{lines:?}");
    }
    assert_eq!(machine.json(&["fsck"]).0, Some(0));
}

#[test]
fn half_of_a_longer_window_is_not_told_as_if_it_were_all() {
    let mut files = files();
    // The first block of the second segment of long windows.
    files[3].1[40] ^= 1;
    let machine = Machine::new(image(&files));
    let (code, lines) = machine.json(&["history", "jobs_total", "--tier", "long"]);
    assert_eq!((code, sum(&lines)), (Some(1), total(0..95)), "{lines:?}");
    let half = lines.iter().find(|line| line["added"] == json!(total(60..95))).unwrap();
    assert_eq!(half["lost"], json!("damaged"), "{lines:?}");
}
