use crate::logs::Version;
use crate::numbers::numbers;

numbers! {
    /// What can be asked of logd.
    Op {
        /// Appends a record.
        Append = 1,
        /// Reads records since a time.
        Query = 2,
        /// Reads how full the journal is.
        Stats = 3,
        /// Who am I, and what may I send.
        Hello = 16,
        /// Appends several records.
        AppendBatch = 17,
        /// Reads records by cursor, time and filter.
        Search = 18,
        /// Reads the ledger.
        Audit = 19,
        /// Reads the daemon's state as fields.
        Status = 20,
        /// Reads the clock anchors.
        Anchors = 21,
    }
}

impl Op {
    /// Whether frames of that version may ask it: own operations exist in version 2 only.
    #[must_use]
    pub const fn version_is_legal(self, version: Version) -> bool {
        matches!(version, Version::V2) || matches!(self, Self::Append | Self::Query | Self::Stats)
    }
}
