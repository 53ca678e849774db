use alloc::boxed::Box;

use nexus_bounded::eights::{below, equal, is_ascii, lowest, not_of_a_number, through, word_in};

use super::known::WINDOW;

/// Values of 5 to 15 bytes that were found to have nothing secret in them, kept: they are mostly
/// names of states and parts, of which there are few. It changes what an answer costs, never the
/// answer.
pub(super) struct Values {
    places: Box<[Value; PLACES]>,
}

/// A value of 1 to 15 bytes of ASCII with the newline behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Value {
    /// Its first eight bytes, the first one lowest, and the others; zeros behind the newline.
    front: u64,
    back: u64,
}

const NOBODY: Value = Value { front: 0, back: 0 };

/// A value has two: that which its bytes say, and the other of a pair.
const PLACES: usize = 64;

impl Values {
    pub(super) fn new() -> Self {
        Self { places: Box::new([NOBODY; PLACES]) }
    }

    /// Bytes of memory that they take.
    pub(super) const fn bytes() -> usize {
        size_of::<[Value; PLACES]>()
    }

    /// Whether a value is one of them.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "own index: a place is below their number")]
    pub(super) fn has(&self, value: Value) -> bool {
        let place = value.place();
        self.places[place] == value || self.places[place ^ 1] == value
    }

    /// Keeps a value that was found clean, in the place of another one maybe: that of the elder of
    /// the two which have its places.
    #[expect(clippy::indexing_slicing, reason = "own index: a place is below their number")]
    pub(super) fn keep(&mut self, value: Value) {
        if self.has(value) {
            return;
        }
        let place = value.place();
        self.places[place ^ 1] = core::mem::replace(&mut self.places[place], value);
    }
}

impl Value {
    /// Bytes of the longest such value.
    pub(super) const BYTES_MAX: usize = 15;

    /// What numbers, versions and addresses consist of.
    pub(super) const BYTES_OF_NUMBERS: &[u8; 12] = b"./0123456789";

    /// A value, if it is no longer than such, and ASCII.
    pub(super) fn of(value: &[u8]) -> Option<Self> {
        let mut window = [0; WINDOW];
        window.get_mut(..value.len())?.copy_from_slice(value);
        *window.get_mut(value.len())? = b'\n';
        let (found, end) = Self::within(&window, 0)?;
        (end == value.len()).then_some(found)
    }

    /// Whether all its bytes are [`Self::BYTES_OF_NUMBERS`].
    #[inline(always)]
    pub(super) fn is_number(self) -> bool {
        is_number(self.front) && (self.back == 0 || is_number(self.back))
    }

    /// The value that begins at `start`, if it is no longer than such and ASCII, and its end.
    #[inline(always)]
    pub(super) fn within(window: &[u8; WINDOW], start: usize) -> Option<(Self, usize)> {
        let front = word_in(window, start);
        let newline = equal(front, b'\n');
        if newline != 0 {
            let value = Self { front: front & through(newline), back: 0 };
            return is_ascii(value.front).then(|| (value, start + lowest(newline)));
        }
        let back = word_in(window, start + 8);
        let newline = equal(back, b'\n');
        let value = Self { front, back: back & through(newline) };
        let is_one = newline != 0 && is_ascii(value.front | value.back);
        is_one.then(|| (value, start + 8 + lowest(newline)))
    }

    #[inline(always)]
    const fn place(self) -> usize {
        let mixed = (self.front ^ self.back.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - PLACES.trailing_zeros())) as usize
    }
}

/// Whether all bytes of a word in front of a newline are those of numbers.
#[inline(always)]
const fn is_number(word: u64) -> bool {
    not_of_a_number(word) & below(equal(word, b'\n')) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    proptest::proptest! {
        #[test]
        fn a_value_is_told_from_all_others(
            values in proptest::collection::vec("[ab\u{0}\u{e4}]{0,18}", 1..40),
        ) {
            let mut known = Values::new();
            let mut kept = BTreeSet::new();
            for value in &values {
                let found = Value::of(value.as_bytes());
                let is_one = value.len() <= Value::BYTES_MAX && value.is_ascii();
                proptest::prop_assert_eq!(found.is_some(), is_one);
                let Some(found) = found else { continue };
                proptest::prop_assert!(!known.has(found) || kept.contains(value));
                known.keep(found);
                proptest::prop_assert!(known.has(found));
                kept.insert(value);
            }
        }

        #[test]
        fn numbers_are_what_consists_of_their_bytes(value in "[0-9./]{1,15}[a:-]?|[!-~]{1,15}") {
            let expected = value.bytes().all(|byte| Value::BYTES_OF_NUMBERS.contains(&byte));
            let found = Value::of(value.as_bytes()).map(Value::is_number);
            proptest::prop_assert_eq!(found.unwrap_or(expected), expected);
        }
    }

    #[test]
    fn two_values_that_share_their_places_are_both_known() {
        let values = (0..200).map(|n| std::format!("state{n}"));
        let values = values.filter_map(|value| Value::of(value.as_bytes())).collect::<Vec<_>>();
        let first = values[0];
        let mut known = Values::new();
        for value in values.iter().filter(|value| value.place() == first.place()).take(2) {
            known.keep(*value);
            known.keep(*value);
        }
        assert!(known.has(first));
    }
}
