use nexus_bounded::Nanos;

/// When the flusher does what.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time between two flushes.
    pub interval: Nanos,
    /// A connection without a due reply for this long is given up.
    pub reply_timeout: Nanos,
    /// Pause before the first attempt to connect again; doubled up to `retry_max`.
    pub retry_min: Nanos,
    /// The longest pause between two attempts to connect.
    pub retry_max: Nanos,
    /// A span that is open for longer than this is made known, so that a crash leaves it behind as
    /// abandoned.
    pub open_after: Nanos,
}

impl Pace {
    /// A flush a second.
    pub const DEFAULT: Self = Self {
        interval: Nanos::from_secs(1),
        reply_timeout: Nanos::from_secs(5),
        retry_min: Nanos::from_millis(100),
        retry_max: Nanos::from_secs(5),
        open_after: Nanos::from_secs(1),
    };
}
