//! Histograms: bounds that several share, and the buckets of each.

use alloc::boxed::Box;
use alloc::string::String;

use nexus_recipe::BucketRule;
use nexus_wire::BOUNDS_MAX;

use crate::rows::Pool;
use crate::windows::Wide;

/// Buckets of a histogram, at most.
pub(crate) const BUCKETS_MAX: usize = BOUNDS_MAX + 1;

/// Upper bounds of buckets, inclusive and ascending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bounds {
    len: u8,
    bounds: [u64; BOUNDS_MAX],
}

impl Bounds {
    pub(crate) const NONE: Self = Self { len: 0, bounds: [0; BOUNDS_MAX] };

    /// The first 24 of `bounds`; recipe and wire allow no more.
    pub(crate) fn new(bounds: impl Iterator<Item = u64>) -> Self {
        let mut out = Self::NONE;
        for (place, bound) in out.bounds.iter_mut().zip(bounds) {
            *place = bound;
            out.len += 1;
        }
        out
    }

    pub(crate) fn as_slice(&self) -> &[u64] {
        self.bounds.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The bucket that `value` falls into.
    #[inline]
    pub(crate) fn bucket(&self, value: u64) -> usize {
        self.as_slice().partition_point(|bound| *bound < value)
    }

    /// The largest value that bucket `index` is known to hold: its bound, for the last one the
    /// highest bound there is.
    pub(crate) fn highest(&self, index: usize) -> u64 {
        let bounds = self.as_slice();
        bounds.get(index).or(bounds.last()).copied().unwrap_or(0)
    }

    /// Counts of these buckets, in those of `target`.
    pub(crate) fn spread(&self, from: &[u64; BUCKETS_MAX], target: &Self) -> [u64; BUCKETS_MAX] {
        let mut counts = [0u64; BUCKETS_MAX];
        let last = self.as_slice().len();
        for (bucket, count) in from.iter().enumerate() {
            let known_as = if bucket < last { self.highest(bucket) } else { self.lowest(last) };
            if let Some(place) = counts.get_mut(target.bucket(known_as)) {
                *place = place.saturating_add(*count);
            }
        }
        counts
    }

    /// The smallest value that can fall into bucket `index`.
    pub(crate) fn lowest(&self, index: usize) -> u64 {
        let before = index.checked_sub(1).and_then(|before| self.as_slice().get(before));
        before.map_or(0, |bound| bound.saturating_add(1))
    }
}

/// One histogram series' observations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Histogram {
    pub(crate) counts: [u64; BUCKETS_MAX],
    /// Of all observations; 2^64 of them of 63 bits fit.
    pub(crate) sum: i128,
    pub(crate) wide: Wide,
    /// Row of its bounds.
    pub(crate) layout: u32,
}

impl Histogram {
    pub(crate) fn new(layout: u32) -> Self {
        Self { counts: [0; BUCKETS_MAX], sum: 0, wide: Wide::default(), layout }
    }

    /// Adds to a bucket, at most up to the end of 64 bits; says what was added.
    pub(crate) fn add(&mut self, bucket: usize, count: u64) -> u64 {
        let Some(place) = self.counts.get_mut(bucket) else { return count };
        let added = count.min(u64::MAX - *place);
        *place += added;
        added
    }
}

/// All bounds in use: the recipe's, for ever, and those that registrations brought, each as long
/// as its metric lives.
pub(crate) struct Layouts {
    all: Pool<Bounds>,
    /// Prefixes of the recipe's rules, longest first; the rule's row is its place.
    prefixes: Box<[String]>,
}

impl Layouts {
    /// Room for the recipe's bounds and for those of `histograms` metrics.
    pub(crate) fn new(rules: &[BucketRule], histograms: u32) -> Self {
        let rows = Self::rows(rules, histograms);
        let mut all = Pool::filled(rows, Bounds::NONE);
        for rule in rules {
            let taken = all.take(Bounds::new(rule.bounds.iter().copied()));
            assert!(taken.is_some(), "there is a row for each rule");
        }
        Self { all, prefixes: rules.iter().map(|rule| rule.prefix.clone()).collect() }
    }

    /// Rows that such a table has.
    pub(crate) fn rows(rules: &[BucketRule], histograms: u32) -> u32 {
        histograms.saturating_add(u32::try_from(rules.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn at(&self, row: u32) -> &Bounds {
        &self.all[row]
    }

    /// The recipe's bounds for a name.
    pub(crate) fn by_rule(&self, name: &str) -> u32 {
        let matches = |prefix: &String| name.starts_with(prefix.as_str());
        let found = self.prefixes.iter().position(matches);
        // The recipe has a rule for every name: one with an empty prefix.
        u32::try_from(found.unwrap_or(0)).unwrap_or(0)
    }

    /// Bounds that a registration brought, for a metric with this name. `None`: no room.
    pub(crate) fn take(&mut self, name: &str, bounds: &Bounds) -> Option<u32> {
        let rule = self.by_rule(name);
        if *bounds == *self.at(rule) {
            return Some(rule);
        }
        self.all.take(*bounds)
    }

    /// Gives back what a metric had.
    pub(crate) fn give(&mut self, layout: u32) {
        if layout as usize >= self.prefixes.len() {
            self.all.give(layout);
        }
    }
}
