use core::fmt;

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_gate::{SenderSlot, Senders};
use nexus_port::{CallError, CallId, SubmitError, World};
use nexus_recipe::{MemoryLine, Recipe};
use nexus_wire::logs::{BatchReply, NewRecord, Op, Reply, SearchReply, decode_reply};
use nexus_wire::{Fields, LogStatus, markers};

use super::backoff::Backoff;
use super::budget::ExportBudget;
use super::calls::{Asked, Calls};
use super::draft::FIELDS_BYTES;
use super::feed::{Feed, SPAN_SCOPE};
use super::gaps::{Gap, GapReason, Gaps};
use super::proof::Proof;
use super::rounds::SeriesSource;
use super::span_queue::SpanQueue;
use super::state_change::StateChange;
use crate::spans::EndedSpan;

const LOGD: ServiceId = ServiceId::from_name("logd");

/// How the export fares, for STATUS and metricsd's own metrics. Totals are since metricsd's start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ExportState {
    /// Whether a record of metricsd's own was appended to logd and read back.
    pub(crate) ready: bool,
    /// Whether logd could not be reached when it was last tried.
    pub(crate) away: bool,
    /// Calls under way.
    pub(crate) in_flight: u32,
    /// Bytes of ended spans that wait.
    pub(crate) queue_bytes: u32,
    /// Rounds of snapshots begun.
    pub(crate) rounds: u32,
    /// Records that logd acknowledged.
    pub(crate) acknowledged: u64,
    /// Frames that were sent again.
    pub(crate) repeats: u64,
    /// Records that logd refused for good.
    pub(crate) refused: u64,
    /// Spans that found no room in the queue.
    pub(crate) spans_dropped: u64,
    /// How often logd began anew without what it had acknowledged.
    pub(crate) logd_restarts: u64,
    /// Records that were lost so.
    pub(crate) lost: u64,
    /// Boot number of the logd that answers now; 0: none has answered yet.
    pub(crate) logd_boot: u32,
    /// Records that this logd acknowledged since that boot.
    pub(crate) logd_acknowledged: u64,
}

/// What logd has not been told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Undone {
    /// Records written that logd has not acknowledged; it may have them.
    pub(crate) records: u64,
    /// Ended spans that wait.
    pub(crate) spans: usize,
    /// Series whose last values no record has.
    pub(crate) series: usize,
    /// Losses that no gap record tells of.
    pub(crate) losses: u64,
}

impl Undone {
    /// Says so in words, or nothing if that is nothing.
    pub(crate) fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let &Self { records, spans, series, losses } = self;
        if *self == Self::default() {
            return Ok(());
        }
        write!(
            out,
            "{records} records that logd has not acknowledged, {spans} ended spans, the last \
             values of {series} series and word of {losses} losses not sent"
        )
    }
}

/// The export: a state machine that [`Self::poll`] drives after every event.
pub(crate) struct Exporter {
    feed: Feed,
    calls: Calls,
    budget: ExportBudget,
    backoff: Backoff,
    proof: Proof,
    retry_max: Nanos,
    /// logd's boot number, and what it acknowledged in that boot.
    logd: Option<(u32, Gap)>,
    /// Number of the record that was refused last: its parts count once.
    refused_seq: Option<u64>,
    stopping: bool,
    state: ExportState,
}

impl Exporter {
    /// An export with nothing to do yet, all memory taken now. `boot` is metricsd's boot number.
    #[must_use]
    pub(crate) fn new(recipe: &Recipe, boot: u32) -> Self {
        let limits = &recipe.metricsd.export;
        Self {
            feed: Feed::new(recipe, boot),
            calls: Calls::new(limits.in_flight),
            budget: ExportBudget::new(limits),
            backoff: Backoff::new(limits),
            proof: Proof::new(),
            retry_max: limits.retry_max,
            logd: None,
            refused_seq: None,
            stopping: false,
            state: ExportState::default(),
        }
    }

    /// What the export takes memory for.
    #[must_use]
    pub(crate) fn memory(recipe: &Recipe) -> [MemoryLine; 3] {
        let limits = &recipe.metricsd;
        let line = |what, count: u32, bytes: usize| MemoryLine {
            what,
            count: u64::from(count),
            bytes_each: bytes as u64,
        };
        let queue = SpanQueue::bytes(limits.export.queue_bytes, limits.senders);
        [
            line("spans that wait for logd", 1, queue),
            line("calls to logd", limits.export.in_flight, Calls::CALL_BYTES),
            line("export's draft and losses", 1, FIELDS_BYTES + Gaps::bytes(limits.senders)),
        ]
    }

    /// Takes a span that has ended; what finds no room is counted under `slot`.
    pub(crate) fn ended(&mut self, slot: SenderSlot, span: &EndedSpan<'_>, now: Mono) {
        if !self.feed.queue.push(slot, span) {
            self.state.spans_dropped += 1;
            self.feed.gaps.span_lost(GapReason::QueueFull, slot.index(), span.service, now);
        }
    }

    /// Lets it be told how what is kept on a disk fares now.
    pub(crate) const fn tell(&mut self, change: StateChange) {
        self.feed.change = Some(change);
    }

    /// Forgets whose a seat was: its losses are told without a name from now on.
    pub(crate) fn displace(&mut self, slot: SenderSlot) {
        self.feed.gaps.displace(slot);
    }

    /// Whether [`Self::poll`] begins a round now, if none is under way.
    pub(crate) fn begins_round(&self, now: Mono) -> bool {
        !self.stopping && self.feed.rounds.is_due(now)
    }

    /// Does what can be done now. To be called after every event, when the ledger knows what the
    /// event brought.
    pub(crate) fn poll(
        &mut self,
        now: Mono,
        source: &mut impl SeriesSource,
        senders: &mut Senders,
        world: &mut impl World,
    ) {
        self.feed.gaps.settle(senders, now);
        if !self.stopping {
            self.feed.rounds.begin_due(now);
        }
        while !self.backoff.holds(now) {
            let ready = self.calls.waiting().or_else(|| self.new_call(now, source));
            let Some(place) = ready else { return };
            if !self.submit(place, now, world) {
                return;
            }
        }
    }

    /// Writes a frame, if there is a place, a budget and something to say.
    fn new_call(&mut self, now: Mono, source: &mut impl SeriesSource) -> Option<usize> {
        let place = self.calls.free()?;
        let proof_due = self.proof.due().is_some_and(|due| now >= due);
        if !proof_due && !self.feed.has_work() && self.gaps_due().is_none_or(|due| now < due) {
            return None;
        }
        let allowance = self.budget.allowance(now)?;
        let nonce = self.calls.next_nonce();
        let call = self.calls.get_mut(place)?;
        if proof_due {
            self.proof.begin(self.feed.boot(), self.feed.next_seq());
            let record = self.proof.record();
            call.append(Asked::Proof, nonce, FRAME_BYTES_MAX, |frame| {
                let appended = frame.record(&record);
                assert!(appended, "the first record fits");
            });
        } else {
            call.append(Asked::Append, nonce, allowance.bytes, |frame| {
                while u64::from(frame.len()) < allowance.records
                    && self.feed.append(now, source, frame)
                {}
            });
        }
        self.calls.waiting()
    }

    fn gaps_due(&self) -> Option<Mono> {
        let due = self.feed.gaps.due()?;
        Some(if self.stopping { Mono(0) } else { due })
    }

    /// Sends a frame; `false` if that cannot be now.
    fn submit(&mut self, place: usize, now: Mono, world: &mut impl World) -> bool {
        let Some(call) = self.calls.get_mut(place) else { return false };
        if !self.budget.take(call.records(), call.frame().len(), now) {
            return false;
        }
        let sent = world.submit(LOGD, CallId(place as u32), call.frame());
        match sent {
            Ok(()) => {
                call.sent();
                self.state.repeats += u64::from(call.is_repeat());
            }
            Err(SubmitError::Busy) => self.backoff.pause(now),
            Err(SubmitError::NotReady) => self.backoff.failed(now),
        }
        sent.is_ok()
    }

    /// Takes the end of a call. [`Self::poll`] is to follow.
    pub(crate) fn completion(
        &mut self,
        now: Mono,
        call: CallId,
        result: Result<&[u8], CallError>,
        senders: &Senders,
        world: &mut impl World,
    ) {
        let place = call.0 as usize;
        let Some(call) = self.calls.sent_mut(place) else { return };
        let asked = call.asked();
        let op = if asked == Asked::Search { Op::Search } else { Op::AppendBatch };
        let answer = result.ok().and_then(|frame| decode_reply(op, call.head(), frame));
        match answer {
            None => {
                call.wait();
                self.backoff.failed(now);
            }
            Some((LogStatus::RateLimited, _)) => {
                call.wait();
                self.backoff.pause(now);
            }
            Some((LogStatus::Ok, Reply::Batch(reply))) => {
                self.backoff.answered();
                self.acknowledged(place, &reply, now, senders);
            }
            Some((LogStatus::Ok, Reply::Search(reply))) => {
                self.backoff.answered();
                self.found(place, Some(&reply), now, world);
            }
            Some(_) => {
                self.backoff.answered();
                self.refused(place, now, senders);
            }
        }
    }

    fn acknowledged(&mut self, place: usize, reply: &BatchReply, now: Mono, senders: &Senders) {
        self.note_boot(reply, now);
        let later = now.after(self.retry_max);
        let nonce = self.calls.next_nonce();
        let Some(call) = self.calls.sent_mut(place) else { return };
        if call.asked() == Asked::Proof {
            self.proof.appended(reply, later);
            call.free();
            if let Some(search) = self.proof.search() {
                call.search(&search, nonce);
            }
            return;
        }
        let (first, refused) = (reply.first_refused.min(call.records()), reply.refused);
        match (refused, reply.why) {
            (0, _) => call.free(),
            (_, LogStatus::RateLimited) => {
                call.keep_from(first);
                self.backoff.pause(now);
            }
            _ => self.refused_from(place, reply, now, senders),
        }
    }

    /// One record is refused for good. If others are too, logd says which when it gets what is
    /// behind it once more; what it takes a second time has the same `seq`.
    fn refused_from(&mut self, place: usize, reply: &BatchReply, now: Mono, senders: &Senders) {
        self.lose(place, reply.first_refused, now, senders);
        let Some(call) = self.calls.sent_mut(place) else { return };
        let behind = reply.first_refused.saturating_add(1);
        if reply.refused > 1 && behind < call.records() {
            call.keep_from(behind);
        } else {
            call.free();
        }
    }

    /// logd refused a whole frame.
    fn refused(&mut self, place: usize, now: Mono, senders: &Senders) {
        let later = now.after(self.retry_max);
        let Some(call) = self.calls.sent_mut(place) else { return };
        let (asked, records) = (call.asked(), call.records());
        if asked == Asked::Append {
            for index in 0..records {
                self.lose(place, index, now, senders);
            }
        } else {
            self.proof.refused(later);
        }
        if let Some(call) = self.calls.sent_mut(place) {
            call.free();
        }
    }

    fn found(
        &mut self,
        place: usize,
        reply: Option<&SearchReply<'_>>,
        now: Mono,
        world: &mut impl World,
    ) {
        if self.proof.found(reply, now.after(self.retry_max)) {
            world.print(markers::METRICSD_READY);
        }
        if let Some(call) = self.calls.sent_mut(place) {
            call.free();
        }
    }

    /// Learns which logd answers. Another one than before has lost what it acknowledged: that is a
    /// gap, and all series are exported anew.
    fn note_boot(&mut self, reply: &BatchReply, now: Mono) {
        self.state.acknowledged += u64::from(reply.accepted);
        let more = Gap::at(None, u64::from(reply.accepted), now);
        match &mut self.logd {
            Some((boot, kept)) if *boot == reply.boot => kept.add(more),
            known => {
                let Some((_, lost)) = known.replace((reply.boot, more)) else { return };
                self.state.logd_restarts += 1;
                self.state.lost = self.state.lost.saturating_add(lost.count);
                self.feed.gaps.add(GapReason::LogdRestarted, SenderSlot::EVICTED.index(), lost);
                self.feed.rounds.begin_full();
            }
        }
    }

    /// Counts a record that logd will never have.
    fn lose(&mut self, place: usize, index: u16, now: Mono, senders: &Senders) {
        self.state.refused += 1;
        let Some(call) = self.calls.sent_mut(place) else { return };
        let Some(record) = call.record(index) else { return };
        let lost = Lost::of(&record);
        if lost.seq.is_some() && lost.seq == self.refused_seq {
            return;
        }
        self.refused_seq = lost.seq;
        let holds = |slot: &SenderSlot| {
            lost.origin.is_some() && senders.id(*slot).map(|id| id.service()) == lost.origin
        };
        let seat = senders.slots().find(holds).unwrap_or(SenderSlot::EVICTED).index();
        match lost.origin {
            Some(origin) if lost.is_span => {
                self.feed.gaps.span_lost(GapReason::Refused, seat, origin, now);
            }
            origin => self.feed.gaps.add(GapReason::Refused, seat, Gap::at(origin, 1, now)),
        }
    }

    /// Begins the end: a last export of what has changed and of what waits.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        self.feed.hurry = true;
        self.feed.rounds.begin();
    }

    /// Whether, after [`Self::stop`], nothing is left to do, or nobody to take it.
    #[must_use]
    pub(crate) fn stopped(&self) -> bool {
        let idle = self.calls.are_free() && !self.feed.has_work() && self.gaps_due().is_none();
        self.stopping && (idle || self.backoff.away())
    }

    /// What logd is not told if metricsd ends now.
    #[must_use]
    pub(crate) fn undone(&self, source: &impl SeriesSource) -> Undone {
        let inside = u64::from(self.feed.is_inside_a_record());
        Undone {
            records: self.calls.unacknowledged() + inside,
            spans: self.feed.queue.len(),
            series: self.feed.rounds.changes_left(source),
            losses: self.feed.gaps.untold(),
        }
    }

    /// When [`Self::poll`] is next to be called, if nothing happens before.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let round = (!self.stopping).then_some(self.feed.rounds.due());
        [round, self.next_call()].into_iter().flatten().min()
    }

    /// When the next frame can go, if there is one and a place for it.
    fn next_call(&self) -> Option<Mono> {
        let pending = self.calls.waiting().is_some() || self.feed.has_work();
        let wanted = [pending.then_some(Mono(0)), self.gaps_due(), self.proof.due()];
        let wanted = wanted.into_iter().flatten().min()?;
        let a_place = self.calls.waiting().or_else(|| self.calls.free());
        a_place.map(|_| wanted.max(self.backoff.until()).max(self.budget.until()))
    }

    /// How the export fares.
    #[must_use]
    pub(crate) fn state(&self) -> ExportState {
        ExportState {
            ready: self.proof.is_proven(),
            away: self.backoff.away(),
            in_flight: u32::try_from(self.calls.sent()).unwrap_or(u32::MAX),
            queue_bytes: u32::try_from(self.feed.queue.used_bytes()).unwrap_or(u32::MAX),
            rounds: self.feed.rounds.begun(),
            logd_boot: self.logd.as_ref().map_or(0, |(boot, _)| *boot),
            logd_acknowledged: self.logd.as_ref().map_or(0, |(_, kept)| kept.count),
            ..self.state
        }
    }
}

/// What a lost record was about.
struct Lost {
    origin: Option<ServiceId>,
    seq: Option<u64>,
    is_span: bool,
}

impl Lost {
    fn of(record: &NewRecord<'_>) -> Self {
        let fields = Fields::parse(record.fields).unwrap_or(Fields::EMPTY);
        let origin = fields.get("origin").and_then(|text| u64::from_str_radix(text, 16).ok());
        Self {
            origin: origin.map(ServiceId::from_raw),
            seq: fields.get("seq").and_then(|text| text.parse().ok()),
            is_span: record.scope == SPAN_SCOPE,
        }
    }
}
