use core::time::Duration;

use nexus_wire::{Kind, LossReason};

use crate::OFF;
use crate::bounds::Bounds;
use crate::cells::CellId;
use crate::global;
use crate::registry::{OVERFLOW_COUNTER, OVERFLOW_HISTOGRAM, Place};
use crate::threads;

/// A kind of handle, for families and call sites.
pub trait Handle: Copy + Send + Sync + 'static {
    /// Which kind of series it is for.
    #[doc(hidden)]
    const KIND: Kind;

    /// The handle of the process's overflow series; of a gauge, one that is set in vain.
    #[doc(hidden)]
    const OVERFLOW: Self;

    /// The handle for a place; `None` if that is one of another kind.
    #[doc(hidden)]
    fn at(place: Option<Place>) -> Option<Self>;
}

/// Counts what happens: a total that only rises.
#[derive(Clone, Copy, Debug)]
pub struct Counter(CellId);

impl Counter {
    pub(crate) const fn from_cell(cell: CellId) -> Self {
        Self(cell)
    }

    pub(crate) const fn cell(self) -> CellId {
        self.0
    }

    /// Adds one.
    #[inline]
    pub fn inc(self) {
        self.add(1);
    }

    /// Adds `count`.
    #[inline]
    pub fn add(self, count: u64) {
        if !OFF {
            threads::add(self.0, count);
        }
    }
}

impl Handle for Counter {
    const KIND: Kind = Kind::Counter;
    const OVERFLOW: Self = Self(OVERFLOW_COUNTER);

    fn at(place: Option<Place>) -> Option<Self> {
        match place {
            Some(Place::Counter(cell)) => Some(Self(cell)),
            _ => None,
        }
    }
}

/// A value of now, which may go either way. One for the whole process.
#[derive(Clone, Copy, Debug)]
pub struct Gauge(Option<usize>);

impl Gauge {
    pub(crate) const fn place(self) -> Option<usize> {
        self.0
    }

    /// Sets the value.
    #[inline]
    pub fn set(self, value: i64) {
        if !OFF {
            global().set(self, value);
        }
    }

    /// Adds `by`, wrapping. A gauge that was never set counts from 0.
    #[inline]
    pub fn add(self, by: i64) {
        match self.0 {
            _ if OFF => {}
            Some(gauge) => global().gauges().add(gauge, by),
            None => global().losses().add(LossReason::SeriesTableFull, 1),
        }
    }
}

impl Handle for Gauge {
    const KIND: Kind = Kind::Gauge;
    const OVERFLOW: Self = Self(None);

    fn at(place: Option<Place>) -> Option<Self> {
        match place {
            Some(Place::Gauge(gauge)) => Some(Self(Some(gauge))),
            None => Some(Self(None)),
            Some(_) => None,
        }
    }
}

/// Counts observations by size.
#[derive(Clone, Copy, Debug)]
pub struct Histogram {
    first: CellId,
    bounds: Bounds,
}

impl Histogram {
    /// Counts an observation. Beyond `i64::MAX` it counts as that.
    // Inlined so that a call site reads its handle in place instead of copying it.
    #[inline(always)]
    pub fn observe(self, value: u64) {
        if !OFF {
            let (bucket, sum, value) = self.cells(value);
            threads::add(bucket, 1);
            threads::add(sum, value);
        }
    }

    /// Counts a duration in nanoseconds.
    #[inline]
    pub fn observe_duration(self, duration: Duration) {
        self.observe(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The cells of the bucket of a value and of the sum, and what to add to the sum.
    #[inline(always)]
    pub(crate) fn cells(self, value: u64) -> (CellId, CellId, u64) {
        let value = value.min(i64::MAX.cast_unsigned());
        let bucket = self.first.offset(self.bounds.bucket(value));
        (bucket, self.first.offset(self.bounds.count() + 1), value)
    }
}

impl Handle for Histogram {
    const KIND: Kind = Kind::Histogram;
    const OVERFLOW: Self = Self { first: OVERFLOW_HISTOGRAM, bounds: Bounds::COUNT };

    fn at(place: Option<Place>) -> Option<Self> {
        match place {
            Some(Place::Histogram(first, bounds)) => Some(Self { first, bounds }),
            _ => None,
        }
    }
}
