//! The keeper over a real statefsd.

use simkit::Disk;

use crate::keeping::{BYTES_MAX, Did, Rig, SECTORS, TIERS, Window, Windows};

#[test]
fn what_is_recorded_is_kept_in_segments_and_in_memory() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 60);
    rig.seconds(62);
    assert!(rig.keeper().is_live(), "{:?}", rig.keeper().trouble());
    let recorded = rig.known.borrow().recorded.clone();
    assert_eq!(rig.kept(), recorded);
    assert!(recorded.len() >= 59, "{}", recorded.len());
    assert!(rig.sealed(TIERS[0]).len() >= 48);
}

/// What has to be there of what was recorded: all from some window on, because the oldest go.
#[track_caller]
fn holds(kept: &Windows, recorded: &Windows) {
    for (at, window) in kept {
        assert_eq!(Some(window), recorded.get(at), "{at:?}");
    }
}

/// Longer windows out of what was recorded.
fn rolled(recorded: &Windows, ratio: u64) -> Windows {
    let mut all = Windows::new();
    for ((boot, window), did) in recorded {
        let into = all.entry((*boot, window / ratio)).or_default();
        did.iter().for_each(|(name, did)| join(into, name, did));
    }
    all
}

fn join(into: &mut Window, name: &str, did: &Did) {
    use nexus_retention::segment::Summary;
    let one = match did {
        Did::Was(value) => Did::Were(Summary::one(*value)),
        other => other.clone(),
    };
    let joined = match (into.get(name), one) {
        (Some(Did::Counted(before)), Did::Counted(more)) => Did::Counted(before + more),
        (Some(Did::Were(before)), Did::Were(later)) => Did::Were(before.then(later)),
        (Some(Did::Saw(before, sum)), Did::Saw(more, added)) => {
            Did::Saw(before.iter().zip(more).map(|(a, b)| a + b).collect(), sum + added)
        }
        (_, one) => one,
    };
    into.insert(name.to_owned(), joined);
}

#[test]
fn longer_windows_are_what_their_parts_were() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 100);
    rig.seconds(102);
    let recorded = rig.known.borrow().recorded.clone();
    for (tier, ratio) in [(TIERS[1], 2), (TIERS[2], 4)] {
        let sealed = rig.sealed(tier);
        assert!(sealed.len() > 15, "{tier}: {}", sealed.len());
        let oracle = rolled(&recorded, ratio);
        for (at, window) in &sealed {
            assert_eq!(Some(window), oracle.get(at), "{tier}: {at:?}");
        }
    }
    assert_eq!(rig.keeper().store().unrolled(), Default::default());
}

#[test]
fn the_disk_never_has_more_than_its_limits_say() {
    let mut rig = Rig::new(Some(Disk::new(SECTORS)), 600);
    let mut most = 0;
    for _ in 0..600 {
        rig.seconds(1);
        most = most.max(rig.used());
        assert!(most <= BYTES_MAX, "{most}");
    }
    assert!(rig.keeper().store().counts().deleted.iter().all(|count| *count > 0));
    let recorded = rig.known.borrow().recorded.clone();
    let kept = rig.kept();
    holds(&kept, &recorded);
    assert!(kept.len() > 60);
    let skipped = rig.known.borrow().skipped;
    assert!(skipped < 3, "{skipped}");
}
