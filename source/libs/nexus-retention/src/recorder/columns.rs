//! From windows to columns: all windows of a group are read at once, series by series.

use super::group::Group;
use crate::record::{Head, Items, Sample, gauge_after};
use crate::segment::{Kind, LocalId, ROWS, Samples, Shape};

/// A place among the series of a group, the same in all its windows.
///
/// It holds as long as the group takes no record; [`Group::columns`] makes another one.
pub struct Columns {
    cursors: [Cursor; ROWS],
}

/// A place among the series of one window.
#[derive(Clone, Copy)]
struct Cursor {
    /// Of the record.
    at: usize,
    items: Items,
    /// The next series; `None` behind the last one.
    head: Option<Head>,
}

impl Columns {
    /// Of no group.
    pub(crate) fn nowhere() -> Self {
        Self::new(&Group::new(0))
    }

    pub(crate) fn new(group: &Group) -> Self {
        let mut columns =
            Self { cursors: [Cursor { at: 0, items: Items::new(), head: None }; ROWS] };
        columns.rewind(group);
        columns
    }

    pub(crate) fn rewind(&mut self, group: &Group) {
        for (cursor, row) in self.cursors.iter_mut().zip(0..group.windows().len()) {
            *cursor = Cursor { at: group.start(row), items: Items::new(), head: None };
            cursor.advance(group, row);
        }
        self.cursors.iter_mut().skip(group.windows().len()).for_each(|cursor| cursor.head = None);
    }

    /// The next series that did something.
    #[must_use]
    pub fn next(&self) -> Option<LocalId> {
        let ids = self.cursors.iter().filter_map(|cursor| cursor.head);
        ids.map(|head| LocalId(head.id)).min()
    }

    /// What a series of this kind did in the group, one row a window; goes on behind that series.
    /// What cannot be known, because something before it is lost, is not there.
    pub fn read(&mut self, group: &Group, id: LocalId, kind: Kind, samples: &mut Samples) {
        samples.clear(Shape { kind, is_rollup: false });
        let mut gauge = 0;
        for (cursor, row) in self.cursors.iter_mut().zip(0..group.windows().len()) {
            cursor.skip_to(group, row, id.0);
            if cursor.head.is_some_and(|head| head.id == id.0)
                && let Some((is_broken, sample)) = cursor.take(group, row)
                && (kind != Kind::Gauge || !is_broken)
            {
                put(samples, row, kind, sample, &mut gauge);
            }
        }
    }

    /// Goes on behind a series.
    pub(super) fn skip(&mut self, group: &Group, id: LocalId) {
        for (cursor, row) in self.cursors.iter_mut().zip(0..group.windows().len()) {
            cursor.skip_to(group, row, id.0.saturating_add(1));
        }
    }
}

fn put(samples: &mut Samples, row: usize, kind: Kind, sample: Sample<'_>, gauge: &mut i64) {
    match (kind, sample) {
        (Kind::Counter, Sample::Plain(added)) => samples.put_counter(row, added),
        (Kind::Gauge, Sample::Plain(difference)) => {
            *gauge = gauge_after(*gauge, difference);
            samples.put_gauge(row, *gauge);
        }
        (Kind::Histogram { buckets }, Sample::Histogram(added)) => {
            if let Some((added, sum)) = added.read() {
                samples.put_histogram(row, added.into_iter().take(buckets.into()), sum);
            }
        }
        _ => {}
    }
}

impl Cursor {
    /// Finds the next series, in this record of the window or in the next one.
    fn advance(&mut self, group: &Group, row: usize) {
        self.head = None;
        while let Some(record) = group.record(self.at, row) {
            let head = self.items.head(record.items);
            assert!(head.is_ok(), "what is kept was checked when it was taken");
            self.head = head.unwrap_or_default();
            if self.head.is_some() {
                return;
            }
            (self.at, self.items) = (record.end, Items::new());
        }
    }

    /// What the next series did, and whether something before it is lost; goes on behind it.
    fn take<'a>(&mut self, group: &'a Group, row: usize) -> Option<(bool, Sample<'a>)> {
        let head = self.head?;
        let record = group.record(self.at, row)?;
        let item = self.items.item(head, record.items);
        assert!(item.is_ok(), "what is kept was checked when it was taken");
        self.advance(group, row);
        Some((record.is_broken, item.ok()?.sample))
    }

    fn skip_to(&mut self, group: &Group, row: usize, id: u32) {
        while self.head.is_some_and(|head| head.id < id) {
            let _skipped = self.take(group, row);
        }
    }
}
