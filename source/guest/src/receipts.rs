//! Which ends of execd's children are to be acknowledged to the kernel, and when.
//!
//! An end is heard, then recorded, then on its way to the daemons, and acknowledged when they have
//! what was recorded. A life of execd that ends before leaves it to the next one. So an end is told
//! once at least; twice, if execd ends when the daemons have the record and the kernel no word of
//! it.

use alloc::vec::Vec;

/// Ends of the child in a slot, by how far they have come.
#[derive(Clone, Copy, Default)]
struct Ends {
    slot: u64,
    heard: u32,
    recorded: u32,
    under_way: u32,
}

/// See the module.
#[derive(Default)]
pub struct Receipts {
    all: Vec<Ends>,
}

impl Receipts {
    /// Takes memory for so many children.
    pub(crate) fn reserve(&mut self, children: usize) {
        self.all.reserve_exact(children);
    }

    /// So many ends more of the child in `slot` are known.
    pub(crate) fn heard(&mut self, slot: u64, ends: u32) {
        match self.all.iter_mut().find(|of| of.slot == slot) {
            Some(of) => of.heard += ends,
            None => self.all.push(Ends { slot, heard: ends, ..Ends::default() }),
        }
    }

    /// What is to be said of those that were heard was recorded.
    pub(crate) fn recorded(&mut self) {
        for of in &mut self.all {
            of.recorded += core::mem::take(&mut of.heard);
        }
    }

    /// Those that were recorded are on their way; whether there are any.
    pub fn begin(&mut self) -> bool {
        for of in &mut self.all {
            of.under_way += core::mem::take(&mut of.recorded);
        }
        self.all.iter().any(|of| of.under_way > 0)
    }

    /// Those that were on their way have come: as slots, and how many ends of each are to be
    /// acknowledged.
    pub fn brought(&mut self) -> impl Iterator<Item = (u64, u32)> {
        let brought = self.all.iter_mut().map(|of| (of.slot, core::mem::take(&mut of.under_way)));
        brought.filter(|(_, ends)| *ends > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is acknowledged now.
    fn brought(receipts: &mut Receipts) -> Vec<(u64, u32)> {
        receipts.brought().collect()
    }

    #[test]
    fn an_end_is_acknowledged_once_it_was_recorded_and_that_was_brought() {
        let mut receipts = Receipts::default();
        receipts.heard(3, 1);
        assert!(!receipts.begin(), "nothing was recorded");
        assert_eq!(brought(&mut receipts), []);
        receipts.recorded();
        assert!(receipts.begin());
        assert_eq!(brought(&mut receipts), [(3, 1)]);
        assert!(!receipts.begin());
        assert_eq!(brought(&mut receipts), [], "once");
    }

    #[test]
    fn what_is_recorded_while_something_is_on_its_way_waits_for_the_next_time() {
        let mut receipts = Receipts::default();
        receipts.heard(3, 2);
        receipts.recorded();
        assert!(receipts.begin());
        receipts.heard(3, 1);
        receipts.heard(4, 1);
        receipts.recorded();
        assert_eq!(brought(&mut receipts), [(3, 2)]);
        assert!(receipts.begin());
        assert_eq!(brought(&mut receipts), [(3, 1), (4, 1)]);
    }
}
