//! The write-ahead log: records of any bytes in a ring of sectors.
//!
//! [`Wal::append`] takes a record into memory, [`Wal::sync`] says which sectors to write so that it
//! lasts. [`Scan`] and [`Replay`] find it again. Whoever has put records elsewhere releases them,
//! and the ring goes on over their sectors.
//!
//! - A sector that was synced is not written again before all in it is released, and before a
//!   later sector that says so has been synced: whatever a crash leaves, the newest sector never
//!   points at one that has been given up.
//! - Every sector has its own header under its checksum, so that no bytes of a record, whoever
//!   chose them, can be taken for one; and one lost sector does not hide what is behind it.
//! - Each opening of the log counts as an epoch. What recovery gives is in order, and says of each
//!   record whether it belongs to the longest valid prefix of its epoch.

mod replay;
mod sector;
#[cfg(test)]
mod tests;
mod writer;

pub use replay::{Loss, Record, Recovered, Replay, Scan, WalError, recover};
pub(crate) use replay::{record_buffer, record_buffer_bytes};
pub(crate) use sector::first_record;
pub use sector::{PAYLOAD_BYTES, SECTOR_BYTES, Sector, VERSION, own_place};
pub use writer::{Place, Refusal, Sync, Wal};

/// Most sectors of a log: 8 GiB.
pub const SECTORS_MAX: u32 = 1 << 24;

/// Fewest sectors of a log.
pub const SECTORS_MIN: u32 = 4;

/// What a log is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Sectors of the ring, [`SECTORS_MIN`] to [`SECTORS_MAX`].
    pub sectors: u32,
    /// Sectors kept in memory until they are synced, from 1 to all of them.
    pub staged: u32,
    /// Bytes of a record, at most.
    pub record_bytes: u32,
}

impl Limits {
    /// Bytes of memory that a log takes.
    #[must_use]
    pub const fn memory(&self) -> usize {
        size_of::<Wal>() + self.staged as usize * SECTOR_BYTES
    }

    /// Whether a record of the greatest length can be written at all.
    #[must_use]
    pub const fn are_possible(&self) -> bool {
        let record = writer::sectors_for(self.record_bytes as usize);
        self.sectors >= SECTORS_MIN
            && self.sectors <= SECTORS_MAX
            && self.staged <= self.sectors
            && record <= self.staged as u64
            && record < self.sectors as u64 - 1
    }
}
