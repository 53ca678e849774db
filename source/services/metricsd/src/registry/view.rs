//! Series as others see them.

use nexus_abi::ServiceId;
use nexus_bounded::BlockChain;
use nexus_gate::SenderSlot;
use nexus_wire::metrics::{SeriesValue, SeriesView, bounds_to_bytes};
use nexus_wire::{
    BOUNDS_MAX, Fields, HELP_BYTES_MAX, Kind, LABELS_BYTES_MAX, NAME_BYTES_MAX, Unit,
};

use super::Registry;
use super::histogram::BUCKETS_MAX;
use super::rows::{Flags, Metric, Series};
use crate::export::SeriesSource;

/// Name of the series that gather what met a cap of their sender.
pub(super) const OVERFLOW_NAME: &str = "overflow";
const OVERFLOW_HELP: &str = "What was counted under names or labels beyond a cap";

/// Room for the texts and buckets of one series.
pub(crate) struct ViewScratch {
    name: [u8; NAME_BYTES_MAX],
    labels: [u8; LABELS_BYTES_MAX],
    help: [u8; HELP_BYTES_MAX],
    bounds: [u8; BOUNDS_MAX * 8],
    counts: [u8; BUCKETS_MAX * 8],
}

impl ViewScratch {
    pub(crate) const fn new() -> Self {
        Self {
            name: [0; NAME_BYTES_MAX],
            labels: [0; LABELS_BYTES_MAX],
            help: [0; HELP_BYTES_MAX],
            bounds: [0; BOUNDS_MAX * 8],
            counts: [0; BUCKETS_MAX * 8],
        }
    }
}

/// A metric that takes no new series for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quarantined<'a> {
    pub(crate) owner: SenderSlot,
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    /// Updates that its cap has sent to an overflow series.
    pub(crate) folds: u64,
    /// When it takes new series again, monotonic ns.
    pub(crate) until_ns: u64,
    /// The label key that has most different values among its series; empty if it has none.
    pub(crate) label: &'a str,
}

impl Registry {
    /// Rows there are; series stand in some of them.
    pub(crate) fn capacity(&self) -> u32 {
        self.series.capacity()
    }

    /// The series in a row, if there is one, as of now.
    pub(crate) fn view<'a>(
        &self,
        row: u32,
        scratch: &'a mut ViewScratch,
    ) -> Option<SeriesView<'a>> {
        let series = self.series.find(row).filter(|series| series.flags.has(Flags::LIVE))?;
        let metric = self.metrics.find(series.metric);
        let ViewScratch { name, labels, help, bounds, counts } = scratch;
        let (value, closed) = match series.kind {
            Kind::Counter => {
                let closed = series.windows.closed_counter(&self.clock, series.value);
                (SeriesValue::Counter(series.value), closed)
            }
            Kind::Gauge => {
                let gauge = self.gauges[series.wide_row()];
                let closed = series.windows.closed_wide(&self.clock, gauge);
                (SeriesValue::Gauge(gauge.last()), closed)
            }
            Kind::Histogram => {
                let closed = self.histograms[series.wide_row()].wide;
                let closed = series.windows.closed_wide(&self.clock, closed);
                (self.histogram_value(series, bounds, counts)?, closed)
            }
        };
        Some(SeriesView {
            service: ServiceId::from_raw(self.owners[crate::shares::row(series.owner)].service),
            slot: row,
            unit: metric.and_then(|metric| metric.unit).unwrap_or(Unit::None),
            overflow: series.flags.has(Flags::OVERFLOW),
            catchup: closed.catchup,
            created_ns: series.created.0,
            name: metric.map_or(Some(OVERFLOW_NAME), |metric| self.text_of(metric.name, name))?,
            labels: self.text_of(series.labels, labels)?,
            help: metric.map_or(Some(OVERFLOW_HELP), |metric| self.text_of(metric.help, help))?,
            value,
            short: closed.short,
            long: closed.long,
        })
    }

    fn histogram_value<'a>(
        &self,
        series: &Series,
        bounds_out: &'a mut [u8],
        counts_out: &'a mut [u8],
    ) -> Option<SeriesValue<'a>> {
        let histogram = &self.histograms[series.wide_row()];
        let bounds = self.layouts.at(histogram.layout).as_slice();
        let counts = histogram.counts.get(..=bounds.len())?;
        Some(SeriesValue::Histogram {
            sum: histogram.sum,
            bounds: bounds_to_bytes(bounds, bounds_out)?,
            counts: bounds_to_bytes(counts, counts_out)?,
        })
    }

    fn text_of<'a>(&self, text: BlockChain, out: &'a mut [u8]) -> Option<&'a str> {
        core::str::from_utf8(self.text.copy_to(text, out)?).ok()
    }

    /// Series of each kind.
    pub(crate) fn used_by_kind(&self) -> [(Kind, u32); 3] {
        let gauges = self.gauges.used();
        let histograms = self.histograms.used();
        let counters = self.series.used() - gauges - histograms;
        [(Kind::Counter, counters), (Kind::Gauge, gauges), (Kind::Histogram, histograms)]
    }

    /// Rows of the metrics that take no new series now.
    pub(crate) fn quarantined(&self) -> impl Iterator<Item = u32> {
        let now = self.clock.now();
        let live = |metric: &Metric| metric.series > 0 || metric.overflow != crate::rows::NONE;
        let all = self.metrics.iter();
        all.filter(move |(_, metric)| live(metric) && metric.quarantined_until > now)
            .map(|(row, _)| row)
    }

    /// Blocks of text in use, and how many there are.
    pub(crate) fn text_used(&self) -> u32 {
        self.text_blocks - self.text.free_blocks()
    }

    pub(crate) const fn text_capacity(&self) -> u32 {
        self.text_blocks
    }

    /// What there is to say of a metric in quarantine.
    pub(crate) fn quarantine<'a>(
        &self,
        row: u32,
        scratch: &'a mut ViewScratch,
    ) -> Option<Quarantined<'a>> {
        let metric = self.metrics.find(row)?;
        let ViewScratch { name, labels, .. } = scratch;
        Some(Quarantined {
            owner: metric.owner,
            kind: metric.kind,
            name: self.text_of(metric.name, name)?,
            folds: metric.folds,
            until_ns: metric.quarantined_until.0,
            label: self.busiest_label(row, labels),
        })
    }

    /// The label key whose value differs most often from that in the metric's first series.
    fn busiest_label<'a>(&self, metric: u32, first_out: &'a mut [u8]) -> &'a str {
        let of_metric = |series: &&Series| series.metric == metric && !series.labels.is_empty();
        let all = || self.series.iter().map(|(_, series)| series).filter(of_metric);
        let first = all().next().and_then(|series| self.text_of(series.labels, first_out));
        let Some(first) = first.and_then(|text| Fields::parse(text.as_bytes()).ok()) else {
            return "";
        };
        let differing = |key: &str, value: &str| {
            let mut buffer = [0; LABELS_BYTES_MAX];
            let differs = |series: &&Series| {
                let text = self.text_of(series.labels, &mut buffer);
                let labels = text.and_then(|text| Fields::parse(text.as_bytes()).ok());
                labels.is_some_and(|labels| labels.get(key) != Some(value))
            };
            all().filter(differs).count()
        };
        let busiest = first.iter().max_by_key(|(key, value)| differing(key, value));
        busiest.map_or("", |(key, _)| key)
    }
}

impl SeriesSource for Registry {
    fn capacity(&self) -> u32 {
        Self::capacity(self)
    }

    fn changed(&self, place: u32) -> bool {
        Self::changed(self, place)
    }

    fn mark_exported(&mut self, place: u32) {
        Self::mark_exported(self, place);
    }

    fn with_view<R>(&self, place: u32, read: impl FnOnce(&SeriesView<'_>) -> R) -> Option<R> {
        let mut scratch = ViewScratch::new();
        self.view(place, &mut scratch).map(|view| read(&view))
    }
}
