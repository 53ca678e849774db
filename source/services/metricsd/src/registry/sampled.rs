//! What of each series has been sampled for retention, and the taking of the rest.
//!
//! What a sample is: of a counter and of each bucket of a histogram, what was added since it was
//! sampled before; of a gauge, what it is. What is added to a series belongs to the sample that is
//! taken of it next, so that all samples together are what was added, however updates and samples
//! take turns.
//!
//! A series that leaves takes its samples with it to the overflow series that gets its total: what
//! was not sampled of it is in the next sample of that one. A gauge that leaves leaves nothing.
//!
//! Series are numbered within a segment, in the order in which they are sampled first.

use nexus_retention::record::{Taken, Value, Writer};
use nexus_retention::segment::{self, Form};
use nexus_wire::{Kind, LabelBytes, Labels, MetricName, Unit};

use nexus_retention::key::{self, SeriesKey};

use super::histogram::{BUCKETS_MAX, Bounds, Histogram};
use super::rows::{Flags, Series};
use super::view::ViewScratch;
use super::{Increase, Registry};
use crate::rows::{NONE, Rows};

/// What is remembered of a series.
#[derive(Clone, Copy)]
struct Memo {
    /// Its number, if [`Sampled::row_of`] says so too.
    id: u32,
    /// The unit with which it got its number.
    unit: Unit,
    /// It has been sampled in the group.
    is_in_group: bool,
    /// What a counter was when it was sampled, or a gauge, if that was in this group.
    before: u64,
}

/// Nothing of it has been sampled.
const NEW: Memo = Memo { id: NONE, unit: Unit::None, is_in_group: false, before: 0 };

/// What a histogram was when it was sampled.
#[derive(Clone, Copy)]
struct Before {
    counts: [u64; BUCKETS_MAX],
    sum: i128,
}

const NOTHING: Before = Before { counts: [0; BUCKETS_MAX], sum: 0 };

/// What has been sampled.
pub(super) struct Sampled {
    /// As many as series, or none if nothing is kept.
    memos: Rows<Memo>,
    /// As many as histograms, or none.
    histograms: Rows<Before>,
    /// The series of each number, if its memo says so too.
    row_of: Rows<u32>,
    /// Numbers in use.
    used: u32,
    /// Something came after an outage since somebody asked.
    has_caught_up: bool,
}

/// What became of a look at a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// What there was to sample of it is in the record.
    Done,
    /// It is to be looked at again, in another record, another window, or another segment.
    NoRoom(Taken),
    /// The segment has as many series as it may.
    NoNumber,
}

impl Sampled {
    /// For so many rows of series and histograms, and numbers in a segment; no memory is taken if
    /// those are none.
    pub(super) fn new(series: u32, histograms: u32, ids: u32) -> Self {
        let (series, histograms) = if ids > 0 { (series, histograms) } else { (0, 0) };
        Self {
            memos: Rows::filled(series, NEW),
            histograms: Rows::filled(histograms, NOTHING),
            row_of: Rows::filled(ids, NONE),
            used: 0,
            has_caught_up: false,
        }
    }

    /// Bytes of memory for so many.
    pub(super) const fn bytes(series: u32, histograms: u32, ids: u32) -> u64 {
        if ids == 0 {
            return 0;
        }
        Rows::<Memo>::bytes(series) + Rows::<Before>::bytes(histograms) + Rows::<u32>::bytes(ids)
    }

    fn id(&self, row: u32) -> Option<u32> {
        let id = self.memos.find(row)?.id;
        (id < self.used && self.row_of[id] == row).then_some(id)
    }

    /// A series has left its row.
    pub(super) fn forget(&mut self, row: u32, series: &Series) {
        self.memos.find_mut(row).into_iter().for_each(|memo| *memo = NEW);
        if series.kind == Kind::Histogram {
            let before = self.histograms.find_mut(series.wide_row());
            before.into_iter().for_each(|before| *before = NOTHING);
        }
    }

    /// What a counter had is now part of another one, which has `total`.
    pub(super) fn move_counter(&mut self, from: u32, to: u32, total: u64) {
        let Some(moved) = self.memos.find(from).map(|memo| memo.before) else { return };
        let before = &mut self.memos[to].before;
        *before = before.saturating_add(moved).min(total);
    }

    /// What a histogram had is now part of another one; `spread` puts its buckets into those of the
    /// other.
    pub(super) fn move_histogram(
        &mut self,
        (from, to): (u32, u32),
        total: &Histogram,
        spread: impl FnOnce(&[u64; BUCKETS_MAX]) -> [u64; BUCKETS_MAX],
    ) {
        let Some(moved) = self.histograms.find(from).copied() else { return };
        let before = &mut self.histograms[to];
        let more = spread(&moved.counts);
        for ((place, more), total) in before.counts.iter_mut().zip(more).zip(total.counts) {
            *place = place.saturating_add(more).min(total);
        }
        before.sum = before.sum.saturating_add(moved.sum);
    }

    /// What was added to a series is in a window of an earlier life.
    fn pass_over(before: &mut u64, added: u64, total: u64) {
        *before = before.saturating_add(added).min(total);
    }

    /// What is put from now on may be older than now.
    pub(crate) const fn catch_up(&mut self) {
        self.has_caught_up = true;
    }
}

impl Registry {
    /// The next samples begin a segment: no series has a number.
    pub(crate) const fn begin_segment(&mut self) {
        self.sampled.used = 0;
    }

    /// The next samples begin a group: nothing is known of gauges.
    pub(crate) fn begin_group(&mut self) {
        let memos = &mut self.sampled.memos;
        (0..memos.len()).for_each(|row| memos[row].is_in_group = false);
    }

    /// Series that have a number in the segment, or had one.
    pub(crate) const fn numbered(&self) -> u32 {
        self.sampled.used
    }

    /// Something has come after an outage, since this was asked last.
    pub(crate) const fn take_catchup(&mut self) -> bool {
        core::mem::replace(&mut self.sampled.has_caught_up, false)
    }

    /// Values that come after an outage.
    pub(crate) const fn note_catchup(&mut self) {
        self.sampled.catch_up();
    }

    /// So much of what was counted is in windows of an earlier life, and in none of this one.
    pub(crate) fn pass_over_count(&mut self, row: u32, added: u64) {
        let total = self.series[row].value;
        let memo = self.sampled.memos.find_mut(row);
        memo.into_iter().for_each(|memo| Sampled::pass_over(&mut memo.before, added, total));
    }

    /// The same of observations.
    pub(crate) fn pass_over_increase(&mut self, row: u32, increase: &Increase) {
        let wide = self.series[row].wide_row();
        let total = &self.histograms[wide];
        let Some(before) = self.sampled.histograms.find_mut(wide) else { return };
        let counts = before.counts.iter_mut().zip(increase.counts).zip(total.counts);
        counts.for_each(|((before, added), total)| Sampled::pass_over(before, added, total));
        before.sum = before.sum.saturating_add(increase.sum);
    }

    /// Samples the series of a number.
    pub(crate) fn sample_numbered(&mut self, id: u32, writer: &mut Writer) -> Look {
        let row = self.sampled.row_of[id];
        if self.sampled.id(row) != Some(id) || !self.is_unsampled(row) {
            return Look::Done;
        }
        if self.sampled.memos[row].unit != self.unit(row) {
            // Somebody has said what it is measured in: it is another series from now on.
            self.sampled.memos[row].id = NONE;
            self.sampled.memos[row].is_in_group = false;
            return Look::Done;
        }
        self.sample(row, |value, _| writer.put(id, value))
    }

    /// Samples the series in a row, if it has no number yet.
    pub(crate) fn sample_new(&mut self, row: u32, writer: &mut Writer) -> Look {
        if self.sampled.id(row).is_some() || !self.is_unsampled(row) {
            return Look::Done;
        }
        let id = self.sampled.used;
        if id >= self.sampled.row_of.len() {
            return Look::NoNumber;
        }
        let mut is_taken = false;
        let look = self.sample(row, |value, registry| {
            let taken = registry.define(row, id, value, writer);
            is_taken = taken == Taken::Yes;
            taken
        });
        if is_taken {
            self.sampled.used = id + 1;
            self.sampled.row_of[id] = row;
            self.sampled.memos[row].id = id;
            self.sampled.memos[row].unit = self.unit(row);
        }
        look
    }

    fn is_unsampled(&self, row: u32) -> bool {
        self.series.find(row).is_some_and(|series| series.flags.has(Flags::UNSAMPLED))
    }

    fn unit(&self, row: u32) -> Unit {
        let metric = self.series.find(row).and_then(|series| self.metrics.find(series.metric));
        metric.and_then(|metric| metric.unit).unwrap_or(Unit::None)
    }

    /// Hands over what there is to sample of a series, if there is anything, and remembers it if it
    /// is taken.
    fn sample(&mut self, row: u32, put: impl FnOnce(&Value<'_>, &Self) -> Taken) -> Look {
        let series = self.series[row];
        let taken = match series.kind {
            Kind::Counter => self.sample_counter(row, series.value, put),
            Kind::Gauge => self.sample_gauge(row, self.gauges[series.wide_row()].last(), put),
            Kind::Histogram => self.sample_histogram(series.wide_row(), put),
        };
        if taken != Taken::Yes {
            return Look::NoRoom(taken);
        }
        let flags = &mut self.series[row].flags;
        *flags = flags.without(Flags::UNSAMPLED);
        Look::Done
    }

    fn sample_counter(
        &mut self,
        row: u32,
        total: u64,
        put: impl FnOnce(&Value<'_>, &Self) -> Taken,
    ) -> Taken {
        let added = total.saturating_sub(self.sampled.memos[row].before);
        let taken = if added > 0 { put(&Value::Counter(added), self) } else { Taken::Yes };
        if taken == Taken::Yes {
            self.sampled.memos[row].before = total;
        }
        taken
    }

    fn sample_gauge(
        &mut self,
        row: u32,
        last: i64,
        put: impl FnOnce(&Value<'_>, &Self) -> Taken,
    ) -> Taken {
        let memo = self.sampled.memos[row];
        let before = if memo.is_in_group { memo.before.cast_signed() } else { 0 };
        let taken = put(&Value::Gauge { last, before }, self);
        if taken == Taken::Yes {
            let memo = &mut self.sampled.memos[row];
            (memo.before, memo.is_in_group) = (last.cast_unsigned(), true);
        }
        taken
    }

    fn sample_histogram(
        &mut self,
        wide: u32,
        put: impl FnOnce(&Value<'_>, &Self) -> Taken,
    ) -> Taken {
        let (now, before) = (self.histograms[wide], self.sampled.histograms[wide]);
        let mut added = now.counts;
        added.iter_mut().zip(before.counts).for_each(|(now, before)| *now -= before.min(*now));
        let sum = now.sum.saturating_sub(before.sum);
        if sum == 0 && added == [0; BUCKETS_MAX] {
            return Taken::Yes;
        }
        let buckets = self.layouts.at(now.layout).as_slice().len() + 1;
        let added = added.get(..buckets).unwrap_or_default();
        let taken = put(&Value::Histogram { added, sum }, self);
        if taken == Taken::Yes {
            self.sampled.histograms[wide] = Before { counts: now.counts, sum: now.sum };
        }
        taken
    }

    /// Writes what a series is, with its first sample in the segment.
    fn define(&self, row: u32, id: u32, value: &Value<'_>, writer: &mut Writer) -> Taken {
        let mut scratch = ViewScratch::new();
        let mut bytes = [0; key::BYTES_MAX];
        let key = self.retained_key(row, &mut scratch);
        assert!(key.is_some(), "what is in the registry was checked when it came");
        let Some(key) = key else { return Taken::Yes };
        let form = match key.kind {
            Kind::Counter => Form::Counter,
            Kind::Gauge => Form::Gauge,
            Kind::Histogram => Form::Histogram(self.bounds(row).map_or(&[], Bounds::as_slice)),
        };
        writer.define(id, &form, key.write(&mut bytes), value)
    }

    /// The key of the series in a row.
    pub(crate) fn retained_key<'a>(
        &self,
        row: u32,
        scratch: &'a mut ViewScratch,
    ) -> Option<SeriesKey<'a>> {
        let kind = self.series.find(row)?.kind;
        let view = self.view(row, scratch)?;
        Some(SeriesKey {
            service: view.service,
            kind,
            unit: view.unit,
            is_overflow: view.overflow,
            name: MetricName::new(view.name)?,
            labels: Labels::parse(LabelBytes::new(view.labels.as_bytes())?).ok()?,
        })
    }
}

const _: () = assert!(BUCKETS_MAX == segment::BUCKETS_MAX, "segments take every histogram");
