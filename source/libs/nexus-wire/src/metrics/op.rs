/// What can be asked of metricsd.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Op {
    /// Adds to a counter by name.
    CounterInc = 1,
    /// Sets a gauge by name.
    GaugeSet = 2,
    /// Observes into a histogram by name.
    HistObserve = 3,
    /// Begins a span.
    SpanStart = 4,
    /// Ends a span.
    SpanEnd = 5,
    /// Answers `ok`.
    Ping = 6,
    /// Who am I, and what may I send.
    Hello = 16,
    /// Gives a series a `SeriesId`.
    Register = 17,
    /// Finds the `SeriesId`'s series by name without making it.
    Lookup = 18,
    /// Updates one series by `SeriesId`.
    Update = 19,
    /// Many cumulative values and spans at once.
    Batch = 20,
    /// Reads series.
    Scrape = 21,
    /// Reads live spans.
    Spans = 22,
    /// Reads the ledger.
    Audit = 23,
    /// Reads the daemon's state as fields.
    Status = 24,
}

impl Op {
    /// Every operation.
    pub const ALL: [Self; 15] = [
        Self::CounterInc,
        Self::GaugeSet,
        Self::HistObserve,
        Self::SpanStart,
        Self::SpanEnd,
        Self::Ping,
        Self::Hello,
        Self::Register,
        Self::Lookup,
        Self::Update,
        Self::Batch,
        Self::Scrape,
        Self::Spans,
        Self::Audit,
        Self::Status,
    ];

    /// The number in frames.
    #[must_use]
    pub const fn raw(self) -> u8 {
        self as u8
    }

    /// The operation of this number.
    #[must_use]
    pub const fn from_raw(raw: u8) -> Option<Self> {
        Some(match raw {
            1 => Self::CounterInc,
            2 => Self::GaugeSet,
            3 => Self::HistObserve,
            4 => Self::SpanStart,
            5 => Self::SpanEnd,
            6 => Self::Ping,
            16 => Self::Hello,
            17 => Self::Register,
            18 => Self::Lookup,
            19 => Self::Update,
            20 => Self::Batch,
            21 => Self::Scrape,
            22 => Self::Spans,
            23 => Self::Audit,
            24 => Self::Status,
            _ => return None,
        })
    }
}
