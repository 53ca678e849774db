//! Which sectors are taken.

use alloc::boxed::Box;
use alloc::vec;

/// Most pieces that a file lies in.
pub const EXTENTS_MAX: usize = 4;

/// Sectors that lie one behind another.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Extent {
    /// The first one.
    pub start: u32,
    /// How many.
    pub sectors: u32,
}

impl Extent {
    pub(crate) const fn end(self) -> u64 {
        self.start as u64 + self.sectors as u64
    }

    const fn contains(self, other: Self) -> bool {
        other.start >= self.start && other.end() <= self.end()
    }
}

/// The pieces of one file, in the order of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Extents {
    count: u8,
    list: [Extent; EXTENTS_MAX],
}

impl Extents {
    pub(crate) const EMPTY: Self =
        Self { count: 0, list: [Extent { start: 0, sectors: 0 }; EXTENTS_MAX] };

    pub(crate) fn as_slice(&self) -> &[Extent] {
        self.list.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Adds a piece; `false` if there are too many.
    pub(crate) fn push(&mut self, extent: Extent) -> bool {
        let Some(place) = self.list.get_mut(usize::from(self.count)) else { return false };
        *place = extent;
        self.count += 1;
        true
    }

    pub(crate) fn sectors(&self) -> u32 {
        self.as_slice().iter().map(|extent| extent.sectors).sum()
    }

    /// The sectors from the file's `index`-th on that lie one behind another.
    pub(crate) fn run(&self, index: u32) -> Option<Extent> {
        let mut before = 0;
        for extent in self.as_slice() {
            let skip = index - before;
            if skip < extent.sectors {
                return Some(Extent { start: extent.start + skip, sectors: extent.sectors - skip });
            }
            before += extent.sectors;
        }
        None
    }

    /// Keeps the first `sectors` sectors; what is given back is in the result.
    pub(crate) fn trim(&mut self, sectors: u32) -> Self {
        let (mut kept, mut given) = (Self::default(), Self::default());
        for extent in self.as_slice() {
            let keep = extent.sectors.min(sectors - kept.sectors());
            let rest = Extent { start: extent.start + keep, sectors: extent.sectors - keep };
            if keep > 0 {
                kept.push(Extent { sectors: keep, ..*extent });
            }
            if rest.sectors > 0 {
                given.push(rest);
            }
        }
        *self = kept;
        given
    }
}

/// A bit for each sector that files may take.
pub(crate) struct Space {
    data: Extent,
    taken: Box<[u64]>,
    free: u32,
    /// Behind what was allocated last.
    cursor: u32,
}

impl Space {
    pub(crate) fn new(data: Extent) -> Self {
        let words = data.sectors.div_ceil(u64::BITS) as usize;
        Self { data, taken: vec![0; words].into_boxed_slice(), free: data.sectors, cursor: 0 }
    }

    pub(crate) const fn bytes(data: Extent) -> usize {
        data.sectors.div_ceil(u64::BITS) as usize * size_of::<u64>()
    }

    pub(crate) fn clear(&mut self) {
        self.taken.fill(0);
        self.free = self.data.sectors;
    }

    /// Sectors not taken.
    pub(crate) const fn free(&self) -> u32 {
        self.free
    }

    /// Goes on behind what an earlier run allocated last, if this one has allocated nothing.
    pub(crate) fn go_on_behind(&mut self, extent: Extent) {
        if self.cursor == 0 {
            self.move_behind(extent);
        }
    }

    fn move_behind(&mut self, extent: Extent) {
        self.cursor = extent.start - self.data.start + extent.sectors;
    }

    /// Takes `sectors` sectors: the next place where all fit, or else the largest places, as few
    /// as do. `None`, and nothing taken, if more than [`EXTENTS_MAX`] would be needed. The next
    /// place, not the first one, so that all sectors wear alike and one that cannot be written is
    /// not tried again and again.
    pub(crate) fn allocate(&mut self, sectors: u32) -> Option<Extents> {
        let mut extents = Extents::default();
        let mut missing = sectors;
        while missing > 0 {
            let found = self.find(missing);
            let piece = Extent { sectors: found.sectors.min(missing), ..found };
            if piece.sectors == 0 || !extents.push(piece) {
                self.release_all(&extents);
                return None;
            }
            self.mark(piece, true);
            self.move_behind(piece);
            missing -= piece.sectors;
        }
        Some(extents)
    }

    /// The next free run of at least `wanted` sectors, or else the first of the longest.
    fn find(&self, wanted: u32) -> Extent {
        let next = self.find_from(self.cursor, wanted);
        if next.sectors >= wanted { next } else { self.find_from(0, wanted) }
    }

    fn find_from(&self, from: u32, wanted: u32) -> Extent {
        let mut best = Extent::default();
        let mut at = from;
        while at < self.data.sectors {
            at += self.count(at, true);
            let run = Extent { start: self.data.start + at, sectors: self.count(at, false) };
            if run.sectors > best.sectors {
                best = run;
            }
            if best.sectors >= wanted {
                break;
            }
            at += run.sectors;
        }
        best
    }

    /// How many sectors from `at` on are all taken, or all free.
    fn count(&self, at: u32, taken: bool) -> u32 {
        let mut end = at;
        while end < self.data.sectors {
            let word = self.taken.get((end / u64::BITS) as usize).copied().unwrap_or_default();
            let word = if taken { word } else { !word } >> (end % u64::BITS);
            let same = word.trailing_ones().min(u64::BITS - end % u64::BITS);
            end += same;
            if same == 0 || !end.is_multiple_of(u64::BITS) {
                break;
            }
        }
        end.min(self.data.sectors) - at
    }

    /// Takes what a file on the disk says it has; `false` if that cannot be.
    pub(crate) fn claim(&mut self, extent: Extent) -> bool {
        if extent.sectors == 0 || !self.data.contains(extent) {
            return false;
        }
        if self.count(extent.start - self.data.start, false) < extent.sectors {
            return false;
        }
        self.mark(extent, true);
        true
    }

    pub(crate) fn release(&mut self, extent: Extent) {
        self.mark(extent, false);
    }

    fn release_all(&mut self, extents: &Extents) {
        for extent in extents.as_slice() {
            self.release(*extent);
        }
    }

    fn mark(&mut self, extent: Extent, taken: bool) {
        assert!(self.data.contains(extent), "files lie where files may lie");
        let start = extent.start - self.data.start;
        for at in start..start + extent.sectors {
            let bit = 1 << (at % u64::BITS);
            if let Some(word) = self.taken.get_mut((at / u64::BITS) as usize) {
                assert!((*word & bit == 0) == taken, "a sector is taken once and freed once");
                *word ^= bit;
            }
        }
        self.free = if taken { self.free - extent.sectors } else { self.free + extent.sectors };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: Extent = Extent { start: 100, sectors: 200 };

    fn extents(pieces: &[(u32, u32)]) -> Extents {
        let mut extents = Extents::default();
        for &(start, sectors) in pieces {
            assert!(extents.push(Extent { start, sectors }));
        }
        extents
    }

    #[test]
    fn a_file_lies_in_one_piece_where_it_can() {
        let mut space = Space::new(DATA);
        assert_eq!(space.allocate(64), Some(extents(&[(100, 64)])));
        assert_eq!(space.allocate(70), Some(extents(&[(164, 70)])));
        space.release(Extent { start: 100, sectors: 64 });
        assert_eq!(space.allocate(2), Some(extents(&[(234, 2)])));
        assert_eq!(space.allocate(64), Some(extents(&[(236, 64)])));
        assert_eq!(space.allocate(64), Some(extents(&[(100, 64)])));
        assert_eq!((space.free(), space.allocate(1)), (0, None));
    }

    #[test]
    fn a_file_lies_in_the_largest_pieces_where_it_must_and_in_no_more_than_allowed() {
        let mut space = Space::new(DATA);
        assert!(space.allocate(200).is_some());
        for (start, sectors) in [(110, 10), (130, 30), (170, 20)] {
            space.release(Extent { start, sectors });
        }
        assert_eq!(space.allocate(55), Some(extents(&[(130, 30), (170, 20), (110, 5)])));
        for start in [200, 210, 220, 230] {
            space.release(Extent { start, sectors: 1 });
        }
        assert_eq!(space.free(), 9);
        assert_eq!(space.allocate(9), None);
        assert_eq!(space.free(), 9);
        assert!(space.allocate(8).is_some());
    }

    #[test]
    fn what_lies_outside_or_is_taken_already_is_not_claimed() {
        let mut space = Space::new(DATA);
        assert!(space.claim(Extent { start: 150, sectors: 10 }));
        for (start, sectors) in [(99, 1), (159, 1), (140, 11), (299, 2), (120, 0), (1, u32::MAX)] {
            assert!(!space.claim(Extent { start, sectors }), "{start} {sectors}");
        }
        assert!(space.claim(Extent { start: 160, sectors: 140 }));
        assert!(space.claim(Extent { start: 100, sectors: 50 }));
        assert_eq!(space.free(), 0);
    }

    #[test]
    fn trimming_keeps_the_front_and_gives_the_rest_back() {
        let mut file = extents(&[(0, 4), (10, 4), (20, 4)]);
        assert_eq!(file.run(5), Some(Extent { start: 11, sectors: 3 }));
        assert_eq!(file.run(12), None);
        assert_eq!(file.trim(6), extents(&[(12, 2), (20, 4)]));
        assert_eq!(file, extents(&[(0, 4), (10, 2)]));
        assert_eq!(file.trim(0), extents(&[(0, 4), (10, 2)]));
        assert_eq!(file.sectors(), 0);
    }
}
