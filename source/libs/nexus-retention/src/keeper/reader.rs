//! Reading a sealed segment without waiting: what is not here is named, fetched, and asked for
//! again.

use alloc::vec::Vec;

use nexus_wire::FILE_BYTES_MAX;

use crate::bytes::{Buffer, Put};
use crate::segment::{
    BLOCK_BYTES_MAX, END_BYTES_MAX, Extent, Footer, GROUPS_MAX, GroupIndex, HEADER_BYTES, LocalId,
    Samples, SegmentError, Shape, TRAILER_BYTES, Windows, block_payload, footer_extent,
    group_index, open_block, read_samples,
};

/// Blocks in memory, at most: of each group its index and another one.
const BLOCKS_MAX: usize = 2 * GROUPS_MAX;

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// It has to be fetched first: [`Reader::wants`] says what.
    Fetch,
    /// It cannot be read.
    Lost(SegmentError),
}

impl From<SegmentError> for Missing {
    fn from(error: SegmentError) -> Self {
        Self::Lost(error)
    }
}

/// A block that is here, or on its way.
#[derive(Clone, Copy)]
struct Held {
    extent: Extent,
    start: usize,
    /// Bytes of it that are here.
    here: usize,
    /// Its checksum is right: whoever comes again need not add it up again.
    is_sound: bool,
}

impl Held {
    const fn is_whole(&self) -> bool {
        self.here == self.extent.len as usize
    }
}

/// One segment after another. Blocks that were read stay until others need their room, the oldest
/// first.
pub struct Reader {
    len: u32,
    header: Option<[u8; HEADER_BYTES]>,
    footer: Option<Footer>,
    blocks: Vec<Held>,
    bytes: Buffer,
    room: usize,
}

impl Reader {
    /// For blocks of so many bytes together; at least one of any size fits.
    #[must_use]
    pub fn new(block_bytes: usize) -> Self {
        let room = Self::room(block_bytes);
        Self {
            len: 0,
            header: None,
            footer: None,
            blocks: Vec::with_capacity(BLOCKS_MAX),
            bytes: Buffer::new(room),
            room,
        }
    }

    const fn room(block_bytes: usize) -> usize {
        if block_bytes > 2 * BLOCK_BYTES_MAX { block_bytes } else { 2 * BLOCK_BYTES_MAX }
    }

    /// Bytes of memory.
    #[must_use]
    pub const fn memory(block_bytes: usize) -> usize {
        size_of::<Self>() + Self::room(block_bytes) + BLOCKS_MAX * size_of::<Held>()
    }

    /// Goes on to another segment, of so many bytes.
    pub fn open(&mut self, len: u32) {
        self.len = len;
        (self.header, self.footer) = (None, None);
        self.forget();
    }

    fn forget(&mut self) {
        self.blocks.clear();
        self.bytes.clear();
    }

    /// What is to be fetched next: from where, and how many bytes. What comes goes to
    /// [`Self::take`], all of it or the first part.
    #[must_use]
    pub fn wants(&self) -> Option<(u32, u16)> {
        let held = self.blocks.last().filter(|held| held.here < held.extent.len as usize)?;
        let left = (held.extent.len as usize - held.here).min(FILE_BYTES_MAX);
        Some((held.extent.offset + held.here as u32, left as u16))
    }

    /// Bytes that were wanted; none: they cannot be read.
    pub fn take(&mut self, bytes: &[u8]) {
        let Some(held) = self.blocks.last_mut() else { return };
        let left = held.extent.len as usize - held.here;
        let (bytes, _) = bytes.split_at(left.min(bytes.len()));
        if bytes.is_empty() {
            // What has no checksum that fits is damaged: whoever asks again is told so.
            let zeros = [0; 64];
            while held.here < held.extent.len as usize {
                let some = (held.extent.len as usize - held.here).min(zeros.len());
                self.bytes.bytes(zeros.split_at(some).0);
                held.here += some;
            }
            return;
        }
        self.bytes.bytes(bytes);
        held.here += bytes.len();
    }

    /// What is here of the file, as a whole.
    fn held(&mut self, extent: Extent) -> Result<Held, Missing> {
        match self.blocks.iter().find(|held| held.extent == extent) {
            Some(held) if held.is_whole() => Ok(*held),
            Some(_) => Err(Missing::Fetch),
            None => Err(self.want(extent)),
        }
    }

    /// Bytes of the file as they are there.
    fn raw(&mut self, extent: Extent) -> Result<&[u8], Missing> {
        let held = self.held(extent)?;
        Ok(self.bytes.as_slice().get(held.start..held.start + held.here).unwrap_or_default())
    }

    /// Makes room for a block that is to be fetched.
    fn want(&mut self, extent: Extent) -> Missing {
        let len = extent.len as usize;
        let is_within = extent.offset.checked_add(extent.len).is_some_and(|end| end <= self.len);
        // Two that are needed together always fit.
        if len > self.room / 2 || len == 0 || !is_within {
            return Missing::Lost(SegmentError::Damaged(extent));
        }
        // Nobody waits any more for one that has not come.
        if let Some(held) = self.blocks.pop_if(|held| !held.is_whole()) {
            self.bytes.truncate(held.start);
        }
        while self.bytes.len() + len > self.room || self.blocks.len() == BLOCKS_MAX {
            let gone = self.blocks.remove(0).here;
            self.bytes.drop_front(gone);
            self.blocks.iter_mut().for_each(|held| held.start -= gone);
        }
        self.blocks.push(Held { extent, start: self.bytes.len(), here: 0, is_sound: false });
        Missing::Fetch
    }

    /// The payload of a block. Its checksum is added up once, however many series are read of it.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn block(&mut self, extent: Extent) -> Result<&[u8], Missing> {
        if !self.held(extent)?.is_sound {
            open_block(extent, self.raw(extent)?)?;
            let held = self.blocks.iter_mut().find(|held| held.extent == extent);
            held.into_iter().for_each(|held| held.is_sound = true);
        }
        Ok(block_payload(self.raw(extent)?))
    }

    /// What the segment says of itself.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn footer(&mut self) -> Result<&Footer, Missing> {
        if self.footer.is_none() {
            self.footer = Some(self.read_footer()?);
        }
        self.footer.as_ref().ok_or(Missing::Fetch)
    }

    fn read_footer(&mut self) -> Result<Footer, Missing> {
        let len = self.len;
        let ends = |bytes: usize| bytes.min(len as usize) as u32;
        let (head, tail) = (ends(HEADER_BYTES), ends(END_BYTES_MAX));
        if self.header.is_none() {
            let raw = self.raw(Extent { offset: 0, len: head })?;
            let mut header = [0; HEADER_BYTES];
            header.iter_mut().zip(raw).for_each(|(place, byte)| *place = *byte);
            self.header = Some(header);
        }
        let header = self.header.unwrap_or_default();
        let end = Extent { offset: len - tail, len: tail };
        let raw = self.raw(end)?;
        let trailer = raw.get(raw.len().saturating_sub(TRAILER_BYTES)..).unwrap_or_default();
        let extent = footer_extent(&header, trailer, len.into())?;
        let damaged = SegmentError::Damaged(extent);
        let at = extent.offset.checked_sub(end.offset).ok_or(damaged)? as usize;
        let block = raw.get(at..at + extent.len as usize).ok_or(damaged)?;
        let footer = Footer::decode(extent, open_block(extent, block)?)?;
        self.forget();
        Ok(footer)
    }

    /// The index of a group.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn index(&mut self, group: usize) -> Result<GroupIndex<'_>, Missing> {
        let entry = self.footer()?.groups().get(group).copied();
        let entry = entry.ok_or(Missing::Lost(SegmentError::Unsealed))?;
        Ok(group_index(&entry, self.block(entry.index)?)?)
    }

    /// Groups there are; none before the footer is here.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.footer.as_ref().map_or(0, |footer| footer.groups().len()).min(GROUPS_MAX)
    }

    /// Reads what a series did in a group; its windows, or `None`: it did nothing in them.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn samples(
        &mut self,
        group: usize,
        id: LocalId,
        shape: Shape,
        samples: &mut Samples,
    ) -> Result<Option<Windows>, Missing> {
        let index = self.index(group)?;
        let windows = *index.windows();
        let Some(at) = index.chunk_of(id) else { return Ok(None) };
        let payload = self.block(at.block)?;
        let is_there = read_samples(&windows, (at, payload), id, shape, samples)?;
        Ok(is_there.then_some(windows))
    }
}
