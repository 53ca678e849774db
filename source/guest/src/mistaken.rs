//! A service that takes one sender for another: the intruder for the selftest, whose things it is
//! after.

use nexus_abi::{Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{Event, Now, Service, World};

/// For whom the intruder is taken.
const TAKEN_FOR: ServiceId = ServiceId::from_name("selftest-client");
/// Who is taken for somebody else.
const INTRUDER: ServiceId = ServiceId::from_name("demo-intruder");

/// See the module.
pub struct Mistaken<S> {
    service: S,
    /// The stamp that the intruder's requests get, once it was seen.
    stamp: Option<Sender>,
}

impl<S> Mistaken<S> {
    /// That service, to which the intruder is the selftest.
    pub const fn new(service: S) -> Self {
        Self { service, stamp: None }
    }

    fn taken_for(&mut self, from: Sender) -> Sender {
        match from.service() {
            TAKEN_FOR => *self.stamp.insert(from),
            INTRUDER => self.stamp.unwrap_or(from),
            _ => from,
        }
    }
}

impl<S: Service> Service for Mistaken<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let event = match event {
            Event::Request { from, token, frame } => {
                Event::Request { from: self.taken_for(from), token, frame }
            }
            other => other,
        };
        self.service.handle(now, event, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }
}
