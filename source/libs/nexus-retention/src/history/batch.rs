//! Series of a segment that are asked for, as many at a time as there is room for.

use alloc::vec::Vec;
use core::ops::Range as Places;

use crate::bytes::{Buffer, Put as _};
use crate::key::{self, SeriesKey};
use crate::segment::{BUCKETS_MAX, Form, Kind, LocalId};

/// Bytes of a series, at most: its key, and the bounds of its buckets.
const SERIES_BYTES_MAX: usize = key::BYTES_MAX + (BUCKETS_MAX - 1) * 8;

/// One of them.
#[derive(Clone, Debug)]
struct Row {
    id: LocalId,
    kind: Kind,
    key: Places<usize>,
    bounds: Places<usize>,
}

/// One of them, as it is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series<'a> {
    pub(super) key: SeriesKey<'a>,
    /// Bounds of a histogram's buckets, little-endian words.
    pub(super) bounds: &'a [u8],
}

pub(super) struct Batch {
    rows: Vec<Row>,
    bytes: Buffer,
    capacity: usize,
    /// The first of those for which there was no room.
    pub(super) next: Option<LocalId>,
}

impl Batch {
    /// Takes the memory for so many.
    pub(super) fn new(series: usize) -> Self {
        let capacity = series.max(1) * SERIES_BYTES_MAX;
        let rows = Vec::with_capacity(series.max(1));
        Self { rows, bytes: Buffer::new(capacity), capacity, next: None }
    }

    pub(super) const fn heap_bytes(series: usize) -> usize {
        let series = if series > 0 { series } else { 1 };
        series * (SERIES_BYTES_MAX + size_of::<Row>())
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.bytes.clear();
        self.next = None;
    }

    /// Adds a series behind the others, or notes that there is no room.
    pub(super) fn push(&mut self, id: LocalId, form: &Form<'_>, key: &[u8]) {
        let has_room = self.rows.len() < self.rows.capacity()
            && self.bytes.len() + SERIES_BYTES_MAX <= self.capacity;
        if self.next.is_some() || !has_room {
            self.next = self.next.or(Some(id));
            return;
        }
        let start = self.bytes.len();
        self.bytes.bytes(key);
        let middle = self.bytes.len();
        if let Form::Histogram(bounds) = form {
            bounds.iter().for_each(|bound| self.bytes.u64(*bound));
        }
        let bounds = middle..self.bytes.len();
        self.rows.push(Row { id, kind: form.kind(), key: start..middle, bounds });
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first that has this number or a higher one.
    pub(super) fn at_or_behind(&self, id: LocalId) -> usize {
        self.rows.partition_point(|row| row.id < id)
    }

    /// The number and kind of one.
    pub(super) fn id(&self, nth: usize) -> Option<(LocalId, Kind)> {
        self.rows.get(nth).map(|row| (row.id, row.kind))
    }

    pub(super) fn get(&self, nth: usize) -> Option<Series<'_>> {
        let Row { key, bounds, .. } = self.rows.get(nth)?;
        let bytes = self.bytes.as_slice();
        let key = SeriesKey::read(bytes.get(key.clone())?)?;
        Some(Series { key, bounds: bytes.get(bounds.clone())? })
    }
}
