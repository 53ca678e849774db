//! How a segment begins and ends, and what it says of itself.

use nexus_bounded::{Mono, Nanos, Wall};

use super::index::Extent;
use super::{GROUPS_MAX, SegmentError, VERSION};
use crate::bytes::{Buffer, CRC_BYTES, Put, Reader, crc32c};
use crate::name::Tier;

const MAGIC: &[u8; 8] = b"NXSEGMT\n";
const END: &[u8; 4] = b"NXSE";

/// Bytes with which a segment begins.
pub const HEADER_BYTES: usize = MAGIC.len() + 4 + CRC_BYTES;

/// Bytes with which a segment ends.
pub const TRAILER_BYTES: usize = 8 + CRC_BYTES + END.len();

/// Bytes of a footer without its groups, and of each of those.
const FIXED_BYTES: usize = 4 + 1 + 8 + 4 + 8 + 9 + 1;
const GROUP_BYTES: usize = 24;

/// Bytes of a footer and what is behind it, at most.
pub const END_BYTES_MAX: usize = FIXED_BYTES + GROUPS_MAX * GROUP_BYTES + CRC_BYTES + TRAILER_BYTES;

/// What a segment is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meta {
    /// The boot, counted since the state was made.
    pub boot: u32,
    /// The tier, which tells the length of the windows.
    pub tier: Tier,
}

/// Two clocks read at once, when the segment was sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// Time since that boot.
    pub mono: Mono,
    /// The calendar, if it was known.
    pub wall: Option<Wall>,
}

/// Where a group is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupEntry {
    /// The block of its index.
    pub index: Extent,
    /// Its first window.
    pub first: u64,
    /// Its last window.
    pub last: u64,
}

/// What is at the end of a segment.
#[derive(Clone, Debug)]
pub struct Footer {
    /// What it is of.
    pub meta: Meta,
    /// When it was sealed.
    pub anchor: Anchor,
    /// Series defined in it.
    pub series: u32,
    groups: [GroupEntry; GROUPS_MAX],
    count: usize,
}

const NO_GROUP: GroupEntry = GroupEntry { index: Extent { offset: 0, len: 0 }, first: 0, last: 0 };

impl Footer {
    pub(crate) const fn new(meta: Meta) -> Self {
        let anchor = Anchor { mono: Mono(0), wall: None };
        Self { meta, anchor, series: 0, groups: [NO_GROUP; GROUPS_MAX], count: 0 }
    }

    /// Whether a group that begins with that window may follow: behind those before, or, of
    /// longer windows, with the one that the last group ends with, the rest of which it has.
    pub(super) fn may_follow(&self, first: u64) -> bool {
        let before = self.groups().last().map(|group| group.last);
        let is_rest = self.meta.tier.is_rollup && before == Some(first);
        is_rest || before.is_none_or(|before| first > before)
    }

    /// Adds a group; `false` if there are too many.
    pub(super) fn push(&mut self, group: GroupEntry) -> bool {
        let place = self.groups.get_mut(self.count);
        let is_room = place.is_some();
        if let Some(place) = place {
            *place = group;
            self.count += 1;
        }
        is_room
    }

    /// Forgets a group whose index lies at `at` or behind.
    pub(super) fn keep_groups_before(&mut self, at: u32) {
        self.count = self.groups().iter().take_while(|group| group.index.offset < at).count();
    }

    /// Its groups, in order of their windows.
    #[must_use]
    pub fn groups(&self) -> &[GroupEntry] {
        self.groups.get(..self.count).unwrap_or_default()
    }

    pub(super) fn write(&self, out: &mut Buffer) {
        out.u32(self.meta.boot);
        out.u8(self.meta.tier.is_rollup.into());
        out.u64(self.meta.tier.window.0);
        out.u32(self.series);
        out.u64(self.anchor.mono.0);
        out.u8(self.anchor.wall.is_some().into());
        out.u64(self.anchor.wall.map_or(0, |wall| wall.0));
        out.u8(self.count as u8);
        for group in self.groups() {
            out.u32(group.index.offset);
            out.u32(group.index.len);
            out.u64(group.first);
            out.u64(group.last);
        }
    }

    /// Reads the payload of the footer's block.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`].
    pub fn decode(extent: Extent, payload: &[u8]) -> Result<Self, SegmentError> {
        Self::parse(extent.offset, Reader::new(payload)).ok_or(SegmentError::Damaged(extent))
    }

    fn parse(end: u32, mut bytes: Reader<'_>) -> Option<Self> {
        let boot = bytes.u32()?;
        let is_rollup = bytes.flag()?;
        let tier = Tier { is_rollup, window: Nanos(bytes.u64()?) };
        let mut footer = Self::new(Meta { boot, tier });
        footer.series = bytes.u32()?;
        footer.anchor.mono = Mono(bytes.u64()?);
        let (has_wall, wall) = (bytes.flag()?, Wall(bytes.u64()?));
        footer.anchor.wall = has_wall.then_some(wall);
        for _ in 0..bytes.u8()? {
            let index = Extent { offset: bytes.u32()?, len: bytes.u32()? };
            let group = GroupEntry { index, first: bytes.u64()?, last: bytes.u64()? };
            let is_within = index.offset.checked_add(index.len).is_some_and(|to| to <= end);
            if !is_within
                || !footer.may_follow(group.first)
                || group.first > group.last
                || !footer.push(group)
            {
                return None;
            }
        }
        (bytes.is_empty() && tier.window.0 > 0).then_some(footer)
    }
}

pub(super) fn write_header(out: &mut Buffer) {
    out.bytes(MAGIC);
    out.u32(VERSION);
    out.u32(crc32c(&[out.as_slice()]));
}

pub(super) fn write_trailer(footer: Extent, out: &mut Buffer) {
    let at = out.len();
    out.u32(footer.offset);
    out.u32(footer.len);
    let crc = crc32c(&[out.as_slice().get(at..).unwrap_or_default()]);
    out.u32(crc);
    out.bytes(END);
}

/// Where the footer is, by the first [`HEADER_BYTES`] and the last [`TRAILER_BYTES`] of a file of
/// `len` bytes.
///
/// # Errors
/// [`SegmentError::NotASegment`], [`SegmentError::Unsupported`], [`SegmentError::Unsealed`];
/// [`SegmentError::Damaged`] says which of the two.
pub fn footer_extent(header: &[u8], trailer: &[u8], len: u64) -> Result<Extent, SegmentError> {
    check_header(header)?;
    let at = len.saturating_sub(TRAILER_BYTES as u64);
    let end = u32::try_from(at).map_err(|_| SegmentError::Unsealed)?;
    let damaged = SegmentError::Damaged(Extent { offset: end, len: TRAILER_BYTES as u32 });
    let mut bytes = Reader::new(trailer);
    let places = bytes.bytes(8).ok_or(SegmentError::Unsealed)?;
    let crc = bytes.u32();
    if bytes.rest() != END {
        return Err(SegmentError::Unsealed);
    }
    let mut reader = Reader::new(places);
    let (Some(offset), Some(len)) = (reader.u32(), reader.u32()) else { return Err(damaged) };
    let is_right = crc == Some(crc32c(&[places])) && offset.checked_add(len) == Some(end);
    is_right.then_some(Extent { offset, len }).ok_or(damaged)
}

fn check_header(header: &[u8]) -> Result<(), SegmentError> {
    let mut bytes = Reader::new(header);
    if bytes.bytes(MAGIC.len()) != Some(MAGIC) {
        return Err(SegmentError::NotASegment);
    }
    let extent = Extent { offset: 0, len: HEADER_BYTES as u32 };
    let mut checked = crate::bytes::checked(header, &[]).ok_or(SegmentError::Damaged(extent))?;
    match (checked.bytes(MAGIC.len()), checked.u32()) {
        (_, Some(VERSION)) => Ok(()),
        (_, version) => Err(SegmentError::Unsupported { version: version.unwrap_or_default() }),
    }
}
