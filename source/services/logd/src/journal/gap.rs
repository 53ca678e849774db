use nexus_bounded::Mono;
use nexus_wire::RecordId;

/// What a sender has lost: records that were accepted and dropped since, all of them together.
/// As a sender's records are dropped oldest first, one such range covers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gap {
    /// How many records.
    pub(crate) count: u64,
    /// The smallest id among them.
    pub(crate) first_id: RecordId,
    /// The largest id among them.
    pub(crate) last_id: RecordId,
    /// The time of the first.
    pub(crate) first: Mono,
    /// The time of the last.
    pub(crate) last: Mono,
}

impl Gap {
    /// Nothing lost.
    pub(crate) const NONE: Self = Self {
        count: 0,
        first_id: RecordId(u64::MAX),
        last_id: RecordId(0),
        first: Mono(u64::MAX),
        last: Mono(0),
    };

    /// One record lost.
    pub(crate) const fn of(id: RecordId, at: Mono) -> Self {
        Self { count: 1, first_id: id, last_id: id, first: at, last: at }
    }

    /// Whether nothing is lost.
    pub(crate) const fn is_none(&self) -> bool {
        self.count == 0
    }

    /// Both losses together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            first_id: self.first_id.min(other.first_id),
            last_id: self.last_id.max(other.last_id),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// Whether something may have been lost within these times.
    pub(crate) fn overlaps(&self, since: Mono, until: Mono) -> bool {
        !self.is_none() && self.first <= until && self.last >= since
    }
}
