//! What runs on the disk thread of the daemon under test: the service of files, which dies where it
//! is told to, over the image, which waits where it is told to.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use nexus_bounded::Mono;
use nexus_port::{BlockDevice, BlockOutcome, BlockRequest, Event, Now, Service, World};
use nexus_recipe::ShareRule;
use statefsd::Statefsd;

use crate::allocations;

/// What the daemon under test may have of its disk.
pub(crate) fn share() -> ShareRule {
    ShareRule { name: "echod".into(), bytes: 128 * 1024, files: 8, open: 4 }
}

/// The frame that kills.
pub(crate) const DIE: &[u8] = b"die";

pub(crate) struct Mortal {
    files: Statefsd,
}

impl Mortal {
    pub(crate) fn new(files: Statefsd) -> Self {
        Self { files }
    }
}

impl Service for Mortal {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        allocations::count_this_thread();
        if let Event::Request { frame: DIE, .. } = event {
            panic!("told to die");
        }
        self.files.handle(now, event, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.files.deadline()
    }

    fn stopped(&self) -> bool {
        self.files.stopped()
    }

    fn check_invariants(&self) {
        self.files.check_invariants();
    }
}

/// A device whose flushes wait while a file is there.
pub(crate) struct Gate<D> {
    device: D,
    shut: PathBuf,
}

impl<D> Gate<D> {
    pub(crate) fn new(device: D, shut: PathBuf) -> Self {
        Self { device, shut }
    }
}

impl<D: BlockDevice> BlockDevice for Gate<D> {
    fn sectors(&self) -> u32 {
        self.device.sectors()
    }

    fn carry_out(&mut self, request: BlockRequest<'_>) -> BlockOutcome<'_> {
        while request == BlockRequest::Flush && self.shut.exists() {
            sleep(Duration::from_millis(2));
        }
        self.device.carry_out(request)
    }
}
