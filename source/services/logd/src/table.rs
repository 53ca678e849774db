//! Tables of our own: a fixed number of rows, addressed by numbers that this crate itself made.
//!
//! No number that came in a frame gets here: frames name records, which are searched for. To ask
//! for a row that does not exist is a bug of ours and must stop the service.

use alloc::boxed::Box;
use alloc::vec;
use core::ops::{Index, IndexMut};

/// A fixed number of rows.
pub(crate) struct Table<T>(Box<[T]>);

impl<T: Clone> Table<T> {
    /// `count` copies of `row`.
    pub(crate) fn filled(count: usize, row: T) -> Self {
        Self(vec![row; count].into_boxed_slice())
    }
}

impl<T> Table<T> {
    /// Number of rows.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// A row, if there is one of that number.
    pub(crate) fn find(&self, row: usize) -> Option<&T> {
        self.0.get(row)
    }

    /// All rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> Index<usize> for Table<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, row: usize) -> &T {
        self.0.get(row).unwrap_or_else(|| no_such_row(row, self.0.len()))
    }
}

impl<T> IndexMut<usize> for Table<T> {
    #[inline(always)]
    fn index_mut(&mut self, row: usize) -> &mut T {
        let rows = self.0.len();
        self.0.get_mut(row).unwrap_or_else(|| no_such_row(row, rows))
    }
}

/// Apart from where it is found out, so that nothing is made ready for it there.
#[cold]
#[inline(never)]
fn no_such_row(row: usize, rows: usize) -> ! {
    loop {
        assert!(row < rows, "a row of this table");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_what_was_put_there() {
        let mut table = Table::filled(3, 0u8);
        table[2] = 7;
        assert_eq!((table[0], table[2], table.len()), (0, 7, 3));
    }

    #[test]
    #[should_panic(expected = "a row of this table")]
    fn a_row_that_is_none_stops_the_service() {
        assert_eq!(Table::filled(3, 0u8)[3], 0);
    }
}
