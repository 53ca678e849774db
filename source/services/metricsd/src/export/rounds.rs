use nexus_bounded::{Mono, Nanos};
use nexus_recipe::ExportLimits;
use nexus_wire::metrics::SeriesView;

/// Series to be exported, by place.
pub(crate) trait SeriesSource {
    /// Places there are; a place may be empty.
    fn capacity(&self) -> u32;

    /// Whether the series has changed since it was last marked.
    fn changed(&self, place: u32) -> bool;

    /// Notes that the series is exported as it is now.
    fn mark_exported(&mut self, place: u32);

    /// Shows the series at a place to `read`; `None` if the place is empty.
    fn with_view<R>(&self, place: u32, read: impl FnOnce(&SeriesView<'_>) -> R) -> Option<R>;
}

/// Which series goes next, and when a round begins: at multiples of the interval since boot. A
/// round that takes longer than the interval is finished before the next begins.
pub(super) struct Rounds {
    interval: Nanos,
    full_every: u32,
    next: Mono,
    begun: u32,
    /// Where the round under way goes on.
    at: Option<u32>,
    full: bool,
    full_due: bool,
}

impl Rounds {
    pub(super) const fn new(limits: &ExportLimits) -> Self {
        Self {
            interval: limits.interval,
            full_every: limits.full_every,
            next: Mono(0),
            begun: 0,
            at: None,
            full: false,
            full_due: false,
        }
    }

    pub(super) fn is_due(&self, now: Mono) -> bool {
        now >= self.next
    }

    /// Begins a round if one is due and none is under way.
    pub(super) fn begin_due(&mut self, now: Mono) {
        if !self.is_due(now) {
            return;
        }
        self.next =
            Mono(now.window(self.interval).saturating_add(1).saturating_mul(self.interval.0));
        if self.at.is_none() {
            self.begin();
        }
    }

    /// Begins a round now, anew if one is under way.
    pub(super) fn begin(&mut self) {
        self.full = self.full_due || self.begun.is_multiple_of(self.full_every);
        self.full_due = false;
        self.begun = self.begun.wrapping_add(1);
        self.at = Some(0);
    }

    /// Begins a round of all series now.
    pub(super) fn begin_full(&mut self) {
        self.full_due = true;
        self.begin();
    }

    /// The place of the next series of the round under way.
    pub(super) fn next_series(&mut self, source: &impl SeriesSource) -> Option<u32> {
        let from = self.at?;
        let found = (from..source.capacity()).find(|place| self.full || source.changed(*place));
        self.at = found.map(|place| place + 1);
        found
    }

    /// Series with a change that the round under way has not told yet.
    pub(super) fn changes_left(&self, source: &impl SeriesSource) -> usize {
        let from = self.at.unwrap_or_else(|| source.capacity());
        (from..source.capacity()).filter(|place| source.changed(*place)).count()
    }

    pub(super) const fn under_way(&self) -> bool {
        self.at.is_some()
    }

    /// When the next round is due.
    pub(super) const fn due(&self) -> Mono {
        self.next
    }

    pub(super) const fn begun(&self) -> u32 {
        self.begun
    }
}
