//! Longer windows that lie in two groups, because a segment of shorter ones ended within them.

use nexus_bounded::Nanos;
use nexus_retention::keeper::Roller;
use nexus_retention::manifest::{Kept, Manifest, TierState};
use nexus_retention::name::{SegmentName, Tier};
use nexus_retention::segment::{Limits, Meta, Segment};
use serde_json::{Value as Json, json};

use crate::kept::{Machine, Sealed, anchor, image, log, record, sum, total};

const SHORT: Tier = Tier::rollup(Nanos::from_secs(10));
const LONG: Tier = Tier::rollup(Nanos::from_secs(60));

/// A segment of the windows of shorter ones.
fn roll_up(parts: &[Sealed], ratio: u64, tier: Tier) -> Sealed {
    let name = SegmentName { boot: 1, first: parts[0].0.first / ratio };
    let mut roller = Roller::new(ratio, Limits { series: 8 }, 4096);
    let mut out = Vec::new();
    let mut append = |_, bytes: &[u8]| out.extend(bytes);
    roller.begin(Meta { boot: 1, tier }, name.first);
    parts.iter().for_each(|(_, bytes)| roller.add(bytes, &mut append).unwrap());
    roller.finish(anchor(180), &mut append);
    (name, out)
}

/// Three minutes of which no raw windows are left but the last ten seconds, in the log. A raw
/// segment ended at 95 s: the window of 90 s is in two groups.
fn files() -> Vec<(String, Vec<u8>)> {
    let (records, raw) = record(0..190, Some(95));
    assert_eq!(raw.iter().map(|(name, _)| name.first).collect::<Vec<_>>(), [0, 60, 95, 120]);
    let short = roll_up(&raw, 10, SHORT);
    let long = roll_up(std::slice::from_ref(&short), 6, LONG);
    let kept = |(name, _): &Sealed, end| Some(Kept { oldest: *name, newest: *name, end });
    let tier = |seconds, kept| TierState { window: Nanos::from_secs(seconds), kept };
    let tiers = [tier(1, None), tier(10, kept(&short, 18)), tier(60, kept(&long, 3))];
    let named = |tier: Tier, (name, bytes): Sealed| (name.file(tier).as_str().to_owned(), bytes);
    vec![
        named(SHORT, short),
        named(LONG, long),
        ("wal.00".to_owned(), log(&records[180..])),
        ("manifest".to_owned(), Manifest { boot: 1, tiers }.encode().to_vec()),
    ]
}

fn added(lines: &[Json]) -> Vec<Option<u64>> {
    lines.iter().map(|line| line["added"].as_u64()).collect()
}

#[test]
fn a_longer_window_that_lies_in_two_groups_is_one_and_what_both_have() {
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
    // The block behind the second group: what the third one has.
    let short = &mut files[0].1;
    let second = Segment::open(&short[..]).unwrap().footer().groups()[1].index;
    short[(second.offset + second.len) as usize] ^= 1;
    let machine = Machine::new(image(&files));
    let (code, lines) = machine.json(&["history", "jobs_total", "--tier", "short"]);
    assert_eq!((code, sum(&lines)), (Some(1), total(0..95) + total(120..180)), "{lines:?}");
    let half = lines.iter().find(|line| line["added"] == json!(total(90..95))).unwrap();
    assert_eq!(half["lost"], json!("damaged"), "{lines:?}");
}
