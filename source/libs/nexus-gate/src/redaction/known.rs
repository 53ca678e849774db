use alloc::boxed::Box;
use alloc::vec;

use nexus_bounded::eights::word_at;

use super::keys::Verdict;

/// What was found out about a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Judged {
    /// What it says of its value.
    pub(super) verdict: Verdict,
    /// Whether it is itself something secret.
    pub(super) is_secret: bool,
}

/// What was found out about short keys, kept: the same keys come again and again. It changes what
/// an answer costs, never the answer.
pub(super) struct Known {
    places: Box<[(Short, Judged)]>,
}

/// A key of 1 to 16 bytes: its first eight, its last eight where it is longer, and its length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Short {
    front: u64,
    back: u64,
    len: usize,
}

const NOBODY: Short = Short { front: 0, back: 0, len: 0 };
const PLACES: usize = 128;

impl Known {
    pub(super) fn new() -> Self {
        let nothing = Judged { verdict: Verdict::Plain, is_secret: false };
        Self { places: vec![(NOBODY, nothing); PLACES].into_boxed_slice() }
    }

    /// Bytes of memory that they take.
    pub(super) const fn bytes() -> usize {
        PLACES * size_of::<(Short, Judged)>()
    }

    /// What is known about a key.
    #[inline]
    pub(super) fn get(&self, key: Short) -> Option<Judged> {
        self.places.get(key.place()).filter(|place| place.0 == key).map(|place| place.1)
    }

    /// Keeps what was found out, in the place of another key maybe.
    pub(super) fn keep(&mut self, key: Short, judged: Judged) {
        if let Some(place) = self.places.get_mut(key.place()) {
            *place = (key, judged);
        }
    }
}

impl Short {
    /// `front` is its first eight bytes, filled with zeros. `None` for a key that is empty or
    /// longer.
    #[inline]
    pub(super) fn of(key: &[u8], front: u64) -> Option<Self> {
        let back = match key.len() {
            1..=8 => 0,
            9..=16 => word_at(key, key.len() - 8),
            _ => return None,
        };
        Some(Self { front, back, len: key.len() })
    }

    /// Where it has its place.
    #[inline]
    const fn place(self) -> usize {
        let mixed = (self.front ^ self.back.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - PLACES.trailing_zeros())) as usize
    }
}
