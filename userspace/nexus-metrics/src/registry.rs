//! Which series a process has. Cold: a call site asks once.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use nexus_wire::{FieldsWriter, Help, Kind, LABELS_BYTES_MAX, MetricName, Unit};

use crate::bounds::Bounds;
use crate::cells::CellId;
use crate::limits::{CELLS, CELLS_PER_PAGE, GAUGES, KEY_BYTES_MAX, SERIES_MAX, VALUE_BYTES_MAX};
use crate::names::{StaticLabels, StaticName};
use crate::threads::Lock;

/// What a metric is, as its call site says it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    name: StaticName,
    kind: Kind,
    unit: Unit,
    help: &'static str,
    labels: StaticLabels,
    bounds: Option<Bounds>,
}

impl Spec {
    /// A metric of this kind and name: without unit, help or labels.
    #[must_use]
    pub const fn new(kind: Kind, name: StaticName) -> Self {
        let labels = StaticLabels::literal(&[]);
        Self { name, kind, unit: Unit::None, help: "", labels, bounds: None }
    }

    /// In what it is measured.
    #[must_use]
    pub const fn unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// What it is good for, in a sentence.
    ///
    /// # Panics
    /// If it is longer than 120 bytes. In the macros that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn help(self, help: &'static str) -> Self {
        assert!(help.len() <= nexus_wire::HELP_BYTES_MAX, "a help has at most 120 bytes");
        Self { help, ..self }
    }

    /// The bounds of its buckets. Without: [`Bounds::TIME`] for nanoseconds, else
    /// [`Bounds::COUNT`].
    #[must_use]
    pub const fn bounds(self, bounds: Bounds) -> Self {
        Self { bounds: Some(bounds), ..self }
    }

    /// Labels that its series has.
    #[must_use]
    pub const fn labels(self, labels: StaticLabels) -> Self {
        Self { labels, ..self }
    }

    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            kind: self.kind,
            unit: self.unit,
            name: self.name.as_str(),
            help: self.help,
            bounds: self.chosen_bounds(),
        }
    }

    pub(crate) const fn static_labels(&self) -> &'static [(&'static str, &'static str)] {
        self.labels.pairs()
    }

    const fn chosen_bounds(&self) -> Bounds {
        match (self.bounds, self.unit) {
            (Some(bounds), _) => bounds,
            (None, Unit::Nanoseconds) => Bounds::TIME,
            (None, _) => Bounds::COUNT,
        }
    }
}

/// A series to be found or made, but for its labels.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) name: &'a str,
    pub(crate) help: &'a str,
    /// Meaningful for histograms alone.
    pub(crate) bounds: Bounds,
}

/// Where a series' value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Counter(CellId),
    Gauge(usize),
    /// The first bucket; the others follow, then the sum.
    Histogram(CellId, Bounds),
}

impl Place {
    /// Words of its value: a total, the bits of a gauge, or buckets and sum.
    pub(crate) const fn words(&self) -> usize {
        match self {
            Self::Counter(_) | Self::Gauge(_) => 1,
            Self::Histogram(_, bounds) => bounds.count() + 2,
        }
    }
}

/// A series of the process.
pub(crate) struct Series {
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) name: Box<str>,
    /// Canonical.
    pub(crate) labels: Box<str>,
    pub(crate) help: Box<str>,
    pub(crate) place: Place,
}

impl Series {
    /// The bounds of its buckets, if it has any.
    pub(crate) const fn bounds(&self) -> Option<Bounds> {
        match self.place {
            Place::Histogram(_, bounds) => Some(bounds),
            Place::Counter(_) | Place::Gauge(_) => None,
        }
    }
}

/// Why a series was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The process has as many series or cells as it may have.
    Full,
    /// The name, a label or all labels together are not within their bounds.
    Illegal,
}

/// Cells of the two overflow series come first, so that there is always room for them.
/// Cells of the overflow series: they are there before anybody asks.
pub(crate) const OVERFLOW_COUNTER: CellId = CellId::new(0);
pub(crate) const OVERFLOW_HISTOGRAM: CellId = CellId::new(1);
const OVERFLOW_CELLS: usize = 1 + Bounds::COUNT.count() + 2;

/// The series of a process, by number and by name.
pub(crate) struct Registry(Lock<Tables>);

struct Tables {
    series: Vec<Arc<Series>>,
    by_key: BTreeMap<(Kind, Box<str>, Box<str>), Place>,
    cells: usize,
    gauges: usize,
}

impl Registry {
    pub(crate) const fn new() -> Self {
        let by_key = BTreeMap::new();
        Self(Lock::new(Tables { series: Vec::new(), by_key, cells: OVERFLOW_CELLS, gauges: 0 }))
    }

    /// The series of this kind, name and labels, made if there is none yet. Whoever comes first
    /// decides on unit, help and bounds.
    pub(crate) fn resolve(
        &self,
        request: Request<'_>,
        labels: &[(&str, &str)],
    ) -> Result<Place, Refused> {
        let mut buffer = [0; LABELS_BYTES_MAX];
        let labels = canonical(labels, &mut buffer)?;
        MetricName::new(request.name).ok_or(Refused::Illegal)?;
        Help::new(request.help).ok_or(Refused::Illegal)?;
        self.0.with(|tables| tables.resolve(request, labels))
    }

    /// The series that counts what found no place of its own; a gauge has none.
    pub(crate) fn overflow(&self, kind: Kind) -> Option<Place> {
        let (name, place) = match kind {
            Kind::Counter => ("nexus_metrics_overflow_total", Place::Counter(OVERFLOW_COUNTER)),
            Kind::Histogram => {
                ("nexus_metrics_overflow", Place::Histogram(OVERFLOW_HISTOGRAM, Bounds::COUNT))
            }
            Kind::Gauge => return None,
        };
        let help = "what this process recorded for metrics that met a full table";
        let request = Request { kind, unit: Unit::None, name, help, bounds: Bounds::COUNT };
        Some(self.0.with(|tables| {
            tables.find(kind, name, "").unwrap_or_else(|| {
                tables.insert(request, "", place);
                place
            })
        }))
    }

    /// Series number `at`, counted in the order in which they were made.
    pub(crate) fn get(&self, at: usize) -> Option<Arc<Series>> {
        self.0.with(|tables| tables.series.get(at).cloned())
    }
}

impl Tables {
    fn resolve(&mut self, request: Request<'_>, labels: &str) -> Result<Place, Refused> {
        if let Some(place) = self.find(request.kind, request.name, labels) {
            return Ok(place);
        }
        if self.series.len() >= SERIES_MAX {
            return Err(Refused::Full);
        }
        let place = self.place(request.kind, request.bounds).ok_or(Refused::Full)?;
        self.insert(request, labels, place);
        Ok(place)
    }

    fn find(&self, kind: Kind, name: &str, labels: &str) -> Option<Place> {
        self.by_key.get(&(kind, Box::from(name), Box::from(labels))).copied()
    }

    fn insert(&mut self, request: Request<'_>, labels: &str, place: Place) {
        let (name, labels): (Box<str>, Box<str>) = (Box::from(request.name), Box::from(labels));
        self.by_key.insert((request.kind, name.clone(), labels.clone()), place);
        let Request { kind, unit, help, .. } = request;
        self.series.push(Arc::new(Series { kind, unit, name, labels, help: help.into(), place }));
    }

    fn place(&mut self, kind: Kind, bounds: Bounds) -> Option<Place> {
        match kind {
            Kind::Counter => self.take_cells(1).map(Place::Counter),
            Kind::Histogram => {
                let first = self.take_cells(bounds.count() + 2)?;
                Some(Place::Histogram(first, bounds))
            }
            Kind::Gauge => {
                let gauge = self.gauges;
                self.gauges += usize::from(gauge < GAUGES);
                (gauge < GAUGES).then_some(Place::Gauge(gauge))
            }
        }
    }

    /// `count` cells in a row within one column.
    fn take_cells(&mut self, count: usize) -> Option<CellId> {
        let left = CELLS_PER_PAGE - self.cells % CELLS_PER_PAGE;
        let first = if count > left { self.cells + left } else { self.cells };
        if first + count > CELLS {
            return None;
        }
        self.cells = first + count;
        u32::try_from(first).ok().map(CellId::new)
    }
}

/// The labels as they stand in frames: sorted by key.
fn canonical<'b>(labels: &[(&str, &str)], out: &'b mut [u8]) -> Result<&'b str, Refused> {
    let mut sorted: Vec<_> = labels.to_vec();
    sorted.sort_unstable();
    let mut writer = FieldsWriter::new(out);
    for (key, value) in sorted {
        let legal = key.len() <= KEY_BYTES_MAX
            && value.len() <= VALUE_BYTES_MAX
            && !nexus_wire::is_identity_key(key)
            && !value.contains(char::is_control);
        if !legal || !writer.field(key, value) {
            return Err(Refused::Illegal);
        }
    }
    writer.finish().map(|fields| fields.as_str()).map_err(|_| Refused::Illegal)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Registry {
        fn len(&self) -> usize {
            self.0.with(|tables| tables.series.len())
        }
    }

    fn counter(name: &str) -> Request<'_> {
        let bounds = Bounds::COUNT;
        Request { kind: Kind::Counter, unit: Unit::None, name, help: "", bounds }
    }

    fn histogram(name: &str) -> Request<'_> {
        Request { kind: Kind::Histogram, ..counter(name) }
    }

    #[test]
    fn the_order_of_labels_makes_no_other_series() {
        let registry = Registry::new();
        let one = registry.resolve(counter("a"), &[("x", "1"), ("b", "2")]);
        assert_eq!(one, registry.resolve(counter("a"), &[("b", "2"), ("x", "1")]));
        assert_ne!(one, registry.resolve(counter("a"), &[("b", "2"), ("x", "2")]));
    }

    #[test]
    fn the_same_name_in_another_kind_is_another_series() {
        let registry = Registry::new();
        assert!(matches!(registry.resolve(counter("a"), &[]), Ok(Place::Counter(_))));
        assert!(matches!(registry.resolve(histogram("a"), &[]), Ok(Place::Histogram(..))));
    }

    #[test]
    fn a_histogram_lies_within_one_column() {
        let registry = Registry::new();
        for at in 0..CELLS {
            let name = alloc::format!("h{at}");
            match registry.resolve(histogram(&name), &[]) {
                Ok(Place::Histogram(first, bounds)) => {
                    let last = first.offset(bounds.count() + 1);
                    assert_eq!(first.column(), last.column());
                }
                other => {
                    assert_eq!(other, Err(Refused::Full));
                    assert!(at > 100);
                    return;
                }
            }
        }
        panic!("cells never ran out");
    }

    #[test]
    fn series_beyond_the_table_are_refused_and_the_others_stay() {
        let registry = Registry::new();
        let first = registry.resolve(counter("n0"), &[]);
        for at in 1..SERIES_MAX {
            assert!(registry.resolve(counter(&alloc::format!("n{at}")), &[]).is_ok());
        }
        assert_eq!(registry.resolve(counter("more"), &[]), Err(Refused::Full));
        assert_eq!(registry.resolve(counter("n0"), &[]), first);
    }

    #[test]
    fn overflow_has_a_place_when_nothing_else_has() {
        let registry = Registry::new();
        while registry.resolve(histogram(&alloc::format!("h{}", registry.len())), &[]).is_ok() {}
        while registry.resolve(counter(&alloc::format!("c{}", registry.len())), &[]).is_ok() {}
        assert_eq!(registry.overflow(Kind::Counter), Some(Place::Counter(OVERFLOW_COUNTER)));
        assert_eq!(
            registry.overflow(Kind::Histogram),
            Some(Place::Histogram(OVERFLOW_HISTOGRAM, Bounds::COUNT))
        );
        assert_eq!(registry.overflow(Kind::Gauge), None);
    }

    #[test]
    fn illegal_labels_are_refused() {
        let registry = Registry::new();
        let long = "x".repeat(LABELS_BYTES_MAX);
        for labels in [
            &[("a", "1\n")][..],
            &[("a", "1"), ("a", "2")],
            &[("A", "1")],
            &[("", "1")],
            &[("service", "execd")],
            &[("a", &long)],
        ] {
            assert_eq!(registry.resolve(counter("a"), labels), Err(Refused::Illegal));
        }
        assert_eq!(registry.resolve(counter("a\n"), &[]), Err(Refused::Illegal));
    }
}
