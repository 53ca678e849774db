//! Tables of our own: a fixed number of rows, addressed by numbers that this crate itself made.
//!
//! A row number that came in a frame goes through [`Rows::find`]; all others are our own invariant,
//! and to break it is a bug that must stop the service.

use alloc::boxed::Box;
use alloc::vec;
use core::ops::{Index, IndexMut};

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// A fixed number of rows.
pub(crate) struct Rows<T>(Box<[T]>);

impl<T: Clone> Rows<T> {
    /// `count` copies of `row`.
    pub(crate) fn filled(count: u32, row: T) -> Self {
        Self(vec![row; count as usize].into_boxed_slice())
    }
}

impl<T> Rows<T> {
    /// A row whose number somebody else has given.
    #[inline]
    pub(crate) fn find(&self, row: u32) -> Option<&T> {
        self.0.get(row as usize)
    }

    /// As [`Self::find`], to be changed.
    #[inline]
    pub(crate) fn find_mut(&mut self, row: u32) -> Option<&mut T> {
        self.0.get_mut(row as usize)
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(NONE)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(self.0.iter())
    }

    pub(crate) const fn bytes(count: u32) -> u64 {
        count as u64 * size_of::<T>() as u64
    }
}

impl<T> Index<u32> for Rows<T> {
    type Output = T;

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "own index: a row that this crate numbered")]
    fn index(&self, row: u32) -> &T {
        assert!((row as usize) < self.0.len(), "a row of this table");
        &self.0[row as usize]
    }
}

impl<T> IndexMut<u32> for Rows<T> {
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "own index: a row that this crate numbered")]
    fn index_mut(&mut self, row: u32) -> &mut T {
        assert!((row as usize) < self.0.len(), "a row of this table");
        &mut self.0[row as usize]
    }
}

/// Rows that are taken and given back. At first the lowest goes first, later the last given back.
pub(crate) struct Pool<T> {
    rows: Rows<T>,
    free: Rows<u32>,
    left: u32,
}

impl<T: Clone> Pool<T> {
    /// `count` free rows; a free row's content means nothing.
    pub(crate) fn filled(count: u32, row: T) -> Self {
        let mut free = Rows::filled(count, 0);
        for at in 0..count {
            free[at] = count - 1 - at;
        }
        Self { rows: Rows::filled(count, row), free, left: count }
    }
}

impl<T> Pool<T> {
    /// Takes a free row with whatever is in it; `None` if there is none.
    pub(crate) fn claim(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        Some(self.free[self.left])
    }

    /// Fills a free row; `None` if there is none.
    pub(crate) fn take(&mut self, row: T) -> Option<u32> {
        let at = self.claim()?;
        self.rows[at] = row;
        Some(at)
    }

    /// Frees a row that was taken.
    pub(crate) fn give(&mut self, row: u32) {
        self.free[self.left] = row;
        self.left += 1;
    }

    #[inline]
    pub(crate) fn find(&self, row: u32) -> Option<&T> {
        self.rows.find(row)
    }

    #[inline]
    pub(crate) fn find_mut(&mut self, row: u32) -> Option<&mut T> {
        self.rows.find_mut(row)
    }

    /// Number of rows, free and taken.
    pub(crate) fn capacity(&self) -> u32 {
        self.rows.len()
    }

    /// Number of taken rows.
    pub(crate) fn used(&self) -> u32 {
        self.rows.len() - self.left
    }

    /// All rows, free and taken.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.rows.iter()
    }

    pub(crate) const fn bytes_each() -> u64 {
        (size_of::<T>() + size_of::<u32>()) as u64
    }
}

impl<T> Index<u32> for Pool<T> {
    type Output = T;

    #[inline]
    fn index(&self, row: u32) -> &T {
        &self.rows[row]
    }
}

impl<T> IndexMut<u32> for Pool<T> {
    #[inline]
    fn index_mut(&mut self, row: u32) -> &mut T {
        &mut self.rows[row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_gives_each_row_once_and_again_only_when_it_is_back() {
        let mut pool = Pool::filled(2, 0u8);
        assert_eq!((pool.take(1), pool.take(2), pool.take(3)), (Some(0), Some(1), None));
        pool.give(0);
        assert_eq!((pool.used(), pool.take(4), pool[0], pool[1]), (1, Some(0), 4, 2));
    }
}
