//! The ledger: what became of everything a sender offered. Both daemons answer AUDIT with it.

use nexus_abi::ServiceId;

use crate::EncodeError;
use crate::bytes::{Reader, Writer};

/// Why something offered was not stored as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Malformed, not canonical, unknown.
    Invalid,
    /// A claim to be somebody: identity keys, foreign span, trace or series ids.
    Identity,
    /// Beyond a size or a cap.
    OverLimit,
    /// Beyond the sender's budget.
    RateLimited,
    /// No such span or series, or a stale one.
    NotFound,
    /// A secret where the recipe says to refuse.
    Secret,
    /// A read without the right to read.
    Denied,
    /// A table that heals was full.
    NotReady,
    /// Another bucket layout or unit than the series has.
    Conflict,
}

/// Every reason, in the order of [`LedgerRow::refused`].
pub const REASONS: [(Reason, &str); 9] = [
    (Reason::Invalid, "invalid"),
    (Reason::Identity, "identity"),
    (Reason::OverLimit, "over_limit"),
    (Reason::RateLimited, "rate_limited"),
    (Reason::NotFound, "not_found"),
    (Reason::Secret, "secret"),
    (Reason::Denied, "denied"),
    (Reason::NotReady, "not_ready"),
    (Reason::Conflict, "conflict"),
];

impl Reason {
    /// Place of the reason in [`LedgerRow::refused`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// One sender's ledger since the daemon's start. The unit is one item: an update by name or by
/// number, a batched item, a span's start or end, a log record; also a frame that cannot be read
/// and a question that is refused. Questions that are answered and repeats offer nothing.
///
/// `offered = accepted + folded + sum(refused) + dropped` holds whenever no event is being handled.
/// What came and what became of it are counted apart: a daemon that forgets an outcome shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LedgerRow {
    /// Whose; [`LedgerRow::EVICTED`] gathers those who lost their place in the table.
    pub service: u64,
    /// Items that came, repeats left out.
    pub offered: u64,
    /// Items stored as they were.
    pub accepted: u64,
    /// Items counted in an overflow series.
    pub folded: u64,
    /// Items refused, by [`Reason`].
    pub refused: [u64; REASONS.len()],
    /// Items accepted into a queue and lost there, with a gap record.
    pub dropped: u64,
    /// Items of repeats that changed nothing; not part of `offered`.
    pub repeated: u64,
    /// Values in which something secret was replaced; part of `accepted`.
    pub redacted: u64,
    /// What the sender itself says it lost before sending.
    pub lost_by_client: u64,
    /// Records (logd) or series (metricsd) of the sender kept now.
    pub kept: u64,
    /// Events left in its budget now.
    pub events_left: u64,
    /// Bytes left in its budget now.
    pub bytes_left: u64,
}

impl LedgerRow {
    /// The service number of the row of the evicted.
    pub const EVICTED: u64 = 0;

    /// Whose row this is, if one sender's.
    #[must_use]
    pub const fn service_id(&self) -> Option<ServiceId> {
        if self.service == Self::EVICTED { None } else { Some(ServiceId::from_raw(self.service)) }
    }

    /// All refusals; saturates, as a row may have been read from a frame.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// Items offered of which nobody counted an outcome; below 0: outcomes of items that nobody
    /// offered.
    #[must_use]
    pub fn uncounted(&self) -> i128 {
        let outcomes = [self.accepted, self.folded, self.dropped].into_iter().chain(self.refused);
        outcomes.fold(i128::from(self.offered), |left, count| left - i128::from(count))
    }

    /// Whether the law of the ledger holds.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.uncounted() == 0
    }

    fn write(&self, to: &mut Writer<'_>) {
        for value in [self.service, self.offered, self.accepted, self.folded] {
            to.u64(value);
        }
        for value in self.refused {
            to.u64(value);
        }
        for value in [
            self.dropped,
            self.repeated,
            self.redacted,
            self.lost_by_client,
            self.kept,
            self.events_left,
            self.bytes_left,
        ] {
            to.u64(value);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut row = Self {
            service: from.u64()?,
            offered: from.u64()?,
            accepted: from.u64()?,
            folded: from.u64()?,
            ..Self::default()
        };
        for value in &mut row.refused {
            *value = from.u64()?;
        }
        row.dropped = from.u64()?;
        row.repeated = from.u64()?;
        row.redacted = from.u64()?;
        row.lost_by_client = from.u64()?;
        row.kept = from.u64()?;
        row.events_left = from.u64()?;
        row.bytes_left = from.u64()?;
        Some(row)
    }
}

/// Body of an AUDIT reply: `next_cursor:u32` (0 = that was all) `count:u8` and the rows, 20 words
/// each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditReply<'a> {
    /// Cursor of the next request; 0: that was all.
    pub next_cursor: u32,
    rows: &'a [u8],
}

impl<'a> AuditReply<'a> {
    /// Rows that fit into one reply.
    pub const ROWS_MAX: usize = 20;
    /// Bytes of one row.
    pub const ROW_BYTES: usize = (4 + REASONS.len() + 7) * 8;

    pub(crate) fn read(from: &mut Reader<'a>) -> Option<Self> {
        let next_cursor = from.u32()?;
        let count = usize::from(from.u8()?);
        let rows = from.bytes(count.checked_mul(Self::ROW_BYTES)?)?;
        Some(Self { next_cursor, rows })
    }

    pub(crate) fn write(
        to: &mut Writer<'_>,
        next_cursor: u32,
        rows: impl Iterator<Item = LedgerRow>,
    ) -> Result<(), EncodeError> {
        to.u32(next_cursor);
        let count_at = to.len();
        to.u8(0);
        let mut count = 0;
        for row in rows {
            if usize::from(count) == Self::ROWS_MAX {
                return Err(EncodeError);
            }
            row.write(to);
            count += 1;
        }
        to.patch_u8(count_at, count);
        Ok(())
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = LedgerRow> {
        let mut rows = Reader::new(self.rows);
        core::iter::from_fn(move || LedgerRow::read(&mut rows))
    }
}
