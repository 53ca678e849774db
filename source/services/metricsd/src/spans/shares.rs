use alloc::boxed::Box;
use alloc::vec;

/// Units that holders share, of which each is guaranteed a floor: what nobody's floor covers is
/// common, and only who is above its floor takes from it.
pub(super) struct Shares {
    used: Box<[u32]>,
    common: u32,
    floor: u32,
    cap: u32,
}

impl Shares {
    /// `total` units for holders 0 to `holders`, of which holder 0 has no floor. `total` must cover
    /// all floors. Nobody holds more than `cap`.
    pub(super) fn new(total: u32, holders: u32, floor: u32, cap: u32) -> Self {
        let common = total.saturating_sub(holders.saturating_mul(floor));
        Self { used: vec![0; holders as usize + 1].into_boxed_slice(), common, floor, cap }
    }

    /// Bytes of memory for `holders`.
    pub(super) const fn bytes(holders: u32) -> usize {
        (holders as usize + 1) * size_of::<u32>()
    }

    /// Units a holder has.
    pub(super) fn used(&self, holder: usize) -> u32 {
        self.used.get(holder).copied().unwrap_or_default()
    }

    /// Takes `units`, or nothing and says `false`.
    pub(super) fn take(&mut self, holder: usize, units: u32) -> bool {
        let Some(used) = self.used.get_mut(holder) else { return false };
        let after = *used + units;
        let from_common = above(after, self.floor) - above(*used, self.floor);
        if after > self.cap || from_common > self.common {
            return false;
        }
        self.common -= from_common;
        *used = after;
        true
    }

    /// Gives `units` back that were taken before.
    pub(super) fn give_back(&mut self, holder: usize, units: u32) {
        let Some(used) = self.used.get_mut(holder) else { return };
        assert!(*used >= units, "only what was taken is given back");
        let after = *used - units;
        self.common += above(*used, self.floor) - above(after, self.floor);
        *used = after;
    }
}

const fn above(used: u32, floor: u32) -> u32 {
    used.saturating_sub(floor)
}
