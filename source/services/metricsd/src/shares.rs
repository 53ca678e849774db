//! Who may take how much of something that all senders share.

use nexus_gate::SenderSlot;

use crate::rows::Rows;

/// A number of equal things, of which each sender is guaranteed a floor and may have at most a cap.
///
/// What is free to all is the total less what is used and less the floors that their owners have
/// not used yet; so no sender can take what another is guaranteed.
pub(crate) struct Shares {
    used: Rows<u32>,
    total: u32,
    floor: u32,
    cap: u32,
    /// Used, or kept for its owner.
    bound: u32,
}

impl Shares {
    /// Nothing used. Every sender's floor fits into `total`: the recipe has been checked for it.
    pub(crate) fn new(senders: u32, total: u32, floor: u32, cap: u32) -> Self {
        // Seat 0 belongs to nobody and has no floor.
        let bound = senders.saturating_mul(floor).min(total);
        Self { used: Rows::filled(senders + 1, 0), total, floor, cap: cap.min(total), bound }
    }

    pub(crate) const fn bytes(senders: u32) -> u64 {
        Rows::<u32>::bytes(senders + 1)
    }

    pub(crate) fn used(&self, owner: SenderSlot) -> u32 {
        self.used[row(owner)]
    }

    /// Whether `owner` is at its own cap: what others give back does not help it.
    pub(crate) fn at_cap(&self, owner: SenderSlot, count: u32) -> bool {
        self.used(owner).saturating_add(count) > self.cap
    }

    /// Whether `owner` may take `count` more.
    pub(crate) fn fits(&self, owner: SenderSlot, count: u32) -> bool {
        let used = self.used(owner);
        let beyond = self.beyond_floor(used.saturating_add(count)) - self.beyond_floor(used);
        !self.at_cap(owner, count) && beyond <= self.total - self.bound
    }

    /// Whether something given back by `owner` is free to all, and not only to itself.
    pub(crate) fn is_beyond_floor(&self, owner: SenderSlot) -> bool {
        self.used(owner) > self.floor
    }

    /// Takes what [`Self::fits`].
    pub(crate) fn take(&mut self, owner: SenderSlot, count: u32) {
        assert!(self.fits(owner, count), "shares are asked before they are taken");
        self.set(owner, self.used(owner) + count);
    }

    /// Gives back what was taken.
    pub(crate) fn give(&mut self, owner: SenderSlot, count: u32) {
        self.set(owner, self.used(owner) - count);
    }

    fn set(&mut self, owner: SenderSlot, used: u32) {
        let before = self.beyond_floor(self.used(owner));
        self.bound = self.bound - before + self.beyond_floor(used);
        self.used[row(owner)] = used;
    }

    const fn beyond_floor(&self, used: u32) -> u32 {
        used.saturating_sub(self.floor)
    }
}

/// A sender's seat as a row number.
pub(crate) const fn row(owner: SenderSlot) -> u32 {
    owner.index() as u32
}
