use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nexus_abi::Incarnation;
use nexus_bounded::Mono;
use nexus_wire::{Kind, LossReason, MetricName, SpanName, SpanStatus, Unit};
use spin::Once;

use crate::OFF;
use crate::attrs::AttrValue;
use crate::bounds::Bounds;
use crate::cells::Pages;
use crate::gauges::Gauges;
use crate::handles::{Counter, Gauge, Handle, Histogram};
use crate::lane::{Lane, LaneLease, Lanes, Open};
use crate::loss::Losses;
use crate::names::StaticKey;
use crate::record::Head;
use crate::registry::{Place, Refused, Registry, Request, Series};
use crate::span::SpanContext;
use crate::span_names::SpanNames;
use crate::threads::Lock;

/// Everything that one process records, before it is sent.
///
/// Programs use the one of their process through the macros and [`crate::global`]. A program that
/// plays several processes, such as a simulation, makes one for each and says what happens in it by
/// the methods here, times included. A handle belongs to the client that gave it.
pub struct Client {
    pages: Pages,
    gauges: Gauges,
    registry: Registry,
    losses: Losses,
    /// The last number that a span got.
    ids: AtomicU64,
    span_names: SpanNames,
    lanes: Lanes,
    /// The lane of those who have no thread of their own, one at a time, once there are any.
    own_lane: Once<Box<Lane>>,
    own_lane_turn: Lock<()>,
    /// As whom metricsd counts its spans: its boot and our incarnation; 0: not known.
    life: AtomicU64,
    /// How its times are told, where they are not absolute.
    clock: Option<fn() -> u64>,
}

/// A span begun by [`Client::begin_span`]; it goes on until [`Client::end_span`].
#[must_use = "a span that is never ended is closed as abandoned"]
pub struct OpenSpan(Open);

impl OpenSpan {
    /// This span as a parent of others.
    #[must_use]
    pub const fn context(&self) -> SpanContext {
        self.0.context()
    }
}

impl Client {
    /// A client that has recorded nothing. Its times are absolute, as metricsd's.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_clock(None)
    }

    /// Its times are those of `clock`.
    pub(crate) const fn with_clock(clock: Option<fn() -> u64>) -> Self {
        Self {
            pages: Pages::new(),
            gauges: Gauges::new(),
            registry: Registry::new(),
            losses: Losses::new(),
            ids: AtomicU64::new(0),
            span_names: SpanNames::new(),
            lanes: Lanes::new(),
            own_lane: Once::new(),
            own_lane_turn: Lock::new(()),
            life: AtomicU64::new(0),
            clock,
        }
    }

    /// The counter of this name and these labels, for names that are known only at run time.
    ///
    /// # Errors
    /// [`Refused`]; nothing is counted then.
    pub fn counter(
        &self,
        name: MetricName<'_>,
        labels: &[(&str, &str)],
    ) -> Result<Counter, Refused> {
        self.resolve(Kind::Counter, name, labels, Bounds::COUNT)
    }

    /// The gauge of this name and these labels.
    ///
    /// # Errors
    /// [`Refused`]; nothing is set then.
    pub fn gauge(&self, name: MetricName<'_>, labels: &[(&str, &str)]) -> Result<Gauge, Refused> {
        self.resolve(Kind::Gauge, name, labels, Bounds::COUNT)
    }

    /// The histogram of this name and these labels; if it is new it gets these bounds.
    ///
    /// # Errors
    /// [`Refused`]; nothing is observed then.
    pub fn histogram(
        &self,
        name: MetricName<'_>,
        labels: &[(&str, &str)],
        bounds: Bounds,
    ) -> Result<Histogram, Refused> {
        self.resolve(Kind::Histogram, name, labels, bounds)
    }

    fn resolve<H: Handle>(
        &self,
        kind: Kind,
        name: MetricName<'_>,
        labels: &[(&str, &str)],
        bounds: Bounds,
    ) -> Result<H, Refused> {
        let request = Request { kind, unit: Unit::None, name: name.as_str(), help: "", bounds };
        let place = self.registry.resolve(request, labels)?;
        H::at(Some(place)).ok_or(Refused::Illegal)
    }

    /// Adds to a counter of this client.
    pub fn add(&self, counter: Counter, count: u64) {
        self.pages.add_shared(counter.cell(), count);
    }

    /// Sets a gauge of this client.
    pub fn set(&self, gauge: Gauge, value: i64) {
        match gauge.place() {
            Some(gauge) => self.gauges.set(gauge, value),
            None => self.losses.add(LossReason::SeriesTableFull, 1),
        }
    }

    /// Observes into a histogram of this client.
    pub fn observe(&self, histogram: Histogram, value: u64) {
        let (bucket, sum, value) = histogram.cells(value);
        self.pages.add_shared(bucket, 1);
        self.pages.add_shared(sum, value);
    }

    /// Begins a span at `now`. Without `parent` it begins a trace. `None`, counted: too many are
    /// open, or have names of their own.
    pub fn begin_span(
        &self,
        name: SpanName<'_>,
        parent: Option<SpanContext>,
        now: Mono,
    ) -> Option<OpenSpan> {
        if OFF {
            return None;
        }
        let span = self.next_local();
        let begun = self.span_names.intern(name.as_str()).and_then(|name| {
            let trace = parent.map_or(span, SpanContext::trace);
            let parent = parent.map_or(0, SpanContext::span);
            let head = Head { name, trace, span, parent, start: now.0 };
            self.on_own_lane(|lane| {
                let mut open = lane.begin(&head)?;
                lane.publish(&mut open);
                Some(open)
            })
        });
        if begun.is_none() {
            self.losses.add(LossReason::SpanRingFull, 1);
        }
        begun.map(OpenSpan)
    }

    /// Adds an attribute to a span of [`Self::begin_span`], for when it ends. One that does not
    /// fit is left out and counted.
    pub fn span_attr(&self, span: &mut OpenSpan, key: StaticKey, value: impl AttrValue) {
        if !self.on_own_lane(|lane| {
            !lane.has_attr(&span.0, key.as_str()) && lane.attr(&mut span.0, key.as_str(), &value)
        }) {
            self.losses.add(LossReason::TooLarge, 1);
        }
    }

    /// Ends a span of [`Self::begin_span`] at `now`.
    pub fn end_span(&self, span: OpenSpan, now: Mono, status: SpanStatus) {
        if !self.on_own_lane(|lane| lane.end(&span.0, now.0, status)) {
            self.losses.add(LossReason::SpanRingFull, 1);
        }
    }

    fn on_own_lane<R>(&self, body: impl FnOnce(&Lane) -> R) -> R {
        let lane = self.own_lane.call_once(|| Box::new(Lane::new()));
        self.own_lane_turn.with(|()| body(lane))
    }

    /// Notes that something was lost outside of this crate, so that metricsd hears of it.
    pub fn lost(&self, reason: LossReason, count: u64) {
        self.losses.add(reason, count);
    }

    /// The boot of metricsd and the life of this process in which its spans are counted, as their
    /// traces say it. `None` before metricsd has said it, and in a life that is resumed: which of
    /// its numbers metricsd keeps is not ours to know.
    #[must_use]
    pub fn life(&self) -> Option<(u32, Incarnation)> {
        let life = self.life.load(Relaxed);
        let (boot, incarnation) = ((life >> 32) as u32, life as u32);
        (life != 0).then_some((boot, Incarnation::new(incarnation)))
    }

    pub(crate) fn set_life(&self, life: Option<(u32, Incarnation)>) {
        let raw = life.map_or(0, |(boot, life)| u64::from(boot) << 32 | u64::from(life.raw()));
        self.life.store(raw, Relaxed);
    }

    pub(crate) const fn pages(&self) -> &Pages {
        &self.pages
    }

    pub(crate) const fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) const fn losses(&self) -> &Losses {
        &self.losses
    }

    pub(crate) const fn span_names(&self) -> &SpanNames {
        &self.span_names
    }

    pub(crate) fn lease_lane(&'static self) -> Option<LaneLease> {
        self.lanes.lease(&self.losses)
    }

    /// How many lanes there may be.
    pub(crate) fn lane_count(&self) -> usize {
        1 + self.lanes.count()
    }

    /// All lanes that are there.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        (0..self.lane_count()).filter_map(|at| self.lane(at))
    }

    /// Lane number `at`, if it is there; the first is the one of those who have no thread of their
    /// own.
    pub(crate) fn lane(&self, at: usize) -> Option<&Lane> {
        match at.checked_sub(1) {
            None => self.own_lane.get().map(|lane| &**lane),
            Some(at) => self.lanes.get(at),
        }
    }

    /// A number for a span, never 0 in its low half: numbers of a second lap follow the first.
    #[inline]
    pub(crate) fn next_local(&self) -> u32 {
        loop {
            let next = self.ids.fetch_add(1, Relaxed).wrapping_add(1) as u32;
            if next != 0 {
                return next;
            }
        }
    }

    /// What must be added to the times in here to have absolute ones, if it is `now`.
    pub(crate) fn offset(&self, now: Mono) -> u64 {
        self.clock.map_or(0, |clock| now.0.saturating_sub(clock()))
    }

    /// The value of a series to the front of `out`; `false` for a gauge that was never set.
    pub(crate) fn read(&self, series: &Series, out: &mut [u64]) -> bool {
        let words = series.place.words() as u32;
        match series.place {
            Place::Counter(cell) | Place::Histogram(cell, _) => {
                self.pages.read(cell.raw()..cell.raw() + words, out);
                true
            }
            Place::Gauge(gauge) => {
                let value = self.gauges.read(gauge);
                out.iter_mut().take(1).for_each(|word| *word = value.unwrap_or(0).cast_unsigned());
                value.is_some()
            }
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_spans_go_on_beyond_32_bits_and_none_of_them_is_0() {
        let client = Client::new();
        client.ids.store(u64::from(u32::MAX) - 3, Relaxed);
        let begin = |parent| {
            let name = SpanName::new("work").unwrap();
            client.begin_span(name, parent, Mono(5)).unwrap()
        };
        let root = begin(None);
        let ids = |span: &OpenSpan| (span.context().trace(), span.context().span());
        let parts: alloc::vec::Vec<_> = (0..3).map(|_| begin(Some(root.context()))).collect();
        let next = begin(None);
        assert_eq!(ids(&root), (u32::MAX - 2, u32::MAX - 2));
        let expected = [u32::MAX - 1, u32::MAX, 1].map(|span| (u32::MAX - 2, span));
        assert!(parts.iter().map(ids).eq(expected), "a trace goes on across the end of 32 bits");
        assert_eq!(ids(&next), (2, 2));
    }
}
