//! What of the recipe has to be divided before it is used, and the memory that follows from it.

use nexus_bounded::BlockStore;
use nexus_recipe::MetricsdLimits;
use nexus_wire::{HELP_BYTES_MAX, LABELS_BYTES_MAX, NAME_BYTES_MAX};

use crate::spans::SpanTable;

/// Blocks of text that a series takes at most: its metric's name and help, and its labels.
pub(crate) const SERIES_BLOCKS_MAX: u32 = (BlockStore::blocks_for(NAME_BYTES_MAX)
    + BlockStore::blocks_for(LABELS_BYTES_MAX)
    + BlockStore::blocks_for(HELP_BYTES_MAX)) as u32;

/// Blocks of the recipe's bytes for text that series have; live spans have the others.
pub(crate) const fn text_blocks(limits: &MetricsdLimits) -> u32 {
    let blocks = limits.text_bytes / BlockStore::bytes(1) as u32;
    blocks - SpanTable::text_blocks(limits)
}
