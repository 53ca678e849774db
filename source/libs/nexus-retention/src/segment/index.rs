//! Where things are within a group.

use core::fmt;

use super::{LocalId, SegmentError, Windows};
use crate::bytes::{Buffer, CRC_BYTES, Put, Reader};

/// Bytes of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// From the beginning of the file.
    pub offset: u32,
    /// How many, at most [`super::BLOCK_BYTES_MAX`] if it is a block of keys or chunks.
    pub len: u32,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} bytes at {}", self.len, self.offset)
    }
}

/// What a block holds, if its checksum, which covers its place too, is right.
///
/// # Errors
/// [`SegmentError::Damaged`].
pub fn open_block(extent: Extent, bytes: &[u8]) -> Result<&[u8], SegmentError> {
    let mut place = [0; 4];
    crate::bytes::Slot::new(&mut place).u32(extent.offset);
    let is_whole = bytes.len() == extent.len as usize;
    let reader = crate::bytes::checked(bytes, &place).filter(|_| is_whole);
    reader.map(|reader| reader.rest()).ok_or(SegmentError::Damaged(extent))
}

/// What a block holds whose checksum was found right before.
#[must_use]
pub const fn block_payload(bytes: &[u8]) -> &[u8] {
    bytes.split_at(bytes.len().saturating_sub(CRC_BYTES)).0
}

/// A block of a group, and the series with which it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location {
    /// The block.
    pub block: Extent,
    /// Its first series.
    pub first: LocalId,
}

/// Blocks of one sort, as they are written.
pub(super) struct Blocks {
    entries: Buffer,
    count: u32,
    last_first: u32,
}

impl Blocks {
    /// Bytes for each of them, at most.
    pub(super) const ENTRY_BYTES_MAX: usize = 10;

    pub(super) fn new(most: usize) -> Self {
        Self { entries: Buffer::new(most * Self::ENTRY_BYTES_MAX), count: 0, last_first: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.count = 0;
        self.last_first = 0;
    }

    pub(super) fn push(&mut self, bytes: usize, first: u32) {
        self.entries.varint(bytes as u128);
        self.entries.varint((first - self.last_first).into());
        self.last_first = first;
        self.count += 1;
    }

    pub(super) fn write(&self, out: &mut Buffer) {
        out.varint(self.count.into());
        out.bytes(self.entries.as_slice());
    }
}

/// What the index at the end of a group says.
#[derive(Clone, Debug)]
pub struct GroupIndex<'a> {
    windows: Windows,
    start: u32,
    /// Behind the windows and the start: the two lists of blocks.
    lists: Reader<'a>,
}

impl<'a> GroupIndex<'a> {
    /// Reads the payload of an index block, which ends at `extent`.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`].
    pub fn decode(extent: Extent, payload: &'a [u8]) -> Result<Self, SegmentError> {
        let index = Self::parse(payload).ok_or(SegmentError::Damaged(extent))?;
        let end = index.locations().last().map(|(_, at)| at.block.offset + at.block.len);
        let is_tight = end.unwrap_or(index.start) == extent.offset;
        is_tight.then_some(index).ok_or(SegmentError::Damaged(extent))
    }

    fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut bytes = Reader::new(payload);
        let windows = Windows::read(&mut bytes).filter(|windows| !windows.is_empty())?;
        let index = Self { windows, start: bytes.small()?, lists: bytes };
        let mut bytes = index.lists;
        let mut end = index.start;
        for _ in 0..2 {
            let (count, mut first): (u32, u32) = (bytes.small()?, 0);
            for _ in 0..count {
                end = end.checked_add(bytes.small()?)?;
                first = first.checked_add(bytes.small()?)?;
            }
        }
        bytes.is_empty().then_some(index)
    }

    pub(super) fn write(
        windows: &Windows,
        start: u32,
        keys: &Blocks,
        chunks: &Blocks,
        out: &mut Buffer,
    ) {
        windows.write(out);
        out.varint(start.into());
        keys.write(out);
        chunks.write(out);
    }

    /// The windows of the group.
    #[must_use]
    pub const fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Its blocks of keys.
    pub fn keys(&self) -> impl Iterator<Item = Location> + use<'a> {
        self.locations().filter(|(is_keys, _)| *is_keys).map(|(_, at)| at)
    }

    /// Its blocks of chunks.
    pub fn chunks(&self) -> impl Iterator<Item = Location> + use<'a> {
        self.locations().filter(|(is_keys, _)| !is_keys).map(|(_, at)| at)
    }

    /// The block in which a series has its chunk, if it has one.
    #[must_use]
    pub fn chunk_of(&self, id: LocalId) -> Option<Location> {
        self.chunks().take_while(|at| at.first <= id).last()
    }

    fn locations(&self) -> impl Iterator<Item = (bool, Location)> + use<'a> {
        let mut bytes = self.lists;
        let mut end = self.start;
        let mut first = 0_u32;
        let mut left: u32 = bytes.small().unwrap_or_default();
        let mut is_keys = true;
        core::iter::from_fn(move || {
            if left == 0 && is_keys {
                is_keys = false;
                first = 0;
                left = bytes.small().unwrap_or_default();
            }
            left = left.checked_sub(1)?;
            let block = Extent { offset: end, len: bytes.small()? };
            end = end.checked_add(block.len)?;
            first = first.checked_add(bytes.small()?)?;
            Some((is_keys, Location { block, first: LocalId(first) }))
        })
    }
}
