use std::collections::VecDeque;

use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::{Mono, Nanos, Wall};
use nexus_port::{CallError, Now, Service, SubmitError};

use crate::config::Config;
use crate::disk::Disk;
use crate::drive::Drive;
use crate::effects::Effects;
use crate::fabric::{ClientEnd, Fabric, Owner};
use crate::link::{Link, LinkEnd};
use crate::process::{Port, Process, Start, Stop};
use crate::requests::Back;

/// A line that a process has printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// When, on the clock that services read.
    pub at: Mono,
    /// Which process.
    pub process: String,
    /// What.
    pub text: String,
}

/// A scripted client: it says what a test makes it say. Its identity is the world's stamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client(usize);

/// Names one request of a scripted client.
pub type Ticket = u64;

/// The end of a request of a scripted client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Which request.
    pub ticket: Ticket,
    /// The answer, or why there is none.
    pub result: Result<Vec<u8>, CallError>,
}

/// Why a call of a scripted client has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// As many requests as the client may have are under way.
    Busy,
    /// Nobody serves under that name now.
    NotReady,
    /// The callee died before it answered.
    PeerDied,
    /// No answer within [`PATIENCE`].
    Late,
}

/// A call of a scripted client waits for so long.
pub const PATIENCE: Nanos = Nanos::from_secs(60);

/// So many events without time moving is a circle.
const EVENTS_AT_ONCE_MAX: u64 = 1 << 28;

type Factory = Box<dyn FnMut(Start) -> Box<dyn Process>>;

/// The simulated world: processes, scripted clients and links in virtual time.
///
/// It is an oracle too: a service that answers a token twice, or one that is not its own, sends a
/// frame that is too long, never sleeps, or is unsound between two events
/// ([`Service::check_invariants`]) ends the test with a panic that says so.
pub struct World {
    fabric: Fabric,
    /// By the number of the process; `None` while it does not run.
    services: Vec<Option<Box<dyn Process>>>,
    factories: Vec<Factory>,
    tickets: Ticket,
    events: u64,
}

impl World {
    /// A kind world, whose choices follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(Config::kind(seed))
    }

    /// A world as `config` says.
    #[must_use]
    pub fn with(config: Config) -> Self {
        Self {
            fabric: Fabric::new(config),
            services: Vec::new(),
            factories: Vec::new(),
            tickets: 0,
            events: 0,
        }
    }

    // Processes.

    /// Starts a service without rights under a name that is not taken; `make` makes it, now and at
    /// every restart.
    pub fn spawn<S: Service + 'static>(
        &mut self,
        name: &str,
        make: impl FnMut(Start) -> S + 'static,
    ) {
        self.spawn_with(name, Rights::NONE, make);
    }

    /// As [`World::spawn`], with rights that are stamped on what it sends.
    pub fn spawn_with<S: Service + 'static>(
        &mut self,
        name: &str,
        rights: Rights,
        mut make: impl FnMut(Start) -> S + 'static,
    ) {
        assert!(self.find(name).is_none(), "{name} exists already");
        self.fabric.ports.push(Port::new(name, rights));
        self.services.push(None);
        self.factories.push(Box::new(move |start| Box::new(make(start))));
        self.start(self.services.len() - 1);
    }

    fn start(&mut self, at: usize) {
        let life = self.fabric.begin_process(at);
        let start = Start {
            boot: self.fabric.ports[at].boot,
            incarnation: self.fabric.sender(life).incarnation,
            now: self.fabric.clock.read(),
        };
        let service = self.factories[at](start);
        let wake = service.next_wake().map(|deadline| self.fabric.clock.fires(deadline));
        self.fabric.ports[at].wake = wake;
        self.services[at] = Some(service);
    }

    /// Ends a process at once.
    pub fn kill(&mut self, name: &str, reason: ExitReason) {
        let at = self.index(name);
        assert!(self.services[at].is_some(), "{name} does not run");
        self.end(at, reason);
    }

    fn end(&mut self, at: usize, reason: ExitReason) {
        self.services[at] = None;
        self.fabric.end_process(at, reason);
    }

    /// Starts a process that has ended, as a new life with the next boot number.
    pub fn restart(&mut self, name: &str) {
        let at = self.index(name);
        assert!(self.services[at].is_none(), "{name} runs already");
        self.start(at);
    }

    /// Asks a process to end by itself; it ends when it says so.
    pub fn stop(&mut self, name: &str) {
        let at = self.index(name);
        self.fabric.ports[at].stop = Stop::Asked;
    }

    /// Wakes a process: something has happened outside of the world that it has to look at.
    pub fn wake(&mut self, name: &str) {
        let at = self.index(name);
        self.fabric.ports[at].wake = Some(self.fabric.clock.exact());
    }

    /// Stops delivering events to a process: it hangs.
    pub fn pause(&mut self, name: &str) {
        let at = self.index(name);
        self.fabric.ports[at].paused = true;
    }

    /// Goes on delivering events to a process.
    pub fn resume(&mut self, name: &str) {
        let at = self.index(name);
        self.fabric.ports[at].paused = false;
    }

    /// Whether a process runs, paused or not.
    #[must_use]
    pub fn runs(&self, name: &str) -> bool {
        self.services[self.index(name)].is_some()
    }

    /// A running service, to be looked at.
    #[must_use]
    pub fn service<S: Service + 'static>(&self, name: &str) -> &S {
        let service = self.services[self.index(name)].as_deref();
        let Some(service) = service.and_then(|service| service.as_any().downcast_ref()) else {
            panic!("{name} does not run, or is another type of service")
        };
        service
    }

    /// Requests that a process has not answered, received or not.
    #[must_use]
    pub fn unanswered(&self, name: &str) -> usize {
        self.fabric.requests.owed_by(self.index(name)).len()
    }

    /// Gives a process that runs or has run a disk, instead of any that it has.
    pub fn attach(&mut self, name: &str, disk: Disk) {
        let at = self.index(name);
        self.fabric.ports[at].drive = Some(Drive::new(disk));
    }

    /// The disk of a process, to be looked at or made to fail. What the process has asked for and
    /// not heard of yet, the disk has done already.
    pub fn disk(&mut self, name: &str) -> &mut Disk {
        let at = self.index(name);
        let Some(drive) = &mut self.fabric.ports[at].drive else { panic!("{name} has no disk") };
        &mut drive.disk
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.fabric.ports.iter().position(|port| port.name == name)
    }

    fn index(&self, name: &str) -> usize {
        let Some(at) = self.find(name) else { panic!("nothing is called {name}") };
        at
    }

    // Scripted clients and links.

    /// A scripted client, stamped as `name` with `rights`.
    pub fn client(&mut self, name: &str, rights: Rights) -> Client {
        let name = ServiceId::from_name(name);
        let at = self.fabric.clients.len();
        let life = self.fabric.begin_life(Owner::Client(at), name, rights);
        let replies = VecDeque::new();
        self.fabric.clients.push(ClientEnd { name, rights, life, in_flight: 0, replies });
        Client(at)
    }

    /// The stamp on what a client says now.
    #[must_use]
    pub fn sender(&self, client: Client) -> Sender {
        self.fabric.sender(self.fabric.clients[client.0].life)
    }

    /// Ends a client's life and begins its next one.
    pub fn renew(&mut self, client: Client, reason: ExitReason) -> Incarnation {
        let ClientEnd { name, rights, life, .. } = self.fabric.clients[client.0];
        self.fabric.end_life(life, reason);
        let life = self.fabric.begin_life(Owner::Client(client.0), name, rights);
        let end = &mut self.fabric.clients[client.0];
        (end.life, end.in_flight) = (life, 0);
        end.replies.clear();
        self.fabric.sender(life).incarnation
    }

    /// Ends a client for good.
    pub fn end_client(&mut self, client: Client, reason: ExitReason) {
        self.fabric.end_life(self.fabric.clients[client.0].life, reason);
    }

    /// Sends a frame; the answer will be among [`World::replies`].
    ///
    /// # Errors
    /// As [`nexus_port::World::submit`].
    pub fn send(&mut self, client: Client, to: &str, frame: &[u8]) -> Result<Ticket, SubmitError> {
        self.tickets += 1;
        let (to, back) = (ServiceId::from_name(to), Back::Ticket(self.tickets));
        self.fabric.send_for_client(client.0, to, back, frame)?;
        Ok(self.tickets)
    }

    /// Sends a frame whose answer nobody looks at.
    ///
    /// # Errors
    /// As [`nexus_port::World::submit`].
    pub fn post(&mut self, client: Client, to: &str, frame: &[u8]) -> Result<(), SubmitError> {
        self.fabric.send_for_client(client.0, ServiceId::from_name(to), Back::Nobody, frame)
    }

    /// Takes the answers that have come for a client.
    pub fn replies(&mut self, client: Client) -> Vec<Reply> {
        self.fabric.clients[client.0].replies.drain(..).collect()
    }

    /// As [`World::replies`], one by one, and without memory of their own.
    pub fn each_reply(
        &mut self,
        client: Client,
        mut look: impl FnMut(Ticket, Result<&[u8], CallError>),
    ) {
        while let Some(Reply { ticket, result }) = self.fabric.clients[client.0].replies.pop_front()
        {
            look(ticket, result.as_deref().map_err(|error| *error));
            self.fabric.give_back(result.unwrap_or_default());
        }
    }

    /// Sends a frame and runs the world until its answer has come.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn call(&mut self, client: Client, to: &str, frame: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        let ticket = self.send(client, to, frame).map_err(|error| match error {
            SubmitError::Busy => NoAnswer::Busy,
            SubmitError::NotReady => NoAnswer::NotReady,
        })?;
        self.fabric.pump_links();
        let until = self.fabric.clock.exact().after(PATIENCE);
        loop {
            let replies = &mut self.fabric.clients[client.0].replies;
            if let Some(at) = replies.iter().rposition(|reply| reply.ticket == ticket) {
                let reply = replies.remove(at);
                let result = reply.map_or(Err(CallError::PeerDied), |reply| reply.result);
                return result.map_err(|CallError::PeerDied| NoAnswer::PeerDied);
            }
            if !self.turn() && !self.skip_ahead(until) {
                return Err(NoAnswer::Late);
            }
        }
    }

    /// A link for a client library, stamped as `name` with `rights`.
    pub fn link(&mut self, name: &str, rights: Rights, to: &str) -> Link {
        let (name, to) = (ServiceId::from_name(name), ServiceId::from_name(to));
        let (mut end, link) = LinkEnd::new(name, rights, to, self.fabric.config.client_slots);
        end.set_serving(self.fabric.serves(to));
        self.fabric.links.push(end);
        link
    }

    // Time.

    /// Time as services read it now.
    #[must_use]
    pub fn now(&self) -> Now {
        self.fabric.clock.read()
    }

    /// Makes the calendar clock jump; `None`: nothing knows it any more.
    pub fn set_wall(&mut self, wall: Option<Wall>) {
        self.fabric.clock.set_wall(wall);
    }

    /// Lets happen all that happens until `until`, and that moment with it.
    pub fn run_until(&mut self, until: Mono) {
        self.fabric.pump_links();
        let mut at_once = 0_u64;
        loop {
            while self.turn() {
                at_once += 1;
                assert!(at_once < EVENTS_AT_ONCE_MAX, "the world turns and time stands still");
            }
            if !self.skip_ahead(until) {
                break;
            }
            at_once = 0;
        }
        self.fabric.advance_to(until);
    }

    /// As [`World::run_until`], from now on for `length`.
    pub fn run_for(&mut self, length: Nanos) {
        self.run_until(self.fabric.clock.exact().after(length));
    }

    /// Lets happen all that happens at this moment.
    pub fn settle(&mut self) {
        self.run_until(self.fabric.clock.exact());
    }

    /// Lets each process take one event that is due at this moment; whether there was any.
    pub fn round(&mut self) -> bool {
        self.fabric.pump_links();
        self.turn()
    }

    /// Moves time to the next thing that happens by itself, if that is not after `until`, and lets
    /// nothing happen; whether there is any.
    pub fn skip_ahead(&mut self, until: Mono) -> bool {
        let next = self.fabric.next_time().filter(|at| *at <= until);
        if let Some(at) = next {
            self.fabric.advance_to(at);
        }
        next.is_some()
    }

    /// Gives every process one event, beginning with any; whether there was any event at all.
    fn turn(&mut self) -> bool {
        let count = self.services.len();
        let first = match count {
            0 => return false,
            1 => 0,
            _ => self.fabric.rng.up_to(count as u64 - 1) as usize,
        };
        let mut any = false;
        for at in (first..count).chain(0..first) {
            any |= self.step(at);
        }
        any
    }

    fn step(&mut self, at: usize) -> bool {
        let Some(delivery) = self.fabric.next_delivery(at) else { return false };
        let Some(service) = &mut self.services[at] else { return false };
        let now = self.fabric.clock.read();
        service.take(now, delivery.event(), &mut Effects { fabric: &mut self.fabric, me: at });
        self.events += 1;
        let ends = self.fabric.ports[at].stop == Stop::Told && service.is_done();
        let deadline = service.next_wake();
        self.fabric.delivered(at, delivery, deadline);
        if ends {
            self.end(at, ExitReason::Exited(0));
        }
        true
    }

    // What can be seen from outside.

    /// All that was printed.
    #[must_use]
    pub fn console(&self) -> &[Line] {
        &self.fabric.console
    }

    /// Events delivered to processes so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Answers that came after their asker's end.
    #[must_use]
    pub const fn lost_answers(&self) -> u64 {
        self.fabric.lost_answers
    }

    /// A hash of every event so far, its time and its bytes: the same hash, the same run.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.fabric.trace.hash()
    }
}
