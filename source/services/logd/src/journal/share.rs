use nexus_wire::RecordId;

use crate::journal::min_tree::MinTree;
use crate::table::Table;

/// One resource of the journal (records, or blocks): how much of it each seat uses, and whose
/// oldest record is the next to go when it is short.
///
/// Every seat but the first, that of the evicted, is guaranteed the same amount. Whoever uses more
/// is a candidate, and the oldest record among those of the candidates goes. As all guarantees
/// together are within the capacity, whoever is within his own always finds room.
pub(crate) struct Share {
    guaranteed: u32,
    used: Table<u32>,
    /// Of each candidate the id of its oldest record, or of an older one that is gone: keys are
    /// corrected when they come to the top, so that a resource that is not short costs nothing.
    candidates: MinTree,
    /// Whose record went last, and an id below which no other candidate has one: whoever floods
    /// loses one record after the other, and need not be compared with all others each time.
    last: (usize, u64),
}

impl Share {
    /// Nothing used yet by `seats` seats.
    pub(crate) fn new(guaranteed: u32, seats: usize) -> Self {
        Self {
            guaranteed,
            used: Table::filled(seats, 0),
            candidates: MinTree::new(seats),
            last: (0, 0),
        }
    }

    /// Bytes of memory that a share of `seats` seats takes.
    pub(crate) const fn bytes(seats: usize) -> usize {
        seats * size_of::<u32>() + MinTree::bytes(seats)
    }

    /// What a seat uses.
    pub(crate) fn used(&self, seat: usize) -> u32 {
        self.used[seat]
    }

    fn guaranteed(&self, seat: usize) -> u32 {
        if seat == 0 { 0 } else { self.guaranteed }
    }

    /// A seat uses `more` now, for a record that is its newest. `oldest` tells its oldest one.
    #[inline]
    pub(crate) fn take(
        &mut self,
        seat: usize,
        more: u32,
        oldest: impl FnOnce() -> Option<RecordId>,
    ) {
        let before = self.used[seat];
        self.used[seat] = before + more;
        let guaranteed = self.guaranteed(seat);
        // As long as it is above its share its key is right or too small.
        if before <= guaranteed && before + more > guaranteed {
            self.lower(seat, oldest());
        }
    }

    /// A seat uses `more` now, for records of any age; `oldest` is its oldest one.
    pub(crate) fn inherit(&mut self, seat: usize, more: u32, oldest: Option<RecordId>) {
        self.used[seat] += more;
        if self.used[seat] > self.guaranteed(seat) {
            self.lower(seat, oldest);
        }
    }

    /// The oldest record of a candidate may be this.
    fn lower(&mut self, seat: usize, oldest: Option<RecordId>) {
        let oldest = oldest.map_or(MinTree::NEVER, |oldest| oldest.0);
        if oldest < self.candidates.key(seat) {
            self.candidates.set(seat, oldest);
            self.last.1 = self.last.1.min(oldest);
        }
    }

    /// A seat uses `less` now.
    pub(crate) fn give_back(&mut self, seat: usize, less: u32) {
        self.used[seat] -= less;
    }

    /// The seat whose oldest record goes if `asking` is to have `more`: it counts as a candidate
    /// with what it is to have. `oldest` tells the oldest record of a seat that has one.
    pub(crate) fn next_to_go(
        &mut self,
        asking: usize,
        more: u32,
        oldest: impl Fn(usize) -> Option<RecordId>,
    ) -> usize {
        let own = match oldest(asking) {
            Some(own) if self.used[asking] + more > self.guaranteed(asking) => own.0,
            _ => MinTree::NEVER,
        };
        if asking == self.last.0 && own < self.last.1 {
            return asking;
        }
        loop {
            self.last = (asking, self.candidates.min_of_others(asking));
            if own < self.last.1 {
                return asking;
            }
            let first = self.candidates.min();
            assert!(first != MinTree::NEVER, "guarantees are within the capacity");
            let seat = self.candidates.place_of_min();
            let key = match oldest(seat) {
                Some(oldest) if self.used[seat] > self.guaranteed(seat) => oldest.0,
                _ => MinTree::NEVER,
            };
            if key == first {
                return seat;
            }
            self.candidates.set(seat, key);
        }
    }
}
