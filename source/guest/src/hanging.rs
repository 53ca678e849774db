//! A service that hangs in its first life: whatever it is asked it never answers. Whoever waits for
//! it is in the middle of something for as long as it lives.

use nexus_abi::Incarnation;
use nexus_bounded::Mono;
use nexus_port::{Event, Now, Service, World};

/// See the module.
pub struct Hanging<S> {
    service: S,
    hangs: bool,
}

impl<S> Hanging<S> {
    /// In which life the service is, the kernel says; it counts from 1.
    pub fn new(service: S, life: Incarnation) -> Self {
        Self { service, hangs: life == Incarnation::new(1) }
    }
}

impl<S: Service> Service for Hanging<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        if self.hangs && matches!(event, Event::Request { .. } | Event::PeerGone { .. }) {
            return;
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
