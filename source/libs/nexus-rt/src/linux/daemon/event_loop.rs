//! The loop: waits, hands the service one event after another, carries out what follows.

use std::io::{self, Write as _};

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::{Mono, Nanos, SlotId};
use nexus_port::{CallError, Event, Now, Service};
use rustix::event::PollFlags;
use rustix::net::{SocketFlags, accept_with};

use super::calls::Answer;
use super::disk::Disk;
use super::ending::{Ended, Ending};
use super::notify::Manager;
use super::poller::{Ready, Source};
use super::port::{Input, Port, Turn, time_to};
use super::run_dir::Listener;
use super::signals::Signals;
use crate::linux::clock::monotonic;
use crate::linux::socket::{self, FrameBuffer};

/// Connections accepted at one socket before others have their turn.
///
/// No budget is charged for them: who connects is known only once the connection is taken, and by
/// then refusing it would cost as much as it did. What bounds a storm of connections is this number
/// for every turn of the loop, in which whoever has sent something is read as well; that the
/// storm's connections displace each other and not those of senders that hold fewer; and that
/// services with a socket of their own do not queue behind it. Status says who connects most.
const ACCEPTS_PER_TURN: u32 = 64;
/// Pause of accepting when descriptors or memory ran out.
const ACCEPT_PAUSE: Nanos = Nanos::from_millis(100);
pub(super) struct EventLoop<S> {
    service: S,
    port: Port,
    listeners: Box<[Listener]>,
    signals: Signals,
    manager: Manager,
    ready: Ready,
    frame: Box<FrameBuffer>,
    ending: Ending,
    accept_again: Option<Mono>,
}

/// What is left at the end.
pub(super) struct Left<S> {
    pub(super) service: S,
    /// Whether the disk thread has made durable what it was given.
    pub(super) is_all_kept: bool,
}

impl<S: Service> EventLoop<S> {
    pub(super) fn new(
        service: S,
        port: Port,
        signals: Signals,
        listeners: Box<[Listener]>,
    ) -> io::Result<Self> {
        port.poller.add(&signals, Source::Signal)?;
        for (at, listener) in (0..).zip(&listeners) {
            port.poller.add(&listener.socket, Source::Listener(at))?;
        }
        Ok(Self {
            service,
            port,
            listeners,
            signals,
            manager: Manager::new(),
            ready: Ready::new(),
            frame: Box::new([0; FRAME_BYTES_MAX]),
            ending: Ending::none(),
            accept_again: None,
        })
    }

    /// Serves until the end; gives how that was, and what is left then.
    pub(super) fn run(mut self) -> io::Result<(Ended, Left<S>)> {
        self.manager.say("READY=1\nSTATUS=serving");
        loop {
            let Self { service, port, ending, .. } = &mut self;
            let is_done = || service.stopped() && port.disk.as_mut().is_none_or(Disk::stop);
            if let Some(ended) = ending.over(monotonic(), is_done) {
                let is_all_kept = self.port.disk.is_none_or(|disk| disk.is_over());
                return Ok((ended, Left { service: self.service, is_all_kept }));
            }
            self.turn()?;
            self.nap()?;
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        self.port.poller.wait(&mut self.ready, timeout)?;
        self.port.clock.turn();
        self.port.turn = Turn::default();
        for at in 0..self.ready.len() {
            match self.ready.get(at) {
                Some(Source::Listener(at)) => self.accept(at),
                Some(Source::Connection(slot)) => self.connection(slot),
                Some(Source::Signal) => self.signalled()?,
                Some(Source::Callee(at)) => self.completions(at as usize),
                Some(Source::Disk) => self.disk(),
                None => {}
            }
        }
        if self.port.calls.any_died() {
            (0..self.port.calls.len()).for_each(|at| self.completions(at));
        }
        self.timers();
        Ok(())
    }

    /// How long nothing need be done by itself; `None` for ever.
    fn timeout(&self) -> Option<Nanos> {
        let now = monotonic();
        let died = self.port.calls.any_died().then_some(now);
        let deadlines = [
            self.service.deadline(),
            self.port.slow_deadline(),
            self.manager.deadline(),
            self.accept_again,
            self.ending.deadline(now),
            died,
        ];
        time_to(now, &deadlines)
    }

    /// Hands over an event that borrows nothing of ours.
    fn deliver(&mut self, event: Event<'_>) {
        let now = self.port.clock.now();
        hand_over(&mut self.service, now, event, &mut self.port);
        self.settle();
    }

    /// Sends what was kept back, and tells the service of connections that ended meanwhile.
    fn settle(&mut self) {
        self.port.flush_ack();
        while let Some(gone) = self.port.bury() {
            let event =
                Event::PeerGone { id: gone.id, incarnation: gone.incarnation, reason: gone.reason };
            let now = self.port.clock.now();
            hand_over(&mut self.service, now, event, &mut self.port);
            self.port.flush_ack();
        }
    }

    fn connection(&mut self, slot: SlotId) {
        if self.port.is_waiting(slot) {
            self.port.flush(slot);
        }
        for _ in 0..self.port.limits().frames_per_turn {
            let input = self.port.receive(slot, &mut self.frame);
            let Input::Frame { from, token, at, len } = input else { return self.settle() };
            self.wake(at);
            let event = Event::Request { from, token, frame: &self.frame[..len] };
            hand_over(&mut self.service, at, event, &mut self.port);
        }
        self.port.turn.unfinished += 1;
        self.settle();
    }

    fn accept(&mut self, at: u32) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = self.listeners.get(at as usize) else { return };
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match accept_with(&listener.socket, flags) {
                Ok(socket) => {
                    let peer = self.port.identify(&socket, listener.served);
                    let admitted = peer.and_then(|peer| {
                        self.port.make_room(peer.service);
                        self.settle();
                        self.port.admit(socket, peer)
                    });
                    if admitted.is_err() {
                        self.port.counters.refused += 1;
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return,
                Err(
                    rustix::io::Errno::MFILE
                    | rustix::io::Errno::NFILE
                    | rustix::io::Errno::NOBUFS
                    | rustix::io::Errno::NOMEM,
                ) => return self.pause_accepting(),
                // A connection that was given up while it waited.
                Err(_) => {}
            }
        }
        self.port.turn.unfinished += 1;
    }

    /// Leaves who wants to connect waiting, so that the loop does not spin on what it cannot take.
    fn pause_accepting(&mut self) {
        self.port.counters.accept_pauses += 1;
        for (at, listener) in (0..).zip(&self.listeners) {
            let source = Source::Listener(at);
            if self.port.poller.want_nothing(&listener.socket, source).is_err() {
                self.port.counters.broken += 1;
            }
        }
        self.accept_again = Some(monotonic().after(ACCEPT_PAUSE));
    }

    fn accept_again(&mut self) {
        self.accept_again = None;
        for (at, listener) in (0..).zip(&self.listeners) {
            let source = Source::Listener(at);
            if self.port.poller.want_read(&listener.socket, source).is_err() {
                self.port.counters.broken += 1;
            }
        }
    }

    /// Hands over what came back from the callee of this number.
    fn completions(&mut self, at: usize) {
        for _ in 0..self.port.limits().frames_per_turn {
            let port = &mut self.port;
            let answer = port.calls.receive(at, &mut self.frame, &mut port.counters);
            let Some(answer) = answer else { break };
            self.completed(&answer);
        }
        self.settle();
    }

    /// Hands over what came back from the disk thread, and says if it has died.
    fn disk(&mut self) {
        self.port.disk.iter().for_each(Disk::woken);
        // An answer that comes meanwhile wakes us again.
        for _ in 0..Disk::ANSWERS_MAX {
            let answer = self.port.disk.as_ref().and_then(|disk| disk.receive(&mut self.frame));
            let Some(answer) = answer else { break };
            self.completed(&answer);
        }
        if let Some(obituary) = self.port.disk.as_mut().and_then(Disk::obituary) {
            // A console that is gone must not stop the service.
            drop(writeln!(io::stderr(), "{obituary}"));
        }
        self.settle();
    }

    /// Hands over the end of a call, whose answer lies in our frame.
    fn completed(&mut self, answer: &Answer) {
        let (call, result) = match *answer {
            Answer::Died(call) => (call, Err(CallError::PeerDied)),
            Answer::Frame(call, len) => (call, Ok(&self.frame[..len])),
        };
        let event = Event::Completion { call, result };
        hand_over(&mut self.service, self.port.clock.now(), event, &mut self.port);
        self.port.turn.replies += 1;
    }

    /// Wakes the service if it is due, once a turn.
    fn wake(&mut self, now: Now) {
        let due = self.service.deadline().is_some_and(|deadline| deadline <= now.mono);
        if due && !self.port.turn.woken {
            self.port.turn.woken = true;
            hand_over(&mut self.service, now, Event::Wake, &mut self.port);
        }
    }

    fn timers(&mut self) {
        self.wake(self.port.clock.now());
        let now = monotonic();
        self.port.cut_slow(now);
        self.settle();
        if self.accept_again.is_some_and(|at| at <= now) {
            self.accept_again();
        }
        self.manager.alive(now);
        let Turn { frames, unfinished, .. } = self.port.turn;
        if self.ending.tell(now, frames == 0 && unfinished == 0) {
            self.deliver(Event::Stop);
        }
    }

    fn signalled(&mut self) -> io::Result<()> {
        self.signals.drain()?;
        if self.ending.begin(monotonic()) {
            self.manager.say("STOPPING=1");
        }
        Ok(())
    }

    /// Lets frames gather while all that comes in wants no more than acknowledgements. Whoever
    /// waits for an answer is not made to wait, and what is known to be there is taken first.
    fn nap(&mut self) -> io::Result<()> {
        let Turn { frames, replies, unfinished, .. } = self.port.turn;
        if !self.ending.is_serving() || frames == 0 || replies > 0 || unfinished > 0 {
            return Ok(());
        }
        let now = monotonic();
        let end = now.after(self.port.limits().drain_interval);
        let deadlines = [Some(end), self.service.deadline(), self.manager.deadline()];
        let Some(time) = time_to(now, &deadlines) else { return Ok(()) };
        self.port.counters.naps += 1;
        // Woken early or not, the next turn looks at everything.
        socket::wait(&self.signals, PollFlags::IN, time)
    }
}

/// Gives the service an event, and in debug builds sees to it that the service is sound afterwards.
fn hand_over(service: &mut impl Service, now: Now, event: Event<'_>, port: &mut Port) {
    service.handle(now, event, port);
    if cfg!(debug_assertions) {
        service.check_invariants();
    }
}
