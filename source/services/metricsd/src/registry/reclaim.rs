//! How series leave: the idle when their place is needed, all of a sender when it loses its seat.
//! Totals never leave: they go to an overflow series.

use nexus_bounded::BlockChain;
use nexus_gate::SenderSlot;
use nexus_wire::Kind;

use super::admission::{Lack, overflow_place};
use super::idle::List;
use super::rows::{Flags, Owner, Series};
use super::{Registry, blocks_in};
use crate::rows::NONE;
use crate::shares::row;

/// A kind of each list that a sender has.
const EITHER_LIST: [Kind; 2] = [Kind::Counter, Kind::Histogram];

/// Series of metrics in quarantine that one lack may come upon. The next lack goes on behind them.
const LOOKS_MAX: usize = 16;

impl Registry {
    /// Reclaims the series that has been idle for longest among those that would help `owner`.
    /// `false`: there is none.
    ///
    /// Of several senders' oldest, idle since the same window, that of the lowest seat goes; of one
    /// sender's, the one that was touched first.
    pub(super) fn reclaim_for(&mut self, owner: SenderSlot, lack: Lack) -> bool {
        for _ in 0..LOOKS_MAX {
            let Some(idle) = self.oldest_idle(owner, lack) else { return false };
            if !self.in_quarantine(idle) {
                self.fold_into(idle, self.series[idle].owner);
                self.release(idle);
                self.totals.reclaimed += 1;
                return true;
            }
            // If its metric's last series went, so would the quarantine. It may go another time.
            self.renew(idle);
        }
        false
    }

    fn in_quarantine(&self, at: u32) -> bool {
        let metric = self.metrics.find(self.series[at].metric);
        metric.is_some_and(|metric| self.clock.now() < metric.quarantined_until)
    }

    /// The idle series that goes first of those that give back what `owner` lacks, and may go to
    /// it: its own, and those of senders beyond their floor.
    fn oldest_idle(&self, owner: SenderSlot, lack: Lack) -> Option<u32> {
        let (shares, kinds): (_, &[Kind]) = match lack {
            Lack::Series => (&self.series_shares, &EITHER_LIST),
            Lack::Text => (&self.text_shares, &EITHER_LIST),
            Lack::Histograms => (&self.histogram_shares, &[Kind::Histogram]),
            Lack::Cap => return None,
        };
        let own = row(owner);
        let seats = if shares.at_cap(owner, 1) { own..own + 1 } else { 0..self.owners.len() };
        let lists = seats.flat_map(|seat| kinds.iter().map(move |kind| List::of(seat, *kind)));
        let since = |at: u32| self.series[at].windows.number();
        let first = lists.filter_map(|list| self.idle.first(list)).filter(|at| {
            let of = self.series[*at].owner;
            self.clock.since_window(since(*at)) >= self.caps.idle
                && (of == owner || shares.is_beyond_floor(of))
        });
        first.min_by_key(|at| since(*at))
    }

    /// Lets a series be reclaimed once it has been idle for long enough from now on. Not the
    /// overflow of a sender, which is its for as long as it has a seat.
    pub(super) fn list(&mut self, at: u32) {
        let series = &mut self.series[at];
        if series.metric == NONE {
            return;
        }
        let list = List::of(row(series.owner), series.kind);
        let wide = match series.kind {
            Kind::Counter => None,
            Kind::Gauge => Some(&mut self.gauges[series.wide_row()]),
            Kind::Histogram => Some(&mut self.histograms[series.wide_row()].wide),
        };
        series.windows.advance(&self.clock, wide);
        self.idle.push(&mut self.series, list, at);
    }

    /// Lets a series be reclaimed no more; `false`: it was not to be anyway.
    pub(super) fn unlist(&mut self, at: u32) -> bool {
        let series = &self.series[at];
        let list = List::of(row(series.owner), series.kind);
        self.idle.remove(&mut self.series, list, at)
    }

    /// A series that may be reclaimed is idle since now.
    #[cold]
    pub(super) fn renew(&mut self, at: u32) {
        if self.unlist(at) {
            self.list(at);
        }
    }

    /// Adds what a series has counted to the overflow series of `heir`. A gauge has counted
    /// nothing.
    fn fold_into(&mut self, from: u32, heir: SenderSlot) {
        let series = self.series[from];
        let Some(place) = overflow_place(series.kind) else { return };
        match series.kind {
            Kind::Counter if series.value > 0 => {
                let to = self.sender_overflow(heir, place);
                // It was counted before, and only moves.
                self.totals.counted -= u128::from(series.value);
                self.count(to, series.value, true);
                self.sampled.move_counter(from, to, self.series[to].value);
            }
            Kind::Histogram => {
                let to = self.sender_overflow(heir, place);
                self.pour(series.wide_row(), to);
            }
            _ => {}
        }
    }

    /// Frees all series of a sender that has lost its seat; its totals go to the overflow series
    /// of the evicted. Nothing of it may be registered any more.
    pub(crate) fn displace(&mut self, owner: SenderSlot) {
        for list in EITHER_LIST.map(|kind| List::of(row(owner), kind)) {
            while let Some(at) = self.idle.first(list) {
                self.leave(at);
            }
        }
        let overflow = self.owners[row(owner)].overflow;
        overflow.into_iter().filter(|at| *at != NONE).for_each(|at| self.leave(at));
        let kept = &mut self.owners[row(owner)];
        if kept.service != 0 {
            let not_made = kept.overflow.iter().filter(|at| **at == NONE).count();
            let histogram_made = kept.overflow.get(1).is_some_and(|at| *at != NONE);
            *kept = Owner::UNKNOWN;
            self.series_shares.give(owner, not_made as u32);
            self.histogram_shares.give(owner, u32::from(!histogram_made));
        }
        assert!(self.series_shares.used(owner) == 0, "what is not registered stands in a list");
    }

    fn leave(&mut self, at: u32) {
        self.fold_into(at, SenderSlot::EVICTED);
        self.release(at);
        self.totals.displaced += 1;
    }

    /// Frees a series with all that is its own.
    fn release(&mut self, at: u32) {
        self.unlist(at);
        let series = self.series[at];
        assert!(
            series.ties.registrations() == NONE,
            "nobody may hold a number of a series that leaves"
        );
        if !series.flags.has(Flags::OVERFLOW) {
            self.series_index.remove(&mut self.series, at);
        }
        self.release_text(series.owner, series.labels);
        match series.kind {
            Kind::Counter => {}
            Kind::Gauge => self.gauges.give(series.wide_row()),
            Kind::Histogram => {
                self.histograms.give(series.wide_row());
                self.histogram_shares.give(series.owner, 1);
            }
        }
        self.series_shares.give(series.owner, 1);
        self.sampled.forget(at, &series);
        self.series[at] = Series::FREE;
        self.series.give(at);
        if self.metrics.find(series.metric).is_some() {
            self.leave_metric(series.metric, series.flags.has(Flags::OVERFLOW));
        }
    }

    /// A metric goes with its last series.
    fn leave_metric(&mut self, at: u32, overflow: bool) {
        let metric = &mut self.metrics[at];
        if overflow {
            metric.overflow = NONE;
        } else {
            metric.series -= 1;
        }
        let metric = *metric;
        if metric.series > 0 || metric.overflow != NONE {
            return;
        }
        self.metric_index.remove(&mut self.metrics, at);
        self.release_text(metric.owner, metric.name);
        self.release_text(metric.owner, metric.help);
        if metric.kind == Kind::Histogram {
            self.layouts.give(metric.layout);
        }
        self.owners[row(metric.owner)].metrics -= 1;
        self.metrics.give(at);
    }

    fn release_text(&mut self, owner: SenderSlot, text: BlockChain) {
        self.text.release(text);
        self.text_shares.give(owner, blocks_in(text));
    }
}
