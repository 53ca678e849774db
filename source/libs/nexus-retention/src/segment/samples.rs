//! What one series did in the windows of a group: its columns.

use alloc::boxed::Box;
use alloc::vec;

use super::{BUCKETS_MAX, ROWS, column};
use crate::bytes::{Buffer, Put, Reader};

/// Columns of a series, at most: a histogram's buckets and its sum.
const COLUMNS_MAX: usize = BUCKETS_MAX + 1;

/// Columns of a gauge in longer windows: last, count, and how far the others lie from them.
const SUMMARY_COLUMNS: usize = 5;

/// Bytes of what one series did in a group, at most.
pub(super) const CHUNK_BYTES_MAX: usize =
    8 + BUCKETS_MAX * column::BYTES_MAX + column::WIDE_BYTES_MAX + SUMMARY_COLUMNS * 19;

/// What kind of series it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// How much was added in each window.
    Counter,
    /// What was last set in each window; in longer windows, a [`Summary`].
    Gauge,
    /// How much was added to each bucket, and to the sum of all that was observed.
    Histogram {
        /// 1 to [`BUCKETS_MAX`].
        buckets: u8,
    },
}

/// How a series is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// What kind of series it is.
    pub kind: Kind,
    /// In windows longer than those of the samples themselves.
    pub is_rollup: bool,
}

impl Shape {
    const fn columns(self) -> usize {
        match self.kind {
            Kind::Counter => 1,
            Kind::Gauge if self.is_rollup => SUMMARY_COLUMNS,
            Kind::Gauge => 1,
            Kind::Histogram { buckets } => buckets as usize + 1,
        }
    }
}

/// The samples of a gauge in a longer window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// How many, at least 1.
    pub count: u64,
    /// Of all of them.
    pub sum: i128,
    /// The smallest.
    pub min: i64,
    /// The greatest.
    pub max: i64,
    /// The newest.
    pub last: i64,
}

impl Summary {
    /// One sample.
    #[must_use]
    pub const fn one(value: i64) -> Self {
        Self { count: 1, sum: value as i128, min: value, max: value, last: value }
    }

    /// This one, and then another. A count that has reached its end keeps the sum within what so
    /// many samples can have.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let count = self.count.saturating_add(later.count);
        let (min, max) = (self.min.min(later.min), self.max.max(later.max));
        let bound = |value| i128::from(value) * i128::from(count);
        let sum = self.sum.saturating_add(later.sum).clamp(bound(min), bound(max));
        Self { count, sum, min, max, last: later.last }
    }

    /// Whether there are such samples.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let count = i128::from(self.count);
        let sums = i128::from(self.min) * count..=i128::from(self.max) * count;
        count > 0 && (self.min..=self.max).contains(&self.last) && sums.contains(&self.sum)
    }

    /// Small numbers where values do not differ much.
    fn columns(&self) -> [i128; SUMMARY_COLUMNS] {
        let [last, min, max] = [self.last, self.min, self.max].map(i128::from);
        let count = i128::from(self.count);
        [last, count, last - min, max - last, self.sum - last * count]
    }

    fn from_columns([last, count, below, above, rest]: [i128; SUMMARY_COLUMNS]) -> Option<Self> {
        let count = u64::try_from(count).ok()?;
        let summary = Self {
            count,
            sum: last.checked_mul(count.into())?.checked_add(rest)?,
            min: i64::try_from(last.checked_sub(below)?).ok()?,
            max: i64::try_from(last.checked_add(above)?).ok()?,
            last: i64::try_from(last).ok()?,
        };
        summary.is_possible().then_some(summary)
    }
}

/// What one series did in the windows of a group, one row a window. Rows in which nothing is
/// recorded are absent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Samples {
    shape: Shape,
    /// Bit by bit, lowest first: the row is there.
    present: u64,
    /// Column by column; absent rows are zero.
    columns: Box<[[i128; ROWS]]>,
}

/// What is wrong with a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoChunk;

impl Default for Samples {
    fn default() -> Self {
        Self::new()
    }
}

impl Samples {
    /// Bytes of memory that they take besides their own.
    pub(crate) const HEAP_BYTES: usize = COLUMNS_MAX * ROWS * size_of::<i128>();

    /// Takes the memory for any series, and holds nothing.
    #[must_use]
    pub fn new() -> Self {
        let shape = Shape { kind: Kind::Counter, is_rollup: false };
        Self { shape, present: 0, columns: vec![[0; ROWS]; COLUMNS_MAX].into_boxed_slice() }
    }

    /// Begins anew, for another series.
    ///
    /// # Panics
    /// If a histogram has no or too many buckets.
    pub fn clear(&mut self, shape: Shape) {
        if let Kind::Histogram { buckets } = shape.kind {
            assert!((1..=BUCKETS_MAX).contains(&buckets.into()), "buckets are bounded by kinds");
        }
        let used = self.shape.columns();
        self.columns.iter_mut().take(used).for_each(|column| *column = [0; ROWS]);
        self.shape = shape;
        self.present = 0;
    }

    /// How the series is kept.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Bit by bit, lowest first: something is recorded in the row.
    #[must_use]
    pub const fn present(&self) -> u64 {
        self.present
    }

    /// Whether something is recorded in a row.
    #[must_use]
    pub const fn has(&self, row: usize) -> bool {
        row < ROWS && self.present >> row & 1 == 1
    }

    /// How much was added to a counter.
    pub fn put_counter(&mut self, row: usize, delta: u64) {
        assert!(self.shape.kind == Kind::Counter, "a counter's samples");
        self.put(row, [delta.into()]);
    }

    /// What a gauge was last set to.
    pub fn put_gauge(&mut self, row: usize, last: i64) {
        assert!(self.shape.kind == Kind::Gauge && !self.shape.is_rollup, "a gauge's samples");
        self.put(row, [last.into()]);
    }

    /// The samples of a gauge in a longer window, which must be possible.
    pub fn put_summary(&mut self, row: usize, summary: Summary) {
        assert!(self.shape.kind == Kind::Gauge && self.shape.is_rollup, "a gauge's longer windows");
        assert!(summary.is_possible(), "a summary is of samples");
        self.put(row, summary.columns());
    }

    /// How much was added to the buckets of a histogram, and to its sum.
    pub fn put_histogram(&mut self, row: usize, buckets: impl IntoIterator<Item = u64>, sum: i128) {
        assert!(matches!(self.shape.kind, Kind::Histogram { .. }), "a histogram's samples");
        let count = self.shape.columns() - 1;
        let mut columns = [0; COLUMNS_MAX];
        let buckets = buckets.into_iter().map(i128::from);
        let put = columns.iter_mut().zip(buckets).map(|(place, bucket)| *place = bucket).count();
        assert!(put == count, "as many buckets as the histogram has");
        columns.iter_mut().skip(count).take(1).for_each(|place| *place = sum);
        self.put(row, columns.into_iter().take(count + 1));
    }

    fn put(&mut self, row: usize, numbers: impl IntoIterator<Item = i128>) {
        assert!(row < ROWS, "a row of a group");
        self.present |= 1 << row;
        for (column, number) in self.columns.iter_mut().zip(numbers) {
            if let Some(place) = column.get_mut(row) {
                *place = number;
            }
        }
    }

    /// How much was added to a counter in a row.
    #[must_use]
    pub fn counter(&self, row: usize) -> Option<u64> {
        let number = self.at(row, 0).filter(|_| self.shape.kind == Kind::Counter)?;
        u64::try_from(number).ok()
    }

    /// What a gauge was last set to in a row.
    #[must_use]
    pub fn gauge(&self, row: usize) -> Option<i64> {
        let number = self.at(row, 0).filter(|_| self.shape.kind == Kind::Gauge)?;
        i64::try_from(number).ok()
    }

    /// The samples of a gauge in a row.
    #[must_use]
    pub fn summary(&self, row: usize) -> Option<Summary> {
        if !self.shape.is_rollup {
            return self.gauge(row).map(Summary::one);
        }
        if self.shape.kind != Kind::Gauge {
            return None;
        }
        let mut columns = [0; SUMMARY_COLUMNS];
        for (index, place) in columns.iter_mut().enumerate() {
            *place = self.at(row, index)?;
        }
        Summary::from_columns(columns)
    }

    /// How much was added to each bucket of a histogram in a row, and to its sum.
    #[must_use]
    pub fn histogram(&self, row: usize) -> Option<(impl ExactSizeIterator<Item = u64>, i128)> {
        let Kind::Histogram { buckets } = self.shape.kind else { return None };
        let sum = self.at(row, buckets.into())?;
        let counts = self.columns.iter().take(buckets.into()).map(move |column| {
            column.get(row).and_then(|count| u64::try_from(*count).ok()).unwrap_or_default()
        });
        Some((counts, sum))
    }

    fn at(&self, row: usize, column: usize) -> Option<i128> {
        self.columns.get(column)?.get(row).copied().filter(|_| self.has(row))
    }

    /// Writes the columns of the first `rows` rows; whether some of them are absent.
    pub(super) fn write(&self, rows: usize, out: &mut Buffer) -> bool {
        let is_sparse = self.present != all(rows);
        if is_sparse {
            out.u64(self.present);
        }
        let is_trend = self.shape.kind == Kind::Gauge;
        for (index, column) in self.columns.iter().take(self.shape.columns()).enumerate() {
            let mut numbers = [0; ROWS];
            let present = column.iter().enumerate().filter(|(row, _)| self.has(*row));
            let count = numbers.iter_mut().zip(present).map(|(place, (_, n))| *place = *n).count();
            let (numbers, _) = numbers.split_at(count);
            match index {
                0 if is_trend => column::write_trend(numbers, out),
                _ => column::write(numbers, out),
            }
        }
        is_sparse
    }

    /// Reads what [`Self::write`] has written.
    pub(crate) fn read(
        &mut self,
        shape: Shape,
        rows: usize,
        is_sparse: bool,
        bytes: &[u8],
    ) -> Result<(), NoChunk> {
        self.clear(shape);
        self.decode(rows, is_sparse, Reader::new(bytes)).ok_or_else(|| {
            self.clear(shape);
            NoChunk
        })
    }

    fn decode(&mut self, rows: usize, is_sparse: bool, mut bytes: Reader<'_>) -> Option<()> {
        let present = if is_sparse { bytes.u64()? } else { all(rows) };
        if present & !all(rows) != 0 || present == 0 || (is_sparse && present == all(rows)) {
            return None;
        }
        self.present = present;
        let is_trend = self.shape.kind == Kind::Gauge;
        for index in 0..self.shape.columns() {
            let mut numbers = [0; ROWS];
            let (numbers, _) = numbers.split_at_mut_checked(present.count_ones() as usize)?;
            match index {
                0 if is_trend => column::read_trend(&mut bytes, numbers)?,
                _ => column::read(&mut bytes, numbers)?,
            }
            self.spread(index, numbers)?;
        }
        (bytes.is_empty() && self.is_legal()).then_some(())
    }

    /// Puts the numbers of a column into the rows that are there.
    fn spread(&mut self, index: usize, numbers: &[i128]) -> Option<()> {
        let present = self.present;
        let rows = self.columns.get_mut(index)?.iter_mut().enumerate();
        let there = rows.filter(|(row, _)| present >> row & 1 == 1);
        there.zip(numbers).for_each(|((_, place), number)| *place = *number);
        Some(())
    }

    /// Whether every number is one that could have been put.
    fn is_legal(&self) -> bool {
        (0..ROWS).filter(|row| self.has(*row)).all(|row| match self.shape.kind {
            Kind::Counter => self.counter(row).is_some(),
            Kind::Gauge => self.summary(row).is_some(),
            Kind::Histogram { buckets } => (0..buckets.into())
                .all(|b| self.at(row, b).is_some_and(|n| u64::try_from(n).is_ok())),
        })
    }
}

/// As many bits as rows.
const fn all(rows: usize) -> u64 {
    if rows >= ROWS { u64::MAX } else { (1 << rows) - 1 }
}
