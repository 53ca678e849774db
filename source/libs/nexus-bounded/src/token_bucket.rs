use crate::Mono;

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// A budget of units per second with a burst, in integers: the same calls at the same times give
/// the same answers everywhere, and nothing is lost to rounding.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Tokens times 10^9: what is left, exactly.
    level: u128,
    burst: u128,
    rate: u64,
    refilled: Mono,
}

impl TokenBucket {
    /// A full bucket of `burst` units that refills with `rate` units a second.
    #[must_use]
    pub const fn new(rate: u64, burst: u64, now: Mono) -> Self {
        let burst = burst as u128 * NANOS_PER_SEC;
        Self { level: burst, burst, rate, refilled: now }
    }

    /// Takes `units`, or takes nothing and says `false`.
    pub fn take(&mut self, units: u64, now: Mono) -> bool {
        self.refill(now);
        let cost = u128::from(units) * NANOS_PER_SEC;
        if cost > self.level {
            return false;
        }
        self.level -= cost;
        true
    }

    /// Whole units left at `now`.
    pub fn left(&mut self, now: Mono) -> u64 {
        self.refill(now);
        u64::try_from(self.level / NANOS_PER_SEC).unwrap_or(u64::MAX)
    }

    fn refill(&mut self, now: Mono) {
        let elapsed = now.since(self.refilled).0;
        if elapsed > 0 {
            let gained = u128::from(elapsed) * u128::from(self.rate);
            self.level = self.level.saturating_add(gained).min(self.burst);
            self.refilled = now;
        }
    }
}
