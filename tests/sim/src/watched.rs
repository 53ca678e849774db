use std::cell::RefCell;
use std::rc::Rc;

use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_wire::logs::{self, AppendReply};
use nexus_wire::metrics;
use nexus_wire::{LogStatus, MetricStatus, RecordId};

use crate::allocations::as_service;

/// Every byte that services have let out: replies, calls, lines.
pub type Sink = Rc<RefCell<Vec<u8>>>;

/// What is broken on purpose, so that a proof can be seen to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// Some records are acknowledged and thrown away.
    Appends,
    /// Some counts are acknowledged and thrown away.
    Counts,
    /// The services take memory while they handle events.
    Memory,
}

/// Sabotage strikes once in so many requests.
const RARE: u64 = 61;

/// A service whose memory is counted while it handles events, and whose output is kept if anybody
/// wants it.
pub struct Watched<S> {
    service: S,
    sink: Option<Sink>,
    sabotage: Option<Sabotage>,
    requests: u64,
}

impl<S> Watched<S> {
    /// Watches `service`.
    pub const fn new(service: S, sink: Option<Sink>, sabotage: Option<Sabotage>) -> Self {
        Self { service, sink, sabotage, requests: 0 }
    }

    /// Whether something is done to the event in place of the service.
    fn strikes(&mut self, event: &Event<'_>, world: &mut impl World) -> bool {
        let Event::Request { token, frame, .. } = event else { return false };
        self.requests += 1;
        let Some(sabotage) = self.sabotage.filter(|_| self.requests.is_multiple_of(RARE)) else {
            return false;
        };
        match sabotage {
            Sabotage::Appends => forget_append(*token, frame, world),
            Sabotage::Counts => forget_count(*token, frame, world),
            Sabotage::Memory => {
                as_service(true, || drop(std::hint::black_box(vec![0u8; 8])));
                false
            }
        }
    }
}

impl<S: Service> Service for Watched<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        if self.strikes(&event, world) {
            return;
        }
        let mut outside = Outside { world, sink: self.sink.as_ref() };
        as_service(true, || self.service.handle(now, event, &mut outside));
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }

    fn check_invariants(&self) {
        self.service.check_invariants();
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

fn forget_append(token: Token, frame: &[u8], world: &mut impl World) -> bool {
    let Ok(decoded) = logs::decode(frame) else { return false };
    let logs::Request::Append(_) = decoded.request else { return false };
    let reply = AppendReply { id: RecordId(u64::MAX), dropped: 0 };
    let mut out = [0; 64];
    reply
        .encode(decoded.head, LogStatus::Ok, &mut out)
        .inspect(|reply| world.reply(token, reply))
        .is_ok()
}

fn forget_count(token: Token, frame: &[u8], world: &mut impl World) -> bool {
    let Ok(decoded) = metrics::decode(frame) else { return false };
    let metrics::Request::CounterInc(_) = decoded.request else { return false };
    let op = decoded.request.op().raw();
    world.reply(token, &metrics::plain_reply(op, MetricStatus::Ok, decoded.nonce));
    true
}
