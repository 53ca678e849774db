use alloc::boxed::Box;

use nexus_bounded::eights::{equal, first, lowest, word_at, word_in};

use super::finder::SHORTEST;
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

/// What was found out about short keys, kept: the same keys come again and again, and one behind
/// the other as they did before. It changes what an answer costs, never the answer.
pub(super) struct Known {
    places: Box<[Place; PLACES]>,
}

/// A key, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    key: Short,
    /// Its first eight bytes, the first one highest: such numbers are ordered as the keys are, but
    /// for keys that differ later.
    order: u64,
    pub(super) judged: Judged,
    /// The top bits of the bytes at which a value ends that is too short to have something secret
    /// in it. None if fields may not have the key, or it is secret or says something of its value.
    pub(super) ends_of_short: u64,
    /// Where the key lies that came behind it last, and is behind it in the order; [`START`] if
    /// there is none, as no key lies there.
    pub(super) next: u8,
    /// The number of this place.
    pub(super) own: u8,
}

/// A key of 1 to 15 bytes with the joint behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Short {
    /// Its first eight bytes, the last one of them highest.
    front: u64,
    /// Its last eight bytes, if there are more than eight.
    back: u64,
    /// Bytes.
    len: u8,
    /// Bits of a word that its front leaves free.
    free: u8,
}

const NOBODY: Place = Place {
    key: Short { front: u64::MAX, back: 0, len: 1, free: 56 },
    judged: Judged { verdict: Verdict::Plain, is_secret: false, is_legal: false },
    ends_of_short: 0,
    next: START,
    own: START,
    order: 0,
};

/// Bytes of a text that are looked at together: the longest such key and the longest value that is
/// known as a whole.
pub(super) const WINDOW: usize = 32;

/// As many as a byte can number. A key has two: that which its bytes say, and the other of a pair.
/// The first one is no key's: what comes behind it is what fields begin with.
const PLACES: usize = 256;
/// Where fields begin.
pub(super) const START: u8 = 0;

impl Known {
    pub(super) fn new() -> Self {
        Self { places: Box::new([NOBODY; PLACES]) }
    }

    /// Bytes of memory that they take.
    pub(super) const fn bytes() -> usize {
        size_of::<[Place; PLACES]>()
    }

    /// The place of that number.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "own index: a byte is below their number")]
    pub(super) fn at(&self, place: u8) -> &Place {
        &self.places[usize::from(place)]
    }

    #[expect(clippy::indexing_slicing, reason = "own index: a byte is below their number")]
    fn at_mut(&mut self, place: u8) -> &mut Place {
        &mut self.places[usize::from(place)]
    }

    /// What is known about a key.
    pub(super) fn get(&self, key: Short) -> Option<Judged> {
        self.place_of(key).map(|place| self.at(place).judged)
    }

    fn place_of(&self, key: Short) -> Option<u8> {
        key.places().into_iter().find(|place| self.at(*place).key == key)
    }

    /// Keeps what was found out, in the place of another key maybe: that of the elder of the two
    /// which have its places.
    pub(super) fn keep(&mut self, key: Short, judged: Judged) {
        let [place, other] = key.places();
        // Nobody may expect behind its key what comes to another's place; nor may the elder itself.
        self.forget(place);
        self.forget(other);
        let elder = *self.at(place);
        if elder.key != NOBODY.key && place != other {
            *self.at_mut(other) = Place { own: other, ..elder };
        }
        let Judged { verdict, is_secret, is_legal } = judged;
        let is_plain = verdict == Verdict::Plain && is_legal && !is_secret;
        let ends_of_short = if is_plain { first(SHORTEST) } else { 0 };
        let order = key.order();
        *self.at_mut(place) = Place { key, order, judged, ends_of_short, next: START, own: place };
    }

    fn forget(&mut self, gone: u8) {
        let expecting = self.places.iter_mut().filter(|place| place.next == gone);
        expecting.for_each(|place| place.next = START);
    }

    /// The place of the key at `at`, if it is known and behind that at `before` in the order. There
    /// it is expected from now on.
    #[inline(never)]
    pub(super) fn find(&mut self, before: u8, text: &[u8], at: usize) -> Option<u8> {
        let place = self.place_of(Short::before_joint(text.get(at..)?)?)?;
        let is_behind = self.at(place).order > self.at(before).order;
        is_behind.then(|| {
            self.at_mut(before).next = place;
            place
        })
    }
}

impl Place {
    /// Whether a text begins with its key.
    #[inline(always)]
    pub(super) fn begins(&self, text: &[u8; WINDOW]) -> bool {
        let key = self.key;
        word_in(text, 0).wrapping_shl(key.free.into()) == key.front
            && (key.len <= 8 || word_in(text, usize::from(key.len - 8)) == key.back)
    }

    /// Whether fields may have the key, and it says nothing of its value and is nothing secret.
    #[inline(always)]
    pub(super) const fn is_plain(&self) -> bool {
        self.ends_of_short != 0
    }

    /// Whether fields may have the key, and the shape of its value says nothing.
    pub(super) const fn is_allowed(&self) -> bool {
        let Judged { verdict, is_secret, is_legal } = self.judged;
        matches!(verdict, Verdict::Allowed) && is_legal && !is_secret
    }

    /// Where the value begins behind where its key begins.
    #[inline(always)]
    pub(super) const fn value_at(&self) -> usize {
        self.key.len as usize
    }
}

impl Short {
    /// Bytes of the longest such key.
    pub(super) const KEY_BYTES_MAX: usize = 15;

    /// `None` for a key that is empty, longer, or has a joint in it.
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        let mut text = [b'='; Self::KEY_BYTES_MAX + 1];
        text.get_mut(..key.len())?.copy_from_slice(key);
        Self::before_joint(&text).filter(|short| usize::from(short.len) == key.len() + 1)
    }

    /// What stands before the first `=`, if that is not empty and no longer than 15 bytes.
    fn before_joint(text: &[u8]) -> Option<Self> {
        let front = word_at(text, 0);
        let joint = equal(front, b'=');
        if joint != 0 {
            let len = lowest(joint) as u8 + 1;
            let free = 64 - 8 * len;
            return (len > 1).then_some(Self { front: front << free, back: 0, len, free });
        }
        let joint = equal(word_at(text, 8), b'=');
        let len = 9 + lowest(joint);
        let back = word_at(text, len - 8);
        (joint != 0).then_some(Self { front, back, len: len as u8, free: 0 })
    }

    /// See [`Place::order`]. The joint does not count, as no key has it.
    const fn order(self) -> u64 {
        let joint = if self.len > 8 { 0 } else { (b'=' as u64) << 56 };
        ((self.front ^ joint) >> self.free).swap_bytes()
    }

    /// Where it may have its place.
    const fn places(self) -> [u8; 2] {
        let mixed = (self.front ^ self.back.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = (mixed >> (u64::BITS - PLACES.trailing_zeros())) as u8;
        if place <= START + 1 { [START + 1; 2] } else { [place, place ^ 1] }
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
            let found = Short::before_joint(&text.as_bytes()[before.len()..]);
            proptest::prop_assert!(found == Short::of(key.as_bytes()), "{}", text);
        }

        #[test]
        fn without_a_joint_there_is_no_key(text in "[a-z]{0,40}") {
            proptest::prop_assert!(Short::before_joint(text.as_bytes()).is_none());
        }
    }
}
