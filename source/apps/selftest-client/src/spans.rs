//! Spans come back from logd with their exact ids, times, status and attributes.

use core::fmt::{Display, Write as _};

use nexus_bounded::{Mono, Text};
use nexus_wire::metrics::{Reply, Request, SpanEnd, SpanStart};
use nexus_wire::{MetricStatus, SpanId, SpanStatus, TraceId, WideTraceId};

use crate::Why;
use crate::journal::Expected;
use crate::metrics::{attrs, name, origin};
use crate::recorded;
use crate::talk::{METRICSD, Talk};

const OUTER: &str = "selftest.outer";
const INNER: &str = "selftest.inner";

const BEGUN: (&str, &str) = ("attr.begun", "yes");
const ENDED: (&str, &str) = ("attr.ended", "yes");

/// What depends on time in a span that a guard has timed.
pub(crate) const TIMES: &[&str] = &["dur_ns", "end_ns", "seq", "start_ns"];

/// A number as exports write it.
pub(crate) fn shown(number: impl Display) -> Text<32> {
    let mut text = Text::EMPTY;
    let written = write!(text, "{number}");
    assert!(written.is_ok(), "no number has more than 32 digits");
    text
}

/// The numbers are not those that the client library counts from 1.
pub(crate) fn come_back(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    let me = talk.me();
    let (outer, inner, trace) =
        (SpanId::new(me, 1002), SpanId::new(me, 1003), TraceId::new(me, 1001));
    start(talk, SpanId::NONE, outer, trace, (OUTER, 1_000))?;
    start(talk, outer, inner, trace, (INNER, 2_000))?;
    end(talk, inner, 2_345, SpanStatus::Error)?;
    end(talk, outer, 9_000, SpanStatus::Ok)?;

    let (life, trace) = life_and_wide(talk, trace)?;
    let common = [("incarnation", life.as_str()), ("trace", trace.as_str()), BEGUN, ENDED];
    let (outer_id, inner_id) = (shown(outer), shown(inner));
    let inner = [
        ("span", inner_id.as_str()),
        ("parent", outer_id.as_str()),
        ("start_ns", "2000"),
        ("end_ns", "2345"),
        ("dur_ns", "345"),
        ("status", "error"),
    ];
    is_exported(talk, since, INNER, [&common, &inner], &["seq"])?;
    let outer = [
        ("span", outer_id.as_str()),
        ("start_ns", "1000"),
        ("end_ns", "9000"),
        ("dur_ns", "8000"),
        ("status", "ok"),
    ];
    is_exported(talk, since, OUTER, [&common, &outer], &["seq"])?;
    recorded::spans(talk)
}

fn start(
    talk: &mut Talk<'_>,
    parent: SpanId,
    span: SpanId,
    trace: TraceId,
    (called, start_ns): (&str, u64),
) -> Result<(), Why> {
    let (name, attrs) = (name(called)?, attrs("begun=yes\n")?);
    talk.tell(&Request::SpanStart(SpanStart { span, trace, parent, start_ns, name, attrs }))
}

fn end(talk: &mut Talk<'_>, span: SpanId, end_ns: u64, status: SpanStatus) -> Result<(), Why> {
    let attrs = attrs("ended=yes\n")?;
    talk.tell(&Request::SpanEnd(SpanEnd { span, end_ns, status, attrs }))
}

/// Our life, and the trace as exports show it: metricsd's boot and our life stand before it.
pub(crate) fn life_and_wide(
    talk: &mut Talk<'_>,
    trace: TraceId,
) -> Result<(Text<32>, Text<32>), Why> {
    match talk.ask_metricsd(&Request::Hello(None))? {
        (MetricStatus::Ok, Reply::Hello(hello)) => {
            let wide = WideTraceId::new(hello.epoch, hello.incarnation, 0, trace);
            Ok((shown(hello.incarnation.raw()), shown(wide)))
        }
        _ => Err("metricsd does not say who we are"),
    }
}

/// Waits for a span of ours with these fields and no others but those of `numbers`, which depend on
/// time. It may be exported again; never otherwise.
pub(crate) fn is_exported(
    talk: &mut Talk<'_>,
    since: Mono,
    name: &'static str,
    [common, fields]: [&[(&str, &str)]; 2],
    numbers: &[&str],
) -> Result<(), Why> {
    let origin = origin(talk.me());
    let ids = [("event", "span.v1"), ("name", name), ("origin", origin.as_str())];
    let expected = Expected { fixed: [&ids, common, fields], numbers, may_be: |_, _| false };
    talk.until("a span is not in the journal", |talk| {
        let mut found = None;
        talk.each_record(since, |record| {
            let is_span = record.service == METRICSD && record.scope == "spans";
            if !is_span || record.message != name {
                return Ok(());
            }
            found = Some(());
            if expected.is(record) { Ok(()) } else { Err("a span is not as it was told") }
        })?;
        Ok(found)
    })
}
