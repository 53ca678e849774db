//! The world as a service on Linux sees it: connections, answers, calls.

use std::io::{self, IoSlice, Write as _};
use std::os::fd::OwnedFd;

use nexus_abi::{ExitReason, FRAME_BYTES_MAX, Incarnation, Sender, SenderId, ServiceId};
use nexus_bounded::{Mono, Nanos, Slab, SlotId};
use nexus_port::{CallId, Now, SubmitError, Token, World};
use nexus_recipe::{MemoryLine, PortLimits};

use super::Config;
use super::calls::Calls;

use super::counters::Counters;
use super::disk::Disk;
use super::identity::{Identity, Peer};
use super::outbox::{Outbox, Queue};
use super::poller::{Poller, Source};
use super::senders::Senders;
use crate::linux::clock::{Clock, monotonic};
use crate::linux::socket::{self, FrameBuffer, Received};

/// Bytes of answers that the kernel keeps for one connection before [`Outbox`] does.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

struct Connection {
    socket: OwnedFd,
    from: Sender,
    sender: SlotId,
    /// Tells this connection from earlier ones in the same slot.
    generation: u32,
    last_frame: Mono,
    waiting: Queue,
    /// When the oldest of `waiting` began to wait.
    waiting_since: Mono,
    /// Whether the service has had a frame of it.
    spoke: bool,
    doomed: bool,
}

/// The last acknowledgement of the connection whose turn it is, not sent yet.
struct Ack {
    to: Option<Token>,
    /// Holds any frame without growing.
    frame: Vec<u8>,
}

/// What a turn of the loop came to.
#[derive(Clone, Copy, Default)]
pub(super) struct Turn {
    /// Frames handed to the service.
    pub(super) frames: u32,
    /// Answers that somebody may be waiting for; acknowledgements do not count.
    pub(super) replies: u32,
    /// Connections that may have more to say.
    pub(super) unfinished: u32,
    /// Whether the service was woken.
    pub(super) woken: bool,
}

/// What reading a connection came to.
pub(super) enum Input {
    Frame { from: Sender, token: Token, at: Now, len: usize },
    Nothing,
}

/// A connection's end, to be told to the service.
pub(super) struct Gone {
    pub(super) id: SenderId,
    pub(super) incarnation: Incarnation,
    pub(super) reason: ExitReason,
}

pub(super) struct Port {
    pub(super) poller: Poller,
    pub(super) clock: Clock,
    pub(super) counters: Counters,
    pub(super) calls: Calls,
    /// The disk thread, if there is one.
    pub(super) disk: Option<Disk>,
    pub(super) turn: Turn,
    limits: PortLimits,
    identity: Identity,
    connections: Slab<Connection>,
    generation: u32,
    senders: Senders,
    outbox: Outbox,
    ack: Ack,
    /// Connections at their end that the service has not been told of.
    doomed: Vec<SlotId>,
}

fn slot_of(token: Token) -> SlotId {
    SlotId((token.raw() & u64::from(u32::MAX)) as u32)
}

/// What a port of these limits takes.
pub(super) fn memory(limits: &PortLimits) -> Vec<MemoryLine> {
    let line = |what, count: u32, bytes_each: usize| MemoryLine {
        what,
        count: u64::from(count),
        bytes_each: bytes_each as u64,
    };
    let connection = Slab::<Connection>::bytes(1) + size_of::<SlotId>();
    vec![
        line("connections", limits.connections, connection),
        line("connected senders", limits.connections.saturating_add(1), Senders::BYTES_EACH),
        line("waiting answers", limits.pending_replies, Outbox::bytes(1)),
    ]
}

impl Port {
    pub(super) fn new(config: &Config, identity: Identity) -> io::Result<Self> {
        let limits = config.limits.clone();
        Ok(Self {
            poller: Poller::new()?,
            clock: Clock::new(),
            counters: Counters::default(),
            calls: Calls::new(&config.run_dir, config.name, config.callees)?,
            disk: None,
            turn: Turn::default(),
            identity,
            connections: Slab::new(limits.connections),
            generation: 0,
            senders: Senders::new(limits.connections),
            outbox: Outbox::new(limits.pending_replies),
            ack: Ack { to: None, frame: Vec::with_capacity(FRAME_BYTES_MAX) },
            doomed: Vec::with_capacity(limits.connections as usize),
            limits,
        })
    }

    pub(super) fn limits(&self) -> &PortLimits {
        &self.limits
    }

    /// Who is at the other end of `socket`.
    pub(super) fn identify(
        &mut self,
        socket: &OwnedFd,
        served: Option<ServiceId>,
    ) -> io::Result<Peer> {
        self.identity.of(socket, served)
    }

    /// Dooms a connection if there is no place for one more of `service`.
    pub(super) fn make_room(&mut self, service: ServiceId) {
        let own = self.senders.connections(service) >= self.limits.connections_per_sender;
        let sender = if own {
            self.senders.find(service)
        } else if self.connections.len() == self.connections.capacity() {
            self.senders.busiest()
        } else {
            None
        };
        let of_sender = self.connections.iter().filter(|(_, c)| Some(c.sender) == sender);
        let idlest = of_sender.min_by_key(|(_, c)| c.last_frame).map(|(slot, _)| slot);
        if let Some(slot) = idlest {
            self.counters.evicted += 1;
            self.doom(slot);
        }
    }

    /// Takes `socket` in. There must be room.
    pub(super) fn admit(&mut self, socket: OwnedFd, peer: Peer) -> io::Result<()> {
        rustix::net::sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER_BYTES / 2)?;
        let (sender, incarnation) =
            self.senders.join(peer.service).ok_or(io::ErrorKind::StorageFull)?;
        self.generation = self.generation.wrapping_add(1);
        let now = monotonic();
        let connection = Connection {
            socket,
            from: Sender::stamped(peer.service, peer.pid, incarnation, peer.rights),
            sender,
            generation: self.generation,
            last_frame: now,
            waiting: Queue::EMPTY,
            waiting_since: now,
            spoke: false,
            doomed: false,
        };
        let slot = self.connections.insert(connection);
        let slot = slot.map_err(|_| io::Error::from(io::ErrorKind::StorageFull));
        let watched = slot.and_then(|slot| {
            let connection = self.connections.get(slot).ok_or(io::ErrorKind::NotFound)?;
            self.poller.add(&connection.socket, Source::Connection(slot)).inspect_err(|_| {
                self.connections.remove(slot);
            })
        });
        watched.inspect_err(|_| self.senders.leave(sender))?;
        self.counters.accepted += 1;
        Ok(())
    }

    /// Whether the connection in `slot` has answers that wait.
    pub(super) fn is_waiting(&self, slot: SlotId) -> bool {
        self.connections.get(slot).is_some_and(|c| !c.waiting.is_empty())
    }

    /// Takes the next frame of the connection in `slot`.
    pub(super) fn receive(&mut self, slot: SlotId, buffer: &mut FrameBuffer) -> Input {
        let Some(connection) = self.connections.get_mut(slot) else { return Input::Nothing };
        if connection.doomed || !connection.waiting.is_empty() {
            return Input::Nothing;
        }
        let len = match socket::receive(&connection.socket, buffer) {
            Ok(Received::Frame(len)) => len,
            Ok(Received::Oversized) => {
                self.counters.oversized += 1;
                0
            }
            Ok(Received::Nothing) => return Input::Nothing,
            Ok(Received::End) => {
                self.counters.ended += 1;
                self.doom(slot);
                return Input::Nothing;
            }
            Err(_) => {
                self.counters.broken += 1;
                self.doom(slot);
                return Input::Nothing;
            }
        };
        self.counters.frames += 1;
        self.turn.frames += 1;
        let at = self.clock.now();
        connection.last_frame = at.mono;
        connection.spoke = true;
        let token = (u64::from(connection.generation) << 32) | u64::from(slot.0);
        Input::Frame { from: connection.from, token: Token::from_raw(token), at, len }
    }

    /// Sends what waits for the connection in `slot`, as far as it takes it. Then it is read again.
    pub(super) fn flush(&mut self, slot: SlotId) {
        let now = monotonic();
        let Some(connection) = self.connections.get_mut(slot).filter(|c| !c.doomed) else { return };
        while let Some(frame) = self.outbox.first(connection.waiting) {
            match socket::send(&connection.socket, frame) {
                Ok(()) => connection.waiting_since = now,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Nobody takes answers any more; what was sent before may still be read.
                Err(_) => self.counters.replies_gone += 1,
            }
            self.outbox.pop(&mut connection.waiting);
        }
        if self.poller.want_read(&connection.socket, Source::Connection(slot)).is_err() {
            self.counters.broken += 1;
            self.doom(slot);
        }
    }

    /// Sends the acknowledgement that was kept back, if there is one.
    pub(super) fn flush_ack(&mut self) {
        let Some(token) = self.ack.to.take() else { return };
        let frame = std::mem::take(&mut self.ack.frame);
        self.send(token, &frame);
        self.ack.frame = frame;
    }

    /// When the connection that has waited longest is cut off.
    pub(super) fn slow_deadline(&self) -> Option<Mono> {
        let (_, since) = self.longest_waiting()?;
        Some(since.after(self.limits.slow_reader))
    }

    /// Cuts off connections that have not taken their answers in time.
    pub(super) fn cut_slow(&mut self, now: Mono) {
        while let Some((slot, since)) = self.longest_waiting() {
            if now.since(since) < self.limits.slow_reader {
                return;
            }
            self.counters.slow_cut += 1;
            self.doom(slot);
        }
    }

    /// Removes the connections that are at their end, up to and including one that the service
    /// knows of.
    pub(super) fn bury(&mut self) -> Option<Gone> {
        while let Some(slot) = self.doomed.pop() {
            let Some(connection) = self.connections.remove(slot) else { continue };
            self.senders.leave(connection.sender);
            let Sender { id, incarnation, .. } = connection.from;
            if connection.spoke {
                return Some(Gone { id, incarnation, reason: ExitReason::Disconnected });
            }
        }
        None
    }

    fn longest_waiting(&self) -> Option<(SlotId, Mono)> {
        let waiting = self.outbox.owners().filter_map(|slot| {
            let connection = self.connections.get(slot)?;
            Some((slot, connection.waiting_since))
        });
        waiting.min_by_key(|(_, since)| *since)
    }

    /// The slot of the connection that `token` came from; counts an answer to one that is gone.
    fn live(&mut self, token: Token) -> Option<SlotId> {
        let slot = slot_of(token);
        let generation = token.raw() >> 32;
        let live = self
            .connections
            .get(slot)
            .is_some_and(|c| !c.doomed && u64::from(c.generation) == generation);
        if !live {
            self.counters.replies_gone += 1;
        }
        live.then_some(slot)
    }

    fn send(&mut self, token: Token, frame: &[u8]) {
        let Some(slot) = self.live(token) else { return };
        let Some(connection) = self.connections.get(slot) else { return };
        if connection.waiting.is_empty() {
            match socket::send(&connection.socket, frame) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    self.counters.replies_gone += 1;
                    return;
                }
            }
        }
        self.park(slot, frame);
    }

    /// Keeps `frame` until the connection in `slot` takes it. If too many answers wait, the
    /// connection whose answers have waited longest loses them and itself.
    fn park(&mut self, slot: SlotId, frame: &[u8]) {
        if self.outbox.is_full()
            && let Some((longest, _)) = self.longest_waiting()
        {
            self.counters.crowded_cut += 1;
            self.doom(longest);
        }
        let now = monotonic();
        let Some(connection) = self.connections.get_mut(slot).filter(|c| !c.doomed) else {
            self.counters.replies_gone += 1;
            return;
        };
        if connection.waiting.is_empty() {
            connection.waiting_since = now;
        }
        let kept = self.outbox.push(&mut connection.waiting, slot, frame)
            && self.poller.want_write(&connection.socket, Source::Connection(slot)).is_ok();
        if !kept {
            self.counters.broken += 1;
            self.doom(slot);
        }
    }

    /// Ends the connection in `slot`; the loop tells the service.
    fn doom(&mut self, slot: SlotId) {
        let Some(connection) = self.connections.get_mut(slot).filter(|c| !c.doomed) else { return };
        connection.doomed = true;
        while self.outbox.pop(&mut connection.waiting) {
            self.counters.replies_gone += 1;
        }
        self.doomed.push(slot);
    }
}

impl World for Port {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        assert!(frame.len() <= FRAME_BYTES_MAX, "a service answers with frames");
        self.flush_ack();
        self.turn.replies += 1;
        self.send(token, frame);
    }

    fn acknowledge(&mut self, token: Token, frame: &[u8]) {
        assert!(frame.len() <= FRAME_BYTES_MAX, "a service answers with frames");
        match self.ack.to {
            Some(earlier) if earlier == token => self.counters.acks_merged += 1,
            _ => self.flush_ack(),
        }
        self.ack.to = Some(token);
        self.ack.frame.clear();
        self.ack.frame.extend_from_slice(frame);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        match &self.disk {
            Some(disk) if disk.serves(to) => disk.submit(call, frame),
            _ => self.calls.submit(&self.poller, to, call, frame),
        }
    }

    fn print(&mut self, line: &str) {
        let parts = [IoSlice::new(line.as_bytes()), IoSlice::new(b"\n")];
        // One call, so that lines of several daemons do not mix. A console that is gone must not
        // stop the service.
        drop(io::stderr().lock().write_vectored(&parts));
    }

    fn port_status(&self, out: &mut dyn FnMut(&str, u64)) {
        out("port_connections", u64::from(self.connections.len()));
        let busiest = self.senders.most_accepted();
        out("port_busiest_accepted", busiest.map_or(0, |(_, accepted)| accepted));
        out("port_busiest_sender", busiest.map_or(0, |(service, _)| service.raw()));
        self.counters.visit(out);
        self.disk.iter().for_each(|disk| disk.status(out));
    }
}

/// The time from `now` to the first of `deadlines`.
pub(super) fn time_to(now: Mono, deadlines: &[Option<Mono>]) -> Option<Nanos> {
    deadlines.iter().flatten().min().map(|deadline| deadline.since(now))
}
