//! What a crash costs, whenever it comes: what was recorded last, within the sync interval.

use std::rc::Rc;

use nexus_bounded::{Mono, Nanos};
use nexus_retention::Keep;
use nexus_retention::keeper::Limits;
use simkit::{Config, Disk, World};

use crate::keeping::{Rig, SECTORS, limits};

const WINDOWS: u64 = 60;
const SECOND: Nanos = Nanos::from_secs(1);

/// What a crash would cost now: the time since the end of the last window that is durable.
fn cost(rig: &Rig) -> Nanos {
    let Some(since) = rig.keeper().live_since() else { return Nanos(0) };
    let last = rig.known.borrow().synced.last().map_or(0, |(_, window)| (window + 1) * SECOND.0);
    rig.world.now().mono.since(since.max(Mono(last)))
}

/// The most that a crash would cost at any moment.
fn most(config: Config, sync_interval: Nanos) -> Nanos {
    let made = Limits { sync_interval, ..limits() };
    let disk = Some(Disk::new(SECTORS));
    let world = World::with(config);
    let mut rig = Rig::within(world, disk, WINDOWS, Keep::Files, made, Rc::default(), 0);
    let end = Mono(0).after(Nanos::from_secs(WINDOWS));
    let mut most = Nanos(0);
    while rig.world.skip_ahead(end) {
        // What the moment brings has not happened yet.
        most = most.max(cost(&rig));
        while rig.world.round() {}
    }
    assert_eq!(rig.known.borrow().skipped, 0);
    most
}

#[test]
fn a_crash_at_any_moment_costs_no_more_than_the_sync_interval() {
    for length in 2..=9 {
        for seed in 1..=8 {
            let interval = Nanos::from_secs(length);
            let most = most(Config::unkind(seed), interval);
            assert!(most <= interval, "{most:?} of {interval:?}, seed {seed}");
            assert!(
                most.0 >= interval.0 - 2 * SECOND.0,
                "{most:?}: synced more often than it has to"
            );
        }
    }
}
