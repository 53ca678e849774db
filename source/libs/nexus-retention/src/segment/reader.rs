//! Reading a segment: its series, and what some of them did in some of its windows.

use alloc::boxed::Box;
use alloc::vec;
use core::ops::RangeInclusive;

use super::index::{Extent, GroupIndex, Location, open_block};
use super::{
    BLOCK_BYTES_MAX, Footer, Form, GroupEntry, HEADER_BYTES, LocalId, Samples, SegmentError, Shape,
    TRAILER_BYTES, Windows, each_definition, footer_extent,
};
use crate::bytes::Reader;

/// Whatever a segment is read from.
pub trait Source {
    /// Bytes of the file.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `out` with the bytes from `offset` on; `false` if that cannot be done.
    fn read(&mut self, offset: u64, out: &mut [u8]) -> bool;
}

impl Source for &[u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> bool {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.get(start..).and_then(|rest| rest.get(..out.len()));
        bytes.map(|bytes| out.copy_from_slice(bytes)).is_some()
    }
}

/// A part of what was asked for.
#[derive(Debug)]
pub enum Piece<'a> {
    /// What a series did in a group.
    Samples {
        /// Which one.
        id: LocalId,
        /// The windows of the group: one a row.
        windows: &'a Windows,
        /// What it did in them.
        samples: &'a Samples,
    },
    /// What a series did in windows from `first` to `last`, if it did anything, is lost.
    Lost {
        /// Which one.
        id: LocalId,
        /// First window of the group.
        first: u64,
        /// Its last window.
        last: u64,
        /// Why.
        why: SegmentError,
    },
}

/// The chunk of a series in the payload of the block that begins with series `at.first`, and
/// whether it is sparse; `None` inside: it has none.
///
/// # Errors
/// [`SegmentError::Damaged`].
pub fn find_chunk(
    at: Location,
    payload: &[u8],
    id: LocalId,
) -> Result<Option<(&[u8], bool)>, SegmentError> {
    let mut bytes = Reader::new(payload);
    let mut next = at.first.0;
    while !bytes.is_empty() && next <= id.0 {
        let (chunk, skipped) = chunk(&mut bytes).ok_or(SegmentError::Damaged(at.block))?;
        match chunk {
            Some(chunk) if next == id.0 => return Ok(Some(chunk)),
            _ => next = next.saturating_add(skipped),
        }
    }
    Ok(None)
}

/// A chunk, and whether it is sparse.
type Chunk<'a> = (&'a [u8], bool);

/// The next chunk of a block, or how many series have none.
fn chunk<'a>(bytes: &mut Reader<'a>) -> Option<(Option<Chunk<'a>>, u32)> {
    let head: usize = bytes.small()?;
    if head == 0 {
        return Some((None, bytes.small().filter(|skipped| *skipped > 0)?));
    }
    Some((Some((bytes.bytes(head >> 1)?, head & 1 == 1)), 1))
}

/// One block, kept until another is wanted.
struct Cache {
    bytes: Box<[u8]>,
    extent: Option<Extent>,
}

impl Cache {
    fn new(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes].into_boxed_slice(), extent: None }
    }

    /// The payload of a block.
    fn load(&mut self, source: &mut impl Source, extent: Extent) -> Result<&[u8], SegmentError> {
        let place = self.bytes.get_mut(..extent.len as usize);
        let place = place.ok_or(SegmentError::Damaged(extent))?;
        if self.extent != Some(extent) {
            self.extent = None;
            if !source.read(extent.offset.into(), place) {
                return Err(SegmentError::Unreadable(extent));
            }
            open_block(extent, place)?;
            self.extent = Some(extent);
        }
        let payload = place.len().saturating_sub(crate::bytes::CRC_BYTES);
        Ok(place.get(..payload).unwrap_or_default())
    }
}

/// A sealed segment.
pub struct Segment<S> {
    source: S,
    footer: Footer,
    index: Cache,
    block: Cache,
}

impl<S: Source> Segment<S> {
    /// Reads how it begins and ends, and takes the memory to read the rest.
    ///
    /// # Errors
    /// See [`SegmentError`].
    pub fn open(mut source: S) -> Result<Self, SegmentError> {
        let len = source.len();
        let mut header = [0; HEADER_BYTES];
        let mut trailer = [0; TRAILER_BYTES];
        let short = len.min(HEADER_BYTES as u64) as usize;
        let (start, _) = header.split_at_mut(short);
        read(&mut source, 0, start)?;
        let at = len.saturating_sub(TRAILER_BYTES as u64);
        let is_whole = len >= (HEADER_BYTES + TRAILER_BYTES) as u64;
        if is_whole {
            read(&mut source, at, &mut trailer)?;
        }
        let extent = footer_extent(&header, &trailer, len)?;
        let mut cache = Cache::new(footer_len(extent)?);
        let footer = Footer::decode(extent, cache.load(&mut source, extent)?)?;
        let index = footer.groups().iter().map(|group| group.index.len).max().unwrap_or(0);
        let index = Cache::new(index as usize);
        Ok(Self { source, footer, index, block: Cache::new(BLOCK_BYTES_MAX) })
    }

    /// What the segment says of itself.
    #[must_use]
    pub const fn footer(&self) -> &Footer {
        &self.footer
    }

    /// Gives the windows of each group. What is damaged is left out; the first damage is given
    /// back.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`], [`SegmentError::Unreadable`].
    pub fn groups(&mut self, mut each: impl FnMut(&Windows)) -> Result<(), SegmentError> {
        let Self { source, footer, index, .. } = self;
        let groups = footer.groups().iter().map(|group| {
            let payload = index.load(source, group.index)?;
            each(group_index(group, payload)?.windows());
            Ok(())
        });
        groups.fold(Ok(()), Result::and)
    }

    /// Gives all series. What is damaged is left out; the first damage is given back.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`], [`SegmentError::Unreadable`].
    pub fn series(
        &mut self,
        mut each: impl FnMut(LocalId, &Form<'_>, &[u8]),
    ) -> Result<(), SegmentError> {
        let mut first = Ok(());
        let Self { source, footer, index, block } = self;
        for group in footer.groups() {
            let read = index.load(source, group.index).and_then(|payload| {
                let index = group_index(group, payload)?;
                let blocks = index
                    .keys()
                    .map(|at| each_definition(at, block.load(source, at.block)?, &mut each));
                blocks.fold(Ok(()), Result::and)
            });
            first = first.and(read);
        }
        first
    }

    /// Gives what some series did in a range of windows: group by group, and in each in the order
    /// of `wanted`, which is by id. Groups are given whole if the range touches them. What is lost
    /// is said; the rest comes all the same.
    pub fn read(
        &mut self,
        wanted: &[(LocalId, super::Kind)],
        range: RangeInclusive<u64>,
        samples: &mut Samples,
        mut each: impl FnMut(Piece<'_>),
    ) {
        let Self { source, footer, index, block } = self;
        let is_rollup = footer.meta.tier.is_rollup;
        let touched =
            |group: &&GroupEntry| group.first <= *range.end() && group.last >= *range.start();
        for group in footer.groups().iter().filter(touched) {
            let index = index.load(source, group.index);
            let index = index.and_then(|payload| group_index(group, payload));
            for (id, kind) in wanted {
                let shape = Shape { kind: *kind, is_rollup };
                let found = index.as_ref().map_err(|why| *why).and_then(|index| {
                    let is_there = load_samples(index, block, source, *id, shape, samples)?;
                    Ok(is_there.then_some(index.windows()))
                });
                match found {
                    Ok(Some(windows)) => each(Piece::Samples { id: *id, windows, samples }),
                    Ok(None) => {}
                    Err(why) => {
                        each(Piece::Lost { id: *id, first: group.first, last: group.last, why });
                    }
                }
            }
        }
    }

    /// Reads all that the segment says it has.
    ///
    /// # Errors
    /// The first damage.
    pub fn check(&mut self) -> Result<(), SegmentError> {
        let mut samples = Samples::new();
        let mut count = 0;
        self.series(|_, _, _| count += 1)?;
        if count != self.footer.series {
            let at = self.source.len().saturating_sub(TRAILER_BYTES as u64);
            let end = Extent { offset: at as u32, len: TRAILER_BYTES as u32 };
            return Err(SegmentError::Damaged(end));
        }
        let mut kinds = vec![super::Kind::Counter; count as usize];
        self.series(|id, form, _| {
            kinds.iter_mut().skip(id.0 as usize).take(1).for_each(|kind| *kind = form.kind());
        })?;
        let mut first = Ok(());
        for (kind, id) in kinds.iter().zip(0..) {
            self.read(&[(LocalId(id), *kind)], 0..=u64::MAX, &mut samples, |piece| {
                if let Piece::Lost { why, .. } = piece {
                    first = first.and(Err(why));
                }
            });
        }
        first
    }
}

fn read(source: &mut impl Source, offset: u64, out: &mut [u8]) -> Result<(), SegmentError> {
    let extent = Extent { offset: offset as u32, len: out.len() as u32 };
    source.read(offset, out).then_some(()).ok_or(SegmentError::Unreadable(extent))
}

fn footer_len(extent: Extent) -> Result<usize, SegmentError> {
    let len = extent.len as usize;
    (len <= super::footer::END_BYTES_MAX).then_some(len).ok_or(SegmentError::Damaged(extent))
}

/// The index of a group, out of its block's payload, if it is the one that the footer means.
///
/// # Errors
/// [`SegmentError::Damaged`].
pub fn group_index<'a>(
    group: &GroupEntry,
    payload: &'a [u8],
) -> Result<GroupIndex<'a>, SegmentError> {
    let index = GroupIndex::decode(group.index, payload)?;
    let windows = index.windows();
    let is_same = (windows.first(), windows.last()) == (Some(group.first), Some(group.last));
    is_same.then_some(index).ok_or(SegmentError::Damaged(group.index))
}

/// Reads what a series did in a group; whether it did anything.
fn load_samples(
    index: &GroupIndex<'_>,
    cache: &mut Cache,
    source: &mut impl Source,
    id: LocalId,
    shape: Shape,
    samples: &mut Samples,
) -> Result<bool, SegmentError> {
    let Some(at) = index.chunk_of(id) else { return Ok(false) };
    let payload = cache.load(source, at.block)?;
    read_samples(index.windows(), (at, payload), id, shape, samples)
}

/// Reads what a series did in the windows of a group out of the payload of the block at `at`, which
/// is the one that [`GroupIndex::chunk_of`] names; whether it did anything.
///
/// # Errors
/// [`SegmentError::Damaged`]: the samples are empty then.
pub fn read_samples(
    windows: &Windows,
    (at, payload): (Location, &[u8]),
    id: LocalId,
    shape: Shape,
    samples: &mut Samples,
) -> Result<bool, SegmentError> {
    let Some((chunk, is_sparse)) = find_chunk(at, payload, id)? else { return Ok(false) };
    samples
        .read(shape, windows.len(), is_sparse, chunk)
        .map(|()| true)
        .map_err(|_| SegmentError::Damaged(at.block))
}
