//! What a program records by nexus-log and nexus-metrics comes back from logd as exactly.
//!
//! The port's own way to the daemons is driven: on Linux its thread, in the guest its loop.

use nexus_bounded::Nanos;
use nexus_log::{Level, warn};
use nexus_metrics::{Bounds, SpanContext, counter, gauge, histogram, key, span};
use nexus_wire::{SpanId, TraceId, WideTraceId};

use crate::Why;
use crate::metrics::{COUNTER, GAUGE, HISTOGRAM, NO_UNIT, PART_A, PART_B};
use crate::series::{Metric, Series};
use crate::spans::{TIMES, is_exported, shown};
use crate::talk::Talk;

/// So long a pause gives every budget room for what is recorded here.
const BREATH: Nanos = Nanos::from_millis(100);

/// Bounds for times that stand in nobody's recipe.
const BOUNDS: Bounds = Bounds::listed(&[1_000_000, 5_000_000, 20_000_000, 100_000_000]);

pub(crate) fn logs(talk: &mut Talk<'_>) -> Result<(), Why> {
    talk.client.pause(BREATH);
    let since = talk.fresh_time();
    warn!("selftest.client", "recorded {}", "once"; n = 7, text = "x\ny");
    talk.client.flush();
    let me = talk.me();
    talk.wait_for(since, "what was logged is not in the journal", |record| {
        let is_ours = record.service == me && record.scope == "selftest.client";
        let is_it = record.level == Level::Warn && record.message == "recorded once";
        is_ours && is_it && record.fields.as_str() == "n=7\ntext=x\\ny\n"
    })
}

/// Counts what [`COUNTED`] shows.
pub(crate) fn count(talk: &mut Talk<'_>) {
    for by in [5, 0, 37] {
        counter!("selftest_client_total", "part" => "a").add(by);
    }
    counter!("selftest_client_total", "part" => "b").inc();
    talk.client.flush();
}

pub(crate) const COUNTED: Metric<'static> = Metric {
    name: "selftest_client_total",
    series: &[
        Series { labels: PART_A, values: &[COUNTER, NO_UNIT, ("value", "42")] },
        Series { labels: PART_B, values: &[COUNTER, NO_UNIT, ("value", "1")] },
    ],
};

/// Sets what [`LEVEL`] shows.
pub(crate) fn set(talk: &mut Talk<'_>) {
    gauge!("selftest_client_level").set(5);
    gauge!("selftest_client_level").add(-14);
    talk.client.flush();
}

pub(crate) const LEVEL: Metric<'static> = Metric {
    name: "selftest_client_level",
    series: &[Series { labels: &[], values: &[GAUGE, NO_UNIT, ("value", "-9")] }],
};

/// Observes what [`OBSERVED`] shows.
pub(crate) fn observe(talk: &mut Talk<'_>) {
    for value in [1_000_000, 1_000_001, 100_000_001] {
        histogram!("selftest_client_ns", unit = Nanoseconds, bounds = BOUNDS).observe(value);
    }
    talk.client.flush();
}

pub(crate) const OBSERVED: Metric<'static> = Metric {
    name: "selftest_client_ns",
    series: &[Series {
        labels: &[],
        values: &[
            HISTOGRAM,
            ("unit", "ns"),
            ("count", "3"),
            ("sum", "102000002"),
            ("le.1000000", "1"),
            ("le.5000000", "2"),
            ("le.inf", "3"),
        ],
    }],
};

/// A span in another, both of them as the guards know them.
fn record_spans() -> [SpanContext; 2] {
    let outer = span!("selftest.client.outer", part = "a");
    let mut inner = span!("selftest.client.inner");
    inner.attr(key!("code"), 3);
    inner.fail();
    [outer.context(), inner.context()]
}

pub(crate) fn spans(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    let [outer, inner] = record_spans();
    talk.client.flush();

    let me = talk.me();
    let (boot, life) = nexus_metrics::global().life().ok_or("metricsd has not said who we are")?;
    let id = |span: SpanContext| shown(SpanId::new(me, span.span()));
    let trace = shown(WideTraceId::new(boot, life, 0, TraceId::new(me, outer.trace())));
    let (outer, inner, life) = (id(outer), id(inner), shown(life.raw()));
    let common = [("incarnation", life.as_str()), ("trace", trace.as_str())];
    let values = [
        ("span", inner.as_str()),
        ("parent", outer.as_str()),
        ("status", "error"),
        ("attr.code", "3"),
    ];
    is_exported(talk, since, "selftest.client.inner", [&common, &values], TIMES)?;
    let values = [("span", outer.as_str()), ("status", "ok"), ("attr.part", "a")];
    is_exported(talk, since, "selftest.client.outer", [&common, &values], TIMES)
}
