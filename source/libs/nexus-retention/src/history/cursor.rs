//! Where a reader goes on: what the words of a cursor mean.

use nexus_wire::Tier;
use nexus_wire::metrics::RangeCursor;

use super::walk::Place;
use crate::name::SegmentName;
use crate::segment::LocalId;

const CHUNKS: u64 = 1 << 16;
/// Behind that bit: the raw window with which the answer ends.
const END_SHIFT: u32 = 17;
/// Behind the last window that a cursor can tell.
pub(super) const END_MAX: u64 = u64::MAX >> END_SHIFT;

/// A place in what is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cursor {
    pub(super) tier: Tier,
    pub(super) segment: SegmentName,
    /// Within the segment.
    pub(super) place: Place,
    /// Within what a series did in a group.
    pub(super) row: u8,
    /// The raw window of the running boot with which the answer ends; 0: whatever is asked for.
    pub(super) end: u64,
}

impl Cursor {
    pub(super) fn write(&self) -> RangeCursor {
        let Place { batch, at } = self.place;
        let (flag, group, series) = match at {
            None => (0, 0, 0),
            Some((group, series)) => (CHUNKS, group, series.0),
        };
        RangeCursor([
            u64::from(self.tier.raw()) << 32 | u64::from(self.segment.boot),
            self.segment.first,
            u64::from(batch.0) << 32 | u64::from(series),
            self.end.min(END_MAX) << END_SHIFT | flag | u64::from(group) << 8 | u64::from(self.row),
        ])
    }

    /// The cursor in the words; `None` if no reader can have written them.
    pub(super) fn read(words: RangeCursor) -> Option<Self> {
        let RangeCursor([file, first, numbers, place_word]) = words;
        let [group, row] = [8, 0].map(|shift| (place_word >> shift) as u8);
        let series = LocalId(numbers as u32);
        let at = (place_word & CHUNKS != 0).then_some((group, series));
        let segment = SegmentName { boot: file as u32, first };
        let tier = u8::try_from(file >> 32).ok().and_then(Tier::from_raw)?;
        let place = Place { batch: LocalId((numbers >> 32) as u32), at };
        let cursor = Self { tier, segment, place, row, end: place_word >> END_SHIFT };
        (tier != Tier::Auto && cursor.write() == words).then_some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back(
            tier in proptest::sample::select(vec![Tier::Raw, Tier::Short, Tier::Long]),
            (boot, first, batch, row) in any::<(u32, u64, u32, u8)>(),
            at in any::<Option<(u8, u32)>>(), end in 0..=END_MAX,
        ) {
            let segment = SegmentName { boot, first };
            let at = at.map(|(group, series)| (group, LocalId(series)));
            let place = Place { batch: LocalId(batch), at };
            let cursor = Cursor { tier, segment, place, row, end };
            prop_assert_ne!(cursor.write(), RangeCursor::START);
            prop_assert_eq!(Cursor::read(cursor.write()), Some(cursor));
        }

        #[test]
        fn any_words_are_one_cursor_or_none(words: [u64; 4], small: [u16; 4]) {
            let small = small.map(u64::from);
            for words in [words, small, [small[0] << 32, words[1], words[2], small[3]]] {
                if let Some(cursor) = Cursor::read(RangeCursor(words)) {
                    prop_assert_eq!(cursor.write(), RangeCursor(words));
                }
            }
        }
    }
}
