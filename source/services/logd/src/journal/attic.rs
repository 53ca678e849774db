use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::ServiceId;
use nexus_bounded::{BlockChain, Mono};
use nexus_gate::SenderSlot;
use nexus_wire::{Level, RecordId};

use super::entry::{Entry, NONE};

/// A record of a former life of logd's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past {
    pub(crate) boot: u32,
    pub(crate) id: RecordId,
    pub(crate) at: Mono,
    pub(crate) service: ServiceId,
    pub(crate) text: BlockChain,
    pub(crate) message_len: u16,
    pub(crate) scope_len: u8,
    pub(crate) level: Level,
    /// It stands for records that are not there.
    pub(crate) is_gap: bool,
}

const VACANT: Past = Past {
    boot: 0,
    id: RecordId(0),
    at: Mono(0),
    service: ServiceId::from_raw(0),
    text: BlockChain::EMPTY,
    message_len: 0,
    scope_len: 0,
    level: Level::Error,
    is_gap: false,
};

impl Past {
    /// Its place in the order of all records.
    pub(crate) const fn key(&self) -> (u32, u64) {
        (self.boot, self.id.0)
    }

    pub(super) const fn as_entry(&self) -> Entry {
        Entry {
            id: self.id,
            at: self.at,
            service: self.service,
            text: self.text,
            next: NONE,
            owner: SenderSlot::EVICTED,
            message_len: self.message_len,
            scope_len: self.scope_len,
            level: self.level,
        }
    }
}

/// Records of former lives, by boot and number: a ring from which only the oldest goes.
pub(crate) struct Attic {
    places: Box<[Past]>,
    first: u32,
    len: u32,
}

impl Attic {
    pub(super) fn new(records: u32) -> Self {
        let places = vec![VACANT; records as usize].into_boxed_slice();
        Self { places, first: 0, len: 0 }
    }

    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) const fn is_full(&self) -> bool {
        self.len as usize == self.places.len()
    }

    /// Takes one behind all others.
    pub(super) fn push(&mut self, past: Past) {
        let is_next = self.last().is_none_or(|last| last.key() < past.key());
        assert!(is_next && !self.is_full(), "records come in order, and room was made");
        let at = self.place(self.len);
        if let Some(place) = self.places.get_mut(at) {
            *place = past;
            self.len += 1;
        }
    }

    pub(super) fn pop(&mut self) -> Option<Past> {
        let gone = self.get(0).copied()?;
        self.first = self.place(1) as u32;
        self.len -= 1;
        Some(gone)
    }

    fn place(&self, rank: u32) -> usize {
        let place = self.first as usize + rank as usize;
        if place < self.places.len() { place } else { place - self.places.len() }
    }

    /// The one with `rank` others before it.
    pub(crate) fn get(&self, rank: u32) -> Option<&Past> {
        if rank < self.len { self.places.get(self.place(rank)) } else { None }
    }

    pub(crate) fn last(&self) -> Option<&Past> {
        self.get(self.len.checked_sub(1)?)
    }

    /// How many have a place of at most `key` in the order.
    pub(crate) fn up_to(&self, key: (u32, u64)) -> u32 {
        let (mut start, mut end) = (0, self.len);
        while start < end {
            let middle = start.midpoint(end);
            if self.get(middle).is_some_and(|past| past.key() <= key) {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        start
    }
}
