//! What readers see, in memory of their own.

use nexus_abi::ServiceId;
use nexus_wire::logs::{Found, Record};
use nexus_wire::metrics::{SeriesValue, SeriesView, WindowView};
use nexus_wire::{Fields, Kind, Level};

/// A record of the journal, or a gap in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Whether it stands for records that were dropped.
    pub gap: bool,
    /// Its id.
    pub id: u64,
    /// When it was appended, monotonic ns.
    pub ts_ns: u64,
    /// Whose it is.
    pub service: ServiceId,
    /// How grave it is.
    pub level: Level,
    /// Where it comes from.
    pub scope: String,
    /// What happened.
    pub message: String,
    /// Its fields.
    pub fields: String,
}

impl Seen {
    pub(crate) fn of(found: &Found<'_>) -> Self {
        let of = |gap, record: &Record<'_>| Self {
            gap,
            id: record.id.0,
            ts_ns: record.ts_ns,
            service: record.service,
            level: record.level,
            scope: record.scope.to_owned(),
            message: record.message.to_owned(),
            fields: record.fields.as_str().to_owned(),
        };
        match found {
            Found::Record(record) => of(false, record),
            Found::Gap(record) => of(true, record),
        }
    }

    /// The value of a field.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        Fields::parse(self.fields.as_bytes()).ok()?.get(key)
    }

    /// A number among the fields; its absence ends the scenario.
    #[must_use]
    pub fn number(&self, key: &str) -> u64 {
        self.field(key).and_then(|text| text.parse().ok()).expect("a number")
    }

    /// Whether it is metricsd's record of something lost on the way to the journal.
    #[must_use]
    pub fn is_export_gap(&self, reason: &str) -> bool {
        self.field("event") == Some("gap.v1") && self.field("reason") == Some(reason)
    }
}

/// A series as SCRAPE shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Series {
    /// Whose it is.
    pub service: ServiceId,
    /// Its kind.
    pub kind: Kind,
    /// Name of its metric.
    pub name: String,
    /// Its labels.
    pub labels: String,
    /// Whether it gathers what met a cap.
    pub overflow: bool,
    /// Whether its windows contain values caught up.
    pub catchup: bool,
    /// Its value.
    pub value: Value,
    /// Its last closed short window.
    pub short: WindowView,
    /// Its last closed long window.
    pub long: WindowView,
}

/// The value of a series.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Total of a counter.
    Counter(u64),
    /// Value of a gauge.
    Gauge(i64),
    /// A histogram: sum, and count for each bucket.
    Histogram(i128, Vec<(Option<u64>, u64)>),
}

impl Series {
    pub(crate) fn of(view: &SeriesView<'_>) -> Self {
        Self {
            service: view.service,
            kind: view.value.kind(),
            name: view.name.to_owned(),
            labels: view.labels.to_owned(),
            overflow: view.overflow,
            catchup: view.catchup,
            value: match view.value {
                SeriesValue::Counter(total) => Value::Counter(total),
                SeriesValue::Gauge(value) => Value::Gauge(value),
                SeriesValue::Histogram { sum, .. } => {
                    Value::Histogram(sum, view.value.buckets().collect())
                }
            },
            short: view.short,
            long: view.long,
        }
    }

    /// Without what time alone changes.
    #[must_use]
    pub fn timeless(self) -> Self {
        let (short, long) = (WindowView::default(), WindowView::default());
        Self { short, long, catchup: false, ..self }
    }
}

/// What the counters and histograms of somebody have been given, overflow included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Sum of all counters.
    pub counted: u128,
    /// Observations of all histograms.
    pub observations: u128,
    /// Sum of all observations.
    pub observed: i128,
}

impl Totals {
    /// The totals of one service.
    pub fn of<'a>(service: ServiceId, all: impl IntoIterator<Item = &'a Series>) -> Self {
        let mut totals = Self::default();
        for series in all.into_iter().filter(|series| series.service == service) {
            match &series.value {
                Value::Counter(total) => totals.counted += u128::from(*total),
                Value::Gauge(_) => {}
                Value::Histogram(sum, buckets) => {
                    totals.observed += sum;
                    totals.observations +=
                        buckets.iter().map(|(_, count)| u128::from(*count)).sum::<u128>();
                }
            }
        }
        totals
    }
}
