use nexus_abi::{ExitReason, Incarnation, Sender, ServiceId};
use nexus_bounded::{BlockChain, Mono, Nanos, Slab, SlotId};
use nexus_gate::{Redactor, SenderSlot};
use nexus_recipe::{MemoryLine, MetricsdLimits, TextBlocks};
use nexus_wire::metrics::{LiveSpan, SpanEnd, SpanStart, SpansWriter, WholeSpan};
use nexus_wire::{
    AttrBytes, Fields, LABELS_BYTES_MAX, NAME_BYTES_MAX, NameBytes, Reason, SpanId, SpanStatus,
};

use super::ages::{Ages, Link, Live};
use super::attributes::{self, TextRules};
use super::index::Index;
use super::lives::Lives;
use super::{EndReason, EndedSpan};
use crate::export::Exporter;
use crate::limits::SERIES_BLOCKS_MAX;
use crate::shares::Shares;

/// Bytes of a live span's texts, at most.
const TEXT_BYTES_MAX: usize = NAME_BYTES_MAX + LABELS_BYTES_MAX;
const TEXT_BLOCKS_MAX: u32 = TextBlocks::blocks_for(TEXT_BYTES_MAX) as u32;

/// Who a span is said to belong to: a seat and the stamp of the frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanOwner {
    /// The sender's seat.
    pub(crate) slot: SenderSlot,
    /// The stamp.
    pub(crate) sender: Sender,
}

/// A span or its end was taken as it was, or almost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Accepted {
    /// Texts in which a secret was replaced.
    pub(crate) redacted: u32,
}

/// All live spans.
pub(crate) struct SpanTable {
    boot: u32,
    ttl: Nanos,
    rules: TextRules,
    spans: Slab<Live>,
    texts: TextBlocks,
    lives: Lives,
    index: Index,
    ages: Ages,
    span_shares: Shares,
    text_shares: Shares,
}

/// What closes a span.
struct End<'a> {
    end_ns: u64,
    status: SpanStatus,
    reason: Option<EndReason>,
    attrs: Fields<'a>,
}

impl SpanTable {
    /// An empty table, all memory taken now. `boot` is metricsd's boot number.
    #[must_use]
    pub(crate) fn new(limits: &MetricsdLimits, boot: u32) -> Self {
        let (senders, floor) = (limits.senders, limits.spans_floor);
        let blocks = Self::text_blocks(limits);
        let text_floor = floor.saturating_mul(TEXT_BLOCKS_MAX);
        Self {
            boot,
            ttl: limits.span_ttl,
            rules: TextRules::new(limits),
            spans: Slab::new(limits.spans),
            texts: TextBlocks::new(blocks),
            lives: Lives::new(limits.sessions, senders),
            index: Index::new(senders, limits.spans_per_sender),
            ages: Ages::new(),
            span_shares: Shares::new(senders, limits.spans, floor, limits.spans_per_sender),
            text_shares: Shares::new(senders, blocks, text_floor, blocks),
        }
    }

    /// Blocks of 32 bytes that spans take of `text_bytes`: its part in proportion to the floors of
    /// spans and series at their longest texts, so that both floors fit.
    #[must_use]
    pub(crate) const fn text_blocks(limits: &MetricsdLimits) -> u32 {
        let series = limits.series_floor as u64 * SERIES_BLOCKS_MAX as u64;
        let spans = limits.spans_floor as u64 * TEXT_BLOCKS_MAX as u64;
        let blocks = limits.text_bytes as u64 / TextBlocks::bytes(1) as u64;
        let part = blocks * spans / (series + spans);
        // No more than every span could fill.
        let most = limits.spans as u64 * TEXT_BLOCKS_MAX as u64;
        if part < most { part as u32 } else { most as u32 }
    }

    /// What the table takes memory for.
    #[must_use]
    pub(crate) fn memory(limits: &MetricsdLimits) -> [MemoryLine; 3] {
        let line = |what, count: u32, bytes: usize| MemoryLine {
            what,
            count: u64::from(count),
            bytes_each: bytes as u64,
        };
        let tables = Lives::bytes(limits.sessions, limits.senders)
            + Index::bytes(limits.senders, limits.spans_per_sender)
            + 2 * Shares::bytes(limits.senders) as usize;
        [
            line("live spans", limits.spans, Slab::<Live>::bytes(1)),
            line("blocks of their texts", Self::text_blocks(limits), TextBlocks::bytes(1)),
            line("their owners and index", 1, tables),
        ]
    }

    /// Takes the start of a span.
    ///
    /// # Errors
    /// [`Reason`]: `Invalid` (malformed, or the span lives already), `Identity` (a foreign span,
    /// trace or parent, or an attribute that claims an identity), `Secret`, `OverLimit` (a bound of
    /// texts, or a cap of live spans), `NotReady` (too many lives). Nothing has changed.
    pub(crate) fn start(
        &mut self,
        owner: &SpanOwner,
        start: &SpanStart<'_>,
        now: Mono,
        redactor: &mut Redactor,
    ) -> Result<Accepted, Reason> {
        self.check_new(owner, start)?;
        let mut buffer = [0; LABELS_BYTES_MAX];
        let name = attributes::name(start.name, redactor)?;
        let attrs = self.rules.attributes(start.attrs, redactor, &mut buffer)?;
        let text = self.take_room(owner.slot, [name.text, attrs.text.as_str()])?;
        let Some(life) = self.lives.open(owner.slot, owner.sender) else {
            self.give_room_back(owner.slot, text);
            return Err(Reason::NotReady);
        };
        self.insert(life, start, text, name.text.len() as u8, now);
        Ok(Accepted { redacted: name.redacted + attrs.redacted })
    }

    /// Ids that the owner may use, of a span that does not live.
    fn check_new(&self, owner: &SpanOwner, start: &SpanStart<'_>) -> Result<(), Reason> {
        let service = owner.sender.service();
        check_span_id(start.span, service)?;
        let parent_is_own = start.parent.is_none() || start.parent.belongs_to(service);
        if !parent_is_own || !start.trace.belongs_to(service) {
            return Err(Reason::Identity);
        }
        if start.parent == start.span || self.find(owner, start.span).is_some() {
            return Err(Reason::Invalid);
        }
        Ok(())
    }

    /// Takes a place and stores texts, or does neither.
    fn take_room(&mut self, slot: SenderSlot, texts: [&str; 2]) -> Result<BlockChain, Reason> {
        let [name, attrs] = texts.map(str::as_bytes);
        let blocks = TextBlocks::blocks_for(name.len() + attrs.len()) as u32;
        if !self.span_shares.fits(slot, 1) || !self.text_shares.fits(slot, blocks) {
            return Err(Reason::OverLimit);
        }
        self.span_shares.take(slot, 1);
        self.text_shares.take(slot, blocks);
        let text = self.texts.store(&[name, attrs]);
        assert!(text.is_some(), "the shares are within the store");
        Ok(text.unwrap_or(BlockChain::EMPTY))
    }

    fn give_room_back(&mut self, slot: SenderSlot, text: BlockChain) {
        self.span_shares.give(slot, 1);
        self.text_shares.give(slot, TextBlocks::blocks_for(text.len()) as u32);
        self.texts.release(text);
    }

    fn insert(
        &mut self,
        life_id: SlotId,
        start: &SpanStart<'_>,
        text: BlockChain,
        name_len: u8,
        now: Mono,
    ) {
        let Some(life) = self.lives.get_mut(life_id) else { return };
        life.spans += 1;
        let wide = life.widen(self.boot, start.trace);
        let Some(head) = self.index.head_mut(life.slot.index(), life_id, local(start.span)) else {
            return;
        };
        let live = Live {
            life: life_id,
            span: start.span,
            trace: start.trace,
            wide,
            parent: start.parent,
            start_ns: start.start_ns,
            taken: now,
            text,
            name_len,
            next: *head,
            age: Link::NONE,
        };
        let inserted = self.spans.insert(live);
        assert!(inserted.is_ok(), "the shares are within the table");
        if let Ok(id) = inserted {
            *head = id;
            self.ages.push(&mut self.spans, id);
        }
    }

    /// Takes the end of a live span and exports it.
    ///
    /// # Errors
    /// [`Reason`]: `Invalid`, `Identity`, `Secret`, `OverLimit` (also: the attributes of start and
    /// end together are beyond a bound), `NotFound` (no such live span of this life). Nothing has
    /// changed: the span lives on.
    pub(crate) fn end(
        &mut self,
        owner: &SpanOwner,
        end: &SpanEnd<'_>,
        now: Mono,
        redactor: &mut Redactor,
        exporter: &mut Exporter,
    ) -> Result<Accepted, Reason> {
        check_span_id(end.span, owner.sender.service())?;
        let id = self.find(owner, end.span).ok_or(Reason::NotFound)?;
        let mut buffer = [0; LABELS_BYTES_MAX];
        let attrs = self.rules.attributes(end.attrs, redactor, &mut buffer)?;
        let done = End { end_ns: end.end_ns, status: end.status, reason: None, attrs: attrs.text };
        self.close(id, owner.slot, &done, now, exporter)?;
        Ok(Accepted { redacted: attrs.redacted })
    }

    /// Takes a span that has ended already and exports it; it needs no place.
    ///
    /// # Errors
    /// As [`Self::start`], without caps.
    pub(crate) fn whole(
        &mut self,
        owner: &SpanOwner,
        whole: &WholeSpan<'_>,
        now: Mono,
        redactor: &mut Redactor,
        exporter: &mut Exporter,
    ) -> Result<Accepted, Reason> {
        let start = &whole.start;
        self.check_new(owner, start)?;
        let mut buffer = [0; LABELS_BYTES_MAX];
        let name = attributes::name(start.name, redactor)?;
        let attrs = self.rules.attributes(start.attrs, redactor, &mut buffer)?;
        let life = self.lives.open(owner.slot, owner.sender).ok_or(Reason::NotReady)?;
        let life = self.lives.get_mut(life).ok_or(Reason::NotReady)?;
        let ended = EndedSpan {
            service: owner.sender.service(),
            incarnation: life.first,
            trace: life.widen(self.boot, start.trace),
            span: start.span,
            parent: start.parent,
            start_ns: start.start_ns,
            end_ns: whole.end_ns,
            status: whole.status,
            reason: None,
            name: name.text,
            attrs: attrs.text.as_str(),
        };
        exporter.ended(owner.slot, &ended, now);
        Ok(Accepted { redacted: name.redacted + attrs.redacted })
    }

    /// Goes on with a life under the number of a new connection: its live spans stay its own.
    pub(crate) fn resume(&mut self, slot: SenderSlot, earlier: Incarnation, sender: Sender) {
        if let Some(life) = self.lives.find(slot, earlier)
            && let Some(life) = self.lives.get_mut(life)
        {
            life.sender = sender;
        }
    }

    /// Closes the live spans of a life that has ended.
    pub(crate) fn abandon(
        &mut self,
        slot: SenderSlot,
        incarnation: Incarnation,
        reason: ExitReason,
        now: Mono,
        exporter: &mut Exporter,
    ) {
        if let Some(life) = self.lives.find(slot, incarnation) {
            self.end_life(life, slot, EndReason::Gone(reason), now, exporter);
        }
    }

    /// Closes all live spans under a seat whose sender has lost it. What is lost of them from now
    /// on is counted in the row of the evicted.
    pub(crate) fn displace(&mut self, slot: SenderSlot, now: Mono, exporter: &mut Exporter) {
        while let Some(life) = self.lives.first_of(slot) {
            self.end_life(life, SenderSlot::EVICTED, EndReason::Evicted, now, exporter);
        }
    }

    fn end_life(
        &mut self,
        life: SlotId,
        counted_under: SenderSlot,
        reason: EndReason,
        now: Mono,
        exporter: &mut Exporter,
    ) {
        let mut at = self.ages.oldest();
        while self.lives.get(life).is_some_and(|life| life.spans > 0) {
            let Some(span) = self.spans.get(at) else { break };
            let (newer, of_life) = (span.age.newer, span.life == life);
            if of_life {
                self.give_up(at, counted_under, reason, now, exporter);
            }
            at = newer;
        }
        self.lives.close(life);
    }

    /// Closes the spans that are older than spans may be.
    pub(crate) fn expire(&mut self, now: Mono, exporter: &mut Exporter) {
        while let Some(slot) = self.oldest_due(now) {
            self.give_up(self.ages.oldest(), slot, EndReason::Ttl, now, exporter);
        }
    }

    fn oldest_due(&self, now: Mono) -> Option<SenderSlot> {
        let oldest = self.spans.get(self.ages.oldest())?;
        let due = now >= oldest.taken.after(self.ttl);
        let life = self.lives.get(oldest.life)?;
        due.then_some(life.slot)
    }

    /// When [`Self::expire`] is next due.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.spans.get(self.ages.oldest()).map(|oldest| oldest.taken.after(self.ttl))
    }

    /// Appends live spans by place from `cursor` on, and says where to go on; 0: that was all.
    pub(crate) fn live(&self, cursor: u32, writer: &mut SpansWriter<'_>) -> u32 {
        let mut text = [0; TEXT_BYTES_MAX];
        for place in cursor..self.spans.capacity() {
            let Some(span) = self.spans.get(SlotId(place)) else { continue };
            let Some(shown) = self.show(span, &mut text) else { continue };
            if !writer.span(&shown) {
                return place;
            }
        }
        0
    }

    fn show<'a>(&self, span: &Live, text: &'a mut [u8; TEXT_BYTES_MAX]) -> Option<LiveSpan<'a>> {
        let life = self.lives.get(span.life)?;
        let text = self.texts.copy_to(span.text, text)?;
        let (name, attrs) = text.split_at_checked(usize::from(span.name_len))?;
        Some(LiveSpan {
            service: life.sender.service(),
            incarnation: life.first,
            start: SpanStart {
                span: span.span,
                trace: span.trace,
                parent: span.parent,
                start_ns: span.start_ns,
                name: NameBytes::new(name)?,
                attrs: AttrBytes::new(attrs)?,
            },
        })
    }

    /// Live spans in all.
    #[must_use]
    pub(crate) const fn len(&self) -> u32 {
        self.spans.len()
    }

    fn find(&self, owner: &SpanOwner, span: SpanId) -> Option<SlotId> {
        let life = self.lives.find(owner.slot, owner.sender.incarnation)?;
        let mut at = self.index.head(owner.slot.index(), life, local(span));
        while let Some(live) = self.spans.get(at) {
            if live.life == life && live.span == span {
                return Some(at);
            }
            at = live.next;
        }
        None
    }

    /// Closes a span as abandoned.
    fn give_up(
        &mut self,
        id: SlotId,
        counted_under: SenderSlot,
        reason: EndReason,
        now: Mono,
        exporter: &mut Exporter,
    ) {
        let status = SpanStatus::Abandoned;
        let end = End { end_ns: now.0, status, reason: Some(reason), attrs: Fields::EMPTY };
        let closed = self.close(id, counted_under, &end, now, exporter);
        assert!(closed.is_ok(), "an end without attributes is never refused");
    }

    /// Exports a live span and forgets it, unless its attributes become too many.
    fn close(
        &mut self,
        id: SlotId,
        counted_under: SenderSlot,
        end: &End<'_>,
        now: Mono,
        exporter: &mut Exporter,
    ) -> Result<(), Reason> {
        let mut text = [0; TEXT_BYTES_MAX];
        let mut merged = [0; LABELS_BYTES_MAX];
        let span = self.spans.get(id).ok_or(Reason::NotFound)?;
        let life = self.lives.get(span.life).ok_or(Reason::NotFound)?;
        let text = self.texts.copy_to(span.text, &mut text).unwrap_or_default();
        let (name, attrs) = text.split_at_checked(usize::from(span.name_len)).unwrap_or_default();
        let attrs = Fields::parse(attrs).unwrap_or(Fields::EMPTY);
        let ended = EndedSpan {
            service: life.sender.service(),
            incarnation: life.first,
            trace: span.wide,
            span: span.span,
            parent: span.parent,
            start_ns: span.start_ns,
            end_ns: end.end_ns,
            status: end.status,
            reason: end.reason,
            name: core::str::from_utf8(name).unwrap_or_default(),
            attrs: self.rules.merged(attrs, end.attrs, &mut merged)?.as_str(),
        };
        exporter.ended(counted_under, &ended, now);
        self.forget(id);
        Ok(())
    }

    fn forget(&mut self, id: SlotId) {
        let Some(gone) = self.spans.remove(id) else { return };
        self.ages.unlink(&mut self.spans, gone.age);
        let Some(life) = self.lives.get_mut(gone.life) else { return };
        life.spans -= 1;
        let slot = life.slot;
        self.unchain(slot, id, &gone);
        self.give_room_back(slot, gone.text);
    }

    fn unchain(&mut self, slot: SenderSlot, id: SlotId, gone: &Live) {
        let Some(head) = self.index.head_mut(slot.index(), gone.life, local(gone.span)) else {
            return;
        };
        if *head == id {
            *head = gone.next;
            return;
        }
        let mut at = *head;
        while let Some(before) = self.spans.get_mut(at) {
            if before.next == id {
                before.next = gone.next;
                return;
            }
            at = before.next;
        }
    }
}

/// The sender's own count within a span id.
const fn local(span: SpanId) -> u32 {
    (span.raw() & 0xffff_ffff) as u32
}

fn check_span_id(span: SpanId, service: ServiceId) -> Result<(), Reason> {
    if span.is_none() {
        return Err(Reason::Invalid);
    }
    if span.belongs_to(service) { Ok(()) } else { Err(Reason::Identity) }
}
