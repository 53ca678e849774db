//! A service that does nothing: what it was told when it was made can be seen.

use nexus_bounded::Mono;
use nexus_port::{Event, Now, Service, World};

/// See the module.
pub struct Newborn;

impl Service for Newborn {
    fn handle(&mut self, _now: Now, _event: Event<'_>, _world: &mut impl World) {}

    fn deadline(&self) -> Option<Mono> {
        None
    }

    fn stopped(&self) -> bool {
        true
    }
}
