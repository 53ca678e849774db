//! Reading a segment without waiting: what is not here is named, fetched, and asked for again.

use alloc::vec::Vec;
use core::ops::Range as Places;

use super::reader::{group_index, read_samples};
use super::{
    BLOCK_BYTES_MAX, END_BYTES_MAX, Extent, Footer, GROUPS_MAX, GroupEntry, GroupIndex,
    HEADER_BYTES, LocalId, Samples, SegmentError, Shape, TRAILER_BYTES, Windows, block_payload,
    footer_extent, open_block,
};
use crate::bytes::{Buffer, Put as _};

/// Blocks in memory, at most: of each group its index and another one.
const BLOCKS_MAX: usize = 2 * GROUPS_MAX;

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// It has to be fetched first: [`Fetcher::wants`] says what.
    Fetch,
    /// It cannot be read.
    Lost(SegmentError),
}

impl From<SegmentError> for Missing {
    fn from(error: SegmentError) -> Self {
        Self::Lost(error)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Parts of it are on their way.
    Coming,
    Here,
    /// It is here, and its checksum is right: whoever comes again need not add it up again.
    Sound,
    /// The device does not read it.
    Unreadable,
}

/// A block that is here, or on its way.
#[derive(Clone, Debug)]
struct Held {
    extent: Extent,
    bytes: Places<usize>,
    state: State,
    /// When it was last of use.
    used: u64,
}

/// One segment after another. Blocks that were read stay until others need their room: those that
/// were of no use for longest go first.
pub struct Fetcher {
    /// Bytes of the file.
    len: u32,
    /// As they were asked for, and one behind another in `bytes`; only the last may be on its way.
    blocks: Vec<Held>,
    bytes: Buffer,
    index_bytes: usize,
    /// Counts what is asked for.
    asked: u64,
}

impl Fetcher {
    /// Takes the memory for blocks of so many bytes together, and at least for an index of
    /// `index_bytes` and any other block beside it.
    #[must_use]
    pub fn new(index_bytes: usize, block_bytes: usize) -> Self {
        Self {
            len: 0,
            blocks: Vec::with_capacity(BLOCKS_MAX),
            bytes: Buffer::new(Self::room(index_bytes, block_bytes)),
            index_bytes: Self::index_room(index_bytes),
            asked: 0,
        }
    }

    /// The end of a segment has room there too.
    const fn index_room(index_bytes: usize) -> usize {
        if index_bytes > END_BYTES_MAX { index_bytes } else { END_BYTES_MAX }
    }

    const fn room(index_bytes: usize, block_bytes: usize) -> usize {
        let two = Self::index_room(index_bytes) + BLOCK_BYTES_MAX;
        if block_bytes > two { block_bytes } else { two }
    }

    /// Bytes of memory that it takes besides itself.
    #[must_use]
    pub const fn heap_bytes(index_bytes: usize, block_bytes: usize) -> usize {
        Self::room(index_bytes, block_bytes) + BLOCKS_MAX * size_of::<Held>()
    }

    /// Goes on to another segment, of so many bytes at most.
    pub fn open(&mut self, len: u32) {
        self.len = len;
        self.forget();
    }

    fn forget(&mut self) {
        self.blocks.clear();
        self.bytes.clear();
    }

    fn coming(&mut self) -> Option<&mut Held> {
        self.blocks.last_mut().filter(|held| held.state == State::Coming)
    }

    /// What is to be fetched next. What comes goes to [`Self::take`], all of it or the first part.
    #[must_use]
    pub fn wants(&self) -> Option<Extent> {
        let held = self.blocks.last().filter(|held| held.state == State::Coming)?;
        let (Extent { offset, len }, here) = (held.extent, held.bytes.len() as u32);
        Some(Extent { offset: offset.saturating_add(here), len: len.saturating_sub(here) })
    }

    /// Bytes that were wanted, the first of them; none: the file ends there.
    pub fn take(&mut self, bytes: &[u8]) {
        let Some(held) = self.coming() else { return };
        let left = (held.extent.len as usize).saturating_sub(held.bytes.len());
        let (bytes, _) = bytes.split_at(left.min(bytes.len()));
        if bytes.is_empty() {
            return self.fail();
        }
        held.bytes.end += bytes.len();
        if bytes.len() == left {
            held.state = State::Here;
        }
        self.bytes.bytes(bytes);
    }

    /// The bytes that are wanted cannot be read.
    pub fn fail(&mut self) {
        self.coming().into_iter().for_each(|held| held.state = State::Unreadable);
    }

    /// A block that is here.
    fn held(&mut self, extent: Extent, most: usize) -> Result<&mut Held, Missing> {
        self.asked += 1;
        let Some(at) = self.blocks.iter().position(|held| held.extent == extent) else {
            return Err(self.want(extent, most));
        };
        let held = self.blocks.get_mut(at).ok_or(Missing::Fetch)?;
        held.used = self.asked;
        match held.state {
            State::Coming => Err(Missing::Fetch),
            State::Unreadable => Err(Missing::Lost(SegmentError::Unreadable(extent))),
            State::Here | State::Sound => Ok(held),
        }
    }

    /// Makes room for a block that is to be fetched.
    fn want(&mut self, extent: Extent, most: usize) -> Missing {
        let len = extent.len as usize;
        let is_within = extent.offset.checked_add(extent.len).is_some_and(|end| end <= self.len);
        if len > most || len == 0 || !is_within {
            return Missing::Lost(SegmentError::Damaged(extent));
        }
        // Nobody waits any more for one that has not come.
        let is_here = |held: &Held| matches!(held.state, State::Here | State::Sound);
        if let Some(held) = self.blocks.pop_if(|held| !is_here(held)) {
            self.bytes.truncate(held.bytes.start);
        }
        while self.bytes.room() < len || self.blocks.len() == BLOCKS_MAX {
            self.drop_one();
        }
        let end = self.bytes.len();
        self.blocks.push(Held { extent, bytes: end..end, state: State::Coming, used: self.asked });
        Missing::Fetch
    }

    /// Drops the block that was of no use for longest.
    fn drop_one(&mut self) {
        let oldest = self.blocks.iter().enumerate().min_by_key(|(_, held)| held.used);
        let Some((at, _)) = oldest else { return };
        let gone = self.blocks.remove(at).bytes;
        for held in self.blocks.iter_mut().skip(at) {
            held.bytes = held.bytes.start - gone.len()..held.bytes.end - gone.len();
        }
        self.bytes.cut(gone);
    }

    /// Bytes of the file as they are there.
    fn raw(&mut self, extent: Extent, most: usize) -> Result<&[u8], Missing> {
        let bytes = self.held(extent, most)?.bytes.clone();
        Ok(self.bytes.as_slice().get(bytes).unwrap_or_default())
    }

    /// The payload of a block of so many bytes at most.
    fn payload(&mut self, extent: Extent, most: usize) -> Result<&[u8], Missing> {
        let held = self.held(extent, most)?;
        if held.state != State::Sound {
            let place = held.bytes.clone();
            open_block(extent, self.bytes.as_slice().get(place).unwrap_or_default())?;
            self.held(extent, most)?.state = State::Sound;
        }
        Ok(block_payload(self.raw(extent, most)?))
    }

    /// The payload of a block of keys or chunks.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn block(&mut self, extent: Extent) -> Result<&[u8], Missing> {
        self.payload(extent, BLOCK_BYTES_MAX)
    }

    /// What a sealed segment says of itself.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn footer(&mut self) -> Result<Footer, Missing> {
        let (len, most) = (self.len, self.index_bytes);
        let ends = |bytes: usize| (bytes as u32).min(len);
        let front = Extent { offset: 0, len: ends(HEADER_BYTES) };
        let mut header = [0; HEADER_BYTES];
        let raw = self.raw(front, most)?;
        header.iter_mut().zip(raw).for_each(|(place, byte)| *place = *byte);

        let end = Extent { offset: len - ends(END_BYTES_MAX), len: ends(END_BYTES_MAX) };
        let raw = self.raw(end, most)?;
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
    pub fn index(&mut self, group: &GroupEntry) -> Result<GroupIndex<'_>, Missing> {
        let most = self.index_bytes;
        Ok(group_index(group, self.payload(group.index, most)?)?)
    }

    /// Reads what a series did in a group; its windows, or `None`: it did nothing in them.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn samples(
        &mut self,
        group: &GroupEntry,
        id: LocalId,
        shape: Shape,
        samples: &mut Samples,
    ) -> Result<Option<Windows>, Missing> {
        let index = self.index(group)?;
        let Some(at) = index.chunk_of(id) else { return Ok(None) };
        let windows = *index.windows();
        let payload = self.block(at.block)?;
        let is_there = read_samples(&windows, (at, payload), id, shape, samples)?;
        Ok(is_there.then_some(windows))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::bytes::crc32c;

    const INDEX_BYTES: usize = 64;
    const PAYLOAD: usize = 1000;
    const LEN: u32 = PAYLOAD as u32 + 4;

    /// A file of blocks of one length, each full of its own number.
    fn file(blocks: u8) -> Vec<u8> {
        let mut out = Vec::new();
        for number in 0..blocks {
            let (place, payload) = ((out.len() as u32).to_le_bytes(), [number; PAYLOAD]);
            out.extend(payload);
            out.extend(crc32c(&[&payload, &place]).to_le_bytes());
        }
        out
    }

    const fn nth(number: u8) -> Extent {
        Extent { offset: number as u32 * LEN, len: LEN }
    }

    /// Reads a block, giving at most so many bytes at a time: whether any had to be given.
    fn read(fetcher: &mut Fetcher, file: &[u8], number: u8, part: usize) -> bool {
        let mut is_given = false;
        while fetcher.block(nth(number)) == Err(Missing::Fetch) {
            let Extent { offset, len } = fetcher.wants().unwrap();
            let wanted = &file[offset as usize..][..len as usize];
            fetcher.take(&wanted[..part.min(wanted.len())]);
            is_given = true;
        }
        assert_eq!(fetcher.block(nth(number)), Ok(&[number; PAYLOAD][..]));
        is_given
    }

    fn opened(file: &[u8]) -> Fetcher {
        let mut fetcher = Fetcher::new(INDEX_BYTES, 0);
        fetcher.open(file.len() as u32);
        fetcher
    }

    #[test]
    fn a_block_comes_in_parts_of_any_length() {
        let file = file(3);
        for part in [1, 7, PAYLOAD, 2 * PAYLOAD] {
            let mut fetcher = opened(&file);
            assert!((0..3).all(|number| read(&mut fetcher, &file, number, part)));
        }
    }

    #[test]
    fn a_block_that_is_of_use_stays_while_others_come_and_go() {
        let file = file(200);
        let mut fetcher = opened(&file);
        assert!(read(&mut fetcher, &file, 0, PAYLOAD));
        for number in 1..200 {
            assert!(read(&mut fetcher, &file, number, PAYLOAD));
            assert!(!read(&mut fetcher, &file, number, PAYLOAD));
            assert!(!read(&mut fetcher, &file, 0, PAYLOAD), "{number}");
        }
        assert!(read(&mut fetcher, &file, 1, PAYLOAD), "nobody has asked for it meanwhile");
    }

    #[test]
    fn what_cannot_be_read_is_so_until_something_else_is_asked_for() {
        let file = file(2);
        let unreadable = Err(Missing::Lost(SegmentError::Unreadable(nth(1))));
        let fails: [fn(&mut Fetcher); 2] = [Fetcher::fail, |fetcher| fetcher.take(&[])];
        for fail in fails {
            let mut fetcher = opened(&file);
            assert_eq!(fetcher.block(nth(1)), Err(Missing::Fetch));
            fetcher.take(&[1; 10]);
            fail(&mut fetcher);
            assert_eq!((fetcher.wants(), fetcher.block(nth(1))), (None, unreadable));
            assert!(read(&mut fetcher, &file, 0, PAYLOAD));
            assert!(read(&mut fetcher, &file, 1, PAYLOAD));
        }
    }

    #[test]
    fn a_wrong_checksum_is_damage_each_time() {
        let mut file = file(1);
        file[7] ^= 1;
        let mut fetcher = opened(&file);
        assert_eq!(fetcher.block(nth(0)), Err(Missing::Fetch));
        fetcher.take(&file);
        let damaged = Err(Missing::Lost(SegmentError::Damaged(nth(0))));
        for _ in 0..2 {
            assert_eq!(fetcher.block(nth(0)), damaged);
        }
    }

    #[test]
    fn what_is_no_block_of_the_file_is_damage_and_not_asked_for() {
        let mut fetcher = opened(&file(1));
        let long = BLOCK_BYTES_MAX as u32 + 1;
        for (offset, len) in [(0, 0), (1, LEN), (u32::MAX, LEN), (0, long)] {
            let extent = Extent { offset, len };
            let damaged = Err(Missing::Lost(SegmentError::Damaged(extent)));
            assert_eq!(fetcher.block(extent), damaged, "{extent:?}");
            assert_eq!(fetcher.wants(), None);
        }
    }
}
