//! What a program records by nexus-log and nexus-metrics comes back from logd as exactly.
//!
//! The port's own way to the daemons is driven: on Linux its thread, in the guest its loop.

use nexus_bounded::Nanos;
use nexus_log::{Level, warn};
use nexus_metrics::{Bounds, SpanContext, counter, gauge, histogram, key, span};
use nexus_wire::{SpanId, TraceId, WideTraceId};

use crate::Why;
use crate::journal::has;
use crate::metrics::exported;
use crate::spans::{is_exported, shown};
use crate::talk::Talk;

/// So long a pause gives every budget room for what is recorded here.
const BREATH: Nanos = Nanos::from_millis(200);

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
        is_ours && is_it && has(record, &[("n", "7"), ("text", "x\\ny")])
    })
}

pub(crate) fn counters(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    for by in [5, 0, 37] {
        counter!("selftest_client_total", "part" => "a").add(by);
    }
    counter!("selftest_client_total", "part" => "b").inc();
    talk.client.flush();
    for (part, total) in [("a", "42"), ("b", "1")] {
        let fields = [("kind", "counter"), ("label.part", part), ("value", total)];
        exported(talk, since, "selftest_client_total", &fields, "what was counted is not there")?;
    }
    Ok(())
}

pub(crate) fn gauges(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    gauge!("selftest_client_level").set(5);
    gauge!("selftest_client_level").add(-14);
    talk.client.flush();
    let fields = [("kind", "gauge"), ("value", "-9")];
    exported(talk, since, "selftest_client_level", &fields, "what was set is not there")
}

pub(crate) fn histograms(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    for value in [1_000_000, 1_000_001, 100_000_001] {
        histogram!("selftest_client_ns", unit = Nanoseconds, bounds = BOUNDS).observe(value);
    }
    talk.client.flush();
    let fields = [
        ("kind", "histogram"),
        ("count", "3"),
        ("sum", "102000002"),
        ("le.1000000", "1"),
        ("le.5000000", "2"),
        ("le.inf", "3"),
    ];
    exported(talk, since, "selftest_client_ns", &fields, "what was observed is not there")
}

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
    let (outer, inner) = (id(outer), id(inner));
    let (trace, parent) = (("trace", trace.as_str()), ("parent", outer.as_str()));
    let failed = [("span", inner.as_str()), ("status", "error"), ("attr.code", "3")];
    let [span, status, attr] = failed;
    is_exported(talk, since, "selftest.client.inner", &[span, status, attr, parent, trace])?;
    let fields = [("span", outer.as_str()), ("status", "ok"), ("attr.part", "a"), trace];
    is_exported(talk, since, "selftest.client.outer", &fields)
}
