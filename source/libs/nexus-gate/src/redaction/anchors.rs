use super::runs::in_word;

/// The bytes by which secrets are found: joints of keys and values, dashes of flags, and one byte
/// of each denied prefix. Prose has few of them.
pub(super) struct Anchors {
    /// [`ANCHOR`] and [`GAP`] of each byte.
    classes: [u8; 256],
}

/// It is one of them.
const ANCHOR: u8 = 1;
/// No word has it.
const GAP: u8 = 2;

impl Anchors {
    /// A run of so many word bytes covers eight bytes that are looked at together, wherever it
    /// begins.
    pub(super) const RUN_MIN: usize = 15;

    /// Joints, dashes, and `more` bytes.
    pub(super) fn new(more: impl Iterator<Item = u8>) -> Self {
        let mut classes = core::array::from_fn(|byte| if in_word(byte as u8) { 0 } else { GAP });
        for byte in more.chain(*b"=:-") {
            if let Some(class) = classes.get_mut(usize::from(byte)) {
                *class |= ANCHOR;
            }
        }
        Self { classes }
    }

    #[inline]
    fn of(&self, byte: u8) -> u8 {
        self.classes.get(usize::from(byte)).copied().unwrap_or_default()
    }

    /// The first anchor in `bytes` at or behind `at`.
    pub(super) fn next(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let is_anchor = |byte: &u8| self.of(*byte) & ANCHOR != 0;
        bytes.get(at..)?.iter().position(is_anchor).map(|found| at + found)
    }

    /// Whether there is one in `bytes`.
    #[inline(always)]
    pub(super) fn any_in(&self, bytes: &[u8]) -> bool {
        let (eights, _) = bytes.as_chunks::<8>();
        let end = self.of_end(bytes);
        eights.iter().fold(end, |any, eight| any | self.any_of(eight)) & ANCHOR != 0
    }

    /// Whether there is none in `bytes`, nor a run of at least `run_min` bytes such as words have;
    /// `run_min` is at least [`Self::RUN_MIN`]. Little more than two instructions a byte, where a
    /// search takes twice as many.
    #[inline]
    pub(super) fn is_plain(&self, bytes: &[u8], run_min: usize) -> bool {
        if bytes.len() < run_min {
            return !self.any_in(bytes);
        }
        let (eights, _) = bytes.as_chunks::<8>();
        let mut any = self.of_end(bytes);
        for (eight, at) in eights.iter().zip((8..).step_by(8)) {
            let class = self.any_of(eight);
            any |= class;
            if class & GAP == 0 && self.run_around(bytes, at) >= run_min {
                return false;
            }
        }
        any & ANCHOR == 0
    }

    /// The length of the run on both sides of `at`.
    #[inline(never)]
    fn run_around(&self, bytes: &[u8], at: usize) -> usize {
        let is_gap = |byte: &u8| self.of(*byte) & GAP != 0;
        let (before, behind) = bytes.split_at_checked(at).unwrap_or_default();
        before.iter().rev().position(is_gap).unwrap_or(before.len())
            + behind.iter().position(is_gap).unwrap_or(behind.len())
    }

    /// What the last bytes are, up to eight.
    #[inline(always)]
    fn of_end(&self, bytes: &[u8]) -> u8 {
        if let Some(eight) = bytes.last_chunk::<8>() {
            return self.any_of(eight);
        }
        match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => self.any_of(first) | self.any_of(last),
            _ => bytes.iter().fold(0, |any, byte| any | self.of(*byte)),
        }
    }

    #[inline(always)]
    fn any_of<const N: usize>(&self, bytes: &[u8; N]) -> u8 {
        bytes.iter().fold(0, |any, byte| any | self.of(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    proptest::proptest! {
        #[test]
        fn anchors_are_found_one_after_another_and_nothing_else_is(
            text in proptest::collection::vec(
                proptest::prop_oneof![
                    proptest::prelude::any::<u8>(),
                    proptest::sample::select(b"=:-bJ_x".to_vec()),
                ],
                0..100,
            ),
        ) {
            let anchors = Anchors::new(b"bJ_".iter().copied());
            let mut found = Vec::new();
            while let Some(at) = anchors.next(&text, found.last().map_or(0, |last| last + 1)) {
                found.push(at);
            }
            let is_anchor = |at: &usize| b"=:-bJ_".contains(&text[*at]);
            let expected = (0..text.len()).filter(is_anchor).collect::<Vec<_>>();
            proptest::prop_assert_eq!(anchors.any_in(&text), !expected.is_empty());
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
