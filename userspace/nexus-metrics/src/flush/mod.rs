//! The flusher: brings what a process records to metricsd, exactly once where that is possible,
//! and counted where it is not.
//!
//! A state machine without clock or socket: a port calls [`Flusher::poll`] with the time and a
//! [`Transport`], and calls it again when a reply has come or the returned time has. It connects,
//! says HELLO, registers series, and every interval sends BATCHes of what has changed. Several
//! BATCHes are under way at a time; each is kept until it is acknowledged and sent again byte by
//! byte if need be. After a broken connection it asks metricsd to go on with the same life; if
//! metricsd has begun anew (another epoch), totals are told again from the beginning, first what
//! they were when it went, so that nothing is twice in what it keeps; if it is the same but has
//! given up our life, what was under way counts as lost rather than twice.

mod draft;
mod outbox;
mod pace;
mod pending;
mod sending;
mod spans;
mod table;

use alloc::boxed::Box;
use alloc::vec;
use core::ops::Deref;

use nexus_abi::{FRAME_BYTES_MAX, Incarnation, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_port::Transport;
use nexus_wire::metrics::{BatchAck, HelloReply, Recorded, Reply, Request, Resume, encode};
use nexus_wire::{LossReason, MetricStatus};

use crate::client::Client;
use crate::threads;
use outbox::Outbox;
pub use pace::Pace;
use pending::{Asked, Pending};
use spans::Spans;
use table::{Since, Table};

/// BATCHes say at most this many things, so that a sender's burst budget can hold one.
const ITEMS_PER_BATCH: u32 = 128;
/// After refused items all ids are asked for again, but not more often than this.
const DOUBT_INTERVAL: Nanos = Nanos::from_secs(10);
/// Pause before a BATCH that was refused for the moment is sent again; doubled up to the maximum.
const PAUSE_MIN: Nanos = Nanos::from_millis(50);
const PAUSE_MAX: Nanos = Nanos::from_secs(2);
/// Pause before a frame that the transport did not take is offered again.
const FULL_PAUSE: Nanos = Nanos::from_millis(10);

/// See the module.
pub struct Flusher<C> {
    client: C,
    pace: Pace,
    /// The process that made it: a forked child must not use its parent's connection.
    process: u32,
    link: Link,
    life: Option<Life>,
    /// Why the next life cannot be this one; then it is not asked for.
    spoiled: Option<LossReason>,
    pending: Pending,
    outbox: Outbox,
    table: Table,
    spans: Spans,
    flush: Flush,
    /// What was recorded in all when the flush began; `None` if not all series had ids then.
    recorded: Option<Recorded>,
    /// To be added to the client's times; known from the first poll on.
    offset: Option<u64>,
    retry: Nanos,
    pause: Nanos,
    paused_until: Mono,
    /// How often the outbox was sent from its beginning.
    pass: u32,
    refused_items: u32,
    doubt_again_at: Mono,
    frame: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Link {
    Down { retry_at: Mono },
    Greeting,
    Up { items_per_batch: u32 },
}

/// As whom metricsd knows us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Life {
    epoch: u32,
    incarnation: Incarnation,
    service: ServiceId,
}

/// How far a flush is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flush {
    Waiting { next_at: Mono },
    Running { next: Step, then: Mono },
}

/// What a flush tells next. The order is that of BATCH: values first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Values(usize),
    Histograms(usize),
    Recorded,
    Losses,
    Spans(usize),
}

const FIRST_STEP: Step = Step::Values(0);

impl<C: Deref<Target = Client>> Flusher<C> {
    /// A flusher for what `client` records, from its beginning on.
    pub fn new(client: C, pace: Pace) -> Self {
        Self::build(client, pace, false)
    }

    /// A flusher for a forked child: without what was recorded before, which is its parent's.
    pub fn for_forked_child(client: C, pace: Pace) -> Self {
        Spans::discard(&client);
        Self::build(client, pace, true)
    }

    fn build(client: C, pace: Pace, counts_from_here: bool) -> Self {
        client.set_life(None);
        Self {
            process: threads::process(),
            link: Link::Down { retry_at: Mono(0) },
            life: None,
            spoiled: None,
            pending: Pending::new(),
            outbox: Outbox::new(),
            table: Table::new(&client, counts_from_here),
            spans: Spans::new(),
            flush: Flush::Waiting { next_at: Mono(0) },
            recorded: None,
            offset: None,
            retry: pace.retry_min,
            pause: PAUSE_MIN,
            paused_until: Mono(0),
            pass: 0,
            refused_items: 0,
            doubt_again_at: Mono(0),
            frame: vec![0; FRAME_BYTES_MAX].into_boxed_slice(),
            client,
            pace,
        }
    }

    /// Does what can be done at `now` without waiting. Returns when to call again at the latest;
    /// a reply that comes earlier is a reason to call earlier.
    pub fn poll(&mut self, now: Mono, transport: &mut impl Transport) -> Mono {
        if threads::process() != self.process {
            return now.after(self.pace.retry_max);
        }
        self.offset.get_or_insert(self.client.offset(now));
        self.take_replies(now, transport);
        self.give_up_if_silent(now, transport);
        self.connect_if_due(now, transport);
        let full = matches!(self.link, Link::Up { .. }) && !self.work(now, transport);
        self.deadline(now, full)
    }

    /// Asks for a flush now, of everything recorded so far: see [`Self::is_settled`].
    pub const fn request_flush(&mut self, now: Mono) {
        match &mut self.flush {
            Flush::Waiting { next_at: next } | Flush::Running { then: next, .. } => *next = now,
        }
    }

    /// Whether everything that the last flush found has been acknowledged and none is due. False
    /// while metricsd is away.
    #[must_use]
    pub fn is_settled(&self, now: Mono) -> bool {
        let due = match self.flush {
            Flush::Waiting { next_at } => next_at <= now,
            Flush::Running { .. } => true,
        };
        let up = matches!(self.link, Link::Up { .. });
        up && !due && self.outbox.is_empty() && self.table.is_registered()
    }

    /// As whom metricsd knows this process, once it has said so.
    #[must_use]
    pub fn service(&self) -> Option<ServiceId> {
        self.life.map(|life| life.service)
    }

    fn deadline(&self, now: Mono, full: bool) -> Mono {
        if full {
            return now.after(FULL_PAUSE);
        }
        let timeout = self.pending.oldest().map(|sent| sent.after(self.pace.reply_timeout));
        let next = match (self.link, self.flush) {
            (Link::Down { retry_at }, _) => retry_at,
            (Link::Greeting, _) => now.after(self.pace.reply_timeout),
            (Link::Up { .. }, _) if self.paused_until > now => self.paused_until,
            (Link::Up { .. }, Flush::Waiting { next_at }) if next_at > now => next_at,
            // Replies to what is under way come first.
            (Link::Up { .. }, _) => now.after(self.pace.interval),
        };
        timeout.map_or(next, |timeout| timeout.min(next)).max(now)
    }

    // --- the connection ---

    fn connect_if_due(&mut self, now: Mono, transport: &mut impl Transport) {
        let Link::Down { retry_at } = self.link else { return };
        if now < retry_at {
            return;
        }
        let greeted = transport.connect().is_ok() && self.greet(now, transport);
        if greeted {
            self.link = Link::Greeting;
        } else {
            self.disconnect(now, transport);
        }
    }

    fn greet(&mut self, now: Mono, transport: &mut impl Transport) -> bool {
        let resume = |life: Life| Resume { epoch: life.epoch, incarnation: life.incarnation };
        let life = self.life.filter(|_| self.spoiled.is_none());
        let hello = Request::Hello(life.map(resume));
        let nonce = self.pending.nonce();
        let Ok(frame) = encode(&hello, nonce, &mut self.frame) else { return false };
        let sent = transport.send(frame).is_ok();
        if sent {
            self.pending.push(nonce, now, Asked::Hello);
        }
        sent
    }

    fn disconnect(&mut self, now: Mono, transport: &mut impl Transport) {
        transport.close();
        self.pending.clear();
        self.outbox.rewind();
        self.table.forget_asked();
        self.link = Link::Down { retry_at: now.after(self.retry) };
        self.retry = Nanos(self.retry.0.saturating_mul(2)).min(self.pace.retry_max);
    }

    fn give_up_if_silent(&mut self, now: Mono, transport: &mut impl Transport) {
        let silent = |sent: Mono| now.since(sent) >= self.pace.reply_timeout;
        if self.pending.oldest().is_some_and(silent) {
            self.disconnect(now, transport);
        }
    }

    // --- replies ---

    fn take_replies(&mut self, now: Mono, transport: &mut impl Transport) {
        let mut buffer = core::mem::take(&mut self.frame);
        while !matches!(self.link, Link::Down { .. }) {
            let understood = match transport.receive(&mut buffer) {
                Ok(None) => break,
                Ok(Some(len)) => buffer.get(..len).is_some_and(|frame| self.take(now, frame)),
                Err(_) => false,
            };
            if !understood {
                self.disconnect(now, transport);
            }
        }
        self.frame = buffer;
    }

    /// Handles one reply; `false` if the connection is of no use any more.
    fn take(&mut self, now: Mono, frame: &[u8]) -> bool {
        let Some((asked, status, reply)) = self.pending.settle(frame) else { return false };
        match (asked, reply) {
            (Asked::Hello, Reply::Hello(hello)) => self.begin(now, &hello),
            (Asked::Hello, _) => return false,
            (Asked::Register(at), Reply::Registered(given)) => {
                let folded = status == MetricStatus::Folded;
                if !self.table.registered(at, given.series, folded, given.bounds()) {
                    self.client.losses().add(LossReason::Refused, 1);
                }
            }
            (Asked::Register(at), _) => self.not_registered(now, at, status),
            (Asked::Batch { pass }, Reply::Batch(ack)) => {
                return self.acked(now, pass, status, ack);
            }
            (Asked::Batch { .. }, _) => {
                // Our own frame is not legal to metricsd: begin a new life without it.
                self.spoiled = Some(LossReason::Refused);
                return false;
            }
        }
        true
    }

    /// metricsd has said who we are.
    fn begin(&mut self, now: Mono, hello: &HelloReply) {
        let &HelloReply { epoch, incarnation, service, .. } = hello;
        let goes_on = hello.resumed && self.outbox.acknowledge(hello.applied_seq).is_some();
        if !goes_on {
            self.begin_life(epoch);
            self.flush = Flush::Waiting { next_at: now };
        }
        self.client.set_life((!goes_on).then_some((epoch, incarnation)));
        self.life = Some(Life { epoch, incarnation, service });
        self.link = Link::Up { items_per_batch: hello.events_per_s.clamp(1, ITEMS_PER_BATCH) };
        self.retry = self.pace.retry_min;
        self.pause = PAUSE_MIN;
        self.paused_until = now;
    }

    /// Nothing of an earlier life holds any more.
    fn begin_life(&mut self, epoch: u32) {
        let dropped = self.outbox.reset();
        let anew = self.life.is_some_and(|life| life.epoch != epoch);
        // To a metricsd that begins anew totals are told again; elsewhere they might count twice.
        let (since, totals) =
            if anew { (Since::Origin, 0) } else { (Since::Queued, dropped.totals) };
        let lost = self.spoiled.take().unwrap_or(LossReason::ConnectionLost);
        self.client.losses().add(lost, totals + dropped.spans);
        self.table.begin_life(since);
        self.spans.forget_announced();
        self.refused_items = 0;
    }

    fn not_registered(&mut self, now: Mono, at: usize, status: MetricStatus) {
        if is_for_now(status) {
            self.table.ask_again(at);
            self.hold(now);
        } else {
            self.table.refuse(at);
            self.client.losses().add(LossReason::Refused, 1);
        }
    }

    /// `false` if metricsd has lost our life.
    fn acked(&mut self, now: Mono, pass: u32, status: MetricStatus, ack: BatchAck) -> bool {
        match self.outbox.acknowledge(ack.applied_seq) {
            // Less than what was acknowledged before.
            None => return false,
            Some(0) => {}
            Some(_) => self.pause = PAUSE_MIN,
        }
        if ack.refused_items != self.refused_items && now >= self.doubt_again_at {
            self.table.doubt_ids();
            self.recorded = None;
            self.doubt_again_at = now.after(DOUBT_INTERVAL);
        }
        self.refused_items = ack.refused_items;
        if pass == self.pass && status != MetricStatus::Ok {
            self.pass = self.pass.wrapping_add(1);
            self.outbox.rewind();
            self.hold(now);
        }
        true
    }

    fn hold(&mut self, now: Mono) {
        self.paused_until = now.after(self.pause);
        self.pause = Nanos(self.pause.0.saturating_mul(2)).min(PAUSE_MAX);
    }
}

/// Whether a refusal may pass by itself.
const fn is_for_now(status: MetricStatus) -> bool {
    matches!(status, MetricStatus::RateLimited | MetricStatus::NotReady)
}
