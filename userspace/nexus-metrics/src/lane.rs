//! Lanes: where one thread's spans are, open and finished.
//!
//! A lane belongs to at most one thread at a time, which alone writes it; the flusher alone reads
//! it. Open spans form a stack of slots. A slot is a sequence lock of atomic words, so that the
//! flusher can tell the daemon of a span that is open for long without stopping anybody.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed};
use core::sync::atomic::{Ordering::Release, fence};

use nexus_wire::LossReason;

use crate::limits::{LANES_MAX, OPEN_SPANS_MAX};
use crate::loss::Losses;
use crate::record::{Record, WORDS_MAX};
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

/// The word with span and parent; a span is never 0.
const IDS_WORD: usize = 2;
/// The word with name and trace.
const NAMES_WORD: usize = 1;

impl Slot {
    const fn new() -> Self {
        Self { sequence: AtomicU64::new(0), words: [const { AtomicU64::new(0) }; WORDS_MAX] }
    }

    fn write(&self, body: impl FnOnce(&Self)) {
        let sequence = self.sequence.load(Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Relaxed);
        fence(Release);
        body(self);
        self.sequence.store(sequence.wrapping_add(2), Release);
    }

    /// The open span here; `None` also while it changes.
    fn read(&self) -> Option<Record> {
        let sequence = self.sequence.load(Acquire);
        let record = Record::from_words(|at| self.word(at));
        fence(Acquire);
        let unchanged = self.sequence.load(Relaxed) == sequence && sequence.is_multiple_of(2);
        (unchanged && record.span != 0).then_some(record)
    }

    fn word(&self, at: usize) -> u64 {
        self.words.get(at).map_or(0, |word| word.load(Relaxed))
    }

    fn is_open(&self) -> bool {
        self.words[IDS_WORD].load(Relaxed) != 0
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
    pub(crate) fn current(&self) -> Option<SpanContext> {
        let top = self.open.get(self.depth.load(Relaxed).checked_sub(1)?)?;
        let (ids, names) = (top.words[IDS_WORD].load(Relaxed), top.words[NAMES_WORD].load(Relaxed));
        Some(SpanContext::local(ids as u32, (names >> 32) as u32))
    }

    /// Puts a span on the stack and notes its slot in it; `false` if the stack is full. By the
    /// owner alone.
    pub(crate) fn begin(&self, record: &mut Record) -> bool {
        let depth = self.depth.load(Relaxed);
        let Some(slot) = self.open.get(depth) else { return false };
        record.slot = depth as u8;
        slot.write(|slot| {
            let mut words = slot.words.iter();
            record.each_word(|word| {
                if let Some(place) = words.next() {
                    place.store(word, Relaxed);
                }
            });
        });
        self.depth.store(depth + 1, Relaxed);
        true
    }

    /// Ends a span that [`Self::begin`] took: off the stack, into the ring. `false` if the ring
    /// is full. By the owner alone.
    pub(crate) fn end(&self, record: &Record) -> bool {
        if let Some(slot) = self.open.get(usize::from(record.slot)) {
            slot.write(|slot| slot.words[IDS_WORD].store(0, Relaxed));
        }
        self.forget_ended();
        self.ring.push(record)
    }

    /// Takes ended spans off the top: a span may end before those inside it.
    fn forget_ended(&self) {
        let mut depth = self.depth.load(Relaxed);
        while depth > 0 && !self.open[depth - 1].is_open() {
            depth -= 1;
        }
        self.depth.store(depth, Relaxed);
    }

    /// Drops what is still open; how many that were. By the owner, at its end.
    fn abandon(&self) -> u64 {
        let left = self.open.iter().filter(|slot| slot.is_open());
        let count = left.map(|slot| slot.write(|slot| slot.words[IDS_WORD].store(0, Relaxed)));
        let count = count.count() as u64;
        self.depth.store(0, Relaxed);
        count
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
