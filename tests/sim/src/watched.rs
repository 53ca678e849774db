use std::cell::RefCell;
use std::rc::Rc;

use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};

use crate::allocations::as_service;

/// Every byte that services have let out: replies, calls, lines.
pub type Sink = Rc<RefCell<Vec<u8>>>;

/// A service whose memory is counted while it handles events, and whose output is kept if anybody
/// wants it.
pub struct Watched<S> {
    /// The service itself.
    pub service: S,
    sink: Option<Sink>,
}

impl<S> Watched<S> {
    /// Watches `service`.
    pub const fn new(service: S, sink: Option<Sink>) -> Self {
        Self { service, sink }
    }
}

impl<S: Service> Service for Watched<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let mut outside = Outside { world, sink: self.sink.as_ref() };
        as_service(true, || self.service.handle(now, event, &mut outside));
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }
}

/// The world as a watched service sees it.
struct Outside<'a, W> {
    world: &'a mut W,
    sink: Option<&'a Sink>,
}

impl<W: World> Outside<'_, W> {
    fn out<R>(&mut self, bytes: &[u8], pass: impl FnOnce(&mut W) -> R) -> R {
        as_service(false, || {
            if let Some(sink) = self.sink {
                sink.borrow_mut().extend_from_slice(bytes);
            }
            pass(self.world)
        })
    }
}

impl<W: World> World for Outside<'_, W> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.out(frame, |world| world.reply(token, frame));
    }

    fn acknowledge(&mut self, token: Token, frame: &[u8]) {
        self.out(frame, |world| world.acknowledge(token, frame));
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.out(frame, |world| world.submit(to, call, frame))
    }

    fn print(&mut self, line: &str) {
        self.out(line.as_bytes(), |world| world.print(line));
    }

    fn port_status(&self, out: &mut dyn FnMut(&str, u64)) {
        self.world.port_status(out);
    }
}
