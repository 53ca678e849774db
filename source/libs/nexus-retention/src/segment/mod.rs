//! Sealed segments: what happened in a few hundred windows, written once.
//!
//! A segment is groups of up to 64 windows. In a group each series that did something has a chunk,
//! its columns; chunks lie in blocks of about 4 KiB, each under its own checksum, so that one
//! series is read without the others and a damaged block costs nothing but itself. An index at the
//! end of each group says what is where, a footer where the groups are.
//!
//! [`SegmentWriter`] takes one series after another in bounded memory and gives the bytes to append
//! to a file. [`Segment`] reads them again from whatever [`Source`] there is, [`Fetcher`] for those
//! who cannot wait for a device.

mod bits;
mod column;
mod fetcher;
mod footer;
mod index;
mod keys;
mod reader;
mod samples;
mod windows;
mod writer;

use core::fmt;

pub use fetcher::{Fetcher, Missing};
pub use footer::{
    Anchor, END_BYTES_MAX, Footer, GroupEntry, HEADER_BYTES, Meta, TRAILER_BYTES, footer_extent,
};
pub use index::{Extent, GroupIndex, Location, block_payload, open_block};
pub(crate) use keys::{DEFINITION_BYTES_MAX, LastKey};
pub use keys::{Form, each_definition};
pub use reader::{Piece, Segment, Source, find_chunk, group_index, read_samples};
pub use samples::{Kind, Samples, Shape, Summary};
pub use windows::Windows;
pub use writer::{Limits, Refusal, SERIES_MAX, SegmentWriter};

/// The version of the format that this code writes and reads.
pub const VERSION: u32 = 1;

/// Windows of a group, at most.
pub const ROWS: usize = 64;

/// Groups of a segment, at most.
pub const GROUPS_MAX: usize = 64;

/// Buckets of a histogram, at most.
pub const BUCKETS_MAX: usize = nexus_wire::BOUNDS_MAX + 1;

/// Bytes of the key of a series, at most.
pub const KEY_BYTES_MAX: usize = 512;

/// Bytes of a block, at most: it ends behind the chunk or key with which it has reached 4 KiB.
pub const BLOCK_BYTES_MAX: usize = writer::BLOCK_BYTES + writer::ENTRY_BYTES_MAX;

/// Names a series within a segment, in order of definition from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LocalId(pub u32);

/// Why a segment, or a part of it, cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentError {
    /// It does not begin as segments do.
    NotASegment,
    /// A version that this code does not know.
    Unsupported {
        /// What it says.
        version: u32,
    },
    /// It does not end as sealed segments do: it was cut short, or never finished.
    Unsealed,
    /// A checksum is wrong, or what is under it cannot be.
    Damaged(Extent),
    /// The device does not read it.
    Unreadable(Extent),
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASegment => f.write_str("not a segment: it begins with something else"),
            Self::Unsupported { version } => write!(
                f,
                "segment format version {version}, and this program knows {VERSION}: use one that \
                 is as new as whatever wrote it"
            ),
            Self::Unsealed => {
                f.write_str("not sealed: the segment was cut short or never finished")
            }
            Self::Damaged(extent) => write!(f, "{extent} are damaged"),
            Self::Unreadable(extent) => write!(f, "{extent} cannot be read from the device"),
        }
    }
}

impl core::error::Error for SegmentError {}
