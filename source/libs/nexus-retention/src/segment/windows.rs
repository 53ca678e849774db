//! The windows of a group: their numbers, and which of them came after an outage.

use super::{ROWS, column};
use crate::bytes::{Buffer, Put, Reader};

/// Up to 64 windows in order. Those that are missing were skipped: nothing was recorded in them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    len: usize,
    numbers: [u64; ROWS],
    catchup: u64,
}

impl Default for Windows {
    fn default() -> Self {
        Self { len: 0, numbers: [0; ROWS], catchup: 0 }
    }
}

impl Windows {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a window behind the others; `false` if there are 64, or it is not behind them.
    /// `is_catchup`: values in it may be older.
    #[must_use]
    pub fn push(&mut self, number: u64, is_catchup: bool) -> bool {
        let is_behind = self.last().is_none_or(|last| number > last);
        let Some(place) = self.numbers.get_mut(self.len).filter(|_| is_behind) else {
            return false;
        };
        *place = number;
        self.catchup |= u64::from(is_catchup) << self.len;
        self.len += 1;
        true
    }

    /// The last window has values that may be older, too.
    pub(crate) fn catch_up(&mut self) {
        self.catchup |= self.len.checked_sub(1).map_or(0, |row| 1 << row);
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Their numbers, counted since boot, in order.
    #[must_use]
    pub fn numbers(&self) -> &[u64] {
        self.numbers.get(..self.len).unwrap_or_default()
    }

    /// The first.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.numbers().first().copied()
    }

    /// The last.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.numbers().last().copied()
    }

    /// Whether values in a row may be older than its window.
    #[must_use]
    pub const fn is_catchup(&self, row: usize) -> bool {
        row < ROWS && self.catchup >> row & 1 == 1
    }

    /// The row of a window.
    #[must_use]
    pub fn row(&self, number: u64) -> Option<usize> {
        self.numbers().binary_search(&number).ok()
    }

    pub(super) fn write(&self, out: &mut Buffer) {
        let mut numbers = [0; ROWS];
        numbers.iter_mut().zip(self.numbers()).for_each(|(place, n)| *place = i128::from(*n));
        let (numbers, _) = numbers.split_at(self.len);
        out.u8(self.len as u8);
        out.varint(self.catchup.into());
        column::write_trend(numbers, out);
    }

    pub(super) fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        let len = usize::from(bytes.u8()?);
        let catchup: u64 = bytes.small()?;
        let mut numbers = [0; ROWS];
        let (numbers, _) = numbers.split_at_mut_checked(len)?;
        column::read_trend(bytes, numbers)?;
        let mut windows = Self::new();
        for (number, row) in numbers.iter().zip(0..) {
            let is_pushed = windows.push(u64::try_from(*number).ok()?, catchup >> row & 1 == 1);
            is_pushed.then_some(())?;
        }
        (windows.catchup == catchup).then_some(windows)
    }
}
