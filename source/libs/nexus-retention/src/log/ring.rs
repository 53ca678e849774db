//! What the files of a log are like, as far as it knows.

use alloc::boxed::Box;
use alloc::vec;

use crate::wal::{Place, SECTOR_BYTES};

/// Place of a file in the ring, which is the number in its name.
pub(super) type Slot = u32;

/// A file's place, and what is in it.
#[derive(Clone, Copy)]
struct Held {
    /// Bytes of the file that is there.
    len: Option<u32>,
    /// The first record that begins in it.
    first: Option<Place>,
}

const EMPTY: Held = Held { len: None, first: None };

/// Files are numbered in the order in which they are begun; file `n` lies in slot `n` modulo their
/// number.
pub(super) struct Ring {
    file_sectors: u32,
    slots: Box<[Held]>,
    /// Files before this one are deleted, and that is durable.
    pub(super) gone: u64,
    /// Files before this one do not grow any more.
    pub(super) finished: u64,
}

impl Ring {
    pub(super) fn new(files: u32, file_sectors: u32) -> Self {
        let slots = vec![EMPTY; files as usize].into_boxed_slice();
        Self { file_sectors, slots, gone: 0, finished: 0 }
    }

    pub(super) const fn bytes(files: u32) -> usize {
        files as usize * size_of::<Held>()
    }

    fn count(&self) -> u64 {
        self.slots.len() as u64
    }

    /// The file in which a sector lies.
    pub(super) fn file_of(&self, position: u64) -> u64 {
        position / u64::from(self.file_sectors)
    }

    /// Its place in that file, in sectors.
    pub(super) fn offset_of(&self, position: u64) -> u32 {
        (position % u64::from(self.file_sectors)) as u32
    }

    pub(super) fn slot_of(&self, file: u64) -> Slot {
        (file % self.count()) as Slot
    }

    /// Whether the place of a file is free, or its own already.
    pub(super) fn may_begin(&self, file: u64) -> bool {
        file < self.gone + self.count()
    }

    /// Bytes of the file in a slot, if there is one.
    pub(super) fn len(&self, slot: Slot) -> Option<u32> {
        self.slots.get(slot as usize).and_then(|held| held.len)
    }

    pub(super) fn set_len(&mut self, slot: Slot, len: Option<u32>) {
        if let Some(held) = self.slots.get_mut(slot as usize) {
            held.len = len;
        }
    }

    /// There is a new file.
    pub(super) fn begin(&mut self, file: u64) {
        let slot = self.slot_of(file);
        if let Some(held) = self.slots.get_mut(slot as usize) {
            *held = Held { len: Some(0), first: None };
        }
    }

    /// Whether there is anything in any file.
    pub(super) fn has_bytes(&self) -> bool {
        self.slots.iter().any(|held| held.len.is_some_and(|len| len > 0))
    }

    /// There is no file, as far as is known.
    pub(super) fn forget_lens(&mut self) {
        self.slots.iter_mut().for_each(|held| held.len = None);
    }

    pub(super) fn forget_records(&mut self) {
        self.slots.iter_mut().for_each(|held| held.first = None);
    }

    /// A record begins there.
    pub(super) fn note(&mut self, place: Place) {
        let slot = self.slot_of(self.file_of(place.position));
        if let Some(held) = self.slots.get_mut(slot as usize) {
            let file = |place: Place| place.position / u64::from(self.file_sectors);
            if held.first.is_none_or(|first| file(first) != file(place)) {
                held.first = Some(place);
            }
        }
    }

    /// The first record that begins in a file, if one does.
    pub(super) fn first_in(&self, file: u64) -> Option<Place> {
        let first = self.slots.get(self.slot_of(file) as usize).and_then(|held| held.first)?;
        (self.file_of(first.position) == file).then_some(first)
    }

    /// Bytes of a whole file.
    pub(super) const fn file_bytes(&self) -> u32 {
        self.file_sectors * SECTOR_BYTES as u32
    }

    /// The oldest file that is there and that nobody needs when what is needed begins at `tail`.
    pub(super) fn unneeded(&self, tail: u64) -> Option<u64> {
        let mut files = self.gone..self.file_of(tail).max(self.gone);
        files.find(|file| self.len(self.slot_of(*file)).is_some())
    }

    /// Whether files are deleted that still count as there.
    pub(super) fn owes_sync(&self, tail: u64) -> bool {
        self.file_of(tail) > self.gone
    }

    /// Up to where the files reach from `durable` on, at most to `end`; `None` if they are not what
    /// was written.
    pub(super) fn reach(&self, durable: u64, end: u64) -> Option<u64> {
        let mut reached = durable - u64::from(self.offset_of(durable));
        while self.may_begin(self.file_of(reached)) {
            let len = self.len(self.slot_of(self.file_of(reached))).unwrap_or(0);
            if !(len as usize).is_multiple_of(SECTOR_BYTES) {
                return None;
            }
            reached += u64::from(len) / SECTOR_BYTES as u64;
            if len < self.file_bytes() {
                break;
            }
        }
        (durable..=end).contains(&reached).then_some(reached)
    }

    /// Where to go on behind a recovered end: there, or, if something unreadable is in the way,
    /// behind that.
    pub(super) fn free_from(&self, end: u64) -> u64 {
        let (file, offset) = (self.file_of(end), self.offset_of(end));
        let bytes = offset * SECTOR_BYTES as u32;
        if offset == 0 || self.len(self.slot_of(file)) == Some(bytes) {
            return end;
        }
        (file + 1) * u64::from(self.file_sectors)
    }

    /// Takes over what recovery has found: what is needed lies before `found`, and the log goes on
    /// at `end`.
    pub(super) fn resume(&mut self, found: u64, end: u64) {
        let begun = self.file_of(end) + u64::from(self.offset_of(end) > 0);
        self.gone = begun.saturating_sub(self.count());
        self.finished = self.file_of(found);
    }

    /// What was not durable is not there any more.
    pub(super) fn fall_back(&mut self, durable: u64) {
        self.finished = self.finished.min(self.file_of(durable));
    }
}
