use core::ops::{Index, IndexMut};

use nexus_abi::kernel::PROCESSES_MAX;

/// A row of the process table, and so an entry of the image.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProcessId(u8);

impl ProcessId {
    /// The first entry of the image: whom the kernel starts.
    pub const FIRST: Self = Self(0);

    /// Row `raw`, if there is one.
    #[must_use]
    pub const fn new(raw: usize) -> Option<Self> {
        if raw < PROCESSES_MAX { Some(Self(raw as u8)) } else { None }
    }

    /// The row as an index.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize % PROCESSES_MAX
    }

    /// All rows.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PROCESSES_MAX).filter_map(Self::new)
    }
}

/// One `T` for each process.
#[derive(Debug)]
pub(crate) struct PerProcess<T>(pub(crate) [T; PROCESSES_MAX]);

impl<T> Index<ProcessId> for PerProcess<T> {
    type Output = T;

    #[inline]
    fn index(&self, id: ProcessId) -> &T {
        &self.0[id.index()]
    }
}

impl<T> IndexMut<ProcessId> for PerProcess<T> {
    #[inline]
    fn index_mut(&mut self, id: ProcessId) -> &mut T {
        &mut self.0[id.index()]
    }
}

/// A set of processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Set(u64);

const _: () = assert!(PROCESSES_MAX == u64::BITS as usize);

impl Set {
    /// Nobody.
    pub const EMPTY: Self = Self(0);

    /// Puts `id` in.
    #[inline]
    pub const fn insert(&mut self, id: ProcessId) {
        self.0 |= 1 << id.index();
    }

    /// Takes `id` out; whether it was there.
    #[inline]
    pub const fn remove(&mut self, id: ProcessId) -> bool {
        let had = self.has(id);
        self.0 &= !(1 << id.index());
        had
    }

    /// Whether `id` is there.
    #[must_use]
    #[inline]
    pub const fn has(self, id: ProcessId) -> bool {
        self.0 >> id.index() & 1 == 1
    }

    /// Whether nobody is there.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lowest of them.
    #[must_use]
    #[inline]
    pub const fn first(self) -> Option<ProcessId> {
        if self.is_empty() { None } else { Some(ProcessId(self.0.trailing_zeros() as u8)) }
    }

    /// The first of them from `start` on, going round.
    #[must_use]
    #[inline]
    pub const fn first_from(self, start: ProcessId) -> Option<ProcessId> {
        let above = Self(self.0 & (u64::MAX << start.index()));
        if above.is_empty() { self.first() } else { above.first() }
    }
}

impl Iterator for Set {
    type Item = ProcessId;

    fn next(&mut self) -> Option<ProcessId> {
        let first = self.first()?;
        self.remove(first);
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(of: &[usize]) -> Set {
        let mut set = Set::EMPTY;
        of.iter().filter_map(|&raw| ProcessId::new(raw)).for_each(|id| set.insert(id));
        set
    }

    #[test]
    fn there_is_no_row_beyond_the_table() {
        assert!(ProcessId::new(PROCESSES_MAX - 1).is_some());
        assert!(ProcessId::new(PROCESSES_MAX).is_none());
    }

    #[test]
    fn a_set_goes_round_from_where_it_is_told() {
        let [a, b, c] = [3, 17, 63].map(|raw| ProcessId::new(raw).unwrap());
        let set = set(&[3, 17, 63]);
        assert_eq!(set.first_from(a), Some(a));
        assert_eq!(set.first_from(ProcessId::new(4).unwrap()), Some(b));
        assert_eq!(set.first_from(c), Some(c));
        let mut without = set;
        assert!(without.remove(c) && !without.remove(c));
        assert_eq!(without.first_from(c), Some(a));
        assert_eq!(set.collect::<std::vec::Vec<_>>(), [a, b, c]);
        assert_eq!(Set::EMPTY.first_from(a), None);
    }

    extern crate std;
}
