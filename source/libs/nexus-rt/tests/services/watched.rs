//! A service that also tells how often its process has allocated.

use std::hint::black_box;

use nexus_bounded::Mono;
use nexus_port::{Event, Now, Service, World};

use crate::allocations;

/// Asks for the allocations since the port first had something for the service: 8 bytes.
pub(crate) const ASK: &[u8] = b"how many allocations?";
/// Allocates once, to show that it would be seen; answered by nothing but itself.
pub(crate) const ALLOCATE: &[u8] = b"allocate!";

/// Hands everything on to a service, but for the two frames above.
pub(crate) struct Watched<S> {
    service: S,
    /// Allocations before the first event.
    before: Option<u64>,
}

impl<S> Watched<S> {
    pub(crate) fn new(service: S) -> Self {
        Self { service, before: None }
    }
}

impl<S: Service> Service for Watched<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let before = *self.before.get_or_insert_with(allocations::count);
        match event {
            Event::Request { token, frame: ASK, .. } => {
                world.reply(token, &(allocations::count() - before).to_le_bytes());
            }
            Event::Request { token, frame: ALLOCATE, .. } => {
                drop(black_box(Box::new(7)));
                world.reply(token, ALLOCATE);
            }
            event => self.service.handle(now, event, world),
        }
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }
}
