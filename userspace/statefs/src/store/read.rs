//! Reading files.

use nexus_port::{BlockRequest, SECTOR_BYTES};

use super::change::capacity_of;
use super::{Refusal, Store};
use crate::files::{File, Slot, State};
use crate::journal::Kind;
use crate::name::Name;
use crate::sector::{PAYLOAD_BYTES, Place};
use crate::stage::STAGE_SECTORS;

/// What is known of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// How it is named in calls.
    pub file: File,
    /// Its name; of a draft, the one it will have.
    pub name: Name,
    /// Whether it grows; a draft does.
    pub kind: Kind,
    /// Bytes.
    pub len: u32,
    /// Bytes that fit into the sectors it has.
    pub capacity: u32,
}

impl Entry {
    fn new(file: File, slot: &Slot) -> Self {
        let kind = if slot.state == State::Named(Kind::Whole) { Kind::Whole } else { Kind::Log };
        let capacity = capacity_of(&slot.extents);
        Self { file, name: slot.name, kind, len: slot.len, capacity }
    }
}

/// Where bytes of a file are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found<'a> {
    /// The file ends here.
    End,
    /// In memory: some of them, at least one.
    Memory(&'a [u8]),
    /// On the disk: some of them, at least one.
    Disk(Span),
}

/// Bytes of a file that lie on the disk in one piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    place: Place,
    sector: u32,
    sectors: u32,
    /// Of the first sector, bytes before the first one.
    skip: usize,
    len: usize,
}

/// A sector of a file does not hold what was written there. Its bytes are lost, others are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damaged {
    /// Which sector of the disk.
    pub sector: u32,
    /// Bytes of the file, of those that were asked for, that it held.
    pub len: usize,
}

impl core::fmt::Display for Damaged {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "sector {} is damaged: {} bytes of the file are lost", self.sector, self.len)
    }
}

impl core::error::Error for Damaged {}

impl Span {
    /// What to ask the device for.
    #[must_use]
    pub const fn request(&self) -> BlockRequest<'static> {
        BlockRequest::Read { sector: self.sector, sectors: self.sectors }
    }

    /// Bytes of the file.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "at least one")]
    pub const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn sector(&self) -> u32 {
        self.sector
    }

    /// The same bytes, a span for each sector.
    pub(crate) fn singles(self) -> impl Iterator<Item = Self> {
        let (mut skip, mut left) = (self.skip, self.len);
        (0..self.sectors).map(move |at| {
            let len = left.min(PAYLOAD_BYTES - skip);
            let place = Place { index: self.place.index + at, ..self.place };
            let single = Self { place, sector: self.sector + at, sectors: 1, skip, len };
            left -= len;
            skip = 0;
            single
        })
    }

    /// The file's bytes out of what the device has read, sector by sector. If the file was
    /// deleted meanwhile, another's bytes are damage, never this one's.
    pub fn pieces<'a>(
        &self,
        read: &'a [u8],
    ) -> impl Iterator<Item = Result<&'a [u8], Damaged>> + use<'a> {
        let Self { place, sector, mut skip, len: mut left, .. } = *self;
        (0..self.sectors).zip(read.chunks(SECTOR_BYTES)).map(move |(at, bytes)| {
            let len = left.min(PAYLOAD_BYTES - skip);
            let payload = Place { index: place.index + at, ..place }.open(bytes);
            let piece = payload.and_then(|payload| payload.get(skip..skip + len));
            left -= len;
            skip = 0;
            piece.ok_or(Damaged { sector: sector + at, len })
        })
    }
}

impl Store {
    /// The file of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<File> {
        self.files.find(name)
    }

    /// What is known of a file or a draft.
    #[must_use]
    pub fn entry(&self, file: File) -> Option<Entry> {
        self.files.get(file).map(|slot| Entry::new(file, slot))
    }

    /// The files whose names begin with `prefix`, bytewise in the order of their names.
    pub fn list(&self, prefix: &str) -> impl Iterator<Item = Entry> {
        self.files.with_prefix(prefix).map(|(file, slot)| Entry::new(file, slot))
    }

    /// Sectors that no file has, those of files deleted since the last sync not among them.
    #[must_use]
    pub const fn free_sectors(&self) -> u32 {
        self.space.free()
    }

    /// Bytes of sectors that count for a quota now.
    #[must_use]
    pub fn used(&self, quota: usize) -> Option<u64> {
        self.quotas.used(quota)
    }

    /// Where the file's bytes from `offset` on are, at most `len` of them. An answer on the disk
    /// holds as long as the file is there.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn locate(&self, file: File, offset: u32, len: u32) -> Result<Found<'_>, Refusal> {
        let slot = self.files.get(file).ok_or(Refusal::NotFound)?;
        let len = len.min(slot.len.saturating_sub(offset)) as usize;
        if len == 0 {
            return Ok(Found::End);
        }
        let index = offset / PAYLOAD_BYTES as u32;
        let skip = offset as usize % PAYLOAD_BYTES;
        let in_memory = self.in_memory(file, slot, index);
        let bytes = in_memory.and_then(|bytes| bytes.get(skip..PAYLOAD_BYTES.min(skip + len)));
        match bytes {
            Some(bytes) => Ok(Found::Memory(bytes)),
            None => {
                self.span(file, slot, index, skip, len).map(Found::Disk).ok_or(Refusal::NotFound)
            }
        }
    }

    /// The bytes of a file's sector, if they are not on the disk yet.
    fn in_memory(&self, file: File, slot: &Slot, index: u32) -> Option<&[u8]> {
        let is_tail = index == slot.len / PAYLOAD_BYTES as u32;
        if let (true, Some(tail)) = (is_tail, self.files.tail(file)) {
            return Some(tail);
        }
        let sector = slot.extents.run(index)?.start;
        self.stage.on_the_way(sector)?.get(..PAYLOAD_BYTES)
    }

    fn span(&self, file: File, slot: &Slot, index: u32, skip: usize, len: usize) -> Option<Span> {
        let run = slot.extents.run(index)?;
        let wanted = (skip + len).div_ceil(PAYLOAD_BYTES) as u32;
        let most = wanted.min(run.sectors).min(STAGE_SECTORS as u32);
        let on_disk = |at: &u32| self.in_memory(file, slot, index + at).is_none();
        let sectors = (0..most).take_while(on_disk).count() as u32;
        let place = Place { generation: self.format.generation(), file: file.id, index };
        let len = len.min(sectors as usize * PAYLOAD_BYTES - skip);
        Some(Span { place, sector: run.start, sectors, skip, len })
    }
}
