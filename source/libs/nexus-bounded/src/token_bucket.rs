use crate::Mono;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A budget of units per second with a burst, in integers: the same calls at the same times give
/// the same answers everywhere, and nothing is lost to rounding.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Units times 10^9, so that a nanosecond's share of a second's rate is a whole number.
    level: u64,
    burst: u64,
    rate: u64,
    refilled: Mono,
}

impl TokenBucket {
    /// The largest burst, in units; [`Self::new`] takes a larger one for this.
    pub const BURST_MAX: u64 = u64::MAX / NANOS_PER_SEC;

    /// A full bucket of `burst` units that refills with `rate` units a second.
    #[must_use]
    pub const fn new(rate: u64, burst: u64, now: Mono) -> Self {
        let burst = if burst > Self::BURST_MAX { Self::BURST_MAX } else { burst } * NANOS_PER_SEC;
        Self { level: burst, burst, rate, refilled: now }
    }

    /// Takes `units`, or takes nothing and says `false`.
    #[inline]
    pub fn take(&mut self, units: u64, now: Mono) -> bool {
        self.refill(now);
        let left = self.level_without(units);
        self.level = left.unwrap_or(self.level);
        left.is_some()
    }

    /// Takes `units` from this and `others` from another bucket, or nothing from either and says
    /// `false`.
    #[inline]
    pub fn take_both(&mut self, units: u64, other: &mut Self, others: u64, now: Mono) -> bool {
        self.refill(now);
        other.refill(now);
        let (Some(left), Some(other_left)) =
            (self.level_without(units), other.level_without(others))
        else {
            return false;
        };
        self.level = left;
        other.level = other_left;
        true
    }

    #[inline]
    fn level_without(&self, units: u64) -> Option<u64> {
        self.level.checked_sub(units.checked_mul(NANOS_PER_SEC)?)
    }

    /// Whole units left at `now`.
    pub fn left(&mut self, now: Mono) -> u64 {
        self.refill(now);
        self.level / NANOS_PER_SEC
    }

    /// What does not fit into 64 bits is more than any burst, so saturation loses nothing.
    #[inline]
    fn refill(&mut self, now: Mono) {
        if now > self.refilled {
            let gained = now.since(self.refilled).0.saturating_mul(self.rate);
            self.level = self.level.saturating_add(gained).min(self.burst);
            self.refilled = now;
        }
    }
}
