//! What updates do to a series.

use nexus_abi::FRAME_BYTES_MAX;
use nexus_wire::Kind;
use nexus_wire::metrics::ValueItem;

use super::Registry;
use super::histogram::BUCKETS_MAX;
use super::idle::Ties;
use super::rows::{Flags, Series};
use crate::rows::{NONE, Pool};
use crate::sessions::PlainCounters;
use crate::windows::{Clock, Values};

/// New observations of a histogram by bucket, as a BATCH brings them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Increase {
    pub(crate) counts: [u64; BUCKETS_MAX],
    pub(crate) sum: i128,
}

impl Registry {
    /// Adds to a counter, at most up to the end of 64 bits.
    #[inline(always)]
    pub(crate) fn count(&mut self, row: u32, delta: u64, catchup: bool) {
        self.touch(row);
        let series = &mut self.series[row];
        let value = delta.cast_signed();
        if value < 0 || !add(series, &self.clock, value, catchup) {
            let added = add_much(series, &self.clock, delta, catchup);
            self.totals.saturations += u64::from(added != delta);
            self.totals.counted = self.totals.counted.wrapping_add(added.into());
        } else {
            self.totals.counted = self.totals.counted.wrapping_add(delta.into());
        }
    }

    /// Counts what is new in the totals of plain counters among `values`; says which of them are
    /// something else.
    pub(crate) fn count_all(
        &mut self,
        heard: PlainCounters<'_>,
        session: u32,
        values: impl ExactSizeIterator<Item = ValueItem>,
        catchup: bool,
    ) -> Others {
        let (series, clock) = (&mut self.series, &self.clock);
        let sums = if catchup {
            add_all::<true>(series, clock, heard, session, values)
        } else {
            add_all::<false>(series, clock, heard, session, values)
        };
        self.totals.counted = self.totals.counted.wrapping_add(sums.added);
        self.totals.saturations += sums.saturations;
        sums.others
    }

    /// Sets a gauge.
    pub(crate) fn set(&mut self, row: u32, value: i64, catchup: bool) {
        self.touch(row);
        let series = &mut self.series[row];
        let gauge = &mut self.gauges[series.wide_row()];
        series.flags = series.flags.with(Flags::UPDATED);
        series.windows.put(gauge, &self.clock, &Values::one(value, catchup));
    }

    /// Observes into a histogram. `value` is at most `i64::MAX`.
    pub(crate) fn observe(&mut self, row: u32, value: u64) {
        self.touch(row);
        let series = &mut self.series[row];
        let histogram = &mut self.histograms[series.wide_row()];
        let bucket = self.layouts.at(histogram.layout).bucket(value);
        let added = histogram.add(bucket, 1);
        self.totals.saturations += 1 - added;
        let signed = i64::try_from(value).unwrap_or(i64::MAX);
        self.totals.observed = self.totals.observed.wrapping_add(added.into());
        self.totals.observed_sum = self.totals.observed_sum.wrapping_add(signed.into());
        histogram.sum = histogram.sum.saturating_add(i128::from(signed));
        series.flags = series.flags.with(Flags::UPDATED);
        let values = Values::one(signed, false);
        series.windows.put(&mut histogram.wide, &self.clock, &values);
    }

    /// Before an update: the first one in a window makes a series the last to be reclaimed. Those
    /// of a BATCH go to registered series, which nobody reclaims.
    #[inline]
    fn touch(&mut self, row: u32) {
        if self.series[row].windows.number() != self.clock.short() {
            self.renew(row);
        }
    }

    /// Adds observations that the client has sorted into the histogram's buckets.
    pub(crate) fn observe_increase(&mut self, row: u32, increase: &Increase, catchup: bool) {
        let added = self.add_increase(row, increase, catchup);
        self.totals.observed = self.totals.observed.wrapping_add(added);
        self.totals.observed_sum = self.totals.observed_sum.wrapping_add(increase.sum);
    }

    /// Adds to a histogram and says how many observations were added. Which values they had is
    /// known to the bucket only: the window's smallest and largest are what the outer buckets can
    /// hold, its last one the mean of the newest.
    fn add_increase(&mut self, row: u32, increase: &Increase, catchup: bool) -> u128 {
        let series = &mut self.series[row];
        let histogram = &mut self.histograms[series.wide_row()];
        let bounds = self.layouts.at(histogram.layout);
        let (mut count, mut min, mut max, mut all) = (0u64, u64::MAX, 0, 0u128);
        for (bucket, more) in increase.counts.iter().enumerate().filter(|(_, more)| **more > 0) {
            let added = histogram.add(bucket, *more);
            self.totals.saturations += u64::from(added != *more);
            all += u128::from(added);
            count = count.saturating_add(*more);
            min = min.min(bounds.lowest(bucket));
            max = max.max(bounds.highest(bucket).max(bounds.lowest(bucket)));
        }
        histogram.sum = histogram.sum.saturating_add(increase.sum);
        if count == 0 {
            return all;
        }
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let values = Values {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            sum: increase.sum,
            min: signed(min),
            max: signed(max),
            last: mean(increase.sum, count),
            catchup,
        };
        series.flags = series.flags.with(Flags::UPDATED);
        series.windows.put(&mut histogram.wide, &self.clock, &values);
        all
    }

    /// Adds a whole histogram to another series, which observes nothing new. Where bounds differ, a
    /// bucket's observations go to the bucket of its upper bound: count and sum stay exact,
    /// quantiles err upwards.
    pub(super) fn pour(&mut self, from: u32, to: u32) {
        let poured = self.histograms[from];
        let wide = self.series[to].wide_row();
        let source = *self.layouts.at(poured.layout);
        let target = *self.layouts.at(self.histograms[wide].layout);
        let spread = |counts: &[u64; BUCKETS_MAX]| source.spread(counts, &target);
        let counts = spread(&poured.counts);
        self.add_increase(to, &Increase { counts, sum: poured.sum }, true);
        self.sampled.move_histogram((from, wide), &self.histograms[wide], spread);
    }

    /// Whether a series has been updated since it was exported.
    pub(crate) fn changed(&self, row: u32) -> bool {
        self.series.find(row).is_some_and(|series| series.flags.has(Flags::CHANGED))
    }

    /// A series' values have been exported.
    pub(crate) fn mark_exported(&mut self, row: u32) {
        let series = &mut self.series[row];
        series.flags = series.flags.without(Flags::CHANGED);
    }

    /// Buckets of a histogram series; 0 for other kinds.
    pub(crate) fn buckets(&self, row: u32) -> usize {
        self.bounds(row).map_or(0, |bounds| bounds.as_slice().len() + 1)
    }

    /// Bounds of a histogram series.
    pub(crate) fn bounds(&self, row: u32) -> Option<&super::Bounds> {
        let series = self.series.find(row).filter(|series| series.kind == Kind::Histogram)?;
        Some(self.layouts.at(self.histograms[series.wide_row()].layout))
    }

    /// Head of the list of a series' registrations.
    pub(crate) fn registrations(&self, row: u32) -> u32 {
        self.series[row].ties.registrations()
    }

    /// Changes the head of the list of a series' registrations. Whoever has none any more may be
    /// reclaimed when that has lasted for long enough.
    pub(crate) fn set_registrations(&mut self, row: u32, head: u32) {
        self.unlist(row);
        self.series[row].ties = Ties::registered(head);
        if head == NONE {
            self.list(row);
        }
    }
}

/// The mean of `count` observations, as far as an i64 goes; `count` is not 0.
fn mean(sum: i128, count: u64) -> i64 {
    i64::try_from(sum / i128::from(count)).unwrap_or(i64::MAX)
}

/// What updates of counters come to.
#[derive(Default)]
struct Sums {
    others: Others,
    added: u128,
    saturations: u64,
}

/// Adds to a counter a `value` that is not negative; `false`, and nothing, if that would go beyond
/// the counter's end.
#[inline(always)]
fn add(series: &mut Series, clock: &Clock, value: i64, catchup: bool) -> bool {
    let delta = value.cast_unsigned();
    let Some(total) = series.value.checked_add(delta) else { return false };
    series.value = total;
    series.flags = series.flags.with(Flags::UPDATED);
    series.windows.add(clock, delta, value, catchup);
    true
}

/// As [`add`] for what may be beyond an i64, or reach the end of the counter, where it stays. Says
/// what was added.
#[cold]
#[inline(never)]
fn add_much(series: &mut Series, clock: &Clock, delta: u64, catchup: bool) -> u64 {
    let added = delta.min(u64::MAX - series.value);
    series.value += added;
    series.flags = series.flags.with(Flags::UPDATED);
    let value = i64::try_from(added).unwrap_or(i64::MAX);
    series.windows.add(clock, added, value, catchup);
    added
}

/// As [`Registry::count_all`], as a function of its own that keeps what it needs at hand.
#[inline(never)]
fn add_all<const CATCHUP: bool>(
    series: &mut Pool<Series>,
    clock: &Clock,
    mut heard: PlainCounters<'_>,
    session: u32,
    mut values: impl ExactSizeIterator<Item = ValueItem>,
) -> Sums {
    let mut sums = Sums::default();
    while let Some(item) = values.next() {
        let Some((row, delta)) = heard.hear(&item, session) else {
            sums.others.note(values.len());
            continue;
        };
        if delta == 0 {
            continue;
        }
        let series = &mut series[row];
        let mut added = delta.cast_unsigned();
        if !add(series, clock, delta, CATCHUP) {
            let asked = added;
            added = add_much(series, clock, asked, CATCHUP);
            sums.saturations += u64::from(added != asked);
        }
        sums.added = sums.added.wrapping_add(added.into());
    }
    sums
}

/// Places of some values of a BATCH, told by how many follow.
#[derive(Default)]
pub(crate) struct Others {
    following: [u64; VALUES_MAX.div_ceil(64)],
}

/// Values that fit into a frame, with room to spare.
const VALUES_MAX: usize = FRAME_BYTES_MAX / 16;

impl Others {
    #[cold]
    fn note(&mut self, following: usize) {
        let word = self.following.get_mut(following / 64);
        assert!(word.is_some(), "a frame holds no more values");
        if let Some(word) = word {
            *word |= 1 << (following % 64);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.following.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Those of the same values, in order.
    pub(crate) fn pick(
        self,
        values: impl ExactSizeIterator<Item = ValueItem>,
    ) -> impl Iterator<Item = ValueItem> {
        let count = if self.len() == 0 { 0 } else { values.len() };
        let following = (0..count).rev();
        let noted = move |at: usize| {
            self.following.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
        };
        values.zip(following).filter(move |(_, at)| noted(*at)).map(|(item, _)| item)
    }
}
