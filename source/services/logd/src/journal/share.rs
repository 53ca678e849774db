use alloc::boxed::Box;
use alloc::vec;

use crate::journal::min_tree::MinTree;

/// One resource of the journal (records, or blocks): how much of it each seat uses, and whose
/// oldest record is the next to go when it is short.
///
/// Every seat but the first, that of the evicted, is guaranteed the same amount. Whoever uses more
/// is a candidate, and the oldest record among those of the candidates goes. As all guarantees
/// together are within the capacity, whoever is within his own always finds room.
pub(crate) struct Share {
    guaranteed: u32,
    used: Box<[u32]>,
    /// Of each candidate the id of its oldest record.
    candidates: MinTree,
}

impl Share {
    /// Nothing used yet by `seats` seats.
    pub(crate) fn new(guaranteed: u32, seats: usize) -> Self {
        let used = vec![0; seats].into_boxed_slice();
        Self { guaranteed, used, candidates: MinTree::new(seats) }
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

    /// A seat uses `used` now, and `oldest` is its oldest record.
    pub(crate) fn set(&mut self, seat: usize, used: u32, oldest: u64) {
        self.used[seat] = used;
        let is_candidate = used > self.guaranteed(seat);
        self.candidates.set(seat, if is_candidate { oldest } else { MinTree::NEVER });
    }

    /// The seat whose oldest record goes if `asking`, whose oldest record is `oldest`, is to have
    /// `more`. It counts as a candidate with what it is to have.
    pub(crate) fn next_to_go(&self, asking: usize, more: u32, oldest: u64) -> usize {
        if self.used[asking] + more > self.guaranteed(asking) && oldest < self.candidates.min() {
            return asking;
        }
        assert!(self.candidates.min() != MinTree::NEVER, "guarantees are within the capacity");
        self.candidates.place_of_min()
    }
}
