//! What a keeper is made for.

use nexus_bounded::Nanos;

use super::draft::Draft;
use super::reader::Reader;
use super::roll::{Roll, Scratch};
use super::shelf::{Shelf, ShelfLimits};
use crate::files::Files;
use crate::manifest::TIERS;
use crate::name::Tier;
use crate::segment::{self, SERIES_MAX};

/// The bounds of the sealed segments and of what writes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreLimits {
    /// Which windows there are; each length is a multiple of the one before.
    pub tiers: [Tier; TIERS],
    /// What each tier may have.
    pub shelves: [ShelfLimits; TIERS],
    /// Series of a segment.
    pub series: u32,
    /// Bytes of the keys of a segment of longer windows.
    pub key_bytes: u32,
    /// Bytes that are reserved for a segment while it is written.
    pub segment_bytes: u32,
    /// Bytes of memory for blocks that are read.
    pub block_bytes: usize,
    /// Pause before a disk that has failed is tried again; doubled up to `retry_max`.
    pub retry_min: Nanos,
    /// The longest such pause.
    pub retry_max: Nanos,
    /// How often it is looked whether a segment has had its time.
    pub ttl_interval: Nanos,
}

impl StoreLimits {
    /// Whether they can be kept.
    #[must_use]
    pub fn are_possible(&self) -> bool {
        let ratios = self.tiers.windows(2).all(|pair| {
            let [short, long] = pair else { return false };
            short.window.0 > 0
                && long.window.0 > short.window.0
                && long.window.0.is_multiple_of(short.window.0)
        });
        ratios
            && self.series > 0
            && self.series <= SERIES_MAX
            && self.shelves.iter().all(|shelf| shelf.segments > 1 && shelf.span > 0)
    }

    /// What a writer of segments is made for.
    #[must_use]
    pub const fn writer(&self) -> segment::Limits {
        segment::Limits { series: self.series }
    }

    /// Shorter windows that make one of a tier.
    #[must_use]
    pub fn ratio(&self, tier: usize) -> u64 {
        let before = tier.checked_sub(1).and_then(|before| self.tiers.get(before));
        let (Some(short), Some(long)) = (before, self.tiers.get(tier)) else { return 1 };
        long.window.0 / short.window.0
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        let shelves = self.shelves.iter().map(|shelf| Shelf::memory(shelf.segments)).sum::<usize>();
        shelves
            + TIERS * Draft::memory(self.writer())
            + (TIERS - 1) * Roll::memory(self.series, self.key_bytes)
            + Scratch::MEMORY
            + Reader::memory(self.block_bytes)
            + Files::BYTES
    }
}
