use alloc::boxed::Box;
use alloc::vec;

use nexus_bounded::eights::{below, equal, lowest, word_at};

use super::keys::Verdict;

/// What was found out about a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Judged {
    /// What it says of its value.
    pub(super) verdict: Verdict,
    /// Whether it is itself something secret.
    pub(super) is_secret: bool,
    /// Whether it is one that fields may have: canonical, and no claim of an identity.
    pub(super) is_legal: bool,
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
        let nothing = Judged { verdict: Verdict::Plain, is_secret: false, is_legal: false };
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
    /// `None` for a key that is empty or longer.
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        let back = match key.len() {
            1..=8 => 0,
            9..=16 => word_at(key, key.len() - 8),
            _ => return None,
        };
        Some(Self { front: word_at(key, 0), back, len: key.len() })
    }

    /// What stands at `at` before the next `=`, if that is not empty and no longer than 16 bytes.
    #[inline]
    pub(super) fn before_joint(text: &[u8], at: usize) -> Option<Self> {
        let front = word_at(text, at);
        let joint = equal(front, b'=');
        if joint != 0 {
            let len = lowest(joint);
            return (len > 0).then_some(Self { front: front & below(joint), back: 0, len });
        }
        let joint = equal(word_at(text, at + 8), b'=');
        let len = if joint != 0 {
            8 + lowest(joint)
        } else {
            16 + usize::from(text.get(at + 16) != Some(&b'='))
        };
        let back = if len > 8 { word_at(text, at + len - 8) } else { 0 };
        (len <= 16).then_some(Self { front, back, len })
    }

    pub(super) const fn len(self) -> usize {
        self.len
    }

    /// Its first eight bytes, the first one highest: such numbers are ordered as the keys are, but
    /// for keys that differ later.
    pub(super) const fn order(self) -> u64 {
        self.front.swap_bytes()
    }

    /// Where it has its place.
    #[inline]
    const fn place(self) -> usize {
        let mixed = (self.front ^ self.back.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - PLACES.trailing_zeros())) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_key_before_a_joint_is_the_key_alone(
            before in "[a-z=]{0,9}",
            key in "[a-z_]{0,20}",
            behind in "[a-z=\n]{0,20}",
        ) {
            let text = std::format!("{before}{key}={behind}");
            let found = Short::before_joint(text.as_bytes(), before.len());
            proptest::prop_assert!(found == Short::of(key.as_bytes()), "{}", text);
        }

        #[test]
        fn without_a_joint_there_is_no_key(text in "[a-z]{0,40}", at in 0usize..50) {
            proptest::prop_assert!(Short::before_joint(text.as_bytes(), at).is_none());
        }
    }
}
