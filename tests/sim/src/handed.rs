use std::cell::Cell;
use std::rc::Rc;

use nexus_bounded::Mono;
use nexus_port::{Event, Now, SECTOR_BYTES, Service, World};
use nexus_wire::files::{Request, decode};
use statefs::State;
use statefsd::Statefsd;

/// What was counted of files, over all lives of a statefsd.
#[derive(Default)]
pub(crate) struct Counts {
    /// Bytes that were handed over for files.
    pub(crate) handed: Cell<u64>,
    /// Reads of files.
    pub(crate) reads: Cell<u64>,
    /// Most bytes of the disk that files took at a time.
    pub(crate) peak: Cell<u64>,
}

/// A statefsd that counts, and whose files may never take more bytes of the disk than the recipe
/// says: it is looked at after every event. What was deleted takes room until that is durable.
pub(crate) struct Counting {
    statefsd: Statefsd,
    bytes: u64,
    counts: Rc<Counts>,
}

impl Counting {
    pub(crate) const fn new(statefsd: Statefsd, bytes: u64, counts: Rc<Counts>) -> Self {
        Self { statefsd, bytes, counts }
    }

    /// Bytes of sectors that are not free.
    fn taken(&self) -> u64 {
        let store = self.statefsd.store();
        if store.state() != State::Ready {
            return 0;
        }
        let all = store.disk_format().data().sectors;
        u64::from(all - store.free_sectors()) * SECTOR_BYTES as u64
    }
}

impl Service for Counting {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        if let Event::Request { frame, .. } = event {
            let handed = &self.counts.handed;
            handed.set(handed.get() + bytes_of(frame));
            let reads = &self.counts.reads;
            reads.set(reads.get() + u64::from(is_read(frame)));
        }
        self.statefsd.handle(now, event, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.statefsd.deadline()
    }

    fn stopped(&self) -> bool {
        self.statefsd.stopped()
    }

    fn check_invariants(&self) {
        self.statefsd.check_invariants();
        let (taken, bytes) = (self.taken(), self.bytes);
        self.counts.peak.set(self.counts.peak.get().max(taken));
        assert!(taken <= bytes, "files take {taken} bytes of the disk, of {bytes}");
    }
}

fn is_read(frame: &[u8]) -> bool {
    matches!(decode(frame).map(|frame| frame.request), Ok(Request::Read(_)))
}

/// The bytes in a frame that a file shall hold.
fn bytes_of(frame: &[u8]) -> u64 {
    match decode(frame).map(|frame| frame.request) {
        Ok(Request::Append(append)) => append.bytes.len() as u64,
        Ok(Request::Replace(replace)) => replace.bytes.len() as u64,
        _ => 0,
    }
}
