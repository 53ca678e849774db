use nexus_abi::ServiceId;
use nexus_bounded::{BlockChain, Mono};
use nexus_gate::SenderSlot;
use nexus_wire::{Level, RecordId};

use super::place_set::PlaceSet;
use crate::table::Table;

/// No entry.
pub(crate) const NONE: u32 = u32::MAX;

/// A record without its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) id: RecordId,
    pub(crate) at: Mono,
    pub(crate) service: ServiceId,
    /// Scope, message and fields, one behind the other.
    pub(crate) text: BlockChain,
    /// The next record of the same owner, or [`NONE`].
    pub(crate) next: u32,
    /// In whose queue it is.
    pub(crate) owner: SenderSlot,
    pub(crate) message_len: u16,
    pub(crate) scope_len: u8,
    pub(crate) level: Level,
}

const _: () = assert!(size_of::<Entry>() <= 48, "docs and recipes count with 48 bytes");

const VACANT: Entry = Entry {
    id: RecordId(0),
    at: Mono(0),
    service: ServiceId::from_raw(0),
    text: BlockChain::EMPTY,
    next: NONE,
    owner: SenderSlot::EVICTED,
    message_len: 0,
    scope_len: 0,
    level: Level::Error,
};

/// Entries in ascending order of id, and so of time, in a ring. Ids may be missing: records are
/// dropped from anywhere, and what is dropped leaves a mark until it is the first in the order.
///
/// An entry has a place and a rank: how many entries and marks are in front of it. When all places
/// are taken and the first entry is kept, those in front close up and give the places of half the
/// marks. There are half as many places more than records may be kept, so that this happens at
/// most once in as many appends as a sixth of the places.
pub(crate) struct EntryLog {
    places: Table<Entry>,
    /// The place of rank 0.
    first: usize,
    /// Entries and marks.
    len: usize,
    /// Places of entries that are kept.
    kept: PlaceSet,
}

impl EntryLog {
    pub(crate) fn new(records: u32) -> Self {
        let places = Self::places(records);
        let kept = PlaceSet::new(places);
        Self { places: Table::filled(places, VACANT), first: 0, len: 0, kept }
    }

    /// Places for `records` records and marks.
    pub(crate) const fn places(records: u32) -> usize {
        records as usize + records.div_ceil(2) as usize
    }

    /// Makes a place for one more. Where entries move for that, `relink` hears of each at its new
    /// place, from the newest to the oldest, and whether the one behind it in its queue has moved.
    #[inline(always)]
    pub(crate) fn make_room(&mut self, relink: impl FnMut(&mut Entry, u32, bool)) {
        if self.len < self.places.len() {
            return;
        }
        if self.kept.has(self.first) {
            self.close_front(relink);
        } else {
            self.forget(1);
        }
    }

    /// Forgets the marks in front.
    fn forget(&mut self, marks: usize) {
        self.first = self.place(marks);
        self.len -= marks;
    }

    #[cold]
    fn close_front(&mut self, mut relink: impl FnMut(&mut Entry, u32, bool)) {
        let end = self.front_with_marks(self.len / 6);
        let (mut from, mut to) = (end, end);
        while let Some(rank) = self.kept_before(from) {
            (from, to) = (rank, to - 1);
            let (old, new) = (self.place(rank), self.place(to));
            let mut entry = self.places[old];
            let next_has_moved = entry.next != NONE && self.rank(entry.next as usize) < end;
            relink(&mut entry, new as u32, next_has_moved);
            self.kept.remove(old);
            self.kept.insert(new);
            self.places[new] = entry;
        }
        self.forget(to);
    }

    /// The rank up to which there are `marks` marks, or all there are.
    fn front_with_marks(&self, marks: usize) -> usize {
        let (mut rank, mut found) = (0, 0);
        while let Some(kept) = self.kept_from(rank) {
            found += kept - rank;
            if found >= marks {
                return kept;
            }
            rank = kept + 1;
        }
        self.len
    }

    /// Appends an entry; there must be room.
    #[inline(always)]
    pub(crate) fn push(&mut self, entry: Entry) -> u32 {
        assert!(self.len < self.places.len(), "room was made");
        let at = self.place(self.len);
        self.places[at] = entry;
        self.kept.insert(at);
        self.len += 1;
        at as u32
    }

    /// The entry at a place.
    pub(crate) fn get(&self, at: u32) -> &Entry {
        &self.places[at as usize]
    }

    /// The entry at a place.
    pub(crate) fn get_mut(&mut self, at: u32) -> &mut Entry {
        &mut self.places[at as usize]
    }

    /// Leaves of the entry at a place but a mark.
    #[inline(always)]
    pub(crate) fn drop_at(&mut self, at: u32) {
        self.kept.remove(at as usize);
    }

    /// Entries and marks.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// What has a rank: an entry, or the mark that it left.
    pub(crate) fn ranked(&self, rank: usize) -> &Entry {
        assert!(rank < self.len, "a rank of this log");
        &self.places[self.place(rank)]
    }

    /// The rank of the first entry or mark that is not `before`; all those come first.
    pub(crate) fn partition_point(&self, before: impl Fn(&Entry) -> bool) -> usize {
        let (mut start, mut end) = (0, self.len);
        while start < end {
            let middle = start.midpoint(end);
            if before(self.ranked(middle)) {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        start
    }

    /// The rank of the first kept entry of this rank or behind it.
    pub(crate) fn kept_from(&self, rank: usize) -> Option<usize> {
        let place = self.place(rank);
        let unwrapped = if place < self.first { None } else { self.kept.from(place) };
        let wrapped = || {
            let start = if place < self.first { place } else { 0 };
            self.kept.from(start).filter(|found| *found < self.first)
        };
        (rank < self.len).then(|| unwrapped.or_else(wrapped)).flatten().map(|at| self.rank(at))
    }

    /// The rank of the last kept entry in front of this rank.
    pub(crate) fn kept_before(&self, rank: usize) -> Option<usize> {
        let last = self.place(rank.min(self.len).checked_sub(1)?);
        let wrapped = if last < self.first { self.kept.before(last + 1) } else { None };
        let unwrapped = || {
            let end = if last < self.first { self.places.len() } else { last + 1 };
            self.kept.before(end).filter(|found| *found >= self.first)
        };
        wrapped.or_else(unwrapped).map(|at| self.rank(at))
    }

    /// Where a rank has its place; a rank is at most the number of places.
    fn place(&self, rank: usize) -> usize {
        let place = self.first + rank;
        if place < self.places.len() { place } else { place - self.places.len() }
    }

    fn rank(&self, place: usize) -> usize {
        if place < self.first { place + self.places.len() - self.first } else { place - self.first }
    }
}
