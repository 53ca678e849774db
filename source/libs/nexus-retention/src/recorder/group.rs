//! Up to 64 windows of one segment, as their records say it.

use super::Seen;
use super::columns::Columns;
use super::keys::Keys;
use crate::bytes::{Buffer, Put, Reader};
use crate::record::Header;
use crate::segment::{Anchor, Form, LocalId, ROWS, Windows};

/// Up to 64 windows of one segment.
pub struct Group {
    is_begun: bool,
    boot: u32,
    segment: u64,
    first: u64,
    windows: Windows,
    /// Where in `bytes` each window ends.
    ends: [u32; ROWS],
    /// Bit by bit: a series is new in that window.
    defines: u64,
    /// Records, each behind its length times two, plus one if something before it is lost.
    bytes: Buffer,
    bytes_max: usize,
    /// The last window of its boot, here or in the group before it.
    newest: Option<u64>,
    /// Of the next record.
    sequence: u32,
    is_broken: bool,
    /// Behind the last series of the last window.
    next_in_window: u32,
    anchor: Option<Anchor>,
}

/// Where a record belongs.
pub(super) struct Place {
    pub(super) begins_segment: bool,
    pub(super) begins_group: bool,
    pub(super) is_in_last_window: bool,
    /// Something before it in its group is lost.
    pub(super) is_broken: bool,
}

impl Group {
    pub(super) fn new(bytes: u32) -> Self {
        Self {
            is_begun: false,
            boot: 0,
            segment: 0,
            first: 0,
            windows: Windows::new(),
            ends: [0; ROWS],
            defines: 0,
            bytes: Buffer::new(bytes as usize),
            bytes_max: bytes as usize,
            newest: None,
            sequence: 0,
            is_broken: false,
            next_in_window: 0,
            anchor: None,
        }
    }

    /// The boot.
    #[must_use]
    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// The first window of its segment; its series are numbered within that.
    #[must_use]
    pub const fn segment(&self) -> u64 {
        self.segment
    }

    /// Its windows.
    #[must_use]
    pub const fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Two clocks as its records last said them.
    #[must_use]
    pub const fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// Whether nothing is recorded in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The series that are new in it, in order of their numbers.
    pub fn each_definition(&self, each: &mut dyn FnMut(LocalId, &Form<'_>, &[u8])) {
        let (mut keys, mut looks) = (Keys::new(), u32::MAX);
        while !keys.step(self, &mut looks, each) {}
    }

    /// A place before its first series, for [`Columns::read`].
    #[must_use]
    pub fn columns(&self) -> Columns {
        Columns::new(self)
    }

    pub(super) const fn is_begun(&self) -> bool {
        self.is_begun
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    pub(super) const fn newest(&self) -> Option<u64> {
        self.newest
    }

    pub(super) const fn sequence(&self) -> u32 {
        self.sequence
    }

    pub(super) const fn room(&self) -> usize {
        self.bytes_max - self.bytes.len()
    }

    pub(super) const fn next_in_window(&self) -> u32 {
        self.next_in_window
    }

    /// Where a record belongs that comes next; `None` if it is not behind those before it.
    pub(super) fn place(&self, header: &Header) -> Option<Place> {
        let is_same_boot = self.is_begun && self.boot == header.boot;
        let begins_segment = !is_same_boot || self.segment != header.segment;
        let begins_group = begins_segment || self.is_empty() || self.first != header.group;
        let newest = self.newest.filter(|_| is_same_boot);
        let is_behind = |first: u64| newest.is_none_or(|newest| first > newest);
        let is_in_last_window = !begins_group && newest == Some(header.window);
        let is_in_order = if begins_group {
            is_behind(header.group) && (!begins_segment || is_behind(header.segment))
        } else {
            header.sequence >= self.sequence && (is_in_last_window || is_behind(header.window))
        };
        let expected = if begins_group { 0 } else { self.sequence };
        let is_broken = header.sequence > expected || (!begins_group && self.is_broken);
        is_in_order.then_some(Place { begins_segment, begins_group, is_in_last_window, is_broken })
    }

    /// Begins with a record that is about to be pushed.
    pub(super) fn begin(&mut self, header: &Header) {
        self.clear();
        self.is_begun = true;
        self.boot = header.boot;
        self.segment = header.segment;
        self.first = header.group;
    }

    /// Nothing is recorded in it any more.
    pub(super) fn clear(&mut self) {
        self.windows = Windows::new();
        self.defines = 0;
        self.bytes.clear();
        self.sequence = 0;
        self.is_broken = false;
        self.next_in_window = 0;
        self.anchor = None;
    }

    /// As if nothing had ever been recorded in it.
    pub(super) fn forget(&mut self) {
        self.clear();
        self.is_begun = false;
        self.newest = None;
    }

    /// Bytes of its records.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Goes on behind another group, empty.
    pub(super) fn follow(&mut self, other: &Self) {
        self.clear();
        self.is_begun = other.is_begun;
        self.boot = other.boot;
        self.segment = other.segment;
        self.newest = other.newest;
    }

    /// Adds what stands behind a header, which has been checked and has room.
    pub(super) fn push(&mut self, header: &Header, is_broken: bool, items: &[u8], seen: &Seen) {
        if self.newest != Some(header.window) || self.is_empty() {
            let is_pushed = self.windows.push(header.window, header.is_catchup);
            assert!(is_pushed, "there is a row for a window in order");
        } else if header.is_catchup {
            self.windows.catch_up();
        }
        self.newest = Some(header.window);
        self.bytes.u32((items.len() as u32) << 1 | u32::from(is_broken));
        self.bytes.bytes(items);
        let row = self.windows.len() - 1;
        self.ends.iter_mut().skip(row).take(1).for_each(|end| *end = self.bytes.len() as u32);
        self.defines |= u64::from(seen.defines) << row;
        self.sequence = header.sequence.saturating_add(1);
        self.is_broken = is_broken;
        self.next_in_window = seen.next_id;
        self.anchor = header.anchor.or(self.anchor);
    }

    /// The record at a place, if that is before the end of the window in a row.
    pub(super) fn record(&self, at: usize, row: usize) -> Option<Kept<'_>> {
        let end = self.ends.get(row).map(|end| *end as usize)?;
        let mut bytes = Reader::new(self.bytes.as_slice().get(at..end)?);
        let prefix = bytes.u32()?;
        let items = bytes.bytes((prefix >> 1) as usize)?;
        Some(Kept { is_broken: prefix & 1 == 1, items, end: end - bytes.len() })
    }

    /// Where the window in a row begins.
    pub(super) fn start(&self, row: usize) -> usize {
        let before = row.checked_sub(1).and_then(|before| self.ends.get(before));
        before.map_or(0, |end| *end as usize)
    }

    pub(super) const fn defines_in(&self, row: usize) -> bool {
        self.defines >> row & 1 == 1
    }
}

/// A record as a group keeps it.
pub(super) struct Kept<'a> {
    /// Something before it in its group is lost.
    pub(super) is_broken: bool,
    pub(super) items: &'a [u8],
    /// Where the next one begins.
    pub(super) end: usize,
}
