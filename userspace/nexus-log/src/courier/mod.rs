//! The courier: brings records to logd at once if it can, and later if it must.
//!
//! A state machine without clock or socket: whoever logs calls [`Courier::submit`], and a port
//! calls [`Courier::poll`] when a reply has come or the returned time has. Records wait in a
//! bounded queue while logd is away or behind; the newest that finds no room is dropped and
//! counted. When logd is back and has what waited, a record with `event=gap.v1` tells how many
//! are missing, and from when to when. Records are sent once: of one whose answer was lost with
//! its connection nobody knows whether logd has it, and the gap record says that too. A gap record
//! itself is told until it is confirmed; `gap` numbers them, so that a repeat is seen as one.

mod fields;
mod gap;
mod queue;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_port::{SendError, Transport};
use nexus_wire::logs::{
    Head, NewRecord, Op, RecordText, Reply, Request, Version, decode_reply, encode,
};
use nexus_wire::{FIELDS_BYTES_MAX, Level, LogStatus};

use crate::limits::WINDOW;
use crate::record::Record;
use gap::Gap;
use queue::Queue;

/// A connection without a due reply for this long is given up.
const REPLY_TIMEOUT: Nanos = Nanos::from_secs(5);
/// Pause before logd is tried again; doubled up to the maximum.
const RETRY_MIN: Nanos = Nanos::from_millis(100);
const RETRY_MAX: Nanos = Nanos::from_secs(5);
/// Pause before a frame that the transport did not take is offered again.
const FULL_PAUSE: Nanos = Nanos::from_millis(10);
/// Gap records are this far apart, so that they do not use up a budget that is short already.
const GAP_PAUSE: Nanos = Nanos::from_secs(1);
/// A record that waited for longer says when it was logged.
const LATE: Nanos = Nanos::from_millis(100);
/// Without anything to do.
const IDLE: Nanos = Nanos::from_secs(60);

/// See the module.
pub struct Courier {
    link: Link,
    service: Option<ServiceId>,
    queue: Queue,
    pending: VecDeque<Sent>,
    /// Not told yet.
    gap: Gap,
    /// Told, and not confirmed.
    telling: Option<Telling>,
    gaps: u64,
    next_gap_at: Mono,
    retry: Nanos,
    /// When logd was last found to be away.
    missed_at: Mono,
    nonce: u64,
    dropped: u64,
    frame: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Link {
    Down { retry_at: Mono },
    Greeting,
    Up,
}

/// A request whose reply has not come.
#[derive(Clone, Copy)]
struct Sent {
    nonce: u64,
    at: Mono,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Hello,
    /// A record that was logged at this time.
    Record(Mono),
    Gap,
}

/// A gap on its way.
#[derive(Clone, Copy)]
struct Telling {
    gap: Gap,
    number: u64,
    under_way: bool,
}

impl Default for Courier {
    fn default() -> Self {
        Self::new()
    }
}

impl Courier {
    /// A courier with nothing to bring. Takes all its memory now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            link: Link::Down { retry_at: Mono(0) },
            service: None,
            queue: Queue::new(),
            pending: VecDeque::with_capacity(WINDOW),
            gap: Gap::NONE,
            telling: None,
            gaps: 0,
            next_gap_at: Mono(0),
            retry: RETRY_MIN,
            missed_at: Mono(0),
            nonce: 0,
            dropped: 0,
            frame: vec![0; FRAME_BYTES_MAX].into_boxed_slice(),
        }
    }

    /// Takes a record and does what [`Self::poll`] does.
    pub fn submit(
        &mut self,
        record: &Record<'_>,
        now: Mono,
        transport: &mut impl Transport,
    ) -> Mono {
        if !self.queue.push(record, now) {
            self.lose(now);
        }
        self.hasten();
        self.poll(now, transport)
    }

    /// A new record is a reason to look for logd before the pause is over, but not all the time.
    fn hasten(&mut self) {
        if let Link::Down { retry_at } = &mut self.link {
            *retry_at = (*retry_at).min(self.missed_at.after(RETRY_MIN));
        }
    }

    /// Does what can be done at `now` without waiting. Returns when to call again at the latest;
    /// a reply that comes earlier is a reason to call earlier.
    pub fn poll(&mut self, now: Mono, transport: &mut impl Transport) -> Mono {
        self.take_replies(now, transport);
        self.give_up_if_silent(now, transport);
        self.connect_if_due(now, transport);
        let sent = if self.link == Link::Up { self.send_all(now, transport) } else { Ok(()) };
        if sent == Err(SendError::Closed) {
            self.disconnect(now, transport);
        }
        self.deadline(now, sent == Err(SendError::Full))
    }

    /// Whether logd is away, as far as is known: what is logged now waits, for who knows how long.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        matches!(self.link, Link::Down { .. })
    }

    /// Whether logd is there and has said so.
    pub(crate) fn is_up(&self) -> bool {
        self.link == Link::Up
    }

    /// Whether logd has answered everything. False while it is away.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let told = self.gap.is_none() && self.telling.is_none();
        self.link == Link::Up && told && self.queue.is_empty() && self.pending.is_empty()
    }

    /// Records that were given up since the last call of this, to be told to others.
    pub fn take_dropped(&mut self) -> u64 {
        core::mem::take(&mut self.dropped)
    }

    /// Notes that `count` records found no way to here.
    pub fn note_lost(&mut self, count: u64, now: Mono) {
        (0..count).for_each(|_| self.lose(now));
    }

    fn lose(&mut self, at: Mono) {
        self.gap.lose(at);
        self.dropped += 1;
    }

    fn deadline(&self, now: Mono, full: bool) -> Mono {
        let next = match self.link {
            Link::Down { retry_at } => retry_at,
            Link::Up if full => now.after(FULL_PAUSE),
            Link::Up if self.has_gap_to_tell() => self.next_gap_at,
            Link::Greeting | Link::Up => now.after(IDLE),
        };
        let timeout = self.pending.front().map(|sent| sent.at.after(REPLY_TIMEOUT));
        timeout.map_or(next, |timeout| timeout.min(next)).max(now)
    }

    // --- the connection ---

    fn connect_if_due(&mut self, now: Mono, transport: &mut impl Transport) {
        let Link::Down { retry_at } = self.link else { return };
        if now < retry_at {
            return;
        }
        self.link = Link::Greeting;
        let greeted = transport.connect().is_ok()
            && self.ask(&Request::Hello, What::Hello, now, transport).is_ok();
        if !greeted {
            self.disconnect(now, transport);
        }
    }

    /// Everything under way is in doubt.
    fn disconnect(&mut self, now: Mono, transport: &mut impl Transport) {
        transport.close();
        while let Some(sent) = self.pending.pop_front() {
            match sent.what {
                What::Hello => {}
                What::Record(at) => self.gap.doubt(at),
                What::Gap => self.gap_is_open(),
            }
        }
        self.missed_at = now;
        self.link = Link::Down { retry_at: now.after(self.retry) };
        self.retry = Nanos(self.retry.0.saturating_mul(2)).min(RETRY_MAX);
    }

    fn give_up_if_silent(&mut self, now: Mono, transport: &mut impl Transport) {
        if self.pending.front().is_some_and(|sent| now.since(sent.at) >= REPLY_TIMEOUT) {
            self.disconnect(now, transport);
        }
    }

    // --- replies ---

    fn take_replies(&mut self, now: Mono, transport: &mut impl Transport) {
        let mut buffer = core::mem::take(&mut self.frame);
        while !matches!(self.link, Link::Down { .. }) {
            let understood = match transport.receive(&mut buffer) {
                Ok(None) => break,
                Ok(Some(len)) => buffer.get(..len).is_some_and(|frame| self.take(frame)),
                Err(_) => false,
            };
            if !understood {
                self.disconnect(now, transport);
            }
        }
        self.frame = buffer;
    }

    /// Handles one reply; `false` if the connection is of no use any more.
    fn take(&mut self, frame: &[u8]) -> bool {
        let Some(sent) = self.pending.front().copied() else { return false };
        let head = Head { version: Version::V2, nonce: sent.nonce };
        let Some((status, reply)) = decode_reply(sent.what.op(), head, frame) else { return false };
        self.pending.pop_front();
        match sent.what {
            What::Hello => {
                // A logd that does not know HELLO serves us nevertheless.
                self.service =
                    if let Reply::Hello(hello) = reply { Some(hello.service) } else { None };
                self.link = Link::Up;
                self.retry = RETRY_MIN;
            }
            What::Record(at) if status != LogStatus::Ok => self.lose(at),
            What::Gap if status != LogStatus::Ok => self.gap_is_open(),
            What::Gap => self.telling = None,
            What::Record(_) => {}
        }
        true
    }

    // --- sending ---

    fn send_all(&mut self, now: Mono, transport: &mut impl Transport) -> Result<(), SendError> {
        while self.pending.len() < WINDOW {
            if self.queue.is_empty() {
                return self.send_gap(now, transport);
            }
            self.send_oldest(now, transport)?;
        }
        Ok(())
    }

    fn send_oldest(&mut self, now: Mono, transport: &mut impl Transport) -> Result<(), SendError> {
        let head = next_head(&mut self.nonce);
        let Some((record, at)) = self.queue.peek() else { return Ok(()) };
        let late = (now.since(at) >= LATE).then_some(at);
        let mut buffer = [0; FIELDS_BYTES_MAX];
        // Our limits leave room for all that is added; a record that is not legal is a lost one.
        let fields = fields::complete(&record, self.service, late, &mut buffer);
        let frame = fields.and_then(|fields| {
            let Record { level, scope, message, .. } = record;
            let mut text = [0; size_of::<RecordText>()];
            let record = NewRecord { level, scope, message, fields }.join(&mut text).ok()?;
            encode(&Request::Append(record), head, &mut self.frame).ok()
        });
        match frame {
            Some(frame) => {
                transport.send(frame)?;
                self.pending.push_back(Sent { nonce: head.nonce, at: now, what: What::Record(at) });
            }
            None => self.lose(at),
        }
        self.queue.pop();
        Ok(())
    }

    /// The gap that was told has to be told again.
    const fn gap_is_open(&mut self) {
        if let Some(telling) = &mut self.telling {
            telling.under_way = false;
        }
    }

    fn has_gap_to_tell(&self) -> bool {
        self.telling.map_or(!self.gap.is_none(), |telling| !telling.under_way)
    }

    /// Tells of a gap, once nothing else waits.
    fn send_gap(&mut self, now: Mono, transport: &mut impl Transport) -> Result<(), SendError> {
        if !self.has_gap_to_tell() || now < self.next_gap_at {
            return Ok(());
        }
        let telling = *self.telling.get_or_insert_with(|| {
            self.gaps += 1;
            let gap = core::mem::replace(&mut self.gap, Gap::NONE);
            Telling { gap, number: self.gaps, under_way: false }
        });
        let mut buffer = [0; FIELDS_BYTES_MAX];
        let Ok(fields) = telling.gap.fields(telling.number, &mut buffer) else { return Ok(()) };
        let record = NewRecord {
            level: Level::Warn,
            scope: "nexus-log",
            message: "records are missing",
            fields: fields.as_bytes(),
        };
        let mut text = [0; size_of::<RecordText>()];
        let Ok(record) = record.join(&mut text) else { return Ok(()) };
        self.ask(&Request::Append(record), What::Gap, now, transport)?;
        self.telling = Some(Telling { under_way: true, ..telling });
        self.next_gap_at = now.after(GAP_PAUSE);
        Ok(())
    }

    fn ask(
        &mut self,
        request: &Request<'_>,
        what: What,
        now: Mono,
        transport: &mut impl Transport,
    ) -> Result<(), SendError> {
        let head = next_head(&mut self.nonce);
        let Ok(frame) = encode(request, head, &mut self.frame) else { return Ok(()) };
        transport.send(frame)?;
        self.pending.push_back(Sent { nonce: head.nonce, at: now, what });
        Ok(())
    }
}

impl What {
    const fn op(&self) -> Op {
        match self {
            Self::Hello => Op::Hello,
            Self::Record(_) | Self::Gap => Op::Append,
        }
    }
}

const fn next_head(nonce: &mut u64) -> Head {
    *nonce = nonce.wrapping_add(1);
    Head { version: Version::V2, nonce: *nonce }
}
