use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use nexus_abi::{FRAME_BYTES_MAX, Rights, Sender};
use nexus_bounded::Mono;
use nexus_gate::{Budgets, RejectMarker, RejectMarkers, SenderSlot, Senders};
use nexus_port::{Event, Now, Service, World};
use nexus_recipe::{LogdLimits, Recipe};
use nexus_retention::Keep;
use nexus_wire::logs::{self, AppendReply, Head, Op, Refusal, Request, SentRecord};
use nexus_wire::{EncodeError, LogStatus, Reason, markers};

use crate::admission::Admission;
use crate::anchors::Anchors;
use crate::journal::Journal;
use crate::keeping::Keeping;

/// The journal service. See the crate.
pub struct Logd {
    pub(crate) boot: u32,
    pub(crate) limits: LogdLimits,
    pub(crate) senders: Senders,
    pub(crate) admission: Admission,
    pub(crate) journal: Journal,
    pub(crate) anchors: Anchors,
    pub(crate) keeping: Option<Box<Keeping>>,
    pub(crate) markers: RejectMarkers,
    pub(crate) phase: Phase,
    stopping: bool,
    /// Where replies are written.
    reply: Box<[u8]>,
}

/// A port may make a service in one thread and run it in another. Nothing in it is shared or
/// changes behind a `&`, so each part may be moved, and read from several threads; that only one
/// hands it events is `&mut` of [`Service::handle`].
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Logd>();
    is_send_and_sync::<Senders>();
    is_send_and_sync::<Admission>();
    is_send_and_sync::<Journal>();
    is_send_and_sync::<Anchors>();
    is_send_and_sync::<Keeping>();
    is_send_and_sync::<Asked>();
};

/// One request while it is answered.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) now: Mono,
    pub(crate) from: Sender,
    /// The sender's seat.
    pub(crate) slot: SenderSlot,
    /// For the reply.
    pub(crate) head: Head,
    /// What is asked.
    op: Op,
    /// Of its frame.
    bytes: u32,
}

impl Asked {
    const fn refusal(&self, status: LogStatus) -> Refusal {
        Refusal { head: self.head, op: self.op, status }
    }
}

/// How far the proof at start has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// No event yet.
    New,
    /// A record was appended and read back.
    Proven {
        /// When.
        since: Mono,
    },
    /// A record could not be appended or not be read back.
    Failed {
        /// When.
        since: Mono,
    },
}

impl Logd {
    /// A journal with nothing in it; `boot` numbers its lives, `keep` says whether what it takes
    /// outlives it. All memory is taken here; see
    /// [`crate::memory_budget`].
    #[must_use]
    pub fn new(recipe: &Recipe, boot: u32, keep: Keep) -> Self {
        let limits = &recipe.logd;
        let recovered = if keep.has_files() { limits.retention.recovered_records } else { 0 };
        let budgets = Budgets::of_logd(recipe);
        Self {
            boot,
            senders: Senders::new(limits.senders, limits.sender_idle, budgets),
            admission: Admission::new(recipe),
            journal: Journal::new(limits, recovered),
            anchors: Anchors::new(boot, limits.anchors, limits.anchor_drift, keep.has_files()),
            keeping: Keeping::new(&limits.retention, keep),
            markers: RejectMarkers::new([
                markers::LOGD_REJECT_INVALID_ARGS,
                markers::LOGD_REJECT_OVER_LIMIT,
                markers::LOGD_REJECT_RATE_LIMITED,
            ]),
            phase: Phase::New,
            stopping: false,
            reply: vec![0; FRAME_BYTES_MAX].into_boxed_slice(),
            limits: limits.clone(),
        }
    }

    /// Answers one frame, whoever sent it: the one way in, also for logd's own record. `reply` gets
    /// the answer.
    ///
    /// What comes most goes through all of it without a call: calls would take a tenth of it.
    #[inline(always)]
    pub(crate) fn answer<W: World>(
        &mut self,
        now: Mono,
        from: Sender,
        frame: &[u8],
        world: &mut W,
        reply: impl FnOnce(&mut W, &[u8]),
    ) {
        let slot = self.seat(from, now);
        let bytes = frame.len() as u32;
        if let Some((head, record)) = logs::read_append(frame) {
            let asked = Asked { now, from, slot, head, op: Op::Append, bytes };
            let mut out = [0; AppendReply::BYTES_MAX];
            let answer = self.answer_append(&asked, record, world, &mut out);
            return reply(world, whole(answer));
        }
        let mut out = core::mem::take(&mut self.reply);
        let answer = match logs::open(frame) {
            Ok(opened) => {
                let asked = Asked { now, from, slot, head: opened.head(), op: opened.op(), bytes };
                self.answer_other(&asked, opened.request(), world, &mut out)
            }
            Err(refusal) => {
                let asked = Asked { now, from, slot, head: refusal.head, op: refusal.op, bytes };
                self.answer_refused(&asked, refusal, world, &mut out)
            }
        };
        reply(world, whole(answer));
        self.reply = out;
    }

    #[inline(always)]
    fn answer_append<'b>(
        &mut self,
        asked: &Asked,
        record: SentRecord<'_>,
        world: &mut impl World,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let is_within = self.offer(asked, 1);
        let stored = if is_within { self.store(asked, record) } else { Err(Reason::RateLimited) };
        self.answer_stored(asked, stored, world, out)
    }

    #[inline(never)]
    fn answer_other<'b>(
        &mut self,
        asked: &Asked,
        request: Result<Request<'_>, Refusal>,
        world: &mut impl World,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let request = match request {
            Ok(request) => request,
            Err(refusal) => return self.answer_refused(asked, refusal, world, out),
        };
        let items = records(&request).max(1);
        if self.offer(asked, items) {
            self.act(asked, &request, world, out)
        } else {
            self.answer_over_budget(asked, items, world, out)
        }
    }

    /// Takes a request from the budget of its sender, if it is within.
    #[inline]
    fn offer(&mut self, asked: &Asked, items: u32) -> bool {
        self.senders.offer(asked.slot, items, asked.bytes, asked.now)
    }

    #[cold]
    fn answer_over_budget<'b>(
        &mut self,
        asked: &Asked,
        items: u32,
        world: &mut impl World,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let lost = brings_records(asked.op);
        let reason = if lost { Reason::RateLimited } else { Reason::Denied };
        self.count_refused(asked.slot, reason, items, world);
        self.refuse(asked.refusal(LogStatus::RateLimited), out)
    }

    /// What is malformed costs as much as what is not.
    #[cold]
    fn answer_refused<'b>(
        &mut self,
        asked: &Asked,
        refusal: Refusal,
        world: &mut impl World,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let within = self.offer(asked, 1);
        let status = if within { refusal.status } else { LogStatus::RateLimited };
        let reason = if within { reason_of(status) } else { Reason::RateLimited };
        self.count_refused(asked.slot, reason, 1, world);
        self.refuse(Refusal { status, ..refusal }, out)
    }

    /// The sender's seat. If somebody lost it just now, what he has is the evicted's now.
    #[inline]
    fn seat(&mut self, from: Sender, now: Mono) -> SenderSlot {
        let seat = self.senders.seat(from.id, now);
        if seat.displaced.is_some() {
            self.journal.evict(seat.slot);
        }
        seat.slot
    }

    fn act<'b>(
        &mut self,
        asked: &Asked,
        request: &Request<'_>,
        world: &mut impl World,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        let op = request.op();
        if reads_records(op) && !asked.from.rights.has(Rights::QUERY) {
            self.count_refused(asked.slot, Reason::Denied, 1, world);
            return self.refuse(asked.refusal(LogStatus::Denied), out);
        }
        if records(request) == 0 {
            // Before the answer is written: it may be the ledger.
            self.senders.answered(asked.slot);
        }
        match request {
            Request::Append(record) => {
                let stored = self.store_next(asked, *record);
                self.answer_stored(asked, stored, world, out)
            }
            Request::AppendBatch(batch) => self.append_batch(asked, batch, world, out),
            Request::Query { since_ns, max } => self.query(asked, *since_ns, *max, out),
            Request::Stats => self.stats(asked, out),
            Request::Hello => self.hello(asked, out),
            Request::Search(search) => self.search(asked, search, out),
            Request::Audit { cursor } => self.audit(asked, *cursor, out),
            Request::Status => self.status(asked, world, out),
            Request::Anchors => self.read_anchors(asked, out),
        }
    }

    /// Whatever is no request.
    #[cold]
    #[inline(never)]
    fn other_event(&mut self, now: Mono, event: Event<'_>) {
        match event {
            Event::Stop => {
                self.stopping = true;
                self.keeping.iter_mut().for_each(|keeping| keeping.end());
            }
            Event::Completion { call, result } => {
                if let Some(keeping) = &mut self.keeping {
                    keeping.ended(now, call, result, (&mut self.journal, &mut self.anchors));
                }
            }
            Event::Request { .. } | Event::Block { .. } | Event::PeerGone { .. } | Event::Wake => {}
        }
    }

    /// Counts refused items, and says so on the console when it is the first time.
    pub(crate) fn count_refused(
        &mut self,
        slot: SenderSlot,
        reason: Reason,
        items: u32,
        world: &mut impl World,
    ) {
        self.senders.refused(slot, reason, u64::from(items));
        let marker = match status_of(reason) {
            LogStatus::InvalidArgs => RejectMarker::InvalidArgs,
            LogStatus::OverLimit => RejectMarker::OverLimit,
            LogStatus::RateLimited => RejectMarker::RateLimited,
            _ => return,
        };
        self.markers.note(marker, world);
    }
}

/// Records that a request brings to be stored: its items in the ledger. A request that brings none
/// is one item if it is refused.
fn records(request: &Request<'_>) -> u32 {
    match request {
        Request::Append(_) => 1,
        Request::AppendBatch(batch) => u32::from(batch.len()),
        _ => 0,
    }
}

/// Whether a request brings something that is lost when it is refused; others only ask, and whoever
/// asked will ask again.
const fn brings_records(op: Op) -> bool {
    matches!(op, Op::Append | Op::AppendBatch)
}

/// What only those may ask who have the right to read. STATS tells producers how full the journal
/// is, and HELLO who they are: those are for all.
const fn reads_records(op: Op) -> bool {
    match op {
        Op::Query | Op::Search | Op::Audit | Op::Status | Op::Anchors => true,
        Op::Append | Op::AppendBatch | Op::Stats | Op::Hello => false,
    }
}

/// The status by which a refusal is answered.
pub(crate) const fn status_of(reason: Reason) -> LogStatus {
    match reason {
        Reason::OverLimit => LogStatus::OverLimit,
        Reason::RateLimited => LogStatus::RateLimited,
        Reason::Denied => LogStatus::Denied,
        Reason::Invalid
        | Reason::Identity
        | Reason::Secret
        | Reason::NotFound
        | Reason::NotReady
        | Reason::Conflict => LogStatus::InvalidArgs,
    }
}

/// Under which reason a frame is counted that was refused for its shape.
const fn reason_of(status: LogStatus) -> Reason {
    match status {
        LogStatus::OverLimit => Reason::OverLimit,
        _ => Reason::Invalid,
    }
}

/// A reply of ours always fits its buffer.
fn whole(reply: Result<&[u8], EncodeError>) -> &[u8] {
    assert!(reply.is_ok(), "every reply fits a frame");
    reply.unwrap_or_default()
}

impl Service for Logd {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        self.anchors.observe(now);
        if self.phase == Phase::New {
            self.prove(now.mono, world);
        }
        match event {
            Event::Request { from, token, frame } => {
                let reply = |world: &mut _, reply: &[u8]| World::reply(world, token, reply);
                self.answer(now.mono, from, frame, world, reply);
            }
            other => self.other_event(now.mono, other),
        }
        if self.keeping.is_some() {
            self.keep(now, world);
        }
    }

    /// At once until the proof at start is done; then only what is kept goes by time.
    fn deadline(&self) -> Option<Mono> {
        if self.phase == Phase::New {
            return Some(Mono(0));
        }
        self.keeping.as_ref().and_then(|keeping| keeping.deadline())
    }

    fn stopped(&self) -> bool {
        self.stopping && self.keeping.as_ref().is_none_or(|keeping| keeping.is_done())
    }

    fn undone(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let unkept = self.keeping.as_ref().map_or(0, |keeping| keeping.unkept(&self.journal));
        if unkept == 0 { Ok(()) } else { write!(out, "{unkept} records not kept") }
    }

    fn check_invariants(&self) {
        self.senders.check_invariants();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_abi::{Incarnation, ServiceId};

    /// What a branch that forgets to count would leave behind.
    #[test]
    #[should_panic(expected = "1 of 1 items have no outcome")]
    fn a_record_without_an_outcome_makes_the_service_unsound() {
        let recipe = include_str!("../../../../recipes/observability/device-2mib.toml");
        let recipe = Recipe::parse(recipe).unwrap_or_else(|errors| panic!("{errors}"));
        let mut logd = Logd::new(&recipe, 1, Keep::Nothing);
        let name = ServiceId::from_name("execd");
        let slot = logd.seat(Sender::stamped(name, 1, Incarnation::new(1), Rights::NONE), Mono(0));
        logd.check_invariants();
        logd.senders.offer(slot, 1, 9, Mono(0));
        logd.check_invariants();
    }
}
