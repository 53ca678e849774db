//! Lanes: where one thread's spans are, open and finished.
//!
//! A lane belongs to at most one thread at a time, which alone writes it; the flusher alone reads
//! it. Open spans form a stack of slots. A slot is a sequence lock of atomic words, so that the
//! flusher can tell the daemon of a span that is open for long without stopping anybody.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed};
use core::sync::atomic::{Ordering::Release, fence};

use nexus_wire::{LossReason, SpanStatus};

use crate::attrs::{self, AttrValue, Written};
use crate::limits::{LANES_MAX, OPEN_SPANS_MAX};
use crate::loss::Losses;
use crate::record::{ATTR_WORDS, AttrText, Head, Record, Shape, WORDS_MAX};
use crate::ring::Ring;
use crate::span::SpanContext;
use crate::threads::Lock;

/// See the module.
pub(crate) struct Lane {
    /// Slots in use, from the bottom; written by the owner alone.
    depth: AtomicUsize,
    open: [Slot; OPEN_SPANS_MAX],
    pub(crate) ring: Ring,
}

/// One open span. `sequence` is odd while it is written. `ids` 0: free, or ended out of order.
struct Slot {
    sequence: AtomicU64,
    words: [AtomicU64; WORDS_MAX],
}

/// The word with name and trace.
const NAMES_WORD: usize = 1;
/// The word with span and parent; a span is never 0.
const IDS_WORD: usize = 2;
const START_WORD: usize = 3;

/// An open span in the hands of whoever will end it.
#[derive(Debug)]
pub(crate) struct Open {
    slot: u8,
    written: Written,
    /// Bytes of attributes that were there when it was published.
    start_attrs: u16,
    context: SpanContext,
}

impl Open {
    #[inline]
    pub(crate) const fn context(&self) -> SpanContext {
        self.context
    }

    fn shape(&self, status: SpanStatus) -> Shape {
        let (attrs, start_attrs) = (self.written.bytes, self.start_attrs);
        Shape { attrs, start_attrs, slot: self.slot, status }
    }
}

impl Slot {
    const fn new() -> Self {
        Self { sequence: AtomicU64::new(0), words: [const { AtomicU64::new(0) }; WORDS_MAX] }
    }

    #[inline]
    fn begin_write(&self) {
        let sequence = self.sequence.load(Relaxed);
        self.sequence.store(sequence | 1, Relaxed);
        fence(Release);
    }

    #[inline]
    fn end_write(&self) {
        let sequence = self.sequence.load(Relaxed);
        self.sequence.store((sequence | 1).wrapping_add(1), Release);
    }

    fn clear(&self) {
        self.begin_write();
        self.words[IDS_WORD].store(0, Relaxed);
        self.end_write();
    }

    /// The open span here; `None` also while it changes.
    fn read(&self) -> Option<Record> {
        let sequence = self.sequence.load(Acquire);
        let record = Record::from_words(|at| self.words.get(at).map_or(0, |it| it.load(Relaxed)));
        fence(Acquire);
        let unchanged = self.sequence.load(Relaxed) == sequence && sequence.is_multiple_of(2);
        (unchanged && record.head.span != 0).then_some(record)
    }

    fn is_open(&self) -> bool {
        self.words[IDS_WORD].load(Relaxed) != 0
    }

    fn attrs(&self) -> Option<&[AtomicU64; ATTR_WORDS]> {
        self.words.last_chunk()
    }
}

impl Lane {
    pub(crate) const fn new() -> Self {
        Self {
            depth: AtomicUsize::new(0),
            open: [const { Slot::new() }; OPEN_SPANS_MAX],
            ring: Ring::new(),
        }
    }

    /// The innermost open span. By the owner alone.
    #[inline]
    pub(crate) fn current(&self) -> Option<SpanContext> {
        let top = self.open.get(self.depth.load(Relaxed).wrapping_sub(1))?;
        let (ids, names) = (top.words[IDS_WORD].load(Relaxed), top.words[NAMES_WORD].load(Relaxed));
        Some(SpanContext::local(ids as u32, (names >> 32) as u32))
    }

    /// Puts a span on the stack, where the reader does not see it before [`Self::publish`]. `None`
    /// if the stack is full. By the owner alone.
    #[inline]
    pub(crate) fn begin(&self, head: &Head) -> Option<Open> {
        let depth = self.depth.load(Relaxed);
        let slot = self.open.get(depth)?;
        slot.begin_write();
        let [names, ids, start] = head.words();
        slot.words[NAMES_WORD].store(names, Relaxed);
        slot.words[IDS_WORD].store(ids, Relaxed);
        slot.words[START_WORD].store(start, Relaxed);
        self.depth.store(depth + 1, Relaxed);
        let context = SpanContext::local(head.span, head.trace);
        Some(Open { slot: depth as u8, written: Written::default(), start_attrs: 0, context })
    }

    /// Adds an attribute; `false` and nothing if it does not fit. By the owner alone.
    #[inline]
    pub(crate) fn attr(
        &self,
        open: &mut Open,
        key: &str,
        value: &(impl AttrValue + ?Sized),
    ) -> bool {
        let attrs = self.slot(open).attrs();
        attrs.is_some_and(|words| attrs::append(words, &mut open.written, key, value))
    }

    /// Whether the span has an attribute of this key. By the owner alone.
    pub(crate) fn has_attr(&self, open: &Open, key: &str) -> bool {
        let Some(words) = self.slot(open).attrs() else { return false };
        let word = |at: usize| words.get(at).map_or(0, |word| word.load(Relaxed));
        attrs::has(AttrText::from_words(open.written.bytes, word).as_str(), key)
    }

    /// Lets the reader see the span with the attributes it has. By the owner alone.
    #[inline]
    pub(crate) fn publish(&self, open: &mut Open) {
        open.start_attrs = open.written.bytes;
        let slot = self.slot(open);
        slot.words[0].store(open.shape(SpanStatus::Ok).word(), Relaxed);
        slot.end_write();
    }

    /// Ends a span: off the stack, into the ring. `false` if the ring is full. By the owner alone.
    #[inline]
    pub(crate) fn end(&self, open: &Open, end: u64, status: SpanStatus) -> bool {
        let slot = self.slot(open);
        // Once the reader can have it from the ring, it must not find it open.
        slot.begin_write();
        let kept = self.ring.push(&slot.words, open.shape(status), end);
        slot.words[IDS_WORD].store(0, Relaxed);
        slot.end_write();
        self.forget_ended();
        kept
    }

    #[inline]
    fn slot(&self, open: &Open) -> &Slot {
        self.at(usize::from(open.slot))
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "own index: a remainder by the open spans")]
    fn at(&self, place: usize) -> &Slot {
        &self.open[place % OPEN_SPANS_MAX]
    }

    /// Takes ended spans off the top: a span may end before those inside it.
    #[inline]
    fn forget_ended(&self) {
        let mut depth = self.depth.load(Relaxed);
        while depth > 0 && !self.at(depth - 1).is_open() {
            depth -= 1;
        }
        self.depth.store(depth, Relaxed);
    }

    /// Drops what is still open; how many that were. By the owner, at its end.
    fn abandon(&self) -> u64 {
        let left = self.open.iter().filter(|slot| slot.is_open());
        let count = left.map(Slot::clear).count();
        self.depth.store(0, Relaxed);
        count as u64
    }

    /// The open spans with their slots. By the reader alone.
    pub(crate) fn open_spans(&self) -> impl Iterator<Item = (usize, Record)> + '_ {
        self.open.iter().enumerate().filter_map(|(at, slot)| Some((at, slot.read()?)))
    }
}

/// The lanes of a process.
pub(crate) struct Lanes(Lock<Pool>);

struct Pool {
    all: Vec<&'static Lane>,
    free: Vec<&'static Lane>,
}

/// The right to record spans in a lane; dropping it passes the lane on.
pub(crate) struct LaneLease {
    lanes: &'static Lanes,
    losses: &'static Losses,
    lane: &'static Lane,
}

impl LaneLease {
    pub(crate) const fn lane(&self) -> &'static Lane {
        self.lane
    }
}

impl Drop for LaneLease {
    fn drop(&mut self) {
        self.losses.add(LossReason::SpanRingFull, self.lane.abandon());
        self.lanes.0.with(|pool| pool.free.push(self.lane));
    }
}

impl Lanes {
    pub(crate) const fn new() -> Self {
        Self(Lock::new(Pool { all: Vec::new(), free: Vec::new() }))
    }

    /// A lane for the calling thread alone. Never waits for another thread.
    pub(crate) fn lease(&'static self, losses: &'static Losses) -> Option<LaneLease> {
        let lane = self.0.try_with(Pool::lease)??;
        Some(LaneLease { lanes: self, losses, lane })
    }

    /// How many were made.
    pub(crate) fn count(&self) -> usize {
        self.0.with(|pool| pool.all.len())
    }

    /// Lane number `at`, counted in the order in which they were made.
    pub(crate) fn get(&self, at: usize) -> Option<&'static Lane> {
        self.0.with(|pool| pool.all.get(at).copied())
    }
}

impl Pool {
    fn lease(&mut self) -> Option<&'static Lane> {
        if let Some(lane) = self.free.pop() {
            return Some(lane);
        }
        if self.all.len() == LANES_MAX {
            return None;
        }
        let lane: &'static Lane = Box::leak(Box::new(Lane::new()));
        self.all.push(lane);
        Some(lane)
    }
}
