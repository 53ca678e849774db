//! Series by key, with caps and windows.
//!
//! A key is (sender, kind, name, canonical labels). Finding one costs a hash and a comparison of
//! all its bytes, however many there are. A key that is first seen passes the caps: room for the
//! metric, for the sender (who always has its floor), and in all; what a cap keeps out is counted
//! in an overflow series, so that totals stay exact, or refused if it is a gauge.
//!
//! Invariants: no sender's series, text or histograms take what another is guaranteed; what
//! counters and histograms have been given is in them or in overflow series; nothing depends on
//! the order of hashes.
//!
//! Deliberately absent: who sends (`service`), and which life of a sender (`sessions`).

mod admission;
mod hash;
mod histogram;
mod idle;
mod index;
mod memory;
mod reclaim;
mod rows;
mod sampled;
mod update;
mod view;

pub(crate) use admission::{Placed, Traits, Wanted};
pub(crate) use histogram::{BUCKETS_MAX, Bounds};
pub(crate) use sampled::Look;
pub(crate) use update::Increase;
pub(crate) use view::ViewScratch;

use nexus_bounded::{BlockChain, Mono, Nanos};
use nexus_gate::SenderSlot;
use nexus_recipe::{MetricsdLimits, TextBlocks};
use nexus_wire::Kind;
use nexus_wire::metrics::Recorded;

use crate::limits::{SERIES_BLOCKS_MAX, text_blocks};
use crate::rows::{NONE, Pool, Rows};
use crate::shares::{self, Shares};
use crate::windows::Clock;
use histogram::{Histogram, Layouts};
use idle::Idle;
use index::Chains;
use rows::{Gauge, Metric, Owner, Series};
use sampled::Sampled;

/// Overflow series of the row of the evicted, on top of the recipe's series: a counter and a
/// histogram.
pub(crate) const EVICTED_SERIES: u32 = 2;

/// A key as it came, not checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) owner: SenderSlot,
    pub(crate) kind: Kind,
    pub(crate) name: &'a [u8],
    pub(crate) labels: &'a [u8],
}

/// Totals since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// Increments of counters, all senders together: what the counters of the registry must add up
    /// to at any time.
    pub(crate) counted: u128,
    /// Observations, all senders together: likewise the buckets of all histograms.
    pub(crate) observed: u128,
    /// Sum of the observed values: likewise the sums of all histograms.
    pub(crate) observed_sum: i128,
    /// Updates and registrations sent to an overflow series by a cap.
    pub(crate) folds: u64,
    /// Counters and buckets that met the end of 64 bits.
    pub(crate) saturations: u64,
    /// Idle series reclaimed.
    pub(crate) reclaimed: u64,
    /// Series freed because their sender lost its seat.
    pub(crate) displaced: u64,
    /// Metrics put into quarantine.
    pub(crate) quarantines: u64,
    /// Helps for which there was no room.
    pub(crate) helps_left_out: u64,
}

impl Totals {
    /// What has been recorded in counters and histograms, as clients tell it: all wrap.
    pub(crate) const fn recorded(&self) -> Recorded {
        Recorded {
            counted: self.counted as u64,
            observed: self.observed as u64,
            sum: self.observed_sum as u64,
        }
    }
}

struct Caps {
    per_metric: u32,
    metrics_per_sender: u32,
    idle: Nanos,
    quarantine: Nanos,
}

/// The registry.
pub(crate) struct Registry {
    clock: Clock,
    /// Of the hashes: what orders chains, and nothing that anybody can see.
    seed: u64,
    caps: Caps,
    text: TextBlocks,
    series: Pool<Series>,
    series_index: Chains,
    idle: Idle,
    metrics: Pool<Metric>,
    metric_index: Chains,
    gauges: Pool<Gauge>,
    histograms: Pool<Histogram>,
    layouts: Layouts,
    owners: Rows<Owner>,
    series_shares: Shares,
    histogram_shares: Shares,
    text_shares: Shares,
    totals: Totals,
    text_blocks: u32,
    sampled: Sampled,
}

impl Registry {
    /// An empty registry, all memory taken now. `ids`: how many series a segment of what is kept
    /// may have, 0 if nothing is.
    pub(crate) fn new(limits: &MetricsdLimits, seed: u64, ids: u32) -> Self {
        let (series, histograms) = (limits.series, limits.histograms);
        let senders = limits.senders;
        let blocks = text_blocks(limits);
        Self {
            clock: Clock::new(limits.window_short, limits.window_long),
            seed,
            caps: Caps {
                per_metric: limits.series_per_metric,
                metrics_per_sender: limits.metrics_per_sender,
                idle: limits.series_idle,
                quarantine: limits.quarantine,
            },
            text: TextBlocks::new(blocks),
            series: Pool::filled(series + EVICTED_SERIES, Series::FREE),
            series_index: Chains::new(series),
            idle: Idle::new(senders),
            metrics: Pool::filled(series, Metric::FREE),
            metric_index: Chains::new(series),
            gauges: Pool::filled(series, Gauge::default()),
            histograms: Pool::filled(histograms + 1, Histogram::new(0)),
            layouts: Layouts::new(&limits.buckets, histograms),
            owners: Rows::filled(senders + 1, Owner::UNKNOWN),
            series_shares: Shares::new(
                senders,
                series,
                limits.series_floor,
                limits.series_per_sender,
            ),
            histogram_shares: Shares::new(senders, histograms, limits.histograms_floor, histograms),
            text_shares: Shares::new(
                senders,
                blocks,
                limits.series_floor * SERIES_BLOCKS_MAX,
                blocks,
            ),
            totals: Totals::default(),
            text_blocks: blocks,
            sampled: Sampled::new(series + EVICTED_SERIES, histograms + 1, ids),
        }
    }

    /// Time goes on: to be called once per event, before anything else.
    #[inline]
    pub(crate) fn begin(&mut self, now: Mono) {
        self.clock.advance(now);
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The series of a key, if there is one.
    #[inline]
    pub(crate) fn find(&self, key: &Key<'_>) -> Option<u32> {
        let hash = self.hash(key.owner, key.kind, key.name, Some(key.labels));
        let mut at = self.series_index.head(hash);
        while let Some(series) = self.series.find(at) {
            let alike = series.hash == hash && series.owner == key.owner && series.kind == key.kind;
            if alike && self.has_texts(series, key.name, key.labels) {
                return Some(at);
            }
            at = series.next;
        }
        None
    }

    /// Apart, so that a search takes up what it needs for comparing texts only when it compares
    /// them: once, but for collisions.
    #[inline(never)]
    fn has_texts(&self, series: &Series, name: &[u8], labels: &[u8]) -> bool {
        self.text.is(series.labels, labels)
            && self
                .metrics
                .find(series.metric)
                .is_some_and(|metric| self.text.is(metric.name, name))
    }

    fn find_metric(&self, owner: SenderSlot, kind: Kind, name: &str) -> Option<u32> {
        let hash = self.hash(owner, kind, name.as_bytes(), None);
        let mut chain = self.metric_index.walk(&self.metrics, hash);
        let found = chain.find(|(_, metric)| {
            metric.hash == hash
                && metric.owner == owner
                && metric.kind == kind
                && self.text.is(metric.name, name.as_bytes())
        });
        found.map(|(row, _)| row)
    }

    #[inline]
    fn hash(&self, owner: SenderSlot, kind: Kind, name: &[u8], labels: Option<&[u8]>) -> u32 {
        let whose = (u64::from(shares::row(owner)) << 8) | u64::from(kind.raw());
        let state = hash::add(self.seed ^ whose, name);
        hash::finish(labels.map_or(state, |labels| hash::add(state, labels)))
    }

    /// The kind of the series in a row.
    pub(crate) fn kind(&self, row: u32) -> Kind {
        self.series[row].kind
    }

    /// Series that a sender has.
    pub(crate) fn kept(&self, owner: SenderSlot) -> u64 {
        let overflow = self.owners[shares::row(owner)].overflow;
        let not_made = overflow.iter().filter(|row| **row == NONE).count() as u64;
        let known = self.owners[shares::row(owner)].service != 0;
        let used = u64::from(self.series_shares.used(owner));
        if known { used - not_made } else { 2 - not_made }
    }

    /// Series in use.
    pub(crate) fn used(&self) -> u32 {
        self.series.used()
    }
}

fn blocks_in(text: BlockChain) -> u32 {
    TextBlocks::blocks_for(text.len()) as u32
}
