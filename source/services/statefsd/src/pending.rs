//! Requests that wait for the disk.

use nexus_bounded::{Slab, SlotId};
use nexus_port::{BLOCKS_MAX, CallId, Token};
use statefs::{File, Span, SyncId};

use crate::shares::ShareId;

pub(crate) struct Pending {
    pub(crate) share: ShareId,
    pub(crate) token: Token,
    pub(crate) nonce: u32,
    pub(crate) waits: Waits,
}

/// What for.
#[derive(Clone, Copy)]
pub(crate) enum Waits {
    Sync(SyncId),
    /// For a place among the disk's requests.
    ToRead(Reading),
    Reading(Reading),
}

/// A part of a file that is read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) file: File,
    /// Bytes of the whole file when it was asked for.
    pub(crate) len: u32,
    pub(crate) span: Span,
}

/// The store's own requests; reads are numbered from 1.
pub(crate) const STORE: CallId = CallId(0);

/// Reads that may be under way: the store has a place of its own.
const READS_MAX: usize = BLOCKS_MAX - 1;

pub(crate) struct Waiting {
    slab: Slab<(u64, Pending)>,
    /// How many have ever waited: first come, first served.
    came: u64,
}

impl Waiting {
    pub(crate) fn new(capacity: u32) -> Self {
        Self { slab: Slab::new(capacity), came: 0 }
    }

    /// Bytes of the heap.
    pub(crate) const fn bytes(capacity: u32) -> usize {
        Slab::<(u64, Pending)>::bytes(capacity)
    }

    /// Adds one; `false` if there is no room.
    pub(crate) fn add(&mut self, pending: Pending) -> bool {
        self.came += 1;
        self.slab.insert((self.came, pending)).is_ok()
    }

    pub(crate) const fn len(&self) -> u32 {
        self.slab.len()
    }

    /// Whether anybody waits for a sync.
    pub(crate) fn has_syncs(&self) -> bool {
        self.slab.iter().any(|(_, (_, it))| matches!(it.waits, Waits::Sync(_)))
    }

    fn reading(&self) -> usize {
        self.slab.iter().filter(|(_, (_, it))| matches!(it.waits, Waits::Reading(_))).count()
    }

    /// The next read that the disk has a place for, as the call that brings it.
    pub(crate) fn next_read(&mut self) -> Option<(CallId, Span)> {
        if self.reading() >= READS_MAX {
            return None;
        }
        let waiting = self.slab.iter().filter_map(|(id, (came, it))| match it.waits {
            Waits::ToRead(reading) => Some((*came, id, reading)),
            Waits::Sync(_) | Waits::Reading(_) => None,
        });
        let (_, id, reading) = waiting.min_by_key(|(came, ..)| *came)?;
        if let Some((_, pending)) = self.slab.get_mut(id) {
            pending.waits = Waits::Reading(reading);
        }
        Some((CallId(id.0 + 1), reading.span))
    }

    /// The read that a call has brought.
    pub(crate) fn read(&mut self, call: CallId) -> Option<(Pending, Reading)> {
        let id = SlotId(call.0.checked_sub(1)?);
        let Some((_, Pending { waits: Waits::Reading(reading), .. })) = self.slab.get(id) else {
            return None;
        };
        let reading = *reading;
        self.slab.remove(id).map(|(_, pending)| (pending, reading))
    }

    /// Takes one out for which `is_over` holds.
    pub(crate) fn take(&mut self, is_over: impl Fn(&Waits) -> bool) -> Option<Pending> {
        let (id, _) = self.slab.iter().find(|(_, (_, pending))| is_over(&pending.waits))?;
        self.slab.remove(id).map(|(_, pending)| pending)
    }
}
