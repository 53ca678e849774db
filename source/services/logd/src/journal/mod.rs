//! The journal: records of many senders in a fixed amount of memory, for ever.
//!
//! Records have ascending ids and never descending times. When memory is short, the oldest record
//! goes whose sender is above its guaranteed share of what is short (records, or blocks of text);
//! nobody within its share loses anything to others. What a sender has lost is kept as one [`Gap`]
//! of it. A sender that loses its seat leaves its records and its gap to the row of the evicted,
//! which has no share.
//!
//! Records of former lives, which a disk has kept, lie in an attic: in front of all others, and the
//! first to go when memory is short. They never take the room of a record of this life.
//!
//! Invariants: every record ever appended is kept, or counted in exactly one gap that covers its
//! id; a sender's records are dropped in the order they came in.

mod attic;
mod entry;
mod gap;
mod min_tree;
mod place_set;
mod share;
#[cfg(test)]
mod tests;

use core::ops::Range;

use nexus_abi::ServiceId;
use nexus_bounded::{BlockChain, Mono};
use nexus_gate::SenderSlot;
use nexus_recipe::{JournalBlocks, LogdLimits};
use nexus_wire::logs::Record;
use nexus_wire::{FIELDS_BYTES_MAX, Fields, MESSAGE_BYTES_MAX, RecordId, SCOPE_BYTES_MAX};

use crate::admission::Admitted;
use crate::table::Table;
use entry::{EntryLog, NONE};
use place_set::PlaceSet;
use share::{Held, Share};

pub(crate) use attic::{Attic, Past};
pub(crate) use entry::Entry;
pub(crate) use gap::Gap;

/// Bytes of the longest record's text.
pub(crate) const TEXT_BYTES_MAX: usize = SCOPE_BYTES_MAX + MESSAGE_BYTES_MAX + FIELDS_BYTES_MAX;

/// Bytes of memory that a block of text takes.
const BLOCK_BYTES: u32 = JournalBlocks::bytes(1) as u32;

/// What a seat has in the journal.
#[derive(Clone, Copy)]
struct Queue {
    service: ServiceId,
    head: u32,
    tail: u32,
    used: Used,
    gap: Gap,
}

/// How much of each resource.
#[derive(Clone, Copy)]
struct Used {
    records: u32,
    blocks: u32,
}

const EMPTY: Queue = Queue {
    service: ServiceId::from_raw(0),
    head: NONE,
    tail: NONE,
    used: Used { records: 0, blocks: 0 },
    gap: Gap::NONE,
};

impl Queue {
    /// Id of its oldest record.
    #[inline(always)]
    fn oldest(&self, log: &EntryLog) -> u64 {
        if self.head == NONE { Held::NOTHING } else { log.get(self.head).id.0 }
    }

    #[inline(always)]
    fn records(&self, log: &EntryLog) -> Held {
        Held { used: self.used.records, oldest: self.oldest(log) }
    }

    #[inline(always)]
    fn blocks(&self, log: &EntryLog) -> Held {
        Held { used: self.used.blocks, oldest: self.oldest(log) }
    }
}

/// See the module.
pub(crate) struct Journal {
    store: JournalBlocks,
    log: EntryLog,
    attic: Attic,
    queues: Table<Queue>,
    records: Share,
    blocks: Share,
    records_max: u32,
    blocks_max: u32,
    /// Records kept, those of former lives among them.
    held: u32,
    total: u64,
    dropped: u64,
    latest: Mono,
}

impl Journal {
    /// An empty journal, all memory taken now; with room for so many records of former lives.
    pub(crate) fn new(limits: &LogdLimits, recovered: u32) -> Self {
        let seats = Self::seats(limits);
        let blocks_max = limits.journal_bytes / BLOCK_BYTES;
        Self {
            store: JournalBlocks::new(blocks_max),
            log: EntryLog::new(limits.journal_records),
            attic: Attic::new(recovered),
            queues: Table::filled(seats, EMPTY),
            records: Share::new(limits.share_records, seats),
            blocks: Share::new(limits.share_bytes / BLOCK_BYTES, seats),
            records_max: limits.journal_records,
            blocks_max,
            held: 0,
            total: 0,
            dropped: 0,
            latest: Mono(0),
        }
    }

    /// Seats of the senders and that of the evicted.
    const fn seats(limits: &LogdLimits) -> usize {
        limits.senders as usize + 1
    }

    /// Appends a record of the sender at `from` and gives its id. Every record that has to go for
    /// it is told to `dropped` by the seat it was kept under.
    #[inline(always)]
    pub(crate) fn append(
        &mut self,
        from: SenderSlot,
        service: ServiceId,
        now: Mono,
        record: &Admitted<'_>,
        mut dropped: impl FnMut(SenderSlot),
    ) -> RecordId {
        let blocks = JournalBlocks::blocks_for(record.text.len()) as u32;
        self.make_room(from.index(), blocks, &mut dropped);
        let text = self.store.store_one(record.text);
        assert!(text.is_some(), "room was made");
        self.latest = self.latest.max(now);
        self.total += 1;
        let id = RecordId(self.total);
        let at = self.log.push(Entry {
            id,
            at: self.latest,
            service,
            text: text.unwrap_or(BlockChain::EMPTY),
            next: NONE,
            owner: from,
            message_len: record.message_len as u16,
            scope_len: record.scope_len as u8,
            level: record.level,
        });
        self.link(from.index(), service, at, blocks);
        id
    }

    /// Drops records until one more of `blocks` blocks has room.
    #[inline(always)]
    fn make_room(&mut self, seat: usize, blocks: u32, dropped: &mut impl FnMut(SenderSlot)) {
        loop {
            let (queues, log) = (&self.queues, &self.log);
            let victim = if self.store.free_blocks() < blocks {
                if self.attic.len() > 0 {
                    self.drop_past();
                    continue;
                }
                let to_have = queues[seat].blocks(log).and(blocks);
                self.blocks.next_to_go(seat, to_have, |seat| queues[seat].blocks(log))
            } else if self.held >= self.records_max {
                if self.attic.len() > 0 {
                    self.drop_past();
                    continue;
                }
                let to_have = queues[seat].records(log).and(1);
                self.records.next_to_go(seat, to_have, |seat| queues[seat].records(log))
            } else {
                break;
            };
            dropped(self.drop_oldest(victim));
        }
        let queues = &mut self.queues;
        self.log.make_room(|entry, place, next_has_moved| {
            let queue = &mut queues[entry.owner.index()];
            if next_has_moved {
                entry.next = queue.head;
            } else if entry.next == NONE {
                queue.tail = place;
            }
            queue.head = place;
        });
    }

    /// Makes room of the oldest record in the attic; whether there was one.
    #[cold]
    #[inline(never)]
    fn drop_past(&mut self) -> bool {
        let Some(gone) = self.attic.pop() else { return false };
        self.store.release(gone.text);
        self.held -= 1;
        true
    }

    /// Takes a record of a former life, behind all that it has taken. Room for it is made of older
    /// ones of its kind only; `false`: there is none.
    pub(crate) fn recall(&mut self, past: Past, text: &[&[u8]]) -> bool {
        let len = text.iter().map(|part| part.len()).sum();
        let blocks = JournalBlocks::blocks_for(len) as u32;
        let has_room = loop {
            let is_full = self.held >= self.records_max;
            if !is_full && !self.attic.is_full() && self.store.free_blocks() >= blocks {
                break true;
            }
            if !self.drop_past() {
                break false;
            }
        };
        let mut whole = [0; TEXT_BYTES_MAX];
        let mut at = 0;
        for part in text {
            if let Some(place) = whole.get_mut(at..at + part.len()) {
                place.copy_from_slice(part);
            }
            at += part.len();
        }
        let text =
            whole.get(..len).filter(|_| has_room).and_then(|text| self.store.store_one(text));
        let Some(text) = text else { return false };
        self.attic.push(Past { text, ..past });
        self.held += 1;
        true
    }

    /// Records of former lives.
    pub(crate) const fn attic(&self) -> &Attic {
        &self.attic
    }

    #[inline(always)]
    fn drop_oldest(&mut self, seat: usize) -> SenderSlot {
        let queue = &mut self.queues[seat];
        let entry = self.log.get(queue.head);
        let (owner, text) = (entry.owner, entry.text);
        queue.gap = queue.gap.and(Gap::of(entry.id, entry.at));
        let (gone, next) = (queue.head, entry.next);
        queue.head = next;
        if next == NONE {
            queue.tail = NONE;
        }
        queue.used.records -= 1;
        queue.used.blocks -= JournalBlocks::blocks_for(text.len()) as u32;
        self.log.drop_at(gone);
        self.store.release(text);
        self.held -= 1;
        self.dropped += 1;
        owner
    }

    /// Puts the entry at a place, whose text takes `blocks`, behind all others of its seat.
    #[inline(always)]
    fn link(&mut self, seat: usize, service: ServiceId, at: u32, blocks: u32) {
        let queue = &mut self.queues[seat];
        queue.service = service;
        if queue.tail == NONE {
            queue.head = at;
        } else {
            self.log.get_mut(queue.tail).next = at;
        }
        queue.tail = at;
        queue.used.records += 1;
        queue.used.blocks += blocks;
        self.held += 1;
        let Used { records: now_records, blocks: now_blocks } = queue.used;
        if self.records.is_passed(seat, now_records, 1) {
            self.records.inherit(seat, queue.records(&self.log));
        }
        if self.blocks.is_passed(seat, now_blocks, blocks) {
            self.blocks.inherit(seat, queue.blocks(&self.log));
        }
    }

    /// The sender at `seat` has lost its place: what it has goes to the row of the evicted.
    pub(crate) fn evict(&mut self, seat: SenderSlot) {
        let (from, to) = (seat.index(), SenderSlot::EVICTED.index());
        let Queue { head, used, gap, .. } = self.queues[from];
        self.queues[from] = EMPTY;
        self.merge(head);
        let queue = &mut self.queues[to];
        queue.gap = queue.gap.and(gap);
        queue.used.records += used.records;
        queue.used.blocks += used.blocks;
        self.records.inherit(to, queue.records(&self.log));
        self.blocks.inherit(to, queue.blocks(&self.log));
    }

    /// Merges a queue into that of the evicted, in the order of ids.
    fn merge(&mut self, head: u32) {
        let mut at = head;
        while at != NONE {
            let entry = self.log.get_mut(at);
            entry.owner = SenderSlot::EVICTED;
            at = entry.next;
        }
        let to = &mut self.queues[SenderSlot::EVICTED.index()];
        let (mut a, mut b, mut last) = (to.head, head, NONE);
        while a != NONE || b != NONE {
            let takes_b = a == NONE || b != NONE && self.log.get(b).id < self.log.get(a).id;
            let rest = if takes_b { &mut b } else { &mut a };
            let (taken, next) = (*rest, self.log.get(*rest).next);
            *rest = next;
            if last == NONE {
                to.head = taken;
            } else {
                self.log.get_mut(last).next = taken;
            }
            last = taken;
        }
        to.tail = last;
    }

    /// Records ever appended.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Records dropped since they were appended.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Records of this life kept.
    pub(crate) const fn kept(&self) -> u32 {
        self.held - self.attic.len()
    }

    /// Records kept of the sender at a seat.
    pub(crate) fn kept_of(&self, seat: SenderSlot) -> u32 {
        self.queues[seat.index()].used.records
    }

    /// Bytes that the texts of the kept records take, with the needs of their storage.
    pub(crate) const fn used_bytes(&self) -> u32 {
        (self.blocks_max - self.store.free_blocks()) * BLOCK_BYTES
    }

    /// Seats that have lost records, and what.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = (ServiceId, &Gap)> {
        let gaps = self.queues.iter().map(|queue| (queue.service, &queue.gap));
        gaps.filter(|(_, gap)| !gap.is_none())
    }

    /// The ranks of those entries and marks that are not older than `since` and not newer than
    /// `until`. Ranks follow id and time.
    pub(crate) fn range(&self, since: Mono, until: Mono) -> Range<usize> {
        let start = self.log.partition_point(|entry| entry.at < since);
        start..start.max(self.log.partition_point(|entry| entry.at <= until))
    }

    /// The rank at which those with ids above `id` begin.
    pub(crate) fn behind(&self, id: RecordId) -> usize {
        self.log.partition_point(|entry| entry.id <= id)
    }

    /// The first kept entry within `range`, and its rank.
    pub(crate) fn first_kept(&self, range: &Range<usize>) -> Option<(usize, &Entry)> {
        let rank = self.log.kept_from(range.start).filter(|rank| *rank < range.end)?;
        Some((rank, self.log.ranked(rank)))
    }

    /// The last kept entry within `range`, and its rank.
    pub(crate) fn last_kept(&self, range: &Range<usize>) -> Option<(usize, &Entry)> {
        let rank = self.log.kept_before(range.end).filter(|rank| *rank >= range.start)?;
        Some((rank, self.log.ranked(rank)))
    }

    /// The kept entries within `range`, oldest first.
    pub(crate) fn kept_within(&self, range: Range<usize>) -> impl Iterator<Item = &Entry> {
        let mut rest = range;
        core::iter::from_fn(move || {
            let (rank, entry) = self.first_kept(&rest)?;
            rest.start = rank + 1;
            Some(entry)
        })
    }

    /// The record of a former life, its text read to `buffer`.
    pub(crate) fn read_past<'b>(&self, past: &Past, buffer: &'b mut Buffer) -> Record<'b> {
        self.read(&past.as_entry(), buffer)
    }

    /// The record of a kept entry, its text read to `buffer`.
    pub(crate) fn read<'b>(&self, entry: &Entry, buffer: &'b mut Buffer) -> Record<'b> {
        let text = self.store.copy_to(entry.text, buffer).unwrap_or_default();
        let (scope, rest) = text.split_at(usize::from(entry.scope_len));
        let (message, fields) = rest.split_at(usize::from(entry.message_len));
        Record {
            id: entry.id,
            ts_ns: entry.at.0,
            service: entry.service,
            level: entry.level,
            scope: stored_text(scope),
            message: stored_text(message),
            fields: stored_fields(fields),
        }
    }

    /// What a journal takes memory for.
    pub(crate) fn memory(limits: &LogdLimits, recovered: u32) -> [(&'static str, usize, usize); 6] {
        let seats = Self::seats(limits);
        let blocks = limits.journal_bytes / BLOCK_BYTES;
        let places = EntryLog::places(limits.journal_records);
        [
            ("blocks of text", blocks as usize, BLOCK_BYTES as usize),
            ("records", places, size_of::<Entry>()),
            ("records of former lives", recovered as usize, size_of::<Past>()),
            ("which of them are kept", 1, PlaceSet::bytes(places)),
            ("queues of senders", seats, size_of::<Queue>()),
            ("shares of senders", 2, Share::bytes(seats)),
        ]
    }
}

/// Room for the text of one record.
pub(crate) type Buffer = [u8; TEXT_BYTES_MAX];

/// Text that was checked before it was stored.
fn stored_text(bytes: &[u8]) -> &str {
    let text = core::str::from_utf8(bytes);
    assert!(text.is_ok(), "only text is stored");
    text.unwrap_or_default()
}

/// Fields that were checked before they were stored.
fn stored_fields(bytes: &[u8]) -> Fields<'_> {
    let fields = Fields::parse(bytes);
    assert!(fields.is_ok(), "only canonical fields are stored");
    fields.unwrap_or(Fields::EMPTY)
}
