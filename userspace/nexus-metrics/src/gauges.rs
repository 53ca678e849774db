use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::limits::GAUGES;

const WORDS: usize = GAUGES / 64;

/// The gauges of a process: one atomic each, and a bit that says whether it was ever set.
pub(crate) struct Gauges {
    values: [AtomicU64; GAUGES],
    touched: [AtomicU64; WORDS],
}

impl Gauges {
    pub(crate) const fn new() -> Self {
        Self {
            values: [const { AtomicU64::new(0) }; GAUGES],
            touched: [const { AtomicU64::new(0) }; WORDS],
        }
    }

    #[inline]
    pub(crate) fn set(&self, gauge: usize, value: i64) {
        self.value(gauge).store(value.cast_unsigned(), Relaxed);
        self.touch(gauge);
    }

    /// Adds, wrapping.
    #[inline]
    pub(crate) fn add(&self, gauge: usize, by: i64) {
        self.value(gauge).fetch_add(by.cast_unsigned(), Relaxed);
        self.touch(gauge);
    }

    /// Its value, if it was ever set.
    pub(crate) fn read(&self, gauge: usize) -> Option<i64> {
        let touched = self.touched(gauge).load(Relaxed) & bit(gauge) != 0;
        touched.then(|| self.value(gauge).load(Relaxed).cast_signed())
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "own index: a remainder by the gauges")]
    fn value(&self, gauge: usize) -> &AtomicU64 {
        &self.values[gauge % GAUGES]
    }

    /// The word with the gauge's bit.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "own index: a remainder by the words")]
    fn touched(&self, gauge: usize) -> &AtomicU64 {
        &self.touched[gauge / 64 % WORDS]
    }

    #[inline]
    fn touch(&self, gauge: usize) {
        let word = self.touched(gauge);
        if word.load(Relaxed) & bit(gauge) == 0 {
            word.fetch_or(bit(gauge), Relaxed);
        }
    }
}

const fn bit(gauge: usize) -> u64 {
    1 << (gauge % 64)
}
