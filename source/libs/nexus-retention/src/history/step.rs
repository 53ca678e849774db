//! What a series did in a step: windows put together.

use core::ops::Range;

use nexus_wire::metrics::{Counts, RangeRow, RangeValue};

use crate::segment::{BUCKETS_MAX, Kind, ROWS, Samples, Summary, Windows};

/// What a series did in a step, or in a part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Total {
    /// What was added to a counter; stays at its end.
    Counter(u64),
    /// The samples of a gauge.
    Gauge(Summary),
    /// What was added to a histogram.
    Histogram {
        /// To its buckets; of those it does not have, nothing.
        counts: [u64; BUCKETS_MAX],
        /// To its sum.
        sum: i128,
    },
}

impl Total {
    /// What is recorded in a row.
    fn of(samples: &Samples, row: usize) -> Option<Self> {
        match samples.shape().kind {
            Kind::Counter => samples.counter(row).map(Self::Counter),
            Kind::Gauge => samples.summary(row).map(Self::Gauge),
            Kind::Histogram { .. } => {
                let (buckets, sum) = samples.histogram(row)?;
                let mut counts = [0; BUCKETS_MAX];
                counts.iter_mut().zip(buckets).for_each(|(place, count)| *place = count);
                Some(Self::Histogram { counts, sum })
            }
        }
    }

    /// This, and then what came later; of another kind, only that.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        match (self, later) {
            (Self::Counter(before), Self::Counter(more)) => {
                Self::Counter(before.saturating_add(more))
            }
            (Self::Gauge(before), Self::Gauge(more)) => Self::Gauge(before.then(more)),
            (
                Self::Histogram { mut counts, sum },
                Self::Histogram { counts: more, sum: more_sum },
            ) => {
                let pairs = counts.iter_mut().zip(more);
                pairs.for_each(|(count, more)| *count = count.saturating_add(more));
                Self::Histogram { counts, sum: sum.saturating_add(more_sum) }
            }
            (_, later) => later,
        }
    }
}

/// A step of a series, or a part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its number since boot: it began at so many times the length of steps.
    pub number: u64,
    /// Windows in which something is recorded, at least 1.
    pub windows: u32,
    /// Whether values may be older: they were caught up after an outage.
    pub is_catchup: bool,
    /// What it did.
    pub total: Total,
}

/// Room for the buckets of a row.
pub(super) type CountsRoom = [u8; BUCKETS_MAX * 9];

impl Step {
    /// This part of a step, and then a later part of the same.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            number: later.number,
            windows: self.windows.saturating_add(later.windows),
            is_catchup: self.is_catchup || later.is_catchup,
            total: self.total.then(later.total),
        }
    }

    /// The row of a frame; `room` is for its buckets.
    pub(super) fn row<'a>(&self, room: &'a mut CountsRoom) -> RangeRow<'a> {
        let value = match self.total {
            Total::Counter(delta) => RangeValue::Counter { delta },
            Total::Gauge(Summary { count, sum, min, max, last }) => {
                RangeValue::Gauge { count, sum, min, max, last }
            }
            Total::Histogram { counts, sum } => {
                let some = counts.iter().zip(0..).filter(|(count, _)| **count > 0);
                let counts = Counts::encode(some.map(|(count, at)| (at, *count)), room);
                RangeValue::Histogram { sum, counts: counts.unwrap_or(Counts::EMPTY) }
            }
        };
        let Self { number, windows, is_catchup, .. } = *self;
        RangeRow { step: number, windows, catchup: is_catchup, value }
    }

    /// What a row of a frame says; `None` if it cannot be.
    #[must_use]
    pub fn of(row: &RangeRow<'_>) -> Option<Self> {
        let total = match row.value {
            RangeValue::Counter { delta } => Total::Counter(delta),
            RangeValue::Gauge { count, sum, min, max, last } => {
                let summary = Summary { count, sum, min, max, last };
                Total::Gauge(Some(summary).filter(Summary::is_possible)?)
            }
            RangeValue::Histogram { sum, counts: some } => {
                let mut counts = [0; BUCKETS_MAX];
                for (index, count) in some.iter() {
                    *counts.get_mut(usize::from(index))? = count;
                }
                Total::Histogram { counts, sum }
            }
        };
        let RangeRow { step: number, windows, catchup: is_catchup, .. } = *row;
        Some(Self { number, windows, is_catchup, total })
    }
}

/// What a series did in the windows of a group, step by step.
#[derive(Clone, Debug)]
pub struct Fold<'a> {
    windows: &'a Windows,
    samples: &'a Samples,
    /// Those that are asked for.
    range: Range<u64>,
    /// Windows of a step, not 0.
    ratio: u64,
    row: usize,
}

impl<'a> Fold<'a> {
    /// Of those windows that are in `range`, `ratio` of which make a step; from a row on.
    ///
    /// # Panics
    /// If `ratio` is 0.
    #[must_use]
    pub fn new(
        (windows, samples): (&'a Windows, &'a Samples),
        range: Range<u64>,
        ratio: u64,
        row: usize,
    ) -> Self {
        assert!(ratio > 0, "a step is made of some windows");
        Self { windows, samples, range, ratio, row }
    }

    /// The row with which the next step begins, or a row before it.
    #[must_use]
    pub const fn row(&self) -> usize {
        self.row
    }

    /// The window of a row in which something is recorded that is asked for.
    fn window(&self, row: usize) -> Option<u64> {
        let number = self.windows.numbers().get(row).copied()?;
        (self.range.contains(&number) && self.samples.has(row)).then_some(number)
    }
}

impl Iterator for Fold<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let mut step: Option<Step> = None;
        while self.row < ROWS {
            let row = self.row;
            let found = self.window(row).zip(Total::of(self.samples, row));
            if let Some((window, total)) = found {
                let number = window / self.ratio;
                if step.is_some_and(|step| step.number != number) {
                    return step;
                }
                let is_catchup = self.windows.is_catchup(row);
                let part = Step { number, windows: 1, is_catchup, total };
                step = Some(step.map_or(part, |before| before.then(part)));
            }
            self.row += 1;
        }
        step
    }
}
