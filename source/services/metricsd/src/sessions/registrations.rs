//! Registrations: what `SeriesId`s name.

use core::num::NonZeroU32;

use nexus_gate::SenderSlot;
use nexus_recipe::MetricsdLimits;
use nexus_wire::metrics::{HistogramItem, ValueItem};
use nexus_wire::{Kind, Reason, SeriesId};

use super::Session;
use crate::registry::{BUCKETS_MAX, Increase, Registry};
use crate::rows::{NONE, Pool};
use crate::shares::Shares;

/// A series as one life knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    /// Which use of this row it is; ids of other uses are stale.
    generation: u32,
    /// Whose it is; [`NONE`]: nobody's.
    pub(crate) session: u32,
    pub(crate) series: u32,
    next_in_session: u32,
    next_of_series: u32,
    before_of_series: u32,
    /// A counter's total as last heard, or a histogram's sum.
    pub(crate) heard: u64,
    /// Row of a histogram's buckets as last heard.
    buckets: u32,
    pub(crate) kind: Kind,
    /// The series is an overflow series.
    pub(crate) folded: bool,
    /// Generation and life of a counter that is not folded, as most are, in one word; else 0.
    plain: u64,
}

const FREE: Registration = Registration {
    generation: 1,
    session: NONE,
    series: NONE,
    next_in_session: NONE,
    next_of_series: NONE,
    before_of_series: NONE,
    heard: 0,
    buckets: NONE,
    kind: Kind::Counter,
    folded: false,
    plain: 0,
};

/// Buckets of a histogram as last heard.
type Heard = [u64; BUCKETS_MAX];

/// The number a life has been given for a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Granted {
    pub(crate) id: SeriesId,
    pub(crate) folded: bool,
}

/// How far a total has gone on from what was heard before, perhaps round the end of 64 bits. A step
/// of half of them or more is one backwards: no total does that, so it is a client's mistake.
#[inline(always)]
pub(crate) const fn rise(heard: u64, total: u64) -> Option<i64> {
    let delta = total.wrapping_sub(heard).cast_signed();
    if delta < 0 { None } else { Some(delta) }
}

/// Registrations, where only counters that are stored as they are count.
pub(crate) struct PlainCounters<'a>(&'a mut Pool<Registration>);

impl PlainCounters<'_> {
    /// Hears a plain counter's total: its series and what is new, which is not negative. `None`:
    /// it is none of this life's, or its total falls; nothing has been heard.
    #[inline(always)]
    pub(crate) fn hear(&mut self, item: &ValueItem, session: u32) -> Option<(u32, i64)> {
        let raw = item.series.map_or(0, SeriesId::raw);
        let found = self.0.find_mut(raw as u32)?;
        // A generation is never 0, so an item without a number is like none.
        if found.plain != (raw >> 32 << 32) | u64::from(session) {
            return None;
        }
        let delta = rise(found.heard, item.value)?;
        found.heard = item.value;
        Some((found.series, delta))
    }
}

/// All registrations.
pub(crate) struct Registrations {
    rows: Pool<Registration>,
    heard: Pool<Heard>,
    shares: Shares,
    heard_shares: Shares,
}

impl Registrations {
    pub(super) fn new(limits: &MetricsdLimits) -> Self {
        let (senders, rows) = (limits.senders, limits.registrations);
        let histograms = limits.histograms;
        Self {
            rows: Pool::filled(rows, FREE),
            heard: Pool::filled(histograms, [0; BUCKETS_MAX]),
            shares: Shares::new(senders, rows, limits.series_floor, rows),
            heard_shares: Shares::new(senders, histograms, limits.histograms_floor, histograms),
        }
    }

    /// Memory of one registration, and of one histogram's.
    pub(crate) const fn bytes_each() -> (u64, u64) {
        (Pool::<Registration>::bytes_each(), Pool::<Heard>::bytes_each())
    }

    pub(crate) fn used(&self) -> u32 {
        self.rows.used()
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.rows.capacity()
    }

    /// The registration that a number names, whosever it is.
    #[inline]
    pub(crate) fn find(&self, id: SeriesId) -> Option<&Registration> {
        let found = self.rows.find(id.slot())?;
        (found.generation == id.generation() && found.session != NONE).then_some(found)
    }

    /// As [`Self::find`], if it is of this life.
    #[inline]
    pub(crate) fn find_own(&mut self, id: SeriesId, session: u32) -> Option<&mut Registration> {
        let found = self.rows.find_mut(id.slot())?;
        (found.generation == id.generation() && found.session == session).then_some(found)
    }

    /// As a table by slot, for whoever hears many totals.
    pub(crate) const fn plain_counters(&mut self) -> PlainCounters<'_> {
        PlainCounters(&mut self.rows)
    }

    /// The life's registration of a series: the one it has, or a new one. What a cap has folded
    /// has no name of its own here, so each time it is a new one.
    pub(super) fn grant(
        &mut self,
        life: &mut Session,
        session: u32,
        series: u32,
        folded: bool,
        registry: &mut Registry,
    ) -> Result<Granted, Reason> {
        let held = if folded { None } else { self.held(session, registry.registrations(series)) };
        let row = match held {
            Some(row) => row,
            None => self.add(life, session, series, folded, registry)?,
        };
        let generation = NonZeroU32::new(self.rows[row].generation).unwrap_or(NonZeroU32::MIN);
        Ok(Granted { id: SeriesId::new(generation, row), folded })
    }

    fn held(&self, session: u32, first: u32) -> Option<u32> {
        let mut at = first;
        while let Some(registration) = self.rows.find(at) {
            if registration.session == session && !registration.folded {
                return Some(at);
            }
            at = registration.next_of_series;
        }
        None
    }

    fn add(
        &mut self,
        life: &mut Session,
        session: u32,
        series: u32,
        folded: bool,
        registry: &mut Registry,
    ) -> Result<u32, Reason> {
        let kind = registry.kind(series);
        let buckets = u32::from(kind == Kind::Histogram);
        if !self.shares.fits(life.owner, 1) || !self.heard_shares.fits(life.owner, buckets) {
            return Err(Reason::NotReady);
        }
        let row = self.rows.claim().ok_or(Reason::NotReady)?;
        self.shares.take(life.owner, 1);
        self.heard_shares.take(life.owner, buckets);
        let heard = if buckets > 0 { self.heard.take([0; BUCKETS_MAX]) } else { None };
        let head = registry.registrations(series);
        let generation = self.rows[row].generation;
        let plain = (u64::from(generation) << 32) | u64::from(session);
        self.rows[row] = Registration {
            generation,
            session,
            series,
            next_in_session: life.registrations,
            next_of_series: head,
            buckets: heard.unwrap_or(NONE),
            kind,
            folded,
            plain: if kind == Kind::Counter && !folded { plain } else { 0 },
            ..FREE
        };
        if head != NONE {
            self.rows[head].before_of_series = row;
        }
        registry.set_registrations(series, row);
        life.registrations = row;
        Ok(row)
    }

    /// Frees a life's registrations, of which `first` is the first.
    pub(super) fn free_all(&mut self, owner: SenderSlot, first: u32, registry: &mut Registry) {
        let mut at = first;
        while self.rows.find(at).is_some() {
            let gone = self.rows[at];
            self.unlink(&gone, registry);
            if gone.buckets != NONE {
                self.heard.give(gone.buckets);
                self.heard_shares.give(owner, 1);
            }
            let generation = gone.generation.checked_add(1).unwrap_or(1);
            self.rows[at] = Registration { generation, ..FREE };
            self.rows.give(at);
            self.shares.give(owner, 1);
            at = gone.next_in_session;
        }
    }

    fn unlink(&mut self, gone: &Registration, registry: &mut Registry) {
        if gone.next_of_series != NONE {
            self.rows[gone.next_of_series].before_of_series = gone.before_of_series;
        }
        if gone.before_of_series == NONE {
            registry.set_registrations(gone.series, gone.next_of_series);
        } else {
            self.rows[gone.before_of_series].next_of_series = gone.next_of_series;
        }
    }

    /// What is new in a histogram item, and where it goes.
    ///
    /// # Errors
    /// `Invalid`: not a histogram, a bucket that it does not have, a total that falls, or a sum
    /// that rises without observations. Nothing has been heard then.
    pub(crate) fn hear(
        &mut self,
        item: &HistogramItem<'_>,
        buckets: usize,
    ) -> Result<Increase, Reason> {
        let row = item.series.slot();
        let Some(heard) = self.rows.find(row).map(|row| row.buckets).filter(|at| *at != NONE)
        else {
            return Err(Reason::Invalid);
        };
        let known = &mut self.heard[heard];
        let (mut legal, mut observed) = (true, false);
        for (index, total) in item.buckets.iter() {
            let before = known.get(usize::from(index)).copied();
            legal &=
                usize::from(index) < buckets && before.is_some_and(|n| rise(n, total).is_some());
            observed |= before != Some(total);
        }
        if !legal || (!observed && item.sum != self.rows[row].heard) {
            return Err(Reason::Invalid);
        }
        let mut counts = [0; BUCKETS_MAX];
        for (index, total) in item.buckets.iter() {
            let place = usize::from(index);
            if let (Some(known), Some(new)) = (known.get_mut(place), counts.get_mut(place)) {
                *new = total.wrapping_sub(*known);
                *known = total;
            }
        }
        let sum = item.sum.wrapping_sub(self.rows[row].heard);
        self.rows[row].heard = item.sum;
        Ok(Increase { counts, sum: i128::from(sum) })
    }
}
