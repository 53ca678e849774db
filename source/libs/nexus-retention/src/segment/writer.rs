//! Writing a segment: group by group, series by series, in bounded memory.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use super::footer::{self, Anchor, Footer, GroupEntry, Meta};
use super::index::{Blocks, Extent, GroupIndex};
use super::keys::{DEFINITION_BYTES_MAX, Form, LastKey};
use super::samples::CHUNK_BYTES_MAX;
use super::{GROUPS_MAX, KEY_BYTES_MAX, Kind, LocalId, ROWS, Samples, Shape, Windows};
use crate::bytes::{Buffer, CRC_BYTES, Put, Slot, crc32c};

/// With so many bytes a block ends.
pub(super) const BLOCK_BYTES: usize = 4096;

/// Bytes that one chunk or key adds to a block, with what stands around it.
pub(super) const ENTRY_BYTES_MAX: usize =
    (if CHUNK_BYTES_MAX > DEFINITION_BYTES_MAX { CHUNK_BYTES_MAX } else { DEFINITION_BYTES_MAX })
        + 16;

/// Bytes of the windows in an index, at most.
const WINDOWS_BYTES_MAX: usize = 1 + 10 + 10 + super::column::WIDE_BYTES_MAX;

/// A segment ends before it has more: offsets are of 32 bits.
const FILE_BYTES_MAX: u64 = 1 << 31;

/// Series of a segment, at most.
pub const SERIES_MAX: u32 = 1 << 16;

/// What a writer is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Series of a segment, at most; up to [`SERIES_MAX`], so that a group of all of them fits.
    pub series: u32,
}

impl Limits {
    /// Bytes of memory that a writer takes.
    #[must_use]
    pub const fn memory(&self) -> usize {
        let series = self.series as usize;
        let blocks = 2 * series * Blocks::ENTRY_BYTES_MAX;
        size_of::<SegmentWriter>()
            + series * size_of::<Kind>()
            + blocks
            + CHUNK_BYTES_MAX
            + self.out_bytes()
    }

    /// Bytes that one call gives, at most.
    #[must_use]
    pub const fn out_bytes(&self) -> usize {
        let blocks = 2 * self.series as usize * Blocks::ENTRY_BYTES_MAX;
        2 * super::BLOCK_BYTES_MAX + WINDOWS_BYTES_MAX + blocks + 32 + footer::END_BYTES_MAX
    }
}

/// Why something is not taken. Nothing has changed: finish the segment and begin another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It has as many series as the limit allows.
    Series,
    /// It has [`GROUPS_MAX`] groups.
    Groups,
    /// It has as many bytes as offsets can tell.
    Bytes,
    /// The key is longer than [`KEY_BYTES_MAX`].
    Key,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series => f.write_str("the segment has as many series as it may"),
            Self::Groups => write!(f, "the segment has {GROUPS_MAX} groups"),
            Self::Bytes => write!(f, "the segment has {FILE_BYTES_MAX} bytes"),
            Self::Key => write!(f, "the key has more than {KEY_BYTES_MAX} bytes"),
        }
    }
}

impl core::error::Error for Refusal {}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Between two groups.
    Between,
    /// The keys of a group.
    Keys,
    /// The chunks of a group.
    Chunks,
    /// Nothing more is written.
    Finished,
}

/// Writes one segment after another. What each call gives is to be appended to the file before the
/// next call.
///
/// For each group: [`Self::begin_group`], then [`Self::define`] for each series that is new to the
/// segment, then [`Self::add`] for each series in order of their ids, then [`Self::end_group`].
pub struct SegmentWriter {
    limits: Limits,
    phase: Phase,
    footer: Footer,
    kinds: Box<[Kind]>,
    windows: Windows,
    /// Where the group begins, and how many series are defined before it.
    group_start: u32,
    series_before: u32,
    /// The same of the first of the groups that share a window with this one.
    chain_start: u32,
    chain_before: u32,
    keys: Blocks,
    chunks: Blocks,
    last_key: LastKey,
    /// The series that is next in order, in the group and in the open block.
    next_id: u32,
    block_first: u32,
    chunk: Buffer,
    /// Bytes that are finished, up to `block_at`, and those of the open block.
    out: Buffer,
    block_at: usize,
    /// Where in the file `out` begins.
    offset: u64,
}

impl SegmentWriter {
    /// Takes all memory for any segment.
    ///
    /// # Panics
    /// If the limits are impossible.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        assert!(limits.series <= SERIES_MAX, "limits are checked with the recipe");
        let series = limits.series as usize;
        let tier = crate::name::Tier { is_rollup: false, window: nexus_bounded::Nanos(1) };
        Self {
            limits,
            phase: Phase::Finished,
            footer: Footer::new(Meta { boot: 0, tier }),
            kinds: vec![Kind::Counter; series].into_boxed_slice(),
            windows: Windows::new(),
            group_start: 0,
            series_before: 0,
            chain_start: 0,
            chain_before: 0,
            keys: Blocks::new(series),
            chunks: Blocks::new(series),
            last_key: LastKey::new(),
            next_id: 0,
            block_first: 0,
            chunk: Buffer::new(CHUNK_BYTES_MAX),
            out: Buffer::new(limits.out_bytes()),
            block_at: 0,
            offset: 0,
        }
    }

    /// Begins a segment; what was begun before is given up.
    pub fn begin(&mut self, meta: Meta) -> &[u8] {
        self.phase = Phase::Between;
        self.footer = Footer::new(meta);
        self.offset = 0;
        self.out.clear();
        footer::write_header(&mut self.out);
        self.block_at = self.out.len();
        self.finished()
    }

    /// Begins a group of windows, all behind those of the groups before; of longer windows, the
    /// first may be the one that the last group ends with.
    ///
    /// # Errors
    /// [`Refusal::Groups`], [`Refusal::Bytes`].
    pub fn begin_group(&mut self, windows: &Windows) -> Result<(), Refusal> {
        assert!(self.phase == Phase::Between, "a group begins behind another");
        let last = self.footer.groups().last().map(|group| group.last);
        let shares = last == windows.first();
        let follows = windows.first().is_some_and(|first| self.footer.may_follow(first));
        assert!(follows, "windows are in order");
        if self.footer.groups().len() == GROUPS_MAX {
            return Err(Refusal::Groups);
        }
        if self.offset + self.out.len() as u64 + self.group_bytes_max() > FILE_BYTES_MAX {
            return Err(Refusal::Bytes);
        }
        self.move_on();
        self.windows = *windows;
        self.group_start = self.position();
        self.series_before = self.footer.series;
        if !shares {
            (self.chain_start, self.chain_before) = (self.group_start, self.series_before);
        }
        self.keys.clear();
        self.chunks.clear();
        self.last_key.clear();
        self.block_first = self.footer.series;
        self.phase = Phase::Keys;
        Ok(())
    }

    /// Bytes of a group of all series.
    fn group_bytes_max(&self) -> u64 {
        let entries = 2 * u64::from(self.limits.series) * ENTRY_BYTES_MAX as u64;
        entries + self.limits.out_bytes() as u64
    }

    /// Adds a series to the segment, for this group and those behind it. Whether there is one with
    /// the same key is not looked at.
    ///
    /// # Errors
    /// [`Refusal::Series`], [`Refusal::Key`].
    pub fn define(&mut self, key: &[u8], form: &Form<'_>) -> Result<(LocalId, &[u8]), Refusal> {
        assert!(self.phase == Phase::Keys, "keys are in front of chunks");
        assert!(form.is_possible(), "bounds are few and ascend");
        if key.len() > KEY_BYTES_MAX {
            return Err(Refusal::Key);
        }
        let id = self.footer.series;
        let Some(kind) = self.kinds.get_mut(id as usize) else { return Err(Refusal::Series) };
        *kind = form.kind();
        self.footer.series += 1;
        self.move_on();
        self.last_key.write(form, key, &mut self.out);
        if self.block_len() >= BLOCK_BYTES {
            self.end_block();
        }
        Ok((LocalId(id), self.finished()))
    }

    /// What a series did in the group, one row a window. Series that did nothing may be left out.
    pub fn add(&mut self, id: LocalId, samples: &Samples) -> &[u8] {
        assert!(id.0 < self.footer.series, "a series is defined first");
        let kind = self.kinds.get(id.0 as usize).copied();
        let shape = Shape { kind: samples.shape().kind, is_rollup: self.is_rollup() };
        assert!(kind == Some(shape.kind) && samples.shape() == shape, "samples are as defined");
        let rows = self.windows.len();
        assert!(rows == ROWS || samples.present() >> rows == 0, "a row for each window");
        self.move_on();
        self.begin_chunks();
        if samples.present() > 0 {
            self.write_chunk(id.0, samples);
        }
        self.finished()
    }

    fn write_chunk(&mut self, id: u32, samples: &Samples) {
        if self.block_len() == 0 {
            self.block_first = id;
            self.next_id = self.next_id.max(id);
        }
        assert!(id >= self.next_id, "series are in order");
        if id > self.next_id {
            self.out.u8(0);
            self.out.varint((id - self.next_id).into());
        }
        self.next_id = id + 1;
        self.chunk.clear();
        let is_sparse = samples.write(self.windows.len(), &mut self.chunk);
        self.out.varint((self.chunk.len() << 1 | usize::from(is_sparse)) as u128);
        self.out.bytes(self.chunk.as_slice());
        if self.block_len() >= BLOCK_BYTES {
            self.end_block();
        }
    }

    /// Ends the keys of the group.
    fn begin_chunks(&mut self) {
        assert!(matches!(self.phase, Phase::Keys | Phase::Chunks), "chunks are of a group");
        if self.phase == Phase::Keys {
            self.end_block();
            self.phase = Phase::Chunks;
            self.next_id = 0;
        }
    }

    /// Ends the group.
    pub fn end_group(&mut self) -> &[u8] {
        self.move_on();
        self.begin_chunks();
        self.end_block();
        let offset = self.position();
        let Self { windows, group_start, keys, chunks, out, .. } = self;
        GroupIndex::write(windows, *group_start, keys, chunks, out);
        self.seal_block();
        let index = Extent { offset, len: self.position() - offset };
        let windows = self.windows.first().zip(self.windows.last());
        let (first, last) = windows.unwrap_or_default();
        let is_pushed = self.footer.push(GroupEntry { index, first, last });
        assert!(is_pushed, "groups were counted when this one began");
        self.phase = Phase::Between;
        self.finished()
    }

    /// Gives up the group that was begun last, ended or not, with the series that it has defined.
    /// The file goes on at `at`: behind what has been appended of the group, which belongs to
    /// nothing.
    pub fn give_up_group(&mut self, at: u32) {
        self.give_up_from((self.group_start, self.series_before), at);
    }

    /// The same, and with it of the groups before it those that share a window with it.
    pub fn give_up_chain(&mut self, at: u32) {
        self.give_up_from((self.chain_start, self.chain_before), at);
    }

    /// Where in the file the first of the groups begins that share a window with the last one.
    pub(crate) const fn chain_start(&self) -> u32 {
        self.chain_start
    }

    fn give_up_from(&mut self, (start, series): (u32, u32), at: u32) {
        assert!(self.phase != Phase::Finished && at >= start, "a group is begun");
        self.footer.keep_groups_before(start);
        self.footer.series = series;
        self.out.clear();
        self.block_at = 0;
        self.offset = at.into();
        self.phase = Phase::Between;
    }

    /// Ends the segment. Once what this gives is durable, it is sealed.
    pub fn finish(&mut self, anchor: Anchor) -> &[u8] {
        assert!(self.phase == Phase::Between, "a segment ends behind a group");
        self.move_on();
        self.footer.anchor = anchor;
        let offset = self.position();
        self.footer.write(&mut self.out);
        self.seal_block();
        let extent = Extent { offset, len: self.position() - offset };
        footer::write_trailer(extent, &mut self.out);
        self.block_at = self.out.len();
        self.phase = Phase::Finished;
        self.finished()
    }

    const fn is_rollup(&self) -> bool {
        self.footer.meta.tier.is_rollup
    }

    /// What the segment says of itself so far: with the groups that have ended.
    #[must_use]
    pub const fn footer(&self) -> &Footer {
        &self.footer
    }

    /// Series that are defined.
    #[must_use]
    pub const fn series(&self) -> u32 {
        self.footer.series
    }

    /// Bytes of the segment so far, those of the open block among them.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.offset + self.out.len() as u64
    }

    /// Whether nothing has been written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was given before is gone.
    fn move_on(&mut self) {
        if self.block_at > 0 {
            self.out.cut(0..self.block_at);
            self.offset += self.block_at as u64;
            self.block_at = 0;
        }
    }

    fn finished(&self) -> &[u8] {
        self.out.as_slice().get(..self.block_at).unwrap_or_default()
    }

    fn block_len(&self) -> usize {
        self.out.len() - self.block_at
    }

    /// Where in the file the next byte will be.
    fn position(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    /// Ends the open block of keys or chunks, if there is anything in it.
    fn end_block(&mut self) {
        if self.block_len() == 0 {
            return;
        }
        let at = self.block_at;
        self.seal_block();
        let bytes = self.block_at - at;
        match self.phase {
            Phase::Keys => self.keys.push(bytes, self.block_first),
            _ => self.chunks.push(bytes, self.block_first),
        }
        self.block_first = self.footer.series;
        self.last_key.clear();
    }

    /// Puts the checksum behind the open block.
    fn seal_block(&mut self) {
        let mut place = [0; CRC_BYTES];
        let offset = self.offset + self.block_at as u64;
        Slot::new(&mut place).u32(u32::try_from(offset).unwrap_or(u32::MAX));
        let payload = self.out.as_slice().get(self.block_at..).unwrap_or_default();
        let crc = crc32c(&[payload, &place]);
        self.out.u32(crc);
        self.block_at = self.out.len();
    }
}
