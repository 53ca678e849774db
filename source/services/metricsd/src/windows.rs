//! Time-aligned windows: what happened in the open and in the last closed short and long one.
//!
//! Windows are numbered since boot, `time / length`, and turned lazily: an update in a later
//! window first closes what is open. Only the short window is written by updates; a closed short
//! one is added to the open long one. A closed window is kept as long as it is the one just before
//! the open one; otherwise nothing happened in the one just before, and that is what is shown.
//! After a pause windows are skipped, never looped over.

use nexus_bounded::{Mono, Nanos};
use nexus_wire::metrics::WindowView;

/// The numbers of the windows of now.
pub(crate) struct Clock {
    now: Mono,
    /// Number of the open short window.
    short: u32,
    /// When it ends.
    end: Mono,
    short_len: Nanos,
    /// Short windows in a long one.
    ratio: u32,
}

impl Clock {
    /// A clock at boot. A long window is a multiple of a short one: the recipe has been checked.
    pub(crate) fn new(short_len: Nanos, long_len: Nanos) -> Self {
        let ratio = u32::try_from(long_len.0 / short_len.0.max(1)).unwrap_or(1).max(1);
        let mut clock = Self { now: Mono(0), short: 0, end: Mono(0), short_len, ratio };
        clock.turn();
        clock
    }

    /// Time goes on; it never goes back.
    #[inline]
    pub(crate) fn advance(&mut self, now: Mono) {
        self.now = now;
        if now >= self.end {
            self.turn();
        }
    }

    #[cold]
    fn turn(&mut self) {
        // Windows of 10 ms, the shortest there are, reach this bound after 497 days.
        self.short = u32::try_from(self.now.window(self.short_len)).unwrap_or(u32::MAX);
        self.end = Mono((u64::from(self.short) + 1).saturating_mul(self.short_len.0));
    }

    pub(crate) const fn now(&self) -> Mono {
        self.now
    }

    #[inline]
    pub(crate) const fn short(&self) -> u32 {
        self.short
    }

    /// Lengths of the short and of the long windows.
    pub(crate) const fn lengths(&self) -> (Nanos, Nanos) {
        (self.short_len, Nanos(self.short_len.0 * self.ratio as u64))
    }

    /// Whether a whole short window has passed since `earlier`.
    pub(crate) fn window_passed_since(&self, earlier: Mono) -> bool {
        self.now.since(earlier) > self.short_len
    }

    /// When the open short window ends.
    pub(crate) const fn end(&self) -> Mono {
        self.end
    }

    /// Time since the window `short` ended; zero if it has not.
    pub(crate) fn since_window(&self, short: u32) -> Nanos {
        let end = (u64::from(short) + 1).saturating_mul(self.short_len.0);
        self.now.since(Mono(end))
    }
}

/// One window of a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Window {
    sum: u64,
    min: i64,
    max: i64,
}

const EMPTY: Window = Window { sum: 0, min: i64::MAX, max: i64::MIN };

const SHORT_OPEN: usize = 0;
const SHORT_CLOSED: usize = 1;
const LONG_OPEN: usize = 2;
const LONG_CLOSED: usize = 3;

/// The four windows of a series. What does not fit every kind lies in [`Wide`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Windows {
    /// Number of the open short window.
    number: u32,
    /// Updates in each window; 0: the rest means nothing.
    counts: [u32; 4],
    /// Whether something in it came after an outage.
    catchup: [bool; 4],
    windows: [Window; 4],
}

/// What gauges and histograms keep besides: upper halves of sums, and last values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Wide {
    /// Sums of up to 2^32 values of 63 bits and a sign need 96 bits.
    sums_high: [i32; 4],
    /// The newest value, and the one at the end of the last closed short and long window.
    last: i64,
    last_short: i64,
    last_long: i64,
}

impl Wide {
    pub(crate) const fn last(&self) -> i64 {
        self.last
    }

    const fn sum(high: i32, low: u64) -> i128 {
        ((high as i128) << 64) | low as i128
    }
}

impl Windows {
    /// Nothing has happened since the open short window began.
    pub(crate) const fn new(number: u32) -> Self {
        Self { number, counts: [0; 4], catchup: [false; 4], windows: [EMPTY; 4] }
    }

    /// Closes what is over though nothing new has come: nobody sees the difference.
    pub(crate) fn advance(&mut self, clock: &Clock, wide: Option<&mut Wide>) {
        if self.number != clock.short {
            self.turn(clock, wide);
        }
    }

    /// Number of the short window of the last update, or of [`Self::advance`].
    #[inline]
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// An increment of a counter, in the window of now; `value` is `delta`, as far as an i64 goes.
    #[inline(always)]
    pub(crate) fn add(&mut self, clock: &Clock, delta: u64, value: i64, catchup: bool) {
        if self.number != clock.short {
            self.turn(clock, None);
        }
        let [count, ..] = &mut self.counts;
        let [open, ..] = &mut self.windows;
        let [caught, ..] = &mut self.catchup;
        *count = count.saturating_add(1);
        // The sum of what was added to a u64 that saturates is a u64.
        open.sum = open.sum.wrapping_add(delta);
        if value < open.min {
            open.min = value;
        }
        if value > open.max {
            open.max = value;
        }
        if catchup {
            *caught = true;
        }
    }

    /// `count` values of a gauge or histogram, from `min` to `max`, of which the last is `last`.
    pub(crate) fn put(&mut self, wide: &mut Wide, clock: &Clock, values: &Values) {
        if self.number != clock.short {
            self.turn(clock, Some(wide));
        }
        let [count, ..] = &mut self.counts;
        let [open, ..] = &mut self.windows;
        let [high, ..] = &mut wide.sums_high;
        let [caught, ..] = &mut self.catchup;
        *count = count.saturating_add(values.count);
        let sum = Wide::sum(*high, open.sum).saturating_add(values.sum);
        (*high, open.sum) = split(sum);
        open.min = open.min.min(values.min);
        open.max = open.max.max(values.max);
        wide.last = values.last;
        *caught |= values.catchup;
    }

    /// Closes what is over, so that the open windows are those of now.
    #[cold]
    fn turn(&mut self, clock: &Clock, wide: Option<&mut Wide>) {
        let (long, long_now) = (self.number / clock.ratio, clock.short / clock.ratio);
        let mut none = Wide::default();
        let wide = wide.unwrap_or(&mut none);
        self.join(wide);
        if long_now != long {
            self.close(wide, LONG_OPEN, LONG_CLOSED, long_now == long + 1);
            wide.last_long = wide.last;
        }
        self.close(wide, SHORT_OPEN, SHORT_CLOSED, clock.short == self.number + 1);
        wide.last_short = wide.last;
        self.number = clock.short;
    }

    /// Adds the open short window to the open long one.
    fn join(&mut self, wide: &mut Wide) {
        let short = self.windows[SHORT_OPEN];
        let sum = Wide::sum(wide.sums_high[LONG_OPEN], self.windows[LONG_OPEN].sum)
            .saturating_add(Wide::sum(wide.sums_high[SHORT_OPEN], short.sum));
        let long = &mut self.windows[LONG_OPEN];
        (wide.sums_high[LONG_OPEN], long.sum) = split(sum);
        long.min = long.min.min(short.min);
        long.max = long.max.max(short.max);
        self.counts[LONG_OPEN] = self.counts[LONG_OPEN].saturating_add(self.counts[SHORT_OPEN]);
        self.catchup[LONG_OPEN] |= self.catchup[SHORT_OPEN];
    }

    /// Moves a window to its closed place, if it is the one just before the one of now, and empties
    /// it.
    #[expect(clippy::indexing_slicing, reason = "own index: constants within the arrays")]
    fn close(&mut self, wide: &mut Wide, open: usize, closed: usize, adjacent: bool) {
        self.counts[closed] = if adjacent { self.counts[open] } else { 0 };
        self.catchup[closed] = adjacent && self.catchup[open];
        self.windows[closed] = self.windows[open];
        wide.sums_high[closed] = wide.sums_high[open];
        self.counts[open] = 0;
        self.catchup[open] = false;
        self.windows[open] = EMPTY;
        wide.sums_high[open] = 0;
    }

    /// The last closed windows of a counter, of which `total` is the value now.
    pub(crate) fn closed_counter(mut self, clock: &Clock, total: u64) -> Closed {
        if self.number != clock.short {
            self.turn(clock, None);
        }
        let [short_open, _, long_open, _] = self.windows;
        // What has been added since a window closed lies in the windows that are open.
        let at_short = total.saturating_sub(short_open.sum);
        let at_long = at_short.saturating_sub(long_open.sum);
        let last = |total: u64| i64::try_from(total).unwrap_or(i64::MAX);
        let wide = Wide { last_short: last(at_short), last_long: last(at_long), ..Wide::default() };
        self.closed(clock, &wide)
    }

    /// The last closed windows of a gauge or histogram.
    pub(crate) fn closed_wide(mut self, clock: &Clock, mut wide: Wide) -> Closed {
        if self.number != clock.short {
            self.turn(clock, Some(&mut wide));
        }
        self.closed(clock, &wide)
    }

    fn closed(&self, clock: &Clock, wide: &Wide) -> Closed {
        let [_, short, _, long] = self.windows;
        let [_, short_count, _, long_count] = self.counts;
        let [_, short_caught, _, long_caught] = self.catchup;
        let [_, short_high, _, long_high] = wide.sums_high;
        let view = |number: u32, count, high, window: Window, last| match count {
            0 => WindowView { number: u64::from(number), ..WindowView::default() },
            _ => WindowView {
                number: u64::from(number),
                count,
                sum: Wide::sum(high, window.sum),
                min: window.min,
                max: window.max,
                last,
            },
        };
        let before = |number: u32| number.saturating_sub(1);
        Closed {
            short: view(before(clock.short), short_count, short_high, short, wide.last_short),
            long: view(
                before(clock.short / clock.ratio),
                long_count,
                long_high,
                long,
                wide.last_long,
            ),
            catchup: short_caught || long_caught,
        }
    }
}

/// Values put into a gauge or histogram at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values {
    pub(crate) count: u32,
    pub(crate) sum: i128,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) last: i64,
    pub(crate) catchup: bool,
}

impl Values {
    pub(crate) const fn one(value: i64, catchup: bool) -> Self {
        Self { count: 1, sum: value as i128, min: value, max: value, last: value, catchup }
    }
}

/// The windows of a series that closed last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    pub(crate) short: WindowView,
    pub(crate) long: WindowView,
    /// Whether one of them contains values that came after an outage.
    pub(crate) catchup: bool,
}

/// A sum in its two halves. Counts of 32 bits keep it within 96 bits, which a sum of values that
/// came with a saturated count may leave: then it saturates too.
fn split(sum: i128) -> (i32, u64) {
    let high = (sum >> 64).clamp(i32::MIN.into(), i32::MAX.into());
    (i32::try_from(high).unwrap_or(0), (sum & i128::from(u64::MAX)).cast_unsigned() as u64)
}
