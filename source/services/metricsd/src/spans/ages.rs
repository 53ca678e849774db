use nexus_bounded::{BlockChain, Mono, Slab, SlotId};
use nexus_wire::{SpanId, TraceId, WideTraceId};

/// A span that has begun and not ended.
pub(super) struct Live {
    pub(super) life: SlotId,
    pub(super) span: SpanId,
    pub(super) trace: TraceId,
    pub(super) wide: WideTraceId,
    pub(super) parent: SpanId,
    pub(super) start_ns: u64,
    /// When metricsd took it, by its own clock.
    pub(super) taken: Mono,
    /// Its name, then its attributes.
    pub(super) text: BlockChain,
    pub(super) name_len: u8,
    /// The next span in its bucket of the index.
    pub(super) next: SlotId,
    pub(super) age: Link,
}

/// A span's neighbours in age.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) older: SlotId,
    pub(super) newer: SlotId,
}

impl Link {
    pub(super) const NONE: Self = Self { older: SlotId::NONE, newer: SlotId::NONE };
}

/// Live spans from the oldest to the newest.
pub(super) struct Ages {
    oldest: SlotId,
    newest: SlotId,
}

impl Ages {
    pub(super) const fn new() -> Self {
        Self { oldest: SlotId::NONE, newest: SlotId::NONE }
    }

    pub(super) const fn oldest(&self) -> SlotId {
        self.oldest
    }

    /// Appends a span that is in no list.
    pub(super) fn push(&mut self, spans: &mut Slab<Live>, id: SlotId) {
        if let Some(span) = spans.get_mut(id) {
            span.age = Link { older: self.newest, newer: SlotId::NONE };
        }
        match spans.get_mut(self.newest) {
            Some(before) => before.age.newer = id,
            None => self.oldest = id,
        }
        self.newest = id;
    }

    /// Closes the gap that a span with these neighbours leaves.
    pub(super) fn unlink(&mut self, spans: &mut Slab<Live>, link: Link) {
        match spans.get_mut(link.older) {
            Some(older) => older.age.newer = link.newer,
            None => self.oldest = link.newer,
        }
        match spans.get_mut(link.newer) {
            Some(newer) => newer.age.older = link.older,
            None => self.newest = link.older,
        }
    }
}
