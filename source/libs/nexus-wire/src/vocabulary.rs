//! Closed sets of small numbers that frames carry.

use crate::numbers::vocabulary;

vocabulary! {
    /// What a series measures. The numbers are those of the version 1 operations.
    Kind {
        /// Only rises; u64, saturating.
        Counter = 1 "counter",
        /// A value of now; i64.
        Gauge = 2 "gauge",
        /// Observations counted in buckets; values 0 to i64's largest.
        Histogram = 3 "histogram",
    }
}

vocabulary! {
    /// In what a series is measured; exporters scale to base units.
    Unit {
        /// A plain number.
        None = 0 "none",
        /// Nanoseconds.
        Nanoseconds = 1 "ns",
        /// Bytes.
        Bytes = 2 "bytes",
        /// Parts per million of a ratio.
        PartsPerMillion = 3 "ppm",
        /// Thousandths of a degree Celsius.
        MilliCelsius = 4 "millicelsius",
        /// Microseconds.
        Microseconds = 5 "us",
        /// Milliseconds.
        Milliseconds = 6 "ms",
        /// Seconds.
        Seconds = 7 "s",
    }
}

vocabulary! {
    /// How grave a record is; smaller is graver.
    Level {
        /// Something failed.
        Error = 0 "error",
        /// Something may fail, or degraded.
        Warn = 1 "warn",
        /// A state changed.
        Info = 2 "info",
        /// For whoever looks for a fault.
        Debug = 3 "debug",
        /// Every step.
        Trace = 4 "trace",
    }
}

vocabulary! {
    /// How a span ended. On the wire of version 1 every byte is legal: see
    /// [`SpanStatus::from_wire`].
    SpanStatus {
        /// As meant.
        Ok = 0 "ok",
        /// With an error.
        Error = 1 "error",
        /// Its sender ended, or its time ran out, before it did.
        Abandoned = 2 "abandoned",
    }
}

vocabulary! {
    /// Whether a file grows.
    FileKind {
        /// It does: bytes may be added.
        Log = 1 "log",
        /// It holds what it holds.
        Whole = 2 "whole",
    }
}

impl SpanStatus {
    /// A sender's statement: 0 is ok, everything else an error. Nobody calls his own span
    /// abandoned.
    #[must_use]
    pub const fn from_wire(raw: u8) -> Self {
        if raw == 0 { Self::Ok } else { Self::Error }
    }
}

vocabulary! {
    /// Why a client lost something before it could be sent.
    LossReason {
        /// A finished span met a full ring.
        SpanRingFull = 1 "span_ring_full",
        /// A metric met a full table of cells or series.
        SeriesTableFull = 2 "series_table_full",
        /// A log record met a full queue.
        LogQueueFull = 3 "log_queue_full",
        /// metricsd or logd refused an item for good.
        Refused = 4 "refused",
        /// The connection broke before an answer that cannot be asked for again.
        ConnectionLost = 5 "connection_lost",
        /// Something did not fit its bound on the client's side.
        TooLarge = 6 "too_large",
    }
}

vocabulary! {
    /// Which windows of what is kept are read. How long they are, replies say.
    Tier {
        /// The longest that are no longer than the steps asked for.
        Auto = 0 "auto",
        /// What was recorded.
        Raw = 1 "raw",
        /// Short windows, made out of those.
        Short = 2 "short",
        /// Long windows, made out of short ones.
        Long = 3 "long",
    }
}

vocabulary! {
    /// Why a part of what was kept cannot be read.
    HistoryLoss {
        /// A checksum is wrong.
        Damaged = 1 "damaged",
        /// The device does not read it.
        Unreadable = 2 "unreadable",
        /// A file that should be there is not.
        Missing = 3 "missing",
        /// It was cut short, or never finished.
        Unsealed = 4 "unsealed",
        /// It is of a version of the format that this program does not know.
        Foreign = 5 "foreign",
    }
}
