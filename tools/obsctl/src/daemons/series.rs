//! Series as they were when they were read.

use nexus_abi::ServiceId;
use nexus_wire::metrics::{SeriesValue, SeriesView, WindowView};
use nexus_wire::{Kind, Unit};

use crate::render::visible;

/// A series as it was when it was read.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) service: ServiceId,
    pub(crate) unit: Unit,
    pub(crate) overflow: bool,
    pub(crate) catchup: bool,
    pub(crate) created_ns: u64,
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) help: String,
    pub(crate) value: Value,
    pub(crate) short: WindowView,
    pub(crate) long: WindowView,
}

/// A value of its own.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Counter(u64),
    Gauge(i64),
    Histogram { sum: i128, buckets: Vec<(Option<u64>, u64)> },
}

impl Value {
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Histogram { .. } => Kind::Histogram,
        }
    }
}

impl Series {
    /// A counter in which nothing has happened yet.
    #[cfg(test)]
    pub(crate) fn counter(name: &str, total: u64) -> Self {
        Self {
            service: ServiceId::from_raw(0),
            unit: Unit::None,
            overflow: false,
            catchup: false,
            created_ns: 0,
            name: name.to_owned(),
            labels: Vec::new(),
            help: String::new(),
            value: Value::Counter(total),
            short: WindowView::default(),
            long: WindowView::default(),
        }
    }

    pub(super) fn new(view: &SeriesView<'_>) -> Self {
        let labels = view.labels.lines().filter_map(|line| line.split_once('='));
        Self {
            service: view.service,
            unit: unit_of(view),
            overflow: view.overflow,
            catchup: view.catchup,
            created_ns: view.created_ns,
            name: view.name.to_owned(),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            help: view.help.to_owned(),
            value: match view.value {
                SeriesValue::Counter(total) => Value::Counter(total),
                SeriesValue::Gauge(value) => Value::Gauge(value),
                SeriesValue::Histogram { sum, .. } => {
                    Value::Histogram { sum, buckets: view.value.buckets().collect() }
                }
            },
            short: view.short,
            long: view.long,
        }
    }

    /// `name{key="value",..}`, for people.
    pub(crate) fn title(&self) -> String {
        let name = visible(&self.name);
        if self.labels.is_empty() {
            return name.into_owned();
        }
        let label = |(key, value): &(String, String)| {
            let value = visible(value).replace('"', "\\\"");
            format!("{}=\"{value}\"", visible(key))
        };
        let labels: Vec<_> = self.labels.iter().map(label).collect();
        format!("{name}{{{}}}", labels.join(","))
    }
}

/// The registered unit; updates by name register none, and there the name's ending tells it.
fn unit_of(view: &SeriesView<'_>) -> Unit {
    if view.unit != Unit::None {
        return view.unit;
    }
    let name = view.name.strip_suffix("_total").unwrap_or(view.name);
    let ending = name.rsplit('_').next().filter(|ending| *ending != "none");
    ending.and_then(Unit::from_name).unwrap_or(Unit::None)
}
