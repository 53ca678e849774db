//! A service that ends when it is sent [`FATAL`]: for images that try what its end comes to.

use nexus_bounded::Mono;
use nexus_port::{Event, Now, Service, World};
use selftest_client::FATAL;

/// A service and how its process ends.
pub struct Mortal<S> {
    /// The service.
    pub service: S,
    /// Ends the process.
    pub end: fn() -> !,
}

impl<S: Service> Service for Mortal<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        if matches!(event, Event::Request { frame: FATAL, .. }) {
            (self.end)();
        }
        self.service.handle(now, event, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }
}
