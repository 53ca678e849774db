//! The rows of the registry's tables.

use nexus_bounded::{BlockChain, Mono};
use nexus_gate::SenderSlot;
use nexus_wire::{Kind, Unit};

use super::idle::Ties;
use super::index::Link;
use crate::rows::NONE;
use crate::windows::{Wide, Windows};

/// A series. Names, helps and bounds are its metric's; what only gauges or histograms need lies in
/// tables of theirs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    pub(super) hash: u32,
    pub(super) next: u32,
    pub(super) labels: BlockChain,
    /// Its metric; [`NONE`] for the overflow series of a sender.
    pub(super) metric: u32,
    pub(super) ties: Ties,
    /// A counter's total, or the row of a gauge or histogram.
    pub(super) value: u64,
    pub(super) created: Mono,
    pub(super) windows: Windows,
    pub(super) owner: SenderSlot,
    pub(super) kind: Kind,
    pub(super) flags: Flags,
}

/// What is to be known of a series besides, as a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Flags(u8);

impl Flags {
    pub(super) const FREE: Self = Self(0);
    /// The row is a series.
    pub(super) const LIVE: Self = Self(1);
    /// It gathers what met a cap.
    pub(super) const OVERFLOW: Self = Self(2);
    /// It has been updated since it was exported.
    pub(super) const CHANGED: Self = Self(4);
    /// It has been updated since it was sampled.
    pub(super) const UNSAMPLED: Self = Self(8);
    /// What an update says.
    pub(super) const UPDATED: Self = Self::CHANGED.with(Self::UNSAMPLED);

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Series {
    pub(super) const FREE: Self = Self {
        hash: 0,
        next: NONE,
        labels: BlockChain::EMPTY,
        metric: NONE,
        ties: Ties::registered(NONE),
        value: 0,
        created: Mono(0),
        windows: Windows::new(0),
        owner: SenderSlot::EVICTED,
        kind: Kind::Counter,
        flags: Flags::FREE,
    };

    /// The row of its gauge or histogram.
    pub(super) const fn wide_row(&self) -> u32 {
        self.value as u32
    }
}

/// What all series of one name and kind of one sender have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(super) hash: u32,
    pub(super) next: u32,
    pub(super) name: BlockChain,
    pub(super) help: BlockChain,
    /// It takes no new series before this.
    pub(super) quarantined_until: Mono,
    /// Updates that its caps have sent to an overflow series.
    pub(super) folds: u64,
    /// Row of its bounds; a histogram's.
    pub(super) layout: u32,
    /// Its series, without its overflow series.
    pub(super) series: u32,
    /// Its own overflow series, if it has one.
    pub(super) overflow: u32,
    pub(super) owner: SenderSlot,
    pub(super) kind: Kind,
    /// `None` until somebody who knows it registers a series.
    pub(super) unit: Option<Unit>,
}

impl Metric {
    pub(super) const FREE: Self = Self {
        hash: 0,
        next: NONE,
        name: BlockChain::EMPTY,
        help: BlockChain::EMPTY,
        quarantined_until: Mono(0),
        folds: 0,
        layout: NONE,
        series: 0,
        overflow: NONE,
        owner: SenderSlot::EVICTED,
        kind: Kind::Counter,
        unit: None,
    };
}

/// What the registry knows of a sender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    /// Service number, 0 for the row of the evicted.
    pub(super) service: u64,
    /// Its overflow counter and its overflow histogram.
    pub(super) overflow: [u32; 2],
    pub(super) metrics: u32,
}

impl Owner {
    pub(super) const UNKNOWN: Self = Self { service: 0, overflow: [NONE; 2], metrics: 0 };
}

/// What a gauge keeps besides its series.
pub(super) type Gauge = Wide;

macro_rules! link {
    ($row:ty) => {
        impl Link for $row {
            fn hash(&self) -> u32 {
                self.hash
            }
            fn next(&self) -> u32 {
                self.next
            }
            fn set_next(&mut self, next: u32) {
                self.next = next;
            }
        }
    };
}

link!(Series);
link!(Metric);
