use std::cell::Cell;
use std::rc::Rc;

use nexus_bounded::Mono;
use nexus_port::{Event, Now, Service, World};
use nexus_wire::files::{Request, decode};
use statefsd::Statefsd;

/// A statefsd that counts the bytes that are handed to it for files.
pub(crate) struct Counting {
    statefsd: Statefsd,
    handed: Rc<Cell<u64>>,
}

impl Counting {
    pub(crate) const fn new(statefsd: Statefsd, handed: Rc<Cell<u64>>) -> Self {
        Self { statefsd, handed }
    }
}

impl Service for Counting {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        if let Event::Request { frame, .. } = event {
            self.handed.set(self.handed.get() + bytes_of(frame));
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
    }
}

/// The bytes in a frame that a file shall hold.
fn bytes_of(frame: &[u8]) -> u64 {
    match decode(frame).map(|frame| frame.request) {
        Ok(Request::Append(append)) => append.bytes.len() as u64,
        Ok(Request::Replace(replace)) => replace.bytes.len() as u64,
        _ => 0,
    }
}
