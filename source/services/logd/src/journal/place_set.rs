use alloc::boxed::Box;

use crate::table::Table;

/// A set of places, in which the next member from any place on is found in a few steps, however
/// many places lie between: marks of dropped records cost readers nothing.
///
/// Each level has a bit for every word of the one below, set while that word is not 0; the last
/// level is one word. That is one more bit in 63 than a plain set of bits takes.
pub(crate) struct PlaceSet {
    /// The first level, of which a bit is a place.
    words: Table<u64>,
    /// The others.
    above: Box<[Table<u64>]>,
}

/// Bits in a word.
const BITS: usize = u64::BITS as usize;

impl PlaceSet {
    /// An empty set of places below `count`.
    pub(crate) fn new(count: usize) -> Self {
        let mut levels = Self::words(count).map(|words| Table::filled(words, 0));
        let words = levels.next().unwrap_or_else(|| Table::filled(0, 0));
        Self { words, above: levels.collect() }
    }

    /// Bytes of memory that a set of places below `count` takes.
    pub(crate) fn bytes(count: usize) -> usize {
        let words = Self::words(count).sum::<usize>();
        words * size_of::<u64>() + (Self::words(count).count() - 1) * size_of::<Table<u64>>()
    }

    /// Words of each level. There is a bit for `count` itself, from which people look back.
    fn words(count: usize) -> impl Iterator<Item = usize> {
        let first = count / BITS + 1;
        core::iter::successors(Some(first), |words| (*words > 1).then(|| words.div_ceil(BITS)))
    }

    /// Adds a place.
    #[inline(always)]
    pub(crate) fn insert(&mut self, place: usize) {
        if set(&mut self.words, place) {
            let levels = self.above.iter_mut();
            let _ = levels.zip(words_of(place)).all(|(level, word)| set(level, word));
        }
    }

    /// Takes a place out.
    #[inline(always)]
    pub(crate) fn remove(&mut self, place: usize) {
        if clear(&mut self.words, place) {
            let levels = self.above.iter_mut();
            let _ = levels.zip(words_of(place)).all(|(level, word)| clear(level, word));
        }
    }

    /// Whether a place is in it.
    pub(crate) fn has(&self, place: usize) -> bool {
        self.words[place / BITS] >> (place % BITS) & 1 != 0
    }

    fn levels(&self) -> impl Iterator<Item = &Table<u64>> {
        core::iter::once(&self.words).chain(&self.above)
    }

    fn level(&self, at: usize) -> &Table<u64> {
        at.checked_sub(1).and_then(|at| self.above.get(at)).unwrap_or(&self.words)
    }

    /// The first member that is not below `place`.
    pub(crate) fn from(&self, place: usize) -> Option<usize> {
        let mut at = place;
        for (above, level) in self.levels().enumerate() {
            let rest = level.find(at / BITS)? & !low_bits(at % BITS);
            if rest != 0 {
                let first = at / BITS * BITS + rest.trailing_zeros() as usize;
                return Some(self.descend(above, first, |word| word.trailing_zeros()));
            }
            at = at / BITS + 1;
        }
        None
    }

    /// The last member below `place`.
    pub(crate) fn before(&self, place: usize) -> Option<usize> {
        let mut at = place;
        for (above, level) in self.levels().enumerate() {
            let word = level.find(at / BITS).copied().unwrap_or(0);
            let rest = word & low_bits(at % BITS);
            if rest != 0 {
                let last = at / BITS * BITS + rest.ilog2() as usize;
                return Some(self.descend(above, last, |word| word.ilog2()));
            }
            at /= BITS;
        }
        None
    }

    /// From a bit of a level to the place below it that `choose` leads to.
    fn descend(&self, level: usize, bit: usize, choose: impl Fn(u64) -> u32) -> usize {
        let below = (0..level).rev();
        below.fold(bit, |at, level| at * BITS + choose(self.level(level)[at]) as usize)
    }
}

/// Sets a bit; whether its word was 0.
#[inline(always)]
fn set(level: &mut Table<u64>, bit: usize) -> bool {
    let word = &mut level[bit / BITS];
    let was_empty = *word == 0;
    *word |= 1 << (bit % BITS);
    was_empty
}

/// Clears a bit; whether its word is 0 now.
#[inline(always)]
fn clear(level: &mut Table<u64>, bit: usize) -> bool {
    let word = &mut level[bit / BITS];
    *word &= !(1 << (bit % BITS));
    *word == 0
}

/// The words in which a place lies, level by level.
fn words_of(place: usize) -> impl Iterator<Item = usize> {
    core::iter::successors(Some(place / BITS), |word| Some(word / BITS))
}

/// The lowest `count` bits; fewer than a word has.
const fn low_bits(count: usize) -> u64 {
    (1 << count) - 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_member_either_way_is_the_one_of_a_plain_set(
            count in prop::sample::select(vec![1usize, 63, 64, 65, 4095, 4096, 4097, 300_000]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..80),
        ) {
            let mut places = PlaceSet::new(count);
            let mut model = BTreeSet::new();
            for (place, what) in changes {
                let place = place.index(count);
                match what {
                    0..3 => {
                        places.remove(place);
                        model.remove(&place);
                    }
                    _ => {
                        places.insert(place);
                        model.insert(place);
                    }
                }
                prop_assert_eq!(places.has(place), model.contains(&place));
                for at in [0, place / 2, place, place + 1, count] {
                    prop_assert_eq!(places.from(at), model.range(at..).next().copied());
                    prop_assert_eq!(places.before(at), model.range(..at).next_back().copied());
                }
            }
        }
    }
}
