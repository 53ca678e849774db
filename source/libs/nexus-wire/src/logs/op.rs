use crate::logs::Version;

/// What can be asked of logd.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Op {
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

impl Op {
    /// Every operation.
    pub const ALL: [Self; 9] = [
        Self::Append,
        Self::Query,
        Self::Stats,
        Self::Hello,
        Self::AppendBatch,
        Self::Search,
        Self::Audit,
        Self::Status,
        Self::Anchors,
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
            1 => Self::Append,
            2 => Self::Query,
            3 => Self::Stats,
            16 => Self::Hello,
            17 => Self::AppendBatch,
            18 => Self::Search,
            19 => Self::Audit,
            20 => Self::Status,
            21 => Self::Anchors,
            _ => return None,
        })
    }

    /// Whether frames of that version may ask it: own operations exist in version 2 only.
    #[must_use]
    pub const fn version_is_legal(self, version: Version) -> bool {
        matches!(version, Version::V2) || matches!(self, Self::Append | Self::Query | Self::Stats)
    }
}
