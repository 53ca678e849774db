use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nexus_wire::LossReason;

/// How many reasons there are.
pub(crate) const REASONS: usize = LossReason::ALL.len();

/// What was lost, by reason, since the process began. Only ever rises.
pub(crate) struct Losses([AtomicU64; REASONS]);

impl Losses {
    pub(crate) const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; REASONS])
    }

    pub(crate) fn add(&self, reason: LossReason, count: u64) {
        if let Some(cell) = self.0.get(place(reason)) {
            cell.fetch_add(count, Relaxed);
        }
    }

    pub(crate) fn read(&self, reason: LossReason) -> u64 {
        self.0.get(place(reason)).map_or(0, |cell| cell.load(Relaxed))
    }
}

/// Place of a reason in [`LossReason::ALL`].
pub(crate) fn place(reason: LossReason) -> usize {
    usize::from(reason.raw()).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_place() {
        for (at, reason) in LossReason::ALL.iter().enumerate() {
            assert_eq!(place(*reason), at);
        }
    }
}
