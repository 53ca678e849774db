//! The sealed segment that the keeper reads.

use crate::segment::{
    BLOCK_BYTES_MAX, Extent, Fetcher, Footer, GroupEntry, GroupIndex, LocalId, Missing, Samples,
    SegmentError, Shape, Windows,
};

/// Bytes of the index of a group, at most.
const INDEX_BYTES: usize = BLOCK_BYTES_MAX;

/// One segment after another, each with what it says of itself.
pub(super) struct Reader {
    file: Fetcher,
    footer: Option<Footer>,
}

impl Reader {
    /// With room for blocks of so many bytes, at least for one of any size and an index.
    pub(super) fn new(block_bytes: usize) -> Self {
        Self { file: Fetcher::new(INDEX_BYTES, block_bytes), footer: None }
    }

    /// Bytes of memory.
    pub(super) const fn memory(block_bytes: usize) -> usize {
        size_of::<Self>() + Fetcher::heap_bytes(INDEX_BYTES, block_bytes)
    }

    /// Goes on to another segment, of so many bytes.
    pub(super) fn open(&mut self, len: u32) {
        self.file.open(len);
        self.footer = None;
    }

    /// What is to be fetched next.
    pub(super) fn wants(&self) -> Option<Extent> {
        self.file.wants()
    }

    /// Bytes that were wanted, the first of them; none: they cannot be read.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.file.take(bytes);
    }

    /// What the segment says of itself.
    pub(super) fn footer(&mut self) -> Result<&Footer, Missing> {
        if self.footer.is_none() {
            self.footer = Some(self.file.footer()?);
        }
        self.footer.as_ref().ok_or(Missing::Fetch)
    }

    /// Groups there are; none before the footer is here.
    pub(super) fn groups(&self) -> usize {
        self.footer.as_ref().map_or(0, |footer| footer.groups().len())
    }

    fn group(&mut self, nth: usize) -> Result<GroupEntry, Missing> {
        let entry = self.footer()?.groups().get(nth).copied();
        entry.ok_or(Missing::Lost(SegmentError::Unsealed))
    }

    /// The index of a group.
    pub(super) fn index(&mut self, nth: usize) -> Result<GroupIndex<'_>, Missing> {
        let group = self.group(nth)?;
        self.file.index(&group)
    }

    /// The payload of a block of keys or chunks.
    pub(super) fn block(&mut self, extent: Extent) -> Result<&[u8], Missing> {
        self.file.block(extent)
    }

    /// Reads what a series did in a group; its windows, or `None`: it did nothing in them.
    pub(super) fn samples(
        &mut self,
        nth: usize,
        id: LocalId,
        shape: Shape,
        samples: &mut Samples,
    ) -> Result<Option<Windows>, Missing> {
        let group = self.group(nth)?;
        self.file.samples(&group, id, shape, samples)
    }
}
