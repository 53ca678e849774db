//! How series leave: the idle when their place is needed, all of a sender when it loses its seat.
//! Totals never leave: they go to an overflow series.

use nexus_bounded::BlockChain;
use nexus_gate::SenderSlot;
use nexus_wire::Kind;

use super::admission::{Lack, overflow_place};
use super::rows::{Flags, Owner, Series};
use super::{Registry, blocks_in};
use crate::rows::NONE;
use crate::shares::{Shares, row};

impl Registry {
    /// Reclaims the idle series that has been idle for longest among those that would help
    /// `owner`; of several the one in the lowest row. `false`: there is none.
    ///
    /// Idleness is told by windows, so one search per window and lack is enough; this also bounds
    /// what a sender at its cap can cost.
    pub(super) fn reclaim_for(&mut self, owner: SenderSlot, lack: Lack) -> bool {
        let Some(place) = lack.place() else { return false };
        let window = self.clock.short();
        let searched = &mut self.owners[row(owner)].nothing_idle_in;
        if searched.get(place).is_some_and(|searched| *searched == window) {
            return false;
        }
        let idle = self.series.iter().filter(|(_, series)| self.is_idle(series));
        let helpful = idle.filter(|(_, series)| self.helps(series, owner, lack));
        let oldest = helpful.min_by_key(|(row, series)| (series.windows.number(), *row));
        let oldest = oldest.map(|(row, series)| (row, series.owner));
        if let Some((idle, of)) = oldest {
            self.fold_into(idle, of);
            self.release(idle);
            self.totals.reclaimed += 1;
        } else if let Some(searched) = self.owners[row(owner)].nothing_idle_in.get_mut(place) {
            *searched = window;
        }
        oldest.is_some()
    }

    fn is_idle(&self, series: &Series) -> bool {
        series.flags.has(Flags::LIVE)
            && series.registrations == NONE
            && self.clock.since_window(series.windows.number()) >= self.caps.idle
            && self
                .metrics
                .get(series.metric)
                .is_some_and(|metric| metric.quarantined_until <= self.clock.now())
    }

    /// Whether what `series` would give back is what `owner` lacks, and may go to it.
    fn helps(&self, series: &Series, owner: SenderSlot, lack: Lack) -> bool {
        let from = |shares: &Shares| {
            let own = series.owner == owner;
            own || (!shares.at_cap(owner, 1) && shares.is_beyond_floor(series.owner))
        };
        match lack {
            Lack::Series => from(&self.series_shares),
            Lack::Histograms => series.kind == Kind::Histogram && from(&self.histogram_shares),
            Lack::Text => from(&self.text_shares),
            Lack::Cap => false,
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
        for at in 0..self.series.capacity() {
            let series = &self.series[at];
            if series.flags.has(Flags::LIVE) && series.owner == owner {
                self.fold_into(at, SenderSlot::EVICTED);
                self.release(at);
                self.totals.displaced += 1;
            }
        }
        let kept = &mut self.owners[row(owner)];
        if kept.service != 0 {
            let not_made = kept.overflow.iter().filter(|at| **at == NONE).count();
            let histogram_made = kept.overflow.get(1).is_some_and(|at| *at != NONE);
            *kept = Owner::UNKNOWN;
            self.series_shares.give(owner, not_made as u32);
            self.histogram_shares.give(owner, u32::from(!histogram_made));
        }
    }

    /// Frees a series with all that is its own.
    fn release(&mut self, at: u32) {
        let series = self.series[at];
        assert!(series.registrations == NONE, "nobody may hold a number of a series that leaves");
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
        self.series[at] = Series::FREE;
        self.series.give(at);
        if self.metrics.get(series.metric).is_some() {
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

impl Lack {
    /// Its place in [`Owner::nothing_idle_in`]; none for what idle series cannot make up for.
    const fn place(self) -> Option<usize> {
        match self {
            Self::Series => Some(0),
            Self::Histograms => Some(1),
            Self::Text => Some(2),
            Self::Cap => None,
        }
    }
}
