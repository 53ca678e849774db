//! What metricsd has recorded and not yet written to a segment: up to 64 windows, a *group*, as the
//! records that the log has of them, and another group that is being turned into columns.
//!
//! Windows of now and windows that the log gives back after a start go in by one door,
//! [`Recorder::take`]. It takes bytes, and what they say decides where groups and segments begin:
//! so a replay ends with the very memory that was lost, and with segments of the same bytes.
//!
//! One round, of whoever owns the recorder:
//! - [`Recorder::open`] says what the records of a window are to begin with; `None`: there is no
//!   room now, and the window is skipped, so that its changes go into a later one.
//! - Each record goes to the log and to [`Recorder::take`].
//! - While [`Recorder::ended`] has a group, [`Recorder::drain`] turns it into columns, some series
//!   a call. Meanwhile the next group fills. Where its segment is another than before, the one
//!   before is to be finished first.
//!
//! Deliberately absent: files, when to sync, and what keys mean.

mod columns;
mod drain;
mod group;
mod keys;

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use crate::record::{Damaged, Header, Item, Items, RECORD_BYTES_MIN, RecordError};
use crate::segment::{BUCKETS_MAX, GROUPS_MAX, Kind, LastKey, ROWS, SERIES_MAX};
pub use columns::Columns;
use drain::Drain;
pub use group::Group;
use group::Place;

/// What a recorder is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Series of a segment, at most; up to [`SERIES_MAX`]. Those that end and those that take their
    /// place count both, until the next segment.
    pub series: u32,
    /// Windows of a segment: it ends where their number is a multiple of this.
    pub segment_windows: u32,
    /// A segment that has to end before, because a series found no number, ends where the number of
    /// windows is a multiple of this. Divides `segment_windows`.
    pub align_windows: u32,
    /// Bytes of the records of a group. It ends when they may not have room for another window.
    pub group_bytes: u32,
    /// Bytes of the records of a window, at most; a group has room for enough of them that a
    /// segment has no more than [`GROUPS_MAX`] groups.
    pub window_bytes: u32,
    /// Bytes of a record, at most. At least [`Self::RECORD_BYTES_MIN`].
    pub record_bytes: u32,
}

/// Bytes in front of a record in a group.
const PREFIX_BYTES: usize = 4;

impl Limits {
    /// Bytes with which any one series fits into a record.
    pub const RECORD_BYTES_MIN: u32 = RECORD_BYTES_MIN as u32;

    /// Whether they can be kept.
    #[must_use]
    pub const fn are_possible(&self) -> bool {
        let full_windows =
            self.group_bytes / if self.window_bytes > 0 { self.window_bytes } else { 1 };
        // A group may end with its segment before it is full, and so may one before that.
        self.series > 0
            && self.series <= SERIES_MAX
            && self.record_bytes >= Self::RECORD_BYTES_MIN
            && self.window_bytes >= Self::stored_bytes(self.record_bytes as usize)
            && full_windows > 0
            && self.segment_windows as u64 <= full_windows as u64 * (GROUPS_MAX as u64 - 1)
            && self.segment_windows as usize <= ROWS * (GROUPS_MAX - 1)
            && self.align_windows > 0
            && self.segment_windows > 0
            && self.segment_windows.is_multiple_of(self.align_windows)
    }

    /// Bytes that a record takes in its group, at most.
    pub(crate) const fn stored_bytes(record: usize) -> u32 {
        (record + PREFIX_BYTES) as u32
    }

    /// Bytes of memory that a recorder takes.
    #[must_use]
    pub const fn memory(&self) -> usize {
        let series = self.series as usize * size_of::<Option<Kind>>();
        size_of::<Recorder>() + 2 * self.group_bytes as usize + series + Drain::heap_bytes(self)
    }
}

/// Why a record is not taken. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It begins a group, and the last one is not drained: drain it and come again.
    Busy,
    /// The group has no room for it: it was written with other limits. What is in it is lost.
    Full,
    /// It is not behind those before it: a repeat, or from somewhere else.
    OutOfOrder,
    /// It is none.
    Record(RecordError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("a group that has ended is not yet written"),
            Self::Full => {
                f.write_str("more than a group may have: it was written with other limits")
            }
            Self::OutOfOrder => f.write_str("not behind the records before it"),
            Self::Record(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Refusal {}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<Damaged> for Refusal {
    fn from(_: Damaged) -> Self {
        Self::Record(RecordError::Damaged)
    }
}

/// Records of one group that fills and of one that is written to a segment.
pub struct Recorder {
    limits: Limits,
    filling: Group,
    ended: Group,
    /// Kinds of the series of the segment that `filling` is of.
    kinds: Box<[Option<Kind>]>,
    /// Numbers from here on are of no series of that segment.
    next_id: u32,
    /// The next window begins a segment.
    ends_segment: bool,
    lacks_series: bool,
    drain: Drain,
}

impl Recorder {
    /// Takes all memory, and holds nothing.
    ///
    /// # Panics
    /// If the limits are impossible.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        assert!(limits.are_possible(), "limits are checked with the recipe");
        Self {
            limits,
            filling: Group::new(limits.group_bytes),
            ended: Group::new(limits.group_bytes),
            kinds: vec![None; limits.series as usize].into_boxed_slice(),
            next_id: 0,
            ends_segment: false,
            lacks_series: false,
            drain: Drain::new(&limits),
        }
    }

    /// What the records of a window are to begin with: to be given to
    /// [`Writer::begin`](crate::record::Writer::begin). `None` if the window is to be skipped: the
    /// last group is not drained, or the window is not behind those before it.
    #[must_use]
    pub fn open(&mut self, boot: u32, window: u64) -> Option<Header> {
        // Once a segment is to begin, it does so with the first window in which something changes.
        self.ends_segment |= self.begins_segment(boot, window);
        let filling = &self.filling;
        let is_behind = filling.boot() != boot || filling.newest().is_none_or(|last| window > last);
        let segment = if self.ends_segment { window } else { filling.segment() };
        let begins_group = self.begins_group(boot, segment);
        let (group, sequence) =
            if begins_group { (window, 0) } else { (filling.first(), filling.sequence()) };
        let has_room = !begins_group || filling.is_empty() || self.ended.is_empty();
        let header =
            Header { boot, segment, group, window, sequence, is_catchup: false, anchor: None };
        (is_behind && has_room).then_some(header)
    }

    fn begins_segment(&self, boot: u32, window: u64) -> bool {
        let Self { filling, limits, .. } = self;
        let of = |window: u64| window / u64::from(limits.segment_windows);
        let is_aligned = window.is_multiple_of(limits.align_windows.into());
        !filling.is_begun()
            || filling.boot() != boot
            || of(window) != of(filling.segment())
            || (is_aligned && self.lacks_series)
    }

    fn begins_group(&self, boot: u32, segment: u64) -> bool {
        let Self { filling, limits, .. } = self;
        filling.is_empty()
            || boot != filling.boot()
            || segment != filling.segment()
            || filling.windows().len() == ROWS
            || filling.room() < limits.window_bytes as usize
    }

    /// A series found no number, because the segment has as many as it may.
    pub const fn lack_series(&mut self) {
        self.lacks_series = true;
    }

    /// Lets the next window begin a segment, and what there is be drained: after an error of the
    /// disk, or at an end. `false`: the group before is not drained, so that the last one goes on.
    pub fn end_segment(&mut self) -> bool {
        self.ends_segment = true;
        self.rotate()
    }

    fn rotate(&mut self) -> bool {
        if !self.filling.is_empty() {
            if !self.ended.is_empty() {
                return false;
            }
            core::mem::swap(&mut self.filling, &mut self.ended);
            self.filling.follow(&self.ended);
            self.drain.begin(&self.ended);
        }
        true
    }

    /// Forgets everything: what the log has is to be taken again.
    pub fn forget(&mut self) {
        self.filling.forget();
        self.ended.forget();
        self.kinds.fill(None);
        self.next_id = 0;
        (self.ends_segment, self.lacks_series) = (false, false);
    }

    /// Series that the segment has so far.
    #[must_use]
    pub const fn series(&self) -> u32 {
        self.next_id
    }

    /// Whether the next window begins a segment.
    #[must_use]
    pub const fn has_ended_segment(&self) -> bool {
        self.ends_segment
    }

    /// Takes a record, and says how many values of it cannot be used because something before it
    /// is lost, or was written with other limits.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn take(&mut self, record: &[u8]) -> Result<u32, Refusal> {
        let (header, items) = Header::split(record)?;
        let place = self.filling.place(&header).ok_or(Refusal::OutOfOrder)?;
        if place.begins_group && !self.filling.is_empty() && !self.ended.is_empty() {
            return Err(Refusal::Busy);
        }
        if !self.has_room(&place, items.len()) {
            return Err(Refusal::Full);
        }
        let known = if place.begins_segment { 0 } else { self.next_id };
        let first = if place.is_in_last_window { self.filling.next_in_window() } else { 0 };
        let seen = self.check(items, known, first, place.is_broken)?;
        if place.begins_group {
            self.begin_group(&header, place.begins_segment);
        }
        self.note_definitions(items);
        self.next_id = self.next_id.max(seen.next_id);
        self.filling.push(&header, place.is_broken, items, &seen);
        self.ends_segment &= !place.begins_segment;
        self.lacks_series &= !place.begins_segment;
        Ok(seen.lost)
    }

    fn has_room(&self, place: &Place, items: usize) -> bool {
        if place.begins_group {
            return items + PREFIX_BYTES <= self.limits.group_bytes as usize;
        }
        let has_row = place.is_in_last_window || self.filling.windows().len() < ROWS;
        has_row && items + PREFIX_BYTES <= self.filling.room()
    }

    fn begin_group(&mut self, header: &Header, is_new_segment: bool) {
        let is_free = self.rotate();
        assert!(is_free, "looked at before");
        if is_new_segment {
            self.kinds.fill(None);
            self.next_id = 0;
        }
        self.filling.begin(header);
    }

    /// Whether items can be: in order, and of the kinds that their series are. `known`: numbers
    /// below may be of series.
    fn check(
        &self,
        items: &[u8],
        known: u32,
        first: u32,
        is_broken: bool,
    ) -> Result<Seen, Damaged> {
        let mut seen = Seen { next_id: first, lost: 0, defines: false };
        let (mut place, mut last_key) = (Items::new(), LastKey::new());
        while let Some(head) = place.head(items)? {
            let item = place.item(head, items)?;
            if head.id < seen.next_id {
                return Err(Damaged);
            }
            let kind = self.kind_of(head.id, known, &item, &mut last_key)?;
            if kind.is_some_and(|kind| !item.sample.is_of(kind)) {
                return Err(Damaged);
            }
            let is_kept = (head.id as usize) < self.kinds.len();
            let is_usable = is_kept && kind.is_some_and(|kind| kind != Kind::Gauge || !is_broken);
            seen.lost += u32::from(!is_usable);
            seen.next_id = head.id.checked_add(1).ok_or(Damaged)?;
            seen.defines |= item.definition.is_some();
        }
        Ok(seen)
    }

    /// The kind of a series, as it is known or as the item says; `None` if nobody knows it.
    fn kind_of(
        &self,
        id: u32,
        known: u32,
        item: &Item<'_>,
        last_key: &mut LastKey,
    ) -> Result<Option<Kind>, Damaged> {
        let Some((kind, definition)) = &item.definition else {
            return Ok(self.kinds.get(id as usize).copied().flatten().filter(|_| id < known));
        };
        let mut bounds = [0; BUCKETS_MAX];
        // A number is of one series.
        if id < known || definition.read(last_key, &mut bounds).is_none() {
            return Err(Damaged);
        }
        Ok(Some(*kind))
    }

    fn note_definitions(&mut self, items: &[u8]) {
        let mut place = Items::new();
        while let Ok(Some(head)) = place.head(items) {
            let Ok(item) = place.item(head, items) else { return };
            let entry = self.kinds.get_mut(head.id as usize);
            if let (Some(entry), Some((kind, _))) = (entry, item.definition) {
                *entry = Some(kind);
            }
        }
    }

    /// The group that is to be drained.
    #[must_use]
    pub fn ended(&self) -> Option<&Group> {
        Some(&self.ended).filter(|group| !group.is_empty())
    }

    /// Whether series have the same numbers in the segment that is written: they do unless
    /// definitions are lost.
    #[must_use]
    pub const fn keeps_numbers(&self) -> bool {
        self.drain.keeps_numbers
    }

    /// The groups in memory, in order of time, for whoever reads what is not yet in a segment.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        [&self.ended, &self.filling].into_iter().filter(|group| !group.is_empty())
    }
}

/// What a check of items has seen.
struct Seen {
    /// Behind the last number.
    next_id: u32,
    lost: u32,
    defines: bool,
}
