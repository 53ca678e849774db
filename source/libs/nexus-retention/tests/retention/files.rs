//! Names and the manifest.

use nexus_bounded::Nanos;
use nexus_retention::manifest::{Kept, MANIFEST_BYTES, Manifest, ManifestError, TierState};
use nexus_retention::name::{SegmentName, Tier, temp};
use proptest::prelude::*;

use crate::bed::{RAW, TENS};

pub(crate) fn manifest() -> Manifest {
    let name = |boot, first| SegmentName { boot, first };
    let kept = Kept { oldest: name(1, 360), newest: name(3, 720), end: 1080 };
    let tier = |seconds, kept| TierState { window: Nanos::from_secs(seconds), kept };
    Manifest { boot: 3, tiers: [tier(1, Some(kept)), tier(10, None), tier(60, None)] }
}

#[test]
fn names_sort_as_time_goes_and_tell_true_lengths() {
    let name = |boot, first| SegmentName { boot, first }.file(RAW).as_str().to_owned();
    let names = [name(1, 0), name(1, 255), name(1, 256), name(2, 0), name(u32::MAX, u64::MAX)];
    assert!(names.is_sorted());
    assert_eq!(name(2, 720), "raw.00000002.00000000000002d0");
    let millis = Tier::rollup(Nanos::from_millis(250));
    assert_eq!(
        SegmentName { boot: 0, first: 1 }.file(millis).as_str(),
        "250ms.00000000.0000000000000001"
    );
    assert_eq!(temp(TENS).as_str(), "10s.tmp");
    assert_eq!(temp(Tier::rollup(Nanos(u64::MAX))).as_str(), "18446744073709551615ns.tmp");
}

#[test]
fn only_one_way_of_writing_a_name_is_one() {
    let name = SegmentName { boot: 0x1a, first: 0xbc };
    assert_eq!(SegmentName::parse(RAW, "raw.0000001a.00000000000000bc"), Some(name));
    for other in [
        "raw.0000001A.00000000000000bc",
        "raw.1a.bc",
        "raw.+000001a.00000000000000bc",
        "10s.0000001a.00000000000000bc",
        "raw.0000001a.00000000000000bc.x",
        "raw.tmp",
        "raw",
    ] {
        assert_eq!(SegmentName::parse(RAW, other), None, "{other}");
    }
}

#[test]
fn a_manifest_comes_back_and_no_flipped_bit_passes() {
    let bytes = manifest().encode();
    assert_eq!(Manifest::decode(&bytes), Ok(manifest()));
    for bit in 0..MANIFEST_BYTES * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit / 8 {
            0..8 => ManifestError::NotAManifest,
            _ => ManifestError::Damaged,
        };
        assert_eq!(Manifest::decode(&flipped), Err(expected));
    }
    for cut in 0..MANIFEST_BYTES {
        assert!(Manifest::decode(&bytes[..cut]).is_err());
    }
}

#[test]
fn a_manifest_that_cannot_be_is_refused() {
    let mut impossible = manifest();
    let kept = impossible.tiers[0].kept.as_mut().unwrap();
    std::mem::swap(&mut kept.oldest, &mut kept.newest);
    assert_eq!(Manifest::decode(&impossible.encode()), Err(ManifestError::Damaged));
    let mut endless = manifest();
    endless.tiers[1].window = Nanos(0);
    assert_eq!(Manifest::decode(&endless.encode()), Err(ManifestError::Damaged));
}

proptest! {
    #[test]
    fn any_name_comes_back(boot: u32, first: u64, ns in 1..u64::MAX, is_rollup: bool) {
        let tier = Tier { is_rollup, window: Nanos(ns) };
        let name = SegmentName { boot, first };
        prop_assert_eq!(SegmentName::parse(tier, name.file(tier).as_str()), Some(name));
    }
}
