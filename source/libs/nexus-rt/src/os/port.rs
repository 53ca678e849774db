//! The loop around a service, and what the service asks of its world.
//!
//! A due deadline goes first, once, and then one thing that the kernel gives: a signal, a change of
//! a child, the end of a sender or of a call, a request. All memory is taken before the first
//! `receive`, with which the service begins to serve.
//!
//! Deliberately absent: decisions. Who may call whom stands in the image, who is whom on the stamp.

extern crate alloc;

use alloc::boxed::Box;
use core::fmt;

use nexus_abi::ServiceId;
use nexus_abi::kernel::{CapabilityKind, KernelError, NEVER, PAGE_BYTES, Received, Signals};
use nexus_bounded::{Mono, Nanos};
use nexus_port::{BlockRequest, CallError, CallId, Event, Now, Service, SubmitError, Token, World};

use super::aside::LAST_PATIENCE;
use super::birth::raised_before_us;
use super::calls::{self, Slot};
use super::disk::Disk;
use super::frames::{Calls, Frame, refused};
use super::{Aside, Clock, Start, console, heap};

const KIB: usize = 1024;
const PAGE_KIB: usize = PAGE_BYTES / KIB;

/// By this a parent asks, before a service runs, that what it has stored be set aside: it may be
/// why earlier lives have ended.
pub const SET_ASIDE: Signals = Signals(1 << 1);

/// How long a service may take to stop.
const STOP_PATIENCE: Nanos = Nanos::from_secs(5);

struct Port {
    console: Option<Slot>,
    /// The disk that the image gives us, if it does and it can be used.
    disk: Option<Disk>,
    calls: Calls,
    /// Answers to senders that were gone.
    replies_gone: u64,
    /// Calls that ended without an answer.
    calls_died: u64,
}

/// Serves until the parent asks for an orderly end. `make` makes the service `name`, all memory of
/// which is taken then.
pub fn run<S: Service>(name: &str, make: impl FnOnce(Start) -> S) -> i32 {
    let turn = Turn::new((), make);
    heap::seal();
    turn.serve(name)
}

/// As [`run`], for a service that records: `aside` brings that to the daemons before each `receive`
/// and at the end. Its heap is not sealed, because places in the source take their series when they
/// are first reached; the limits of nexus-metrics bound what that comes to.
pub fn run_with<S: Service>(name: &str, aside: impl Aside, make: impl FnOnce(Start) -> S) -> i32 {
    Turn::new(aside, make).serve(name)
}

struct Turn<S, A> {
    service: S,
    aside: A,
    port: Port,
    clock: Clock,
    frame: Box<Frame>,
    /// Until when the service may take to stop, once it was told to.
    stop: Option<Mono>,
    raised_at_start: Signals,
}

impl<S: Service, A: Aside> Turn<S, A> {
    fn new(aside: A, make: impl FnOnce(Start) -> S) -> Self {
        let start = Start::find(raised_before_us());
        let raised_at_start = start.raised;
        let service = make(start);
        let (port, clock, frame) = (Port::new(), Clock::new(), Frame::new());
        Self { service, aside, port, clock, frame, stop: None, raised_at_start }
    }

    fn serve(mut self, name: &str) -> i32 {
        tell_memory(name);
        self.port.find_disk(name);
        if self.raised_at_start.has(SET_ASIDE) {
            self.port.say(format_args!("{name}: was told to set its stored state aside"));
        }
        self.signalled(self.raised_at_start);
        while !self.is_over() {
            self.next();
        }
        self.aside.flush(LAST_PATIENCE);
        0
    }

    fn is_over(&self) -> bool {
        self.stop.is_some_and(|until| self.service.stopped() || self.clock.now() >= until)
    }

    fn next(&mut self) {
        if self.service.deadline().is_some_and(|at| at <= self.clock.now()) {
            self.deliver(Event::Wake);
        }
        let deadline = self.deadline();
        let wait = |until| calls::receive(&mut self.frame.0, until);
        let received = self.aside.receive(self.clock, deadline, wait);
        assert!(received.is_ok(), "the kernel takes our buffer");
        match received.unwrap_or(Received::Deadline) {
            Received::Request { token, bytes, from } => {
                let frame = self.frame.0.get(..bytes).unwrap_or_default();
                let event = Event::Request { from, token: Token::from_raw(token), frame };
                self.service.handle(now(self.clock), event, &mut self.port);
            }
            Received::Completion { tag, result, .. } => self.completed(tag, result),
            Received::PeerGone { id, incarnation, reason } => {
                self.deliver(Event::PeerGone { id, incarnation, reason });
            }
            Received::Signals(signals) => self.signalled(signals),
            // How its children are, whoever has any sees for itself.
            Received::Child { .. } => self.deliver(Event::Wake),
            // The service is woken at the next turn.
            Received::Deadline => {}
        }
    }

    /// The first tick at which something is to be done by itself.
    fn deadline(&self) -> u64 {
        let deadlines = [self.service.deadline(), self.stop];
        deadlines.into_iter().flatten().min().map_or(NEVER, |at| self.clock.deadline(at))
    }

    /// Hands over an event that borrows nothing of ours.
    fn deliver(&mut self, event: Event<'_>) {
        self.service.handle(now(self.clock), event, &mut self.port);
    }

    fn completed(&mut self, tag: u64, result: Result<usize, KernelError>) {
        let ended = self.port.calls.ended(tag);
        assert!(ended.is_some(), "every call ends once");
        let Some(ended) = ended else { return };
        self.port.calls_died += u64::from(result.is_err());
        let result = result.map(|bytes| ended.answer(bytes)).map_err(|_| CallError::PeerDied);
        self.deliver(Event::Completion { call: ended.call, result });
    }

    /// The disk has done some of what it was asked for.
    fn disk_done(&mut self) {
        self.port.disk.iter_mut().for_each(Disk::interrupted);
        while let Some(ended) = self.port.disk.as_mut().and_then(Disk::ended) {
            let (call, outcome) = (ended.call, ended.outcome());
            self.deliver(Event::Block { call, outcome });
        }
        self.port.disk.iter().for_each(Disk::listen);
    }

    fn signalled(&mut self, signals: Signals) {
        if self.port.disk.as_ref().is_some_and(|disk| signals.has(disk.signal())) {
            self.disk_done();
        }
        if signals.0 & Signals::STOP.0 != 0 && self.stop.is_none() {
            self.stop = Some(self.clock.now().after(STOP_PATIENCE));
            self.deliver(Event::Stop);
        }
    }
}

/// Says on the console, if we hold it, what memory the process `name` has taken: once it takes no
/// more.
pub fn tell_memory(name: &str) {
    let (taken, left) = (heap::taken().div_ceil(KIB), calls::info().pages_left * PAGE_KIB);
    console::say(format_args!("{name}: heap of {taken} KiB, {left} KiB of the budget left"));
}

fn now(clock: Clock) -> Now {
    Now { mono: clock.now(), wall: None }
}

impl Port {
    fn new() -> Self {
        let console = calls::find(CapabilityKind::Console, ServiceId::from_raw(0)).ok();
        Self { console, disk: None, calls: Calls::new(), replies_gone: 0, calls_died: 0 }
    }

    fn find_disk(&mut self, name: &str) {
        match Disk::find() {
            Some(Ok(disk)) => self.disk = Some(disk),
            Some(Err(unfit)) => self.say(format_args!("{name}: no disk: {unfit}")),
            None => {}
        }
    }

    fn say(&self, line: fmt::Arguments<'_>) {
        if let Some(console) = self.console {
            let said = calls::print(console, line);
            assert!(said.is_ok(), "we hold the console");
        }
    }
}

impl World for Port {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        match calls::reply(token.raw(), frame) {
            Err(KernelError::Gone) => self.replies_gone += 1,
            done => assert!(done.is_ok(), "a service answers with frames"),
        }
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        let to = calls::find(CapabilityKind::Call, to).map_err(|_| SubmitError::NotReady)?;
        self.calls.submit(to, call, frame).map_err(refused)
    }

    fn submit_block(&mut self, call: CallId, request: BlockRequest<'_>) -> Result<(), SubmitError> {
        self.disk.as_mut().ok_or(SubmitError::NotReady)?.submit(call, request)
    }

    fn print(&mut self, line: &str) {
        self.say(format_args!("{line}"));
    }

    fn port_status(&self, out: &mut dyn FnMut(&str, u64)) {
        out("port_calls_died", self.calls_died);
        out("port_replies_gone", self.replies_gone);
    }
}
