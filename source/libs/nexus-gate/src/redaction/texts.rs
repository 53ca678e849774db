use alloc::boxed::Box;
use alloc::vec;

use nexus_bounded::eights::{word_at, words};

/// Pairs of texts that were found to have nothing secret in them, kept: a message is mostly a
/// constant of a program, and comes again. It changes what an answer costs, never the answer.
pub(super) struct KnownTexts {
    places: Box<[Place]>,
}

/// A pair of texts, one behind the other.
#[derive(Clone, Copy)]
struct Place {
    /// The digest of what was learnt here last, whether it was kept or not.
    last: u64,
    /// Bytes of the first of them.
    first_len: u16,
    /// Bytes of both.
    len: u16,
    text: [u8; BYTES_MAX],
}

const VACANT: Place = Place { last: 0, first_len: 0, len: 0, text: [0; BYTES_MAX] };

/// The golden ratio: bits of a product with it depend on all lower ones of the other factor.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
/// Pairs that are kept.
const PLACES: usize = 32;
/// Bytes of the longest pair that is kept.
const BYTES_MAX: usize = 256;

impl KnownTexts {
    /// To look at shorter ones costs less than to know them.
    pub(super) const WORTH_BYTES: usize = 32;

    /// None known yet, all memory taken now.
    pub(super) fn new() -> Self {
        Self { places: vec![VACANT; PLACES].into_boxed_slice() }
    }

    /// Bytes of memory that they take.
    pub(super) const fn bytes() -> usize {
        PLACES * size_of::<Place>()
    }

    /// Whether `text`, of which `first_len` bytes are the first, is one of the pairs.
    #[inline]
    pub(super) fn has(&self, text: &[u8], first_len: usize) -> bool {
        let is_kept = |place: &Place| {
            usize::from(place.first_len) == first_len
                && place.text.get(..place.len.into()) == Some(text)
        };
        self.places.get(place_of(text)).is_some_and(is_kept)
    }

    /// Learns that a pair is clean. It is kept when it is learnt twice and nothing else in between:
    /// what never comes again has no place here.
    pub(super) fn learn(&mut self, text: &[u8], first_len: usize) {
        let own = digest_of(text);
        let Some(place) = self.places.get_mut(place_of(text)) else { return };
        if core::mem::replace(&mut place.last, own) != own {
            return;
        }
        if let Some(room) = place.text.get_mut(..text.len()) {
            room.copy_from_slice(text);
            (place.first_len, place.len) = (first_len as u16, text.len() as u16);
        }
    }
}

/// Its place, by its length and some of its bytes.
#[inline]
fn place_of(text: &[u8]) -> usize {
    let ends = word_at(text, 0) ^ word_at(text, text.len().saturating_sub(8)).rotate_left(21);
    let middle = word_at(text, text.len() / 2).rotate_left(42);
    let mixed = (ends ^ middle ^ text.len() as u64).wrapping_mul(MIX);
    (mixed >> (u64::BITS - PLACES.trailing_zeros())) as usize
}

/// A number that few other texts have: of all its bytes.
fn digest_of(text: &[u8]) -> u64 {
    words(text).fold(text.len() as u64, |all, word| (all.rotate_left(5) ^ word).wrapping_mul(MIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_known_when_it_was_learnt_twice_and_until_another_needs_its_place() {
        let mut known = KnownTexts::new();
        let text = b"the service did not answer within its deadline";
        assert!(!known.has(text, 3));
        known.learn(text, 3);
        assert!(!known.has(text, 3), "learnt once");
        known.learn(text, 3);
        assert!(known.has(text, 3) && !known.has(text, 4));
        assert!(!known.has(&text[1..], 3) && !known.has(&text[..45], 3));
        let mut n = 0_u32;
        while known.has(text, 3) {
            let other = std::format!("{n} attempts to start the service have failed");
            known.learn(other.as_bytes(), 3);
            known.learn(other.as_bytes(), 3);
            n += 1;
            assert!(n < 10_000, "it has one place only");
        }
    }

    #[test]
    fn what_never_comes_again_displaces_nobody() {
        let mut known = KnownTexts::new();
        let text = b"the service did not answer within its deadline";
        known.learn(text, 3);
        known.learn(text, 3);
        for n in 0..1000 {
            known.learn(std::format!("after {n} attempts the service has failed").as_bytes(), 3);
        }
        assert!(known.has(text, 3));
    }

    #[test]
    fn longer_pairs_than_there_is_room_for_are_not_kept() {
        let mut known = KnownTexts::new();
        let text = [b'a'; BYTES_MAX + 1];
        for len in [BYTES_MAX, BYTES_MAX + 1] {
            known.learn(&text[..len], 3);
            known.learn(&text[..len], 3);
            assert_eq!(known.has(&text[..len], 3), len == BYTES_MAX);
        }
    }

    #[test]
    fn texts_that_differ_in_one_byte_are_two() {
        let text = *b"the service did not answer within its deadline";
        for at in 0..text.len() {
            let mut known = KnownTexts::new();
            known.learn(&text, 3);
            known.learn(&text, 3);
            let mut other = text;
            other[at] ^= 1;
            assert!(known.has(&text, 3) && !known.has(&other, 3), "{at}");
        }
    }
}
