//! A thread's ring of finished spans: words, one writer, one reader, no locks.
//!
//! The writer owns `head`, the reader owns `tail`; both only rise. Words between them belong to
//! the reader, all others to the writer. A record is five words and its attributes:
//! `len:16 attrs:16 start_attrs:16 slot:8 status:8`, `name:32 trace:32`, `span:32 parent:32`,
//! `start`, `end`, then the attributes' text, eight bytes a word.

use core::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use crate::limits::RING_WORDS;
use crate::record::{Record, WORDS_MAX};

/// See the module.
pub(crate) struct Ring {
    head: Line,
    tail: Line,
    words: [AtomicU64; RING_WORDS],
}

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

    /// Appends a record; `false` and nothing if there is no room. By the writer alone.
    pub(crate) fn push(&self, record: &Record) -> bool {
        let head = self.head.0.load(Relaxed);
        let used = head.wrapping_sub(self.tail.0.load(Acquire));
        let count = record.words();
        if used as usize + count > RING_WORDS {
            return false;
        }
        let mut at = head;
        record.each_word(|word| {
            self.word(at).store(word, Relaxed);
            at = at.wrapping_add(1);
        });
        self.head.0.store(at, Release);
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
        self.tail.0.store(tail.wrapping_add(record.words() as u64), Release);
    }

    #[inline]
    fn word(&self, at: u64) -> &AtomicU64 {
        &self.words[at as usize % RING_WORDS]
    }
}
