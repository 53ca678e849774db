//! statefsd on a disk that fails, and a service that keeps something there.

use nexus_abi::ExitReason;
use nexus_port::Service;
use nexus_recipe::StateRecipe;
use simkit::{Config, Disk, Fate, Start, World};
use statefsd::Statefsd;

pub(crate) const STATEFSD: &str = "statefsd";

/// Who keeps something: it has a share of the disk.
pub(crate) const OWNER: &str = "logd";

pub(crate) const RECIPE: &str = r#"
[statefsd]
disk_bytes = "288 KiB"
files = 24
open = 6
pending = 4
retry_min = "1 s"
retry_max = "8 s"

[statefsd.budget]
events_per_s = 100000
events_burst = 100000
bytes_per_s = "8 MiB"
bytes_burst = "8 MiB"

[[shares]]
name = "logd"
bytes = "48 KiB"
files = 16
open = 4
"#;

pub(crate) const SECTORS: u32 = 288 * 2;

/// A world with a statefsd that has a disk, or none, and an owner of files.
pub(crate) fn world<S: Service + 'static>(
    disk: Option<Disk>,
    owner: impl FnMut(Start) -> S + 'static,
) -> World {
    let mut world = World::with(Config::kind(1));
    world.spawn(STATEFSD, |start| {
        Statefsd::new(&StateRecipe::parse(RECIPE).unwrap(), start.boot).unwrap()
    });
    if let Some(disk) = disk {
        world.attach(STATEFSD, disk);
    }
    world.settle();
    world.spawn(OWNER, owner);
    world
}

/// Power is cut and comes back: what was written and not flushed has those fates.
pub(crate) fn cut(world: &mut World, fates: &[Fate]) {
    let after = world.disk(STATEFSD).cut(fates);
    swap(world, after);
}

/// Both end at once, and begin anew on another disk.
pub(crate) fn swap(world: &mut World, disk: Disk) {
    for name in [OWNER, STATEFSD] {
        world.kill(name, ExitReason::Killed(9));
    }
    world.attach(STATEFSD, disk);
    world.restart(STATEFSD);
    world.settle();
    world.restart(OWNER);
    world.settle();
}
