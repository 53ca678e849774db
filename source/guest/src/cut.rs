//! A metricsd whose export reaches nobody once it has proven itself ready.

use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_wire::markers;

/// A service that is cut off.
pub struct Cut<S> {
    service: S,
    is_ready: bool,
}

impl<S> Cut<S> {
    /// It is not cut off yet.
    pub const fn new(service: S) -> Self {
        Self { service, is_ready: false }
    }
}

struct Watched<'w, W> {
    world: &'w mut W,
    is_ready: &'w mut bool,
}

impl<W: World> World for Watched<'_, W> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.world.reply(token, frame);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        if *self.is_ready {
            return Err(SubmitError::NotReady);
        }
        self.world.submit(to, call, frame)
    }

    fn print(&mut self, line: &str) {
        *self.is_ready |= line == markers::METRICSD_READY;
        self.world.print(line);
    }
}

impl<S: Service> Service for Cut<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let Self { service, is_ready } = self;
        service.handle(now, event, &mut Watched { world, is_ready });
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }
}
