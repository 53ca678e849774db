//! Counters, gauges and histograms come back from logd with their exact values.

use core::fmt::Write as _;

use nexus_abi::ServiceId;
use nexus_bounded::Text;
use nexus_wire::logs::Record;
use nexus_wire::metrics::{Request, Update};
use nexus_wire::{AttrBytes, LabelBytes, NameBytes};

use crate::Why;
use crate::journal::has;
use crate::recorded;
use crate::series::{Metric, Series, told};
use crate::talk::{METRICSD, Talk};

const NO_FRAME: Why = "a text of ours does not fit its frame";

pub(crate) const COUNTER: (&str, &str) = ("kind", "counter");
pub(crate) const GAUGE: (&str, &str) = ("kind", "gauge");
pub(crate) const HISTOGRAM: (&str, &str) = ("kind", "histogram");
pub(crate) const NO_UNIT: (&str, &str) = ("unit", "none");

pub(crate) const PART_A: &[(&str, &str)] = &[("label.part", "a")];
pub(crate) const PART_B: &[(&str, &str)] = &[("label.part", "b")];

pub(crate) fn name(text: &str) -> Result<NameBytes<'_>, Why> {
    NameBytes::new(text.as_bytes()).ok_or(NO_FRAME)
}

pub(crate) fn attrs(text: &str) -> Result<AttrBytes<'_>, Why> {
    AttrBytes::new(text.as_bytes()).ok_or(NO_FRAME)
}

fn update<'a, V>(text: &'a str, labels: &'a str, value: V) -> Result<Update<'a, V>, Why> {
    let labels = LabelBytes::new(labels.as_bytes()).ok_or(NO_FRAME)?;
    Ok(Update { name: name(text)?, labels, value })
}

pub(crate) fn counter<'a>(name: &'a str, labels: &'a str, by: u64) -> Result<Request<'a>, Why> {
    update(name, labels, by).map(Request::CounterInc)
}

pub(crate) fn gauge<'a>(name: &'a str, labels: &'a str, value: i64) -> Result<Request<'a>, Why> {
    update(name, labels, value).map(Request::GaugeSet)
}

/// Whether metricsd exports there a series of that name.
pub(crate) fn is_ours(record: &Record<'_>, name: &str) -> bool {
    let is_metric = record.service == METRICSD && record.scope == "metrics";
    is_metric && record.message == name && has(record, &[("event", "metric.v1"), ("name", name)])
}

/// A service as exports name it.
pub(crate) fn origin(service: ServiceId) -> Text<16> {
    let mut text = Text::EMPTY;
    let written = write!(text, "{service}");
    assert!(written.is_ok(), "a service is named by 16 digits");
    text
}

pub(crate) fn counters(talk: &mut Talk<'_>) -> Result<(), Why> {
    const NAME: &str = "selftest_events_total";
    let since = talk.fresh_time();
    for (labels, by) in [("part=a\n", 3), ("part=b\n", 40), ("part=a\n", 4), ("part=b\n", 0)] {
        talk.tell(&counter(NAME, labels, by)?)?;
    }
    let series = [
        Series { labels: PART_A, values: &[COUNTER, NO_UNIT, ("value", "7")] },
        Series { labels: PART_B, values: &[COUNTER, NO_UNIT, ("value", "40")] },
    ];
    recorded::count(talk);
    let metrics = [Metric { name: NAME, series: &series }, recorded::COUNTED];
    told(talk, talk.me(), since, &metrics, "a counter's total is not in the journal")
}

pub(crate) fn gauges(talk: &mut Talk<'_>) -> Result<(), Why> {
    const NAME: &str = "selftest_level";
    let since = talk.fresh_time();
    for (labels, value) in [("part=a\n", 5), ("part=b\n", i64::MIN), ("part=a\n", -9)] {
        talk.tell(&gauge(NAME, labels, value)?)?;
    }
    let lowest = ("value", "-9223372036854775808");
    let series = [
        Series { labels: PART_A, values: &[GAUGE, NO_UNIT, ("value", "-9")] },
        Series { labels: PART_B, values: &[GAUGE, NO_UNIT, lowest] },
    ];
    recorded::set(talk);
    let metrics = [Metric { name: NAME, series: &series }, recorded::LEVEL];
    told(talk, talk.me(), since, &metrics, "a gauge's value is not in the journal")
}

/// The bounds are the recipe's: powers of two from 1024 on.
pub(crate) fn histograms(talk: &mut Talk<'_>) -> Result<(), Why> {
    const NAME: &str = "selftest_latency_ns";
    let since = talk.fresh_time();
    for value in [1000, 1024, 1025, 4000, 1 << 40] {
        talk.tell(&Request::HistObserve(update(NAME, "part=a\n", value)?))?;
    }
    let values = [
        HISTOGRAM,
        NO_UNIT,
        ("count", "5"),
        ("sum", "1099511634825"),
        ("le.1024", "2"),
        ("le.2048", "3"),
        ("le.4096", "4"),
        ("le.inf", "5"),
    ];
    let series = [Series { labels: PART_A, values: &values }];
    recorded::observe(talk);
    let metrics = [Metric { name: NAME, series: &series }, recorded::OBSERVED];
    told(talk, talk.me(), since, &metrics, "a histogram's buckets are not in the journal")
}
