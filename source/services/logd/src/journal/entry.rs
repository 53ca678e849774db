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
    /// Whether it is kept. A dropped one stays as a mark in the order until the next compaction.
    pub(crate) live: bool,
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
    live: false,
};

/// Entries in ascending order of id, and so of time. Ids may be missing: records are dropped from
/// anywhere, and what is dropped leaves a mark. Half as many places more than records may be kept
/// make closing the ranks rare: it happens at most once in as many appends as a third of the
/// places.
pub(crate) struct EntryLog {
    places: Table<Entry>,
    len: usize,
    /// Places of entries that are kept.
    kept: PlaceSet,
}

impl EntryLog {
    pub(crate) fn new(records: u32) -> Self {
        let places = Self::places(records);
        let kept = PlaceSet::new(places);
        Self { places: Table::filled(places, VACANT), len: 0, kept }
    }

    /// Places for `records` records and marks.
    pub(crate) const fn places(records: u32) -> usize {
        records as usize + records.div_ceil(2) as usize
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == self.places.len()
    }

    /// Appends an entry; there must be room.
    pub(crate) fn push(&mut self, entry: Entry) -> u32 {
        let at = self.len;
        self.places[at] = entry;
        self.kept.insert(at);
        self.len += 1;
        at as u32
    }

    pub(crate) fn get(&self, at: u32) -> &Entry {
        &self.places[at as usize]
    }

    pub(crate) fn get_mut(&mut self, at: u32) -> &mut Entry {
        &mut self.places[at as usize]
    }

    /// Leaves of an entry but a mark.
    pub(crate) fn drop_at(&mut self, at: u32) {
        self.places[at as usize].live = false;
        self.kept.remove(at as usize);
    }

    /// The first kept entry at `at` or behind it.
    pub(crate) fn kept_from(&self, at: usize) -> Option<usize> {
        self.kept.from(at)
    }

    /// The last kept entry in front of `at`.
    pub(crate) fn kept_before(&self, at: usize) -> Option<usize> {
        self.kept.before(at)
    }

    /// Closes the ranks; `moved` hears of every entry at its new place, in order, unlinked.
    pub(crate) fn compact(&mut self, mut moved: impl FnMut(&mut Table<Entry>, u32)) {
        let mut kept = 0;
        for from in 0..self.len {
            if self.places[from].live {
                if from != kept {
                    self.places[kept] = self.places[from];
                }
                self.places[kept].next = NONE;
                moved(&mut self.places, kept as u32);
                kept += 1;
            }
        }
        self.len = kept;
        self.kept.fill(kept);
    }

    /// Entries and marks, in order.
    pub(crate) fn as_slice(&self) -> &[Entry] {
        self.places.front(self.len)
    }
}
