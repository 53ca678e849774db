use nexus_wire::{LABELS_BYTES_MAX, SpanStatus};

use crate::limits::ATTRS_MAX;

/// Words before the attributes.
pub(crate) const HEAD_WORDS: usize = 5;
/// Words of attributes at most.
pub(crate) const ATTR_WORDS: usize = LABELS_BYTES_MAX / 8;
/// Words of a record at most.
pub(crate) const WORDS_MAX: usize = HEAD_WORDS + ATTR_WORDS;

/// Number of a span's name in [`crate::span_names::SpanNames`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NameId(pub(crate) u32);

/// A span: its ids in this process, its times, and its attributes as `key=value\n` lines in the
/// order in which they were said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) name: NameId,
    pub(crate) trace: u32,
    pub(crate) span: u32,
    /// 0: none.
    pub(crate) parent: u32,
    pub(crate) start: u64,
    /// 0 while it goes on.
    pub(crate) end: u64,
    pub(crate) status: SpanStatus,
    /// Its place among the open spans of its thread.
    pub(crate) slot: u8,
    pub(crate) attrs: AttrText,
    /// How many bytes of the attributes were there at the start.
    pub(crate) start_attrs: u16,
}

/// Lines of attributes, 192 bytes at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttrText {
    len: u16,
    /// Lines that were appended to it; not kept in rings.
    lines: u16,
    bytes: [u8; LABELS_BYTES_MAX],
}

impl AttrText {
    pub(crate) const EMPTY: Self = Self { len: 0, lines: 0, bytes: [0; LABELS_BYTES_MAX] };

    pub(crate) const fn len(&self) -> u16 {
        self.len
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Appends bytes if they fit.
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        let start = usize::from(self.len);
        let Some(target) = self.bytes.get_mut(start..start + bytes.len()) else { return false };
        target.copy_from_slice(bytes);
        self.len += bytes.len() as u16;
        true
    }

    /// One more line was appended whole; `false` if a span has no more.
    pub(crate) const fn count_line(&mut self) -> bool {
        self.lines += 1;
        self.lines as usize <= ATTRS_MAX
    }

    /// Forgets everything behind `len`.
    pub(crate) fn truncate(&mut self, len: u16) {
        self.len = self.len.min(len);
    }

    fn words(&self) -> usize {
        usize::from(self.len).div_ceil(8)
    }
}

impl Record {
    /// How many words it takes in a ring.
    pub(crate) fn words(&self) -> usize {
        HEAD_WORDS + self.attrs.words()
    }

    /// Its words in order.
    #[inline]
    pub(crate) fn each_word(&self, mut put: impl FnMut(u64)) {
        put(self.words() as u64
            | u64::from(self.attrs.len) << 16
            | u64::from(self.start_attrs) << 32
            | u64::from(self.slot) << 48
            | u64::from(self.status.raw()) << 56);
        put(u64::from(self.name.0) | u64::from(self.trace) << 32);
        put(u64::from(self.span) | u64::from(self.parent) << 32);
        put(self.start);
        put(self.end);
        let (chunks, _) = self.attrs.bytes.as_chunks::<8>();
        for chunk in chunks.iter().take(self.attrs.words()) {
            put(u64::from_ne_bytes(*chunk));
        }
    }

    /// The record whose words `word` returns by their place. Lengths are cut to what may be.
    pub(crate) fn from_words(word: impl Fn(usize) -> u64) -> Self {
        let head = word(0);
        let (names, ids) = (word(1), word(2));
        let mut attrs = AttrText::EMPTY;
        attrs.len = (head >> 16 & 0xffff).min(LABELS_BYTES_MAX as u64) as u16;
        let words = attrs.words();
        let (chunks, _) = attrs.bytes.as_chunks_mut::<8>();
        for (at, chunk) in chunks.iter_mut().take(words).enumerate() {
            *chunk = word(HEAD_WORDS + at).to_ne_bytes();
        }
        Self {
            name: NameId(names as u32),
            trace: (names >> 32) as u32,
            span: ids as u32,
            parent: (ids >> 32) as u32,
            start: word(3),
            end: word(4),
            status: SpanStatus::from_wire((head >> 56) as u8),
            slot: (head >> 48) as u8,
            attrs,
            start_attrs: (head >> 32 & 0xffff).min(u64::from(attrs.len)) as u16,
        }
    }
}
