use core::fmt;

/// A length of time in nanoseconds, at most about 584 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Nanos(pub u64);

impl Nanos {
    /// `n` seconds; saturates.
    #[must_use]
    pub const fn from_secs(n: u64) -> Self {
        Self(n.saturating_mul(1_000_000_000))
    }

    /// `n` milliseconds; saturates.
    #[must_use]
    pub const fn from_millis(n: u64) -> Self {
        Self(n.saturating_mul(1_000_000))
    }
}

/// Monotonic time: nanoseconds since boot. It never goes back and says nothing of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// Time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self` plus `by`; saturates at the end of time.
    #[must_use]
    pub const fn after(self, by: Nanos) -> Self {
        Self(self.0.saturating_add(by.0))
    }

    /// Number of the window of length `of` that contains this time, counted from boot.
    /// `of` must not be zero.
    #[must_use]
    pub const fn window(self, of: Nanos) -> u64 {
        self.0 / of.0
    }
}

/// Calendar time: nanoseconds since 1970-01-01T00:00:00Z. It may jump either way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Wall(pub u64);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ns", self.0)
    }
}
