//! A thread's ring of finished spans: words, one writer, one reader, no locks.
//!
//! The writer owns `head`, the reader owns `tail`; both only rise. Words between them belong to
//! the reader, all others to the writer. What stands there are records, one behind the other.

use core::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use crate::limits::RING_WORDS;
use crate::record::{Record, Shape, WORDS_MAX};

/// See the module.
pub(crate) struct Ring {
    head: Line,
    tail: Line,
    words: [AtomicU64; RING_WORDS],
}

/// Where a record has its end.
const END_WORD: u64 = 4;

/// Keeps what two threads write apart in the caches.
#[repr(align(128))]
struct Line(AtomicU64);

const _: () = assert!(RING_WORDS.is_power_of_two() && RING_WORDS > WORDS_MAX);

impl Ring {
    pub(crate) const fn new() -> Self {
        Self {
            head: Line(AtomicU64::new(0)),
            tail: Line(AtomicU64::new(0)),
            words: [const { AtomicU64::new(0) }; RING_WORDS],
        }
    }

    /// Appends the record of a span in its slot, which ended at `end`; `false` and nothing if there
    /// is no room. By the writer alone.
    #[inline]
    pub(crate) fn push(&self, slot: &[AtomicU64; WORDS_MAX], shape: Shape, end: u64) -> bool {
        let head = self.head.0.load(Relaxed);
        let used = head.wrapping_sub(self.tail.0.load(Acquire));
        let count = shape.words();
        if used as usize + count > RING_WORDS {
            return false;
        }
        self.word(head).store(shape.word(), Relaxed);
        let mut at = head;
        for word in slot.get(1..count).unwrap_or_default() {
            at = at.wrapping_add(1);
            self.word(at).store(word.load(Relaxed), Relaxed);
        }
        self.word(head.wrapping_add(END_WORD)).store(end, Relaxed);
        self.head.0.store(head.wrapping_add(count as u64), Release);
        true
    }

    /// The oldest record, which stays until [`Self::pop`]. By the reader alone.
    pub(crate) fn peek(&self) -> Option<Record> {
        let tail = self.tail.0.load(Relaxed);
        if tail == self.head.0.load(Acquire) {
            return None;
        }
        Some(Record::from_words(|at| self.word(tail.wrapping_add(at as u64)).load(Relaxed)))
    }

    /// Removes the record that [`Self::peek`] returned. By the reader alone.
    pub(crate) fn pop(&self, record: &Record) {
        let tail = self.tail.0.load(Relaxed);
        self.tail.0.store(tail.wrapping_add(record.shape.words() as u64), Release);
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "own index: a remainder by the ring's words")]
    fn word(&self, at: u64) -> &AtomicU64 {
        &self.words[at as usize % RING_WORDS]
    }
}
