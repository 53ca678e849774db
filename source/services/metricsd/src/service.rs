//! The service: what an event does to everything else.

use core::fmt;

use nexus_abi::{ExitReason, Incarnation, Sender, SenderId};
use nexus_bounded::Mono;
use nexus_gate::{Budgets, Redactor, RejectMarker, RejectMarkers, SenderSlot, Senders};
use nexus_port::{CallError, CallId, Event, Now, Service, Token, World};
use nexus_recipe::Recipe;
use nexus_retention::Keep;
use nexus_wire::metrics::{Frame, Op, Refusal, Request, decode, plain_reply};
use nexus_wire::{MetricStatus, Reason, markers};

use crate::export::Exporter;
use crate::keys::KeyRules;
use crate::own::OwnMetrics;
use crate::registry::Registry;
use crate::retention::Retention;
use crate::sessions::{self, Sessions};
use crate::spans::{SpanOwner, SpanTable};

/// Seed of the order of hash chains; any other gives the same answers.
const SEED: u64 = 0x6d65_7472_6963_7364;

/// metricsd: metrics and live spans of all senders.
pub struct Metricsd {
    pub(crate) boot: u32,
    pub(crate) keys: KeyRules,
    pub(crate) redactor: Redactor,
    pub(crate) senders: Senders,
    pub(crate) registry: Registry,
    pub(crate) sessions: Sessions,
    pub(crate) spans: SpanTable,
    pub(crate) exporter: Exporter,
    /// What is kept on a disk, if anything is.
    pub(crate) retention: Option<Retention>,
    pub(crate) own: OwnMetrics,
    markers: RejectMarkers,
    /// When something is to be done without a request.
    due: Mono,
}

/// A port may make a service in one thread and run it in another. Nothing in it is shared or
/// changes behind a `&`, so each part may be moved, and read from several threads; that only one
/// hands it events is `&mut` of [`Service::handle`].
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Metricsd>();
    is_send_and_sync::<Redactor>();
    is_send_and_sync::<Senders>();
    is_send_and_sync::<Registry>();
    is_send_and_sync::<Sessions>();
    is_send_and_sync::<SpanTable>();
    is_send_and_sync::<Exporter>();
    is_send_and_sync::<Asked<'_>>();
};

/// A request with all that its answer needs.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) slot: SenderSlot,
    pub(crate) sender: &'a Sender,
    pub(crate) token: Token,
    pub(crate) now: Mono,
    pub(crate) op: u8,
    pub(crate) nonce: u32,
}

/// What became of an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// Stored as it was.
    Accepted,
    /// Counted in an overflow series.
    Folded,
}

impl Metricsd {
    /// metricsd with nothing in it, all memory taken now. `boot` is another one at each start.
    #[must_use]
    pub fn new(recipe: &Recipe, boot: u32, keep: Keep) -> Self {
        Self::with_seed(recipe, boot, keep, SEED)
    }

    /// As [`Self::new`] with other hash chains, for tests that show that nothing depends on them.
    #[must_use]
    pub fn with_seed(recipe: &Recipe, boot: u32, keep: Keep, seed: u64) -> Self {
        let limits = &recipe.metricsd;
        let budgets = Budgets::of_metricsd(recipe);
        Self {
            boot,
            keys: KeyRules::new(limits),
            redactor: Redactor::new(&recipe.redaction),
            senders: Senders::new(limits.senders, limits.sender_idle, budgets),
            registry: Registry::new(limits, seed, crate::limits::ids(recipe, keep)),
            sessions: Sessions::new(limits),
            spans: SpanTable::new(limits, boot),
            exporter: Exporter::new(recipe, boot),
            retention: Retention::new(recipe, boot, keep),
            own: OwnMetrics::new(),
            markers: RejectMarkers::new([
                markers::METRICSD_REJECT_INVALID_ARGS,
                markers::METRICSD_REJECT_OVER_LIMIT,
                markers::METRICSD_REJECT_RATE_LIMITED,
            ]),
            due: Mono(0),
        }
    }

    #[inline]
    fn request(
        &mut self,
        now: Mono,
        sender: &Sender,
        token: Token,
        frame: &[u8],
        world: &mut impl World,
    ) {
        let decoded = decode(frame);
        self.own.frames = self.own.frames.wrapping_add(1);
        let slot = self.seat(sender.id, now);
        let (op, nonce, items) = match &decoded {
            Ok(decoded) => (op_of(frame), decoded.nonce, items_of(&decoded.request)),
            Err(refusal) => (refusal.op, refusal.nonce, 1),
        };
        let asked = Asked { slot, sender, token, now, op, nonce };
        // A frame is at most 4 KiB.
        let afforded = self.senders.offer(slot, items, frame.len() as u32, now);
        match &decoded {
            Ok(_) if !afforded && brings_nothing(op) => {
                self.refused(slot, Reason::Denied, 1, world);
                reply(&asked, MetricStatus::RateLimited, world);
            }
            _ if !afforded => self.refuse_for_budget(&asked, u64::from(items), world),
            Ok(frame) => self.answer(&asked, frame, world),
            Err(refusal) => self.refuse_shape(&asked, *refusal, world),
        }
    }

    /// The seat of a sender. Whoever loses it is forgotten first.
    #[inline]
    pub(crate) fn seat(&mut self, id: SenderId, now: Mono) -> SenderSlot {
        let seat = self.senders.seat(id, now);
        if seat.displaced.is_some() {
            self.forget(seat.slot, now);
        }
        seat.slot
    }

    #[cold]
    fn forget(&mut self, slot: SenderSlot, now: Mono) {
        while let Some(session) = self.sessions.first_of(slot) {
            self.sessions.end(session, &mut self.registry);
        }
        self.sessions.displace(slot);
        self.spans.displace(slot, now, &mut self.exporter);
        self.exporter.displace(slot);
        self.registry.displace(slot);
        self.due = Mono(0);
    }

    #[inline]
    fn answer(&mut self, asked: &Asked, frame: &Frame<'_>, world: &mut impl World) {
        match &frame.request {
            Request::CounterInc(update) => {
                let taken = self.counter_inc(asked, update);
                self.conclude(asked, taken, world);
            }
            Request::Update { series, value } => {
                let taken = self.by_id(asked, *series, *value);
                self.conclude(asked, taken, world);
            }
            Request::Batch(batch) => self.batch(asked, batch, world),
            _ => self.answer_other(asked, frame, world),
        }
    }

    /// The other requests, apart, so that the frequent ones stay close together.
    #[inline(never)]
    fn answer_other(&mut self, asked: &Asked, frame: &Frame<'_>, world: &mut impl World) {
        match &frame.request {
            Request::GaugeSet(update) => {
                let taken = self.gauge_set(asked, update);
                self.conclude(asked, taken, world);
            }
            Request::HistObserve(update) => {
                let taken = self.hist_observe(asked, update);
                self.conclude(asked, taken, world);
            }
            Request::SpanStart(start) => {
                let taken = self.span_start(asked, start);
                self.conclude(asked, taken, world);
            }
            Request::SpanEnd(end) => {
                let taken = self.span_end(asked, end);
                self.conclude(asked, taken, world);
            }
            Request::Ping => {
                self.senders.answered(asked.slot);
                reply(asked, MetricStatus::Ok, world);
            }
            Request::Hello(resume) => self.hello(asked, *resume, world),
            Request::Register(register) => self.register(asked, register, world),
            Request::Lookup(lookup) => self.lookup(asked, lookup, world),
            read => self.read(asked, read, world),
        }
    }

    /// Counts what became of the one item of a request, and answers it.
    #[inline]
    fn conclude(&mut self, asked: &Asked, taken: Result<Taken, Reason>, world: &mut impl World) {
        match taken {
            Ok(Taken::Accepted) => {
                self.senders.accepted(asked.slot, 1);
                reply(asked, MetricStatus::Ok, world);
            }
            Ok(Taken::Folded) => {
                self.folded(asked.slot, 1, world);
                let is_own = asked.op >= Op::Hello.raw();
                let status = if is_own { MetricStatus::Folded } else { MetricStatus::OverLimit };
                reply(asked, status, world);
            }
            Err(reason) => self.refuse(asked, reason, world),
        }
    }

    pub(crate) fn folded(&mut self, slot: SenderSlot, items: u64, world: &mut impl World) {
        self.senders.folded(slot, items);
        self.markers.note(RejectMarker::OverLimit, world);
    }

    /// Counts refused items and prints the first refusal of its kind.
    pub(crate) fn refused(
        &mut self,
        slot: SenderSlot,
        reason: Reason,
        items: u64,
        world: &mut impl World,
    ) {
        self.senders.refused(slot, reason, items);
        match reason {
            Reason::Invalid | Reason::Identity | Reason::Secret => {
                self.markers.note(RejectMarker::InvalidArgs, world);
            }
            Reason::OverLimit => self.markers.note(RejectMarker::OverLimit, world),
            Reason::RateLimited => self.markers.note(RejectMarker::RateLimited, world),
            Reason::NotFound | Reason::Denied | Reason::NotReady | Reason::Conflict => {}
        }
    }

    /// Refuses a request that is one item.
    #[cold]
    pub(crate) fn refuse(&mut self, asked: &Asked, reason: Reason, world: &mut impl World) {
        self.refused(asked.slot, reason, 1, world);
        reply(asked, status_of(asked.op, reason), world);
    }

    #[cold]
    fn refuse_shape(&mut self, asked: &Asked, refusal: Refusal, world: &mut impl World) {
        let reason = match refusal.status {
            MetricStatus::OverLimit => Reason::OverLimit,
            _ => Reason::Invalid,
        };
        self.refused(asked.slot, reason, 1, world);
        reply(asked, refusal.status, world);
    }

    #[cold]
    fn refuse_for_budget(&mut self, asked: &Asked, items: u64, world: &mut impl World) {
        self.refused(asked.slot, Reason::RateLimited, items, world);
        if asked.op == Op::Batch.raw() {
            self.acknowledge(asked, MetricStatus::RateLimited, world);
        } else {
            reply(asked, MetricStatus::RateLimited, world);
        }
    }

    fn peer_gone(&mut self, id: SenderId, incarnation: Incarnation, reason: ExitReason, now: Mono) {
        let Some(slot) = self.senders.find(id) else { return };
        let Some(session) = self.sessions.find(slot, incarnation) else { return };
        if sessions::is_final(reason) {
            self.end_session(session, reason, now);
        } else {
            self.sessions.lose(session, now);
        }
    }

    pub(crate) fn end_session(&mut self, session: u32, reason: ExitReason, now: Mono) {
        let ended = self.sessions.end(session, &mut self.registry);
        self.spans.abandon(ended.owner, ended.incarnation, reason, now, &mut self.exporter);
    }

    /// The time is to be looked at after this event, whatever it is.
    pub(crate) const fn hurry(&mut self) {
        self.due = Mono(0);
    }

    /// Does what time brings, and what events have left to be done.
    #[cold]
    fn work(&mut self, clock: Now, world: &mut impl World) {
        let now = clock.mono;
        while let Some(session) = self.sessions.overdue(now) {
            self.end_session(session, sessions::GRACE_OVER, now);
        }
        self.spans.expire(now, &mut self.exporter);
        if now >= self.own.due() {
            self.publish(now);
        } else if self.exporter.begins_round(now) {
            self.refresh_gauges(now);
        }
        if let Some(retention) = &mut self.retention {
            retention.poll(clock, &mut self.registry, world);
            retention.take_change(now).into_iter().for_each(|change| self.exporter.tell(change));
        }
        self.exporter.poll(now, &mut self.registry, &mut self.senders, world);
        let kept = self.retention.as_ref().map(Retention::deadline);
        let dues =
            [self.sessions.deadline(), self.spans.deadline(), self.exporter.deadline(), kept];
        self.due = dues.into_iter().flatten().fold(self.own.due(), Mono::min);
    }

    fn completion(
        &mut self,
        now: Mono,
        call: CallId,
        result: Result<&[u8], CallError>,
        world: &mut impl World,
    ) {
        let is_kept = self
            .retention
            .as_mut()
            .is_some_and(|retention| retention.ended(now, call, result, world));
        if !is_kept {
            self.exporter.completion(now, call, result, &self.senders, world);
        }
        self.hurry();
    }
}

impl Service for Metricsd {
    fn handle(&mut self, clock: Now, event: Event<'_>, world: &mut impl World) {
        let now = clock.mono;
        self.registry.begin(now);
        match event {
            Event::Request { ref from, token, frame } => {
                self.request(now, from, token, frame, world)
            }
            Event::Completion { call, result } => self.completion(now, call, result, world),
            Event::PeerGone { id, incarnation, reason } => {
                self.peer_gone(id, incarnation, reason, now);
                self.hurry();
            }
            Event::Wake => self.hurry(),
            Event::Block { .. } => {}
            Event::Stop => {
                self.publish(now);
                self.exporter.stop();
                self.retention.iter_mut().for_each(Retention::end);
                self.hurry();
            }
        }
        if now >= self.due {
            self.work(clock, world);
        }
    }

    fn deadline(&self) -> Option<Mono> {
        Some(self.due)
    }

    fn stopped(&self) -> bool {
        self.exporter.stopped() && self.retention.as_ref().is_none_or(Retention::is_over)
    }

    fn undone(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.exporter.undone(&self.registry).write(out)?;
        self.retention.as_ref().map_or(Ok(()), |retention| retention.undone(out))
    }

    fn check_invariants(&self) {
        self.senders.check_invariants();
    }
}

impl Asked<'_> {
    pub(crate) const fn span_owner(&self) -> SpanOwner {
        SpanOwner { slot: self.slot, sender: *self.sender }
    }
}

#[inline]
pub(crate) fn reply(asked: &Asked, status: MetricStatus, world: &mut impl World) {
    world.reply(asked.token, &plain_reply(asked.op, status, asked.nonce));
}

/// The operation of a frame that has been decoded, as it stands there.
#[inline]
fn op_of(frame: &[u8]) -> u8 {
    frame.get(3).copied().unwrap_or_default()
}

/// What a request offers to the ledger and costs of the budget of events. Whatever brings nothing
/// to store is one item, if only until it is answered.
#[inline]
fn items_of(request: &Request<'_>) -> u32 {
    match request {
        Request::Batch(batch) => batch.len().max(1),
        _ => 1,
    }
}

/// Whether a request only asks: refusing it loses nothing, and whoever asked will ask again.
const fn brings_nothing(op: u8) -> bool {
    matches!(
        Op::from_raw(op),
        Some(
            Op::Ping
                | Op::Hello
                | Op::Lookup
                | Op::Scrape
                | Op::Spans
                | Op::Audit
                | Op::Status
                | Op::Range
        )
    )
}

/// The status that tells a reason. Version 1 knows no status from 16 on.
pub(crate) const fn status_of(op: u8, reason: Reason) -> MetricStatus {
    match reason {
        Reason::Identity if op == Op::Update.raw() => MetricStatus::NotFound,
        Reason::Invalid | Reason::Identity | Reason::Secret => MetricStatus::InvalidArgs,
        Reason::NotReady if op < Op::Hello.raw() => MetricStatus::OverLimit,
        Reason::OverLimit => MetricStatus::OverLimit,
        Reason::RateLimited => MetricStatus::RateLimited,
        Reason::NotFound => MetricStatus::NotFound,
        Reason::Denied => MetricStatus::Denied,
        Reason::NotReady => MetricStatus::NotReady,
        Reason::Conflict => MetricStatus::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a branch that forgets to count would leave behind.
    #[test]
    #[should_panic(expected = "1 of 1 items have no outcome")]
    fn an_item_without_an_outcome_makes_the_service_unsound() {
        let recipe = include_str!("../../../../recipes/observability/device-2mib.toml");
        let recipe = Recipe::parse(recipe).unwrap_or_else(|errors| panic!("{errors}"));
        let mut service = Metricsd::new(&recipe, 1, Keep::Nothing);
        let who = Sender::stamped(
            nexus_abi::ServiceId::from_name("execd"),
            1,
            Incarnation::new(1),
            nexus_abi::Rights::NONE,
        );
        let slot = service.seat(who.id, Mono(0));
        service.check_invariants();
        service.senders.offer(slot, 1, 9, Mono(0));
        service.check_invariants();
    }
}
