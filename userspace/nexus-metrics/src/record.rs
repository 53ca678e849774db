//! A span as lanes hold it: five words, then its attributes' text, eight bytes a word.
//!
//! `len:16 attrs:16 start_attrs:16 slot:8 status:8`, `name:32 trace:32`, `span:32 parent:32`,
//! `start`, `end`.

use nexus_wire::{LABELS_BYTES_MAX, SpanStatus};

/// Words before the attributes.
pub(crate) const HEAD_WORDS: usize = 5;
/// Words of attributes at most.
pub(crate) const ATTR_WORDS: usize = LABELS_BYTES_MAX / 8;
/// Words of a record at most.
pub(crate) const WORDS_MAX: usize = HEAD_WORDS + ATTR_WORDS;

/// Number of a span's name in [`crate::span_names::SpanNames`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NameId(pub(crate) u32);

/// What does not change while a span goes on. Ids are this process's own numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) name: NameId,
    pub(crate) trace: u32,
    pub(crate) span: u32,
    /// 0: none.
    pub(crate) parent: u32,
    pub(crate) start: u64,
}

/// What stands in the first word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Bytes of attributes.
    pub(crate) attrs: u16,
    /// How many of them were there at the start.
    pub(crate) start_attrs: u16,
    /// Its place among the open spans of its thread.
    pub(crate) slot: u8,
    pub(crate) status: SpanStatus,
}

/// A span as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) head: Head,
    pub(crate) shape: Shape,
    /// 0 while it goes on.
    pub(crate) end: u64,
    /// `key=value\n` lines in the order in which they were said.
    pub(crate) attrs: AttrText,
}

impl Head {
    /// Words 1 to 3 of a record.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 3] {
        [
            u64::from(self.name.0) | u64::from(self.trace) << 32,
            u64::from(self.span) | u64::from(self.parent) << 32,
            self.start,
        ]
    }

    const fn from_words(names: u64, ids: u64, start: u64) -> Self {
        Self {
            name: NameId(names as u32),
            trace: (names >> 32) as u32,
            span: ids as u32,
            parent: (ids >> 32) as u32,
            start,
        }
    }
}

impl Shape {
    /// How many words the record takes in a ring.
    #[inline]
    pub(crate) fn words(&self) -> usize {
        HEAD_WORDS + usize::from(self.attrs).div_ceil(8)
    }

    /// The first word of a record.
    #[inline]
    pub(crate) fn word(&self) -> u64 {
        self.words() as u64
            | u64::from(self.attrs) << 16
            | u64::from(self.start_attrs) << 32
            | u64::from(self.slot) << 48
            | u64::from(self.status.raw()) << 56
    }

    /// Lengths are cut to what may be.
    fn from_word(word: u64) -> Self {
        let attrs = (word >> 16 & 0xffff).min(LABELS_BYTES_MAX as u64);
        Self {
            attrs: attrs as u16,
            start_attrs: (word >> 32 & 0xffff).min(attrs) as u16,
            slot: (word >> 48) as u8,
            status: SpanStatus::from_wire((word >> 56) as u8),
        }
    }
}

impl Record {
    /// The record whose words `word` returns by their place.
    pub(crate) fn from_words(word: impl Fn(usize) -> u64) -> Self {
        let shape = Shape::from_word(word(0));
        Self {
            head: Head::from_words(word(1), word(2), word(3)),
            shape,
            end: word(4),
            attrs: AttrText::from_words(shape.attrs, |at| word(HEAD_WORDS + at)),
        }
    }
}

/// Lines of attributes, 192 bytes at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttrText {
    len: u16,
    bytes: [u8; LABELS_BYTES_MAX],
}

impl AttrText {
    pub(crate) const EMPTY: Self = Self { len: 0, bytes: [0; LABELS_BYTES_MAX] };

    /// The first `len` bytes of the words that `word` returns by their place.
    pub(crate) fn from_words(len: u16, word: impl Fn(usize) -> u64) -> Self {
        let mut text = Self { len, ..Self::EMPTY };
        let (chunks, _) = text.bytes.as_chunks_mut::<8>();
        for (at, chunk) in chunks.iter_mut().take(usize::from(len).div_ceil(8)).enumerate() {
            *chunk = word(at).to_le().to_ne_bytes();
        }
        text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Appends bytes if they fit.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        if let Some(target) = self.bytes.get_mut(start..start + bytes.len()) {
            target.copy_from_slice(bytes);
            self.len += bytes.len() as u16;
        }
    }
}
