//! What became of everything that one sender offered.
//!
//! What comes and what becomes of it are counted apart: the items of a request once, when the gate
//! takes it, and each outcome where it happens. So the law of the ledger is a check. An item that
//! no branch counted, or that two did, is a row that does not add up.

use nexus_wire::{LedgerRow, REASONS, Reason};

/// The counts of one sender. They stay at the end of 64 bits rather than go round.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Ledger {
    /// Items of all requests, whatever became of them.
    taken: u64,
    /// Of them those of questions that were answered: there was nothing to store.
    answered: u64,
    /// Of them those of repeats.
    repeated: u64,
    accepted: u64,
    folded: u64,
    refused: [u64; REASONS.len()],
    dropped: u64,
    redacted: u64,
    lost_by_client: u64,
}

impl Ledger {
    pub(crate) const EMPTY: Self = Self {
        taken: 0,
        answered: 0,
        repeated: 0,
        accepted: 0,
        folded: 0,
        refused: [0; REASONS.len()],
        dropped: 0,
        redacted: 0,
        lost_by_client: 0,
    };

    /// A frame has few items: it would take longer than anything runs to reach the end of 64 bits,
    /// so that this and [`Self::accept`], which every update pays for, do not look for it.
    #[inline]
    pub(crate) const fn take(&mut self, items: u64) {
        self.taken = self.taken.wrapping_add(items);
    }

    pub(crate) const fn answer(&mut self, items: u64) {
        add(&mut self.answered, items);
    }

    pub(crate) const fn repeat(&mut self, items: u64) {
        add(&mut self.repeated, items);
    }

    #[inline]
    pub(crate) const fn accept(&mut self, items: u64) {
        self.accepted = self.accepted.wrapping_add(items);
    }

    pub(crate) const fn fold(&mut self, items: u64) {
        add(&mut self.folded, items);
    }

    pub(crate) fn refuse(&mut self, reason: Reason, items: u64) {
        if let Some(count) = self.refused.get_mut(reason.index()) {
            add(count, items);
        }
    }

    #[inline]
    pub(crate) fn drop_accepted(&mut self, items: u64) {
        assert!(self.accepted >= items, "only what was accepted can be dropped");
        self.accepted -= items;
        add(&mut self.dropped, items);
    }

    pub(crate) const fn redact(&mut self, values: u64) {
        add(&mut self.redacted, values);
    }

    pub(crate) const fn lose(&mut self, items: u64) {
        add(&mut self.lost_by_client, items);
    }

    /// Adds all that another ledger says.
    pub(crate) fn absorb(&mut self, other: &Self) {
        add(&mut self.taken, other.taken);
        self.answer(other.answered);
        self.repeat(other.repeated);
        add(&mut self.accepted, other.accepted);
        self.fold(other.folded);
        for (count, more) in self.refused.iter_mut().zip(other.refused) {
            add(count, more);
        }
        add(&mut self.dropped, other.dropped);
        self.redact(other.redacted);
        self.lose(other.lost_by_client);
    }

    /// The ledger as others see it; whose it is and what is left of its budget others know.
    pub(crate) fn row(&self) -> LedgerRow {
        LedgerRow {
            // Repeats and questions offer nothing. Were more of them counted than came, the row
            // would be off by as many: to go round hides no mistake, to stop at 0 would.
            offered: self.taken.wrapping_sub(self.repeated).wrapping_sub(self.answered),
            accepted: self.accepted,
            folded: self.folded,
            refused: self.refused,
            dropped: self.dropped,
            repeated: self.repeated,
            redacted: self.redacted,
            lost_by_client: self.lost_by_client,
            ..LedgerRow::default()
        }
    }
}

#[inline]
const fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of an outcome, and what counts one item of it.
    type Outcome = (&'static str, fn(&mut Ledger));

    const OUTCOMES: [Outcome; 6] = [
        ("answered", |ledger| ledger.answer(1)),
        ("repeated", |ledger| ledger.repeat(1)),
        ("accepted", |ledger| ledger.accept(1)),
        ("folded", |ledger| ledger.fold(1)),
        ("refused", |ledger| ledger.refuse(Reason::Conflict, 1)),
        ("dropped", |ledger| {
            ledger.accept(1);
            ledger.drop_accepted(1);
        }),
    ];

    #[test]
    fn an_item_balances_by_any_one_outcome() {
        for (name, outcome) in OUTCOMES {
            let mut ledger = Ledger::EMPTY;
            ledger.take(1);
            outcome(&mut ledger);
            assert_eq!(ledger.row().uncounted(), 0, "{name}");
        }
    }

    #[test]
    fn an_outcome_left_out_is_missing_and_one_counted_twice_is_too_much() {
        for (name, outcome) in OUTCOMES {
            let mut ledger = Ledger::EMPTY;
            ledger.take(2);
            outcome(&mut ledger);
            assert_eq!(ledger.row().uncounted(), 1, "{name}");
            outcome(&mut ledger);
            outcome(&mut ledger);
            assert!(!ledger.row().balances(), "{name}");
        }
    }

    #[test]
    fn the_end_of_64_bits_stops_nobody() {
        let mut ledger = Ledger::EMPTY;
        ledger.take(u64::MAX);
        ledger.accept(u64::MAX);
        ledger.lose(u64::MAX);
        ledger.lose(u64::MAX);
        let copy = ledger;
        ledger.absorb(&copy);
        let row = ledger.row();
        assert_eq!([row.offered, row.accepted, row.lost_by_client], [u64::MAX; 3]);
        assert!(row.balances());
    }
}
