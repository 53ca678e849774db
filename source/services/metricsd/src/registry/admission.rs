//! What becomes of a key that is first seen: a new series, or an overflow series.

use nexus_abi::ServiceId;
use nexus_bounded::BlockChain;
use nexus_gate::SenderSlot;
use nexus_recipe::TextBlocks;
use nexus_wire::{Kind, Labels, MetricName, Reason, Unit};

use super::histogram::{Bounds, Histogram};
use super::index::CHAIN_MAX;
use super::rows::{Flags, Gauge, Metric, Series};
use super::{Key, Registry};
use crate::rows::NONE;
use crate::shares::{Shares, row};
use crate::windows::Windows;

/// A series somebody wants, its key checked.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) owner: SenderSlot,
    pub(crate) service: ServiceId,
    pub(crate) kind: Kind,
    pub(crate) name: MetricName<'a>,
    pub(crate) labels: Labels<'a>,
    pub(crate) traits: Traits<'a>,
}

/// What a registration says of its metric besides the key; an update by name says nothing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Traits<'a> {
    pub(crate) unit: Option<Unit>,
    /// `None`: whatever there is, or the recipe's.
    pub(crate) bounds: Option<&'a Bounds>,
    pub(crate) help: &'a str,
}

/// Where updates of a key go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Placed {
    pub(crate) row: u32,
    /// It is an overflow series.
    pub(crate) folded: bool,
}

/// What keeps a new series out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lack {
    Series,
    Histograms,
    Text,
    /// Nothing that idle series could give back.
    Cap,
}

/// Idle series that may go for one new key: its texts take up to eight blocks, and few series give
/// back none.
const RECLAIMS_MAX: usize = 16;

impl Registry {
    /// The series of a key, made if need be and possible, else an overflow series.
    ///
    /// # Errors
    /// `Conflict` if the metric has another unit or other bounds, `OverLimit` for a gauge beyond a
    /// cap.
    pub(crate) fn place(&mut self, wanted: &Wanted<'_>) -> Result<Placed, Reason> {
        self.meet(wanted.owner, wanted.service);
        let metric = self.metric_of(wanted);
        if let Some(metric) = metric {
            self.check_traits(metric, &wanted.traits)?;
        }
        if let Some(found) = self.find(&wanted.key()) {
            self.complete_traits(found, &wanted.traits);
            return Ok(Placed { row: found, folded: false });
        }
        let full = metric.is_some_and(|metric| self.metric_is_full(metric));
        if full || !self.make_room(wanted) {
            return Ok(Placed { row: self.overflow(wanted)?, folded: true });
        }
        Ok(Placed { row: self.create(wanted), folded: false })
    }

    fn metric_of(&self, wanted: &Wanted<'_>) -> Option<u32> {
        self.find_metric(wanted.owner, wanted.kind, wanted.name.as_str())
    }

    /// First words with a sender: its overflow series are kept for it from now on.
    fn meet(&mut self, owner: SenderSlot, service: ServiceId) {
        let known = &mut self.owners[row(owner)];
        if known.service == 0 {
            known.service = service.raw();
            self.series_shares.take(owner, 2);
            self.histogram_shares.take(owner, 1);
        }
    }

    fn check_traits(&self, metric: u32, traits: &Traits<'_>) -> Result<(), Reason> {
        let metric = &self.metrics[metric];
        let other_unit = matches!((metric.unit, traits.unit), (Some(a), Some(b)) if a != b);
        let other_bounds = traits.bounds.is_some_and(|bounds| {
            metric.kind == Kind::Histogram && self.layouts.at(metric.layout) != bounds
        });
        if other_unit || other_bounds { Err(Reason::Conflict) } else { Ok(()) }
    }

    /// Adds what an earlier update by name could not say.
    fn complete_traits(&mut self, series: u32, traits: &Traits<'_>) {
        let metric = self.series[series].metric;
        let row = &mut self.metrics[metric];
        row.unit = row.unit.or(traits.unit);
        if row.help.is_empty() {
            self.metrics[metric].help = self.store_help(self.metrics[metric].owner, traits.help);
        }
    }

    /// Whether a metric takes no new series; notes when it meets its cap.
    fn metric_is_full(&mut self, metric: u32) -> bool {
        let now = self.clock.now();
        let row = &mut self.metrics[metric];
        if now < row.quarantined_until {
            return true;
        }
        let full = row.series >= self.caps.per_metric;
        if full {
            row.quarantined_until = now.after(self.caps.quarantine);
            self.totals.quarantines += 1;
        }
        full
    }

    /// Sees to it that there is room for a new series, at the cost of a few idle ones; `false`:
    /// there is none.
    fn make_room(&mut self, wanted: &Wanted<'_>) -> bool {
        for _ in 0..RECLAIMS_MAX {
            match self.lack(wanted) {
                None => return true,
                Some(lack) if self.reclaim_for(wanted.owner, lack) => {}
                Some(_) => return false,
            }
        }
        self.lack(wanted).is_none()
    }

    /// What is missing for a new series.
    fn lack(&self, wanted: &Wanted<'_>) -> Option<Lack> {
        let new_metric = self.metric_of(wanted).is_none();
        let owner = wanted.owner;
        let key = wanted.key();
        let blocks = blocks_of(wanted.labels.fields().as_str())
            + if new_metric { blocks_of(wanted.name.as_str()) } else { 0 };
        if self.chain_is_full(&key, new_metric)
            || (new_metric && self.owners[row(owner)].metrics >= self.caps.metrics_per_sender)
        {
            Some(Lack::Cap)
        } else if !self.series_shares.fits(owner, 1) {
            Some(Lack::Series)
        } else if wanted.kind == Kind::Histogram && !self.histogram_shares.fits(owner, 1) {
            Some(Lack::Histograms)
        } else if !self.text_shares.fits(owner, blocks) {
            Some(Lack::Text)
        } else {
            None
        }
    }

    /// Whether the sender's own rows fill the chains that the key would go to.
    fn chain_is_full(&self, key: &Key<'_>, new_metric: bool) -> bool {
        let hash = self.hash(key.owner, key.kind, key.name, Some(key.labels));
        let series = self.series_index.walk(&self.series, hash);
        let own = series.filter(|(_, series)| series.owner == key.owner).count();
        let metric_hash = self.hash(key.owner, key.kind, key.name, None);
        let metrics = self.metric_index.walk(&self.metrics, metric_hash);
        let own_metrics = metrics.filter(|(_, metric)| metric.owner == key.owner).count();
        own >= CHAIN_MAX || (new_metric && own_metrics >= CHAIN_MAX)
    }

    /// Makes a series for which there is room.
    fn create(&mut self, wanted: &Wanted<'_>) -> u32 {
        let metric = self.metric_of(wanted);
        let metric = metric.unwrap_or_else(|| self.create_metric(wanted));
        self.metrics[metric].series += 1;
        let labels = self.store_text(wanted.owner, wanted.labels.fields().as_str());
        let key = wanted.key();
        let hash = self.hash(key.owner, key.kind, key.name, Some(key.labels));
        let layout = self.metrics[metric].layout;
        self.series_shares.take(wanted.owner, 1);
        if wanted.kind == Kind::Histogram {
            self.histogram_shares.take(wanted.owner, 1);
        }
        let series = Series { hash, labels, metric, owner: wanted.owner, ..Series::FREE };
        let row = self.fill(wanted.kind, layout, series);
        self.series_index.insert(&mut self.series, row);
        self.complete_traits(row, &wanted.traits);
        row
    }

    /// Takes the rows of a series for which the shares have been taken.
    fn fill(&mut self, kind: Kind, layout: u32, series: Series) -> u32 {
        let wide = match kind {
            Kind::Counter => Some(0),
            Kind::Gauge => self.gauges.take(Gauge::default()),
            Kind::Histogram => self.histograms.take(Histogram::new(layout)),
        };
        let rows = wide.and_then(|wide| Some((wide, self.series.claim()?)));
        assert!(rows.is_some(), "shares never promise more rows than there are");
        let (wide, row) = rows.unwrap_or_default();
        self.series[row] = Series {
            kind,
            value: u64::from(wide),
            created: self.clock.now(),
            windows: Windows::new(self.clock.short()),
            flags: series.flags.with(Flags::LIVE),
            ..series
        };
        self.list(row);
        row
    }

    fn create_metric(&mut self, wanted: &Wanted<'_>) -> u32 {
        let (owner, kind, name) = (wanted.owner, wanted.kind, wanted.name.as_str());
        let layout = match (kind, wanted.traits.bounds) {
            (Kind::Histogram, Some(bounds)) => self.layouts.take(name, bounds),
            (Kind::Histogram, None) => Some(self.layouts.by_rule(name)),
            _ => Some(NONE),
        };
        let metric = Metric {
            hash: self.hash(owner, kind, name.as_bytes(), None),
            name: self.store_text(owner, name),
            layout: layout.unwrap_or(0),
            owner,
            kind,
            ..Metric::FREE
        };
        let row_of_metric = self.metrics.take(metric);
        assert!(
            layout.is_some() && row_of_metric.is_some(),
            "every metric has a series, and every metric with bounds a histogram"
        );
        let at = row_of_metric.unwrap_or_default();
        self.metric_index.insert(&mut self.metrics, at);
        self.owners[row(owner)].metrics += 1;
        at
    }

    /// The overflow series for what a cap keeps out: the metric's own, else the sender's.
    fn overflow(&mut self, wanted: &Wanted<'_>) -> Result<u32, Reason> {
        let place = overflow_place(wanted.kind).ok_or(Reason::OverLimit)?;
        self.totals.folds += 1;
        let Some(metric) = self.metric_of(wanted) else {
            return Ok(self.sender_overflow(wanted.owner, place));
        };
        self.metrics[metric].folds += 1;
        let own = self.metrics[metric].overflow;
        let met_its_cap = self.clock.now() < self.metrics[metric].quarantined_until;
        if own != NONE {
            Ok(own)
        } else if met_its_cap && self.has_room_for_overflow(wanted) {
            Ok(self.create_metric_overflow(wanted, metric))
        } else {
            Ok(self.sender_overflow(wanted.owner, place))
        }
    }

    fn has_room_for_overflow(&self, wanted: &Wanted<'_>) -> bool {
        let fits = |shares: &Shares| shares.fits(wanted.owner, 1);
        fits(&self.series_shares)
            && (wanted.kind != Kind::Histogram || fits(&self.histogram_shares))
    }

    fn create_metric_overflow(&mut self, wanted: &Wanted<'_>, metric: u32) -> u32 {
        self.series_shares.take(wanted.owner, 1);
        if wanted.kind == Kind::Histogram {
            self.histogram_shares.take(wanted.owner, 1);
        }
        let flags = Flags::OVERFLOW;
        let series = Series { metric, owner: wanted.owner, flags, ..Series::FREE };
        let row = self.fill(wanted.kind, self.metrics[metric].layout, series);
        self.metrics[metric].overflow = row;
        row
    }

    /// A sender's own overflow series, which its floor has room for.
    pub(super) fn sender_overflow(&mut self, owner: SenderSlot, place: usize) -> u32 {
        let made = self.owners[row(owner)].overflow.get(place).copied().unwrap_or(NONE);
        if made != NONE {
            return made;
        }
        let kind = if place == 0 { Kind::Counter } else { Kind::Histogram };
        let flags = Flags::OVERFLOW;
        let layout = self.layouts.by_rule(super::view::OVERFLOW_NAME);
        let at = self.fill(kind, layout, Series { owner, flags, ..Series::FREE });
        if let Some(overflow) = self.owners[row(owner)].overflow.get_mut(place) {
            *overflow = at;
        }
        at
    }

    fn store_text(&mut self, owner: SenderSlot, text: &str) -> BlockChain {
        self.text_shares.take(owner, blocks_of(text));
        let stored = self.text.store(&[text.as_bytes()]);
        assert!(stored.is_some(), "shares never promise more blocks than there are");
        stored.unwrap_or(BlockChain::EMPTY)
    }

    /// A help is welcome, but no reason to refuse a series.
    fn store_help(&mut self, owner: SenderSlot, help: &str) -> BlockChain {
        if self.text_shares.fits(owner, blocks_of(help)) {
            return self.store_text(owner, help);
        }
        self.totals.helps_left_out += 1;
        BlockChain::EMPTY
    }
}

/// Place of the sender's overflow series for a kind. Gauges have none: a sum of them says nothing.
pub(super) const fn overflow_place(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Counter => Some(0),
        Kind::Gauge => None,
        Kind::Histogram => Some(1),
    }
}

pub(super) const fn blocks_of(text: &str) -> u32 {
    TextBlocks::blocks_for(text.len()) as u32
}

impl<'a> Wanted<'a> {
    pub(super) const fn key(&self) -> Key<'a> {
        Key {
            owner: self.owner,
            kind: self.kind,
            name: self.name.as_name_bytes().as_bytes(),
            labels: self.labels.as_label_bytes().as_bytes(),
        }
    }
}
