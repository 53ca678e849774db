use crate::numbers::numbers;

numbers! {
    /// What can be asked of metricsd.
    Op {
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
        /// Reads what is kept of series.
        Range = 25,
    }
}
