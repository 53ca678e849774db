/// The bytes by which secrets are found: joints of keys and values, dashes of flags, and one byte
/// of each denied prefix. Prose has few of them.
pub(super) struct Anchors {
    /// 1 for each of them, else 0.
    is_anchor: [u8; 256],
}

impl Anchors {
    /// Joints, dashes, and `more` bytes.
    pub(super) fn new(more: impl Iterator<Item = u8>) -> Self {
        let mut is_anchor = [0; 256];
        for byte in more.chain(*b"=:-") {
            if let Some(is) = is_anchor.get_mut(usize::from(byte)) {
                *is = 1;
            }
        }
        Self { is_anchor }
    }

    #[inline]
    fn of(&self, byte: u8) -> u8 {
        self.is_anchor.get(usize::from(byte)).copied().unwrap_or_default()
    }

    /// The first anchor in `bytes` at or behind `at`.
    pub(super) fn next(&self, bytes: &[u8], at: usize) -> Option<usize> {
        bytes.get(at..)?.iter().position(|byte| self.of(*byte) != 0).map(|found| at + found)
    }

    /// Whether there is one in `bytes`: two instructions a byte, where a search takes twice as
    /// many.
    #[inline]
    pub(super) fn any_in(&self, bytes: &[u8]) -> bool {
        bytes.iter().fold(0, |any, byte| any | self.of(*byte)) != 0
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
