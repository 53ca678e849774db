use crate::journal::min_tree::MinTree;

/// One resource of the journal (records, or blocks): whose oldest record is the next to go when it
/// is short. How much of it each seat uses is for the caller to keep.
///
/// Every seat but the first, that of the evicted, is guaranteed the same amount. Whoever uses more
/// is a candidate, and the oldest record among those of the candidates goes. As all guarantees
/// together are within the capacity, whoever is within his own always finds room.
pub(crate) struct Share {
    guaranteed: u32,
    /// Of each candidate the id of its oldest record, or of an older one that is gone: keys are
    /// corrected when they come to the top, so that a resource that is not short costs nothing.
    candidates: MinTree,
    /// Whose record went last, and an id below which no other candidate has one: whoever floods
    /// loses one record after the other, and need not be compared with all others each time.
    last: (usize, u64),
}

/// What a seat has.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    /// How much of the resource it uses.
    pub(crate) used: u32,
    /// Id of its oldest record, [`Held::NOTHING`] if it has none.
    pub(crate) oldest: u64,
}

impl Held {
    /// The id of no record: it is above all.
    pub(crate) const NOTHING: u64 = MinTree::NEVER;

    /// The same with `more` of the resource.
    pub(crate) const fn and(self, more: u32) -> Self {
        Self { used: self.used + more, ..self }
    }
}

impl Share {
    /// Nothing used yet by `seats` seats.
    pub(crate) fn new(guaranteed: u32, seats: usize) -> Self {
        Self { guaranteed, candidates: MinTree::new(seats), last: (0, 0) }
    }

    /// Bytes of memory that a share of `seats` seats takes.
    pub(crate) const fn bytes(seats: usize) -> usize {
        MinTree::bytes(seats)
    }

    const fn guaranteed(&self, seat: usize) -> u32 {
        if seat == 0 { 0 } else { self.guaranteed }
    }

    /// The key of a seat among the candidates.
    fn key(&self, seat: usize, held: Held) -> u64 {
        if held.used > self.guaranteed(seat) { held.oldest } else { MinTree::NEVER }
    }

    /// Whether a seat that uses this now, `more` than before, has become a candidate by that. As
    /// long as it is one, new records change nothing: its key is right or too small.
    #[inline(always)]
    pub(crate) const fn is_passed(&self, seat: usize, used: u32, more: u32) -> bool {
        let guaranteed = self.guaranteed(seat);
        used > guaranteed && used - more <= guaranteed
    }

    /// A seat has this now, more than before, for records of any age.
    #[cold]
    pub(crate) fn inherit(&mut self, seat: usize, now: Held) {
        let key = self.key(seat, now);
        if key < self.candidates.key(seat) {
            self.candidates.set(seat, key);
            self.last.1 = self.last.1.min(key);
        }
    }

    /// The seat whose oldest record goes for `asking`, which counts as a candidate with what it is
    /// to have. `held` tells what a seat has.
    #[inline(always)]
    pub(crate) fn next_to_go(
        &mut self,
        asking: usize,
        to_have: Held,
        held: impl Fn(usize) -> Held,
    ) -> usize {
        let own = self.key(asking, to_have);
        if asking == self.last.0 && own < self.last.1 {
            return asking;
        }
        self.compare(asking, own, held)
    }

    /// As above by a look at all candidates, of which the asking one has the key `own`.
    #[cold]
    fn compare(&mut self, asking: usize, own: u64, held: impl Fn(usize) -> Held) -> usize {
        loop {
            self.last = (asking, self.candidates.min_of_others(asking));
            if own < self.last.1 {
                return asking;
            }
            let first = self.candidates.min();
            assert!(first != MinTree::NEVER, "guarantees are within the capacity");
            let seat = self.candidates.place_of_min();
            let key = self.key(seat, held(seat));
            if key == first {
                return seat;
            }
            self.candidates.set(seat, key);
        }
    }
}
