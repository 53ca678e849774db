use nexus_bounded::{Mono, Nanos};
use nexus_recipe::ExportLimits;

/// Pauses between attempts to reach logd: each twice the last, until it answers.
pub(super) struct Backoff {
    min: Nanos,
    max: Nanos,
    pause: Nanos,
    until: Mono,
    away: bool,
}

impl Backoff {
    pub(super) const fn new(limits: &ExportLimits) -> Self {
        let (min, max) = (limits.retry_min, limits.retry_max);
        Self { min, max, pause: min, until: Mono(0), away: false }
    }

    /// Notes that logd could not be reached.
    pub(super) fn failed(&mut self, now: Mono) {
        self.pause(now);
        self.away = true;
    }

    /// Notes that it is too early to try again. Of several attempts that were under way together
    /// the first one counts.
    pub(super) fn pause(&mut self, now: Mono) {
        if self.holds(now) {
            return;
        }
        self.until = now.after(self.pause);
        self.pause = Nanos(self.pause.0.saturating_mul(2)).min(self.max);
    }

    /// Notes an answer.
    pub(super) fn answered(&mut self) {
        (self.pause, self.until, self.away) = (self.min, Mono(0), false);
    }

    /// Whether nothing should be tried at `now`.
    pub(super) fn holds(&self, now: Mono) -> bool {
        now < self.until
    }

    /// When the next attempt may be made.
    pub(super) const fn until(&self) -> Mono {
        self.until
    }

    /// Whether logd could not be reached when it was last tried.
    pub(super) const fn away(&self) -> bool {
        self.away
    }
}
