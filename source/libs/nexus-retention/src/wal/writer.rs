//! Writing: from records to sectors.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use super::Limits;
use super::replay::Recovered;
use super::sector::{HEADER_BYTES, Header, PAYLOAD_BYTES, SECTOR_BYTES, Sector};
use crate::bytes::{Put, Slot};

/// Bytes in front of each record: its length.
pub(super) const LENGTH_BYTES: usize = 4;

/// Where a record begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Its number, counted since the log was made.
    pub sequence: u64,
    /// The sector in which it begins, counted likewise.
    pub(crate) position: u64,
}

/// Why a record was not taken. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Longer than [`Limits::record_bytes`].
    TooLong,
    /// Memory is full of what is not synced.
    Unsynced,
    /// The ring is full of what is not released, or whose release is not synced.
    Unreleased,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "longer than a record may be",
            Self::Unsynced => "too much is not yet on the disk: sync first",
            Self::Unreleased => "the log is full: release records and sync first",
        })
    }
}

impl core::error::Error for Refusal {}

/// Sectors to be written, and what is durable once they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sync {
    pub(crate) first: u64,
    pub(crate) end: u64,
    tail: u64,
}

/// A log that is open for writing.
pub struct Wal {
    limits: Limits,
    epoch: u32,
    /// Sectors that are not durable, each at `position % staged`.
    stage: Box<[Sector]>,
    /// Positions below are durable.
    durable: u64,
    /// The sector that is being filled. Those from `durable` on are sealed.
    head: u64,
    used: u16,
    begins: Option<u16>,
    /// Of the first record that begins in `head` or later.
    head_sequence: u64,
    /// Of the next record.
    sequence: u64,
    /// What is still needed begins here.
    kept: Place,
    /// As the last sealed sector says it.
    sealed_tail: u64,
    /// As the last durable sector says it.
    durable_tail: u64,
}

impl Wal {
    /// Goes on behind what has been recovered; for a new log, that of a ring of zeros.
    ///
    /// # Panics
    /// If the limits are impossible, or the log was recovered with another number of sectors.
    #[must_use]
    pub fn new(limits: Limits, recovered: &Recovered) -> Self {
        assert!(limits.are_possible(), "limits are checked with the recipe");
        assert!(limits.sectors == recovered.sectors, "a log keeps its sectors");
        Self {
            limits,
            epoch: recovered.epoch,
            stage: vec![[0; SECTOR_BYTES]; limits.staged as usize].into_boxed_slice(),
            durable: recovered.end.position,
            head: recovered.end.position,
            used: 0,
            begins: None,
            head_sequence: recovered.end.sequence,
            sequence: recovered.end.sequence,
            kept: recovered.kept,
            sealed_tail: recovered.kept.position,
            durable_tail: recovered.kept.position,
        }
    }

    /// Goes on behind what has been recovered. What is not durable goes along, as if it had been
    /// appended there; there must be room for it in the ring.
    pub(crate) fn go_on_behind(&mut self, recovered: &Recovered) {
        let (from, to) = (self.durable, recovered.end.position);
        let first_sequence = self.sequence_at(from);
        let moved = |sequence: u64| sequence - first_sequence + recovered.end.sequence;
        self.epoch = recovered.epoch;
        self.kept = recovered.kept;
        for position in from..self.head {
            let sealed = Header::open(self.sector(position)).map(|(header, _)| header);
            assert!(sealed.is_ok(), "we sealed it");
            let Ok(header) = sealed else { continue };
            let position_now = position - from + to;
            let header = Header {
                epoch: self.epoch,
                position: position_now,
                kept_sectors: (position_now - self.kept.position) as u32,
                kept_sequence: self.kept.sequence,
                sequence: moved(header.sequence),
                ..header
            };
            header.seal(self.sector_mut(position));
        }
        let staged = self.stage.len() as u64;
        self.stage.rotate_right(((to % staged + staged - from % staged) % staged) as usize);
        self.head = self.head - from + to;
        self.durable = to;
        self.head_sequence = moved(self.head_sequence);
        self.sequence = moved(self.sequence);
        self.sealed_tail = self.kept.position;
        self.durable_tail = self.kept.position;
    }

    /// Gives up what is not durable: so many records.
    pub(crate) fn give_up(&mut self) -> u64 {
        let first = self.sequence_at(self.durable);
        let count = self.sequence - first;
        (self.head, self.used, self.begins) = (self.durable, 0, None);
        (self.head_sequence, self.sequence) = (first, first);
        count
    }

    /// Of the first record that begins at a position that is not durable, or later.
    fn sequence_at(&self, position: u64) -> u64 {
        if position == self.head {
            return self.head_sequence;
        }
        Header::open(self.sector(position))
            .map_or(self.head_sequence, |(header, _)| header.sequence)
    }

    /// Takes a record.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn append(&mut self, record: &[u8]) -> Result<Place, Refusal> {
        let length = u32::try_from(record.len()).map_err(|_| Refusal::TooLong)?;
        if length > self.limits.record_bytes {
            return Err(Refusal::TooLong);
        }
        let last = self.last_position(record.len());
        if last - self.durable >= u64::from(self.limits.staged) {
            return Err(Refusal::Unsynced);
        }
        // The last sector is for a sync that only makes a release durable.
        if last - self.durable_tail >= u64::from(self.limits.sectors) - 1 {
            return Err(Refusal::Unreleased);
        }
        Ok(self.put_record(length, record))
    }

    /// The sector in which a record of so many bytes would end.
    pub(crate) fn last_position(&self, bytes: usize) -> u64 {
        let end = usize::from(self.used) + LENGTH_BYTES + bytes;
        self.head + (end.div_ceil(PAYLOAD_BYTES) as u64) - 1
    }

    fn put_record(&mut self, length: u32, record: &[u8]) -> Place {
        if usize::from(self.used) == PAYLOAD_BYTES {
            self.seal();
        }
        let place = Place { sequence: self.sequence, position: self.head };
        self.begins = self.begins.or(Some(self.used));
        self.sequence += 1;
        let mut prefix = [0; LENGTH_BYTES];
        Slot::new(&mut prefix).u32(length);
        self.put(&prefix);
        self.put(record);
        place
    }

    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if usize::from(self.used) == PAYLOAD_BYTES {
                self.seal();
            }
            let room = PAYLOAD_BYTES - usize::from(self.used);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let at = HEADER_BYTES + usize::from(self.used);
            let (_, place) = self.sector_mut(self.head).split_at_mut(at);
            place.split_at_mut(now.len()).0.copy_from_slice(now);
            self.used += now.len() as u16;
            bytes = later;
        }
    }

    /// Ends the sector that is being filled.
    fn seal(&mut self) {
        let header = Header {
            epoch: self.epoch,
            sectors: self.limits.sectors,
            position: self.head,
            kept_sectors: u32::try_from(self.head - self.kept.position).unwrap_or(u32::MAX),
            kept_sequence: self.kept.sequence,
            sequence: self.head_sequence,
            begins: self.begins,
            used: self.used,
        };
        assert!(header.kept_sectors < self.limits.sectors, "appends leave the tail alone");
        header.seal(self.sector_mut(self.head));
        self.sealed_tail = self.kept.position;
        self.head += 1;
        self.used = 0;
        self.begins = None;
        self.head_sequence = self.sequence;
    }

    /// Ends the sector that is being filled and says which ones to write, or `None` if all is
    /// durable. They may be written in any order, and again if that fails; once all of them are
    /// flushed, [`Self::synced`] has to know. One sync is under way at a time.
    pub fn sync(&mut self) -> Option<Sync> {
        let is_release = self.head == self.durable && self.kept.position > self.durable_tail;
        if self.used > 0 || is_release {
            self.seal();
        }
        let sync = Sync { first: self.durable, end: self.head, tail: self.sealed_tail };
        (sync.first < sync.end).then_some(sync)
    }

    /// The sectors of a sync: where in the ring, and what.
    pub fn sectors(&self, sync: Sync) -> impl Iterator<Item = (u32, &Sector)> {
        let staged = sync.first.max(self.durable)..sync.end.min(self.head);
        let index = |position| (position % u64::from(self.limits.sectors)) as u32;
        staged.map(move |position| (index(position), self.sector(position)))
    }

    /// All sectors of a sync are durable.
    pub fn synced(&mut self, sync: Sync) {
        assert!(sync.end <= self.head, "only what was sealed can be durable");
        self.durable = self.durable.max(sync.end);
        self.durable_tail = self.durable_tail.max(sync.tail);
    }

    /// Records before `first` are needed no more. Their sectors are free after the next sync.
    pub fn release(&mut self, first: Place) {
        let end = self.end();
        assert!(
            first.position <= end.position && first.sequence <= end.sequence,
            "a place of ours"
        );
        if first.sequence > self.kept.sequence {
            self.kept = first;
        }
    }

    /// Where the next record will be, or just behind: releasing up to here releases all.
    #[must_use]
    pub const fn end(&self) -> Place {
        Place { sequence: self.sequence, position: self.head }
    }

    /// The oldest record that is not released.
    #[must_use]
    pub const fn kept(&self) -> Place {
        self.kept
    }

    /// Counts the openings of the log.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Positions below are durable.
    pub(crate) const fn durable(&self) -> u64 {
        self.durable
    }

    /// What is needed begins here, as a crash would find it.
    pub(crate) const fn durable_tail(&self) -> u64 {
        self.durable_tail
    }

    /// Sectors that are not durable, the one that is being filled among them.
    pub(crate) fn unsynced(&self) -> u64 {
        self.head - self.durable + u64::from(self.used > 0)
    }

    /// Sectors that may still be filled before something has to become durable or be released;
    /// `None`: none.
    pub(crate) const fn sectors_left(&self) -> Option<u32> {
        let staged = self.limits.staged as u64 - (self.head - self.durable);
        let ring = (self.limits.sectors as u64 - 1).checked_sub(self.head - self.durable_tail);
        match ring {
            Some(ring) if ring < staged => Some(ring as u32),
            Some(_) => Some(staged as u32),
            None => None,
        }
    }

    /// Sectors in use, of [`Limits::sectors`].
    #[must_use]
    pub const fn sectors_used(&self) -> u32 {
        (self.head - self.durable_tail) as u32
    }

    #[expect(clippy::indexing_slicing, reason = "own index: modulo the length")]
    pub(crate) fn sector(&self, position: u64) -> &Sector {
        &self.stage[(position % self.stage.len() as u64) as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "own index: modulo the length")]
    fn sector_mut(&mut self, position: u64) -> &mut Sector {
        let index = (position % self.stage.len() as u64) as usize;
        &mut self.stage[index]
    }
}

/// Sectors that a record of so many bytes touches at most.
pub(super) const fn sectors_for(bytes: usize) -> u64 {
    (LENGTH_BYTES + bytes).div_ceil(PAYLOAD_BYTES) as u64 + 1
}
