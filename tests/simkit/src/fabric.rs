use std::collections::{BTreeMap, VecDeque};

use nexus_abi::{ExitReason, FRAME_BYTES_MAX, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, SubmitError, Token};

use crate::clock::Clock;
use crate::config::{Config, Letters};
use crate::delivery::Delivery;
use crate::drive::{Done, Drive};
use crate::inbox::Letter;
use crate::link::{LinkEnd, LinkNews};
use crate::process::{Port, Stop};
use crate::requests::{Back, Request, Requests};
use crate::rng::Rng;
use crate::timeline::{Answer, Parcel, Timeline};
use crate::trace::Trace;
use crate::world::{Line, Reply};

/// Number of a life of somebody: a process from start to end, a connection, a scripted client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct LifeId(pub(crate) usize);

struct Life {
    owner: Owner,
    sender: Sender,
    alive: bool,
    /// When the last letter of it arrives: none overtakes another.
    last_arrival: Mono,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner {
    Process(usize),
    Client(usize),
    Link(usize),
}

/// A scripted client as the world sees it.
pub(crate) struct ClientEnd {
    pub(crate) name: ServiceId,
    pub(crate) rights: Rights,
    pub(crate) life: LifeId,
    pub(crate) in_flight: u32,
    pub(crate) replies: VecDeque<Reply>,
}

/// Everything but the services themselves: who lives, what is on its way, what waits for whom.
pub(crate) struct Fabric {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    pub(crate) ports: Vec<Port>,
    pub(crate) clients: Vec<ClientEnd>,
    pub(crate) links: Vec<LinkEnd>,
    pub(crate) requests: Requests,
    pub(crate) console: Vec<Line>,
    pub(crate) trace: Trace,
    pub(crate) lost_answers: u64,
    lives: Vec<Life>,
    incarnations: BTreeMap<ServiceId, Incarnation>,
    timeline: Timeline,
    /// Buffers to be used again.
    pool: Vec<Vec<u8>>,
}

/// A service that asks to be woken at once so often, with nothing else happening, never sleeps.
const IDLE_WAKES_MAX: u32 = 1000;
/// Buffers kept for later use.
const POOL_MAX: usize = 4096;

impl Fabric {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            clock: Clock::new(config.resolution, config.wall),
            rng: Rng::new(config.seed),
            config,
            ports: Vec::new(),
            clients: Vec::new(),
            links: Vec::new(),
            requests: Requests::default(),
            console: Vec::new(),
            trace: Trace::new(),
            lost_answers: 0,
            lives: Vec::new(),
            incarnations: BTreeMap::new(),
            timeline: Timeline::default(),
            pool: Vec::new(),
        }
    }

    // Lives.

    pub(crate) fn begin_life(&mut self, owner: Owner, name: ServiceId, rights: Rights) -> LifeId {
        let incarnation = self.incarnations.entry(name).or_insert(Incarnation::new(0));
        *incarnation = incarnation.next();
        let life = LifeId(self.lives.len());
        let pid = u32::try_from(life.0 + 1).unwrap_or(u32::MAX);
        let sender = Sender::stamped(name, pid, *incarnation, rights);
        self.lives.push(Life { owner, sender, alive: true, last_arrival: self.clock.exact() });
        life
    }

    pub(crate) fn sender(&self, life: LifeId) -> Sender {
        self.lives[life.0].sender
    }

    pub(crate) fn end_life(&mut self, life: LifeId, reason: ExitReason) {
        self.lives[life.0].alive = false;
        for port in 0..self.ports.len() {
            if self.ports[port].life.is_some() {
                self.tell_gone(port, life, reason);
            }
        }
    }

    fn tell_gone(&mut self, port: usize, life: LifeId, reason: ExitReason) {
        match self.config.letters {
            Letters::Vanish => {
                for letter in self.ports[port].inbox.remove(life) {
                    self.burn(letter);
                }
                let sender = self.sender(life);
                let port = &mut self.ports[port];
                if port.unhear(life) {
                    port.notices.push_back((sender, reason));
                }
            }
            Letters::Arrive => {
                let at = self.lives[life.0].last_arrival;
                self.dispatch(
                    at,
                    Parcel::Letter { to: port, from: life, letter: Letter::Gone(reason) },
                );
            }
        }
    }

    /// A letter that nobody will read: nobody waits for its answer either.
    fn burn(&mut self, letter: Letter) {
        if let Letter::Request { token, frame } = letter {
            self.requests.close(token);
            self.give_back(frame);
        }
    }

    /// Ends the life of a process: its letters, its debts and its calls.
    pub(crate) fn end_process(&mut self, port: usize, reason: ExitReason) {
        let Some(life) = self.ports[port].life else { return };
        self.ports[port].clear();
        self.end_life(life, reason);
        for token in self.requests.owed_by(port) {
            if let Some(request) = self.requests.close(token) {
                self.conclude(request, Err(CallError::PeerDied), false);
            }
        }
        self.set_serving(port, false);
    }

    pub(crate) fn begin_process(&mut self, port: usize) -> LifeId {
        let (id, rights) = (self.ports[port].id, self.ports[port].rights);
        let life = self.begin_life(Owner::Process(port), id, rights);
        self.ports[port].life = Some(life);
        self.ports[port].boot += 1;
        self.set_serving(port, true);
        life
    }

    fn set_serving(&mut self, port: usize, serving: bool) {
        let id = self.ports[port].id;
        self.links.iter_mut().filter(|link| link.to == id).for_each(|link| {
            link.set_serving(serving);
        });
    }

    pub(crate) fn serves(&self, id: ServiceId) -> bool {
        self.ports.iter().any(|port| port.id == id && port.life.is_some())
    }

    // Requests and answers.

    pub(crate) fn submit(
        &mut self,
        me: usize,
        to: ServiceId,
        back: Back,
        frame: &[u8],
    ) -> Result<(), SubmitError> {
        if self.ports[me].in_flight >= self.config.slots {
            return Err(SubmitError::Busy);
        }
        let Some(life) = self.ports[me].life else { return Err(SubmitError::NotReady) };
        self.send(life, to, back, frame)?;
        self.ports[me].in_flight += 1;
        Ok(())
    }

    pub(crate) fn send_for_client(
        &mut self,
        client: usize,
        to: ServiceId,
        back: Back,
        frame: &[u8],
    ) -> Result<(), SubmitError> {
        let ClientEnd { in_flight, life, .. } = self.clients[client];
        if in_flight >= self.config.client_slots {
            return Err(SubmitError::Busy);
        }
        assert!(self.lives[life.0].alive, "a client spoke after its end");
        self.send(life, to, back, frame)?;
        self.clients[client].in_flight += 1;
        Ok(())
    }

    fn send(
        &mut self,
        from: LifeId,
        to: ServiceId,
        back: Back,
        frame: &[u8],
    ) -> Result<(), SubmitError> {
        let length = frame.len();
        assert!(length <= FRAME_BYTES_MAX, "{:?} sent {length} bytes", self.sender(from));
        let is_callee = |port: &Port| port.id == to && port.life.is_some();
        let callee = self.ports.iter().position(is_callee).ok_or(SubmitError::NotReady)?;
        let token = self.requests.open(Request { caller: from, back, callee });
        let frame = self.copy(frame);
        let delay = self.rng_up_to(self.config.request_delay.0);
        let life = &mut self.lives[from.0];
        life.last_arrival = life.last_arrival.max(Mono(self.clock.exact().0 + delay));
        let at = life.last_arrival;
        let letter = Letter::Request { token, frame };
        self.dispatch(at, Parcel::Letter { to: callee, from, letter });
        Ok(())
    }

    /// The oracle of tokens: whoever answers one that is not his, or again, ends the test.
    pub(crate) fn answer(&mut self, me: usize, token: Token, frame: &[u8], cumulative: bool) {
        let (name, length) = (&self.ports[me].name, frame.len());
        assert!(length <= FRAME_BYTES_MAX, "{name} answered with {length} bytes");
        let Some(request) = self.requests.close(token) else {
            panic!("{name} answered {token:?}, which is answered already or was never its own")
        };
        assert!(request.callee == me, "{name} answered {token:?}, which is another service's");
        let frame = self.copy(frame);
        self.conclude(request, Ok(frame), cumulative);
    }

    fn conclude(&mut self, request: Request, result: Result<Vec<u8>, CallError>, cumulative: bool) {
        let delay = self.rng_up_to(self.config.answer_delay.0);
        let at = Mono(self.clock.exact().0 + delay);
        self.dispatch(at, Parcel::Answer(Answer { request, result, cumulative }));
    }

    fn rng_up_to(&mut self, most: u64) -> u64 {
        if most == 0 { 0 } else { self.rng.up_to(most) }
    }

    // What is on its way.

    fn dispatch(&mut self, at: Mono, parcel: Parcel) {
        if at <= self.clock.exact() {
            self.arrive(parcel);
        } else {
            self.timeline.push(at, parcel);
        }
    }

    fn arrive(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Letter { to, from, letter } => self.arrive_letter(to, from, letter),
            Parcel::Answer(answer) => self.arrive_answer(answer),
        }
    }

    fn arrive_letter(&mut self, to: usize, from: LifeId, letter: Letter) {
        let vanishes = self.config.letters == Letters::Vanish && !self.lives[from.0].alive;
        let is_owed = match &letter {
            // The callee died meanwhile, and the caller knows it.
            Letter::Request { token, .. } => self.requests.is_open(*token),
            Letter::Gone(_) => self.ports[to].life.is_some(),
        };
        if vanishes || !is_owed {
            self.burn(letter);
        } else {
            self.ports[to].inbox.push(from, letter);
        }
    }

    fn arrive_answer(&mut self, Answer { request, result, cumulative }: Answer) {
        let Life { owner, alive, .. } = self.lives[request.caller.0];
        if !alive {
            self.lost_answers += 1;
            return self.give_back(result.unwrap_or_default());
        }
        match (owner, request.back) {
            (Owner::Process(port), Back::Call(call)) => {
                self.ports[port].completions.push_back((call, result));
            }
            (Owner::Client(client), Back::Ticket(ticket)) => {
                let client = &mut self.clients[client];
                client.in_flight -= 1;
                client.replies.push_back(Reply { ticket, result });
            }
            (Owner::Client(client), _) => {
                self.clients[client].in_flight -= 1;
                self.give_back(result.unwrap_or_default());
            }
            (Owner::Link(link), Back::Link(number)) => {
                // A dead callee has broken the link already.
                if let Ok(frame) = result {
                    let fold = self.config.fold_acknowledgements;
                    self.links[link].answered(number, frame, cumulative, fold);
                }
            }
            (owner, back) => panic!("{owner:?} never asks for {back:?}"),
        }
    }

    /// Moves time to `then` and lets arrive what is due.
    pub(crate) fn advance_to(&mut self, then: Mono) {
        self.clock.advance_to(then);
        while let Some(parcel) = self.timeline.pop(then) {
            self.arrive(parcel);
        }
    }

    /// When something happens next by itself, if ever; maybe now.
    pub(crate) fn next_time(&self) -> Option<Mono> {
        let wakes = self.ports.iter().filter(|port| port.runs()).filter_map(|port| port.wake);
        wakes.chain(self.timeline.next()).min().map(|at| at.max(self.clock.exact()))
    }

    // Delivery to processes.

    /// The next event of a process: notices, completions, a due deadline once, a request.
    pub(crate) fn next_delivery(&mut self, me: usize) -> Option<Delivery> {
        let port = &mut self.ports[me];
        if !port.runs() {
            return None;
        }
        if let Some((sender, reason)) = port.notices.pop_front() {
            return Some(Delivery::gone(sender, reason));
        }
        if port.stop == Stop::Asked {
            port.stop = Stop::Told;
            return Some(Delivery::Stop);
        }
        if let Some((call, result)) = port.completions.pop_front() {
            port.in_flight -= 1;
            return Some(Delivery::Completion { call, result });
        }
        if self.wakes(me) {
            return Some(Delivery::Wake);
        }
        if let Some((call, done)) = self.next_block(me) {
            return Some(Delivery::Block { call, done });
        }
        self.next_letter(me)
    }

    /// The end of a request to the disk: of any, now or, while requests wait, maybe later.
    fn next_block(&mut self, me: usize) -> Option<(CallId, Done)> {
        let load = self.ports[me].drive.as_ref().map_or(0, Drive::load);
        let is_later = load > 0 && !self.ports[me].inbox.is_empty() && self.rng.one_in(2);
        if load == 0 || is_later {
            return None;
        }
        let at = self.rng_up_to(load as u64 - 1) as usize;
        self.ports[me].drive.as_mut()?.end(at)
    }

    fn wakes(&mut self, me: usize) -> bool {
        let port = &self.ports[me];
        let early = self.config.early_wakes && !port.inbox.is_empty() && self.rng.one_in(64);
        early || port.wake.is_some_and(|at| at <= self.clock.exact())
    }

    fn next_letter(&mut self, me: usize) -> Option<Delivery> {
        loop {
            let (from, letter) = self.ports[me].inbox.pop()?;
            let sender = self.lives[from.0].sender;
            match letter {
                Letter::Request { token, frame } => {
                    self.ports[me].hear(from);
                    return Some(Delivery::Request { from: sender, token, frame });
                }
                Letter::Gone(reason) if self.ports[me].unhear(from) => {
                    return Some(Delivery::gone(sender, reason));
                }
                Letter::Gone(_) => {}
            }
        }
    }

    /// Takes note of what a process says after an event, and of the event in the trace.
    pub(crate) fn delivered(&mut self, me: usize, delivery: Delivery, deadline: Option<Mono>) {
        delivery.note(&mut self.trace, self.clock.exact(), me);
        let now = self.clock.exact();
        let mut wake = deadline.map(|at| self.clock.fires(at));
        let idle = matches!(delivery, Delivery::Wake) && wake.is_some_and(|at| at <= now);
        if idle {
            // Let something else happen: as a port does that looks around between two wakes.
            wake = Some(Mono(self.clock.fires(Mono(now.0 + 1)).0.max(now.0 + 1_000)));
        }
        let port = &mut self.ports[me];
        port.wake = wake;
        port.idle_wakes = if idle { port.idle_wakes + 1 } else { 0 };
        assert!(port.idle_wakes < IDLE_WAKES_MAX, "{} never sleeps", port.name);
        match delivery {
            Delivery::Request { frame, .. } | Delivery::Completion { result: Ok(frame), .. } => {
                self.give_back(frame);
            }
            _ => {}
        }
    }

    // Links.

    /// Takes up what client libraries have done since the last time.
    pub(crate) fn pump_links(&mut self) {
        for at in 0..self.links.len() {
            while let Some(news) = self.links[at].news() {
                self.take_up(at, news);
            }
        }
    }

    fn take_up(&mut self, at: usize, news: LinkNews) {
        let LinkEnd { name, rights, to, life, .. } = self.links[at];
        match (news, life) {
            (LinkNews::Began, _) => {
                let life = self.begin_life(Owner::Link(at), name, rights);
                self.links[at].life = Some(life);
            }
            (LinkNews::Ended, Some(life)) => {
                self.links[at].life = None;
                self.end_life(life, ExitReason::Disconnected);
            }
            (LinkNews::Frame(frame), Some(life)) => {
                let number = self.links[at].number();
                // A link to a dead service is broken already, so there is somebody.
                let sent = self.send(life, to, Back::Link(number), &frame);
                assert!(sent.is_ok(), "a link outlived its service");
            }
            (LinkNews::Ended | LinkNews::Frame(_), None) => {}
        }
    }

    // Odds and ends.

    pub(crate) fn print(&mut self, me: usize, text: &str) {
        let at = self.clock.read().mono;
        self.trace.bytes(text.as_bytes());
        self.console.push(Line { at, process: self.ports[me].name.clone(), text: text.to_owned() });
    }

    fn copy(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut buffer = self.pool.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(frame);
        buffer
    }

    pub(crate) fn give_back(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() > 0 && self.pool.len() < POOL_MAX {
            self.pool.push(buffer);
        }
    }
}
