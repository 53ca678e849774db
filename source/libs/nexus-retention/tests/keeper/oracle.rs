//! Longer windows as they must be: what all that was kept of their parts makes.

use nexus_retention::segment::Summary;

use crate::keeping::{Did, Rig, Window, Windows};

/// Longer windows out of shorter ones.
pub(crate) fn rolled(short: &Windows, ratio: u64) -> Windows {
    let mut all = Windows::new();
    for ((boot, window), did) in short {
        let into = all.entry((*boot, window / ratio)).or_default();
        did.iter().for_each(|(name, did)| join(into, name, did));
    }
    all
}

/// Adds what a series did to what it did before.
pub(crate) fn join(into: &mut Window, name: &str, did: &Did) {
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

/// Nothing of a raw window is missing in a longer one, and no longer one is missing but those that
/// are under way: up to two segments of a tier. Of `raw`, nothing has made room.
#[track_caller]
pub(crate) fn longer_windows_are_whole(rig: &mut Rig, raw: &Windows) {
    let shelves = rig.keeper().store().shelves().each_ref().map(|s| (s.tier(), s.span()));
    let [(short, _), longer @ ..] = shelves;
    for (tier, span) in longer {
        let ratio = tier.window.0 / short.window.0;
        let (sealed, all) = (rig.sealed(tier), rolled(raw, ratio));
        let last = sealed.keys().next_back();
        for ((at, window), nth) in all.iter().zip(1..) {
            let is_due = nth + 2 * span as usize <= all.len() || Some(at) <= last;
            assert!(!is_due || sealed.get(at) == Some(window), "{tier}: {at:?}");
        }
    }
}
