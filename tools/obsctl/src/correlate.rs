//! From a trace or a span to the records that were logged in it, and to no other life's.
//!
//! Records carry the ids of the wire, `trace_id` and `span_id`, which count anew in each life of a
//! sender, and `trace_life`, which says in which. A record that was logged before its program knew
//! its life has none: then its time must lie within the spans.

use anyhow::bail;
use nexus_wire::SpanId;

use crate::cli::Place;
use crate::daemons::Entry;
use crate::reader::{Query, Reader};
use crate::spans::{self, Span};
use crate::trace::{LIFE_KEY, Trace, parse_span};

/// For how long after a span's end a record of it may reach logd without saying when it was
/// logged.
const LATE_NS: u64 = 100_000_000;

/// What a person asks for, at least one of them.
pub(crate) struct Ids {
    trace: Option<Trace>,
    span: Option<u64>,
}

impl Ids {
    pub(crate) fn parse(trace: Option<&str>, span: Option<&str>) -> anyhow::Result<Option<Self>> {
        let trace = trace.map(str::parse).transpose()?;
        let span = span.map(parse_span).transpose()?;
        Ok((trace.is_some() || span.is_some()).then_some(Self { trace, span }))
    }
}

/// Records of a trace, or of a span in it.
pub(crate) struct Within {
    trace: Trace,
    span: Option<u64>,
    /// From when to when its spans went, monotonic ns.
    times: Vec<(u64, u64)>,
}

impl Within {
    /// Whether a record was logged in it.
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        let is = |key, id: String| entry.field(key) == Some(id.as_str());
        let wire = self.trace.0.wire();
        let same_ids = is("trace_id", wire.to_string())
            && self.span.is_none_or(|span| is("span_id", SpanId::from_raw(span).to_string()));
        let same_life = match entry.field(LIFE_KEY) {
            Some(life) => life == self.trace.life(),
            None => self.times.iter().any(|time| is_in(entry, *time)),
        };
        same_ids && same_life && wire.belongs_to(entry.service)
    }
}

fn is_in(entry: &Entry, (start, end): (u64, u64)) -> bool {
    let logged_at = entry.field("at_ns").and_then(|text| text.parse().ok());
    let at: u64 = logged_at.unwrap_or(entry.ts_ns);
    at >= start && at <= end.saturating_add(if logged_at.is_some() { 0 } else { LATE_NS })
}

/// Makes a query ask for what was logged within.
pub(crate) fn narrow(
    place: &Place,
    reader: &mut Reader,
    ids: &Ids,
    query: &mut Query,
) -> anyhow::Result<()> {
    let mut spans = spans::all(place, reader)?;
    spans.retain(|span| ids.span.is_none_or(|id| span.id == id));
    let trace = match ids.trace {
        Some(trace) => trace,
        None => only_trace(&spans, ids.span)?,
    };
    spans.retain(|span| span.trace == trace);
    let times = spans.iter().map(Span::times).collect();
    let key = if ids.span.is_some() { "span_id" } else { "trace_id" };
    let id = ids.span.unwrap_or(trace.0.wire().raw());
    query.pairs.insert(0, format!("{key}={id:016x}\n"));
    query.within = Some(Within { trace, span: ids.span, times });
    Ok(())
}

/// The trace of the spans, if they are of one.
fn only_trace(spans: &[Span], span: Option<u64>) -> anyhow::Result<Trace> {
    let mut traces: Vec<Trace> = spans.iter().map(|span| span.trace).collect();
    traces.sort_unstable();
    traces.dedup();
    let span = SpanId::from_raw(span.unwrap_or_default());
    match traces.as_slice() {
        [trace] => Ok(*trace),
        [] => bail!("neither the journal nor metricsd knows a span {span}; see obsctl spans"),
        several => {
            let several: Vec<_> = several.iter().map(Trace::to_string).collect();
            bail!("span {span} is in several traces; add --trace with one of {}", several.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use nexus_abi::ServiceId;
    use nexus_wire::TraceId;

    use super::*;

    const SERVICE: ServiceId = ServiceId::from_name("baker");

    fn entry(fields: &[(&str, &str)], ts_ns: u64) -> Entry {
        let wire = TraceId::new(SERVICE, 1).to_string();
        let ids = [("trace_id", wire.as_str()), ("span_id", "0000000000000005")];
        let fields = ids.iter().chain(fields).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Entry { service: SERVICE, ts_ns, fields: fields.collect(), ..Entry::empty() }
    }

    fn within(span: Option<u64>) -> Within {
        let trace = Trace::of_life("3.12", TraceId::new(SERVICE, 1)).unwrap();
        Within { trace, span, times: vec![(1_000, 2_000)] }
    }

    #[test]
    fn a_record_says_its_life_itself() {
        assert!(within(None).has(&entry(&[("trace_life", "3.12")], 0)));
        assert!(!within(None).has(&entry(&[("trace_life", "3.13")], 1_500)), "another life");
        assert!(!within(None).has(&entry(&[("trace_life", "2.12")], 1_500)), "another boot");
    }

    #[test]
    fn without_a_life_the_time_tells() {
        assert!(within(None).has(&entry(&[], 1_500)));
        assert!(!within(None).has(&entry(&[], 999)));
        assert!(!within(None).has(&entry(&[], 2_001 + LATE_NS)));
        assert!(within(None).has(&entry(&[("at_ns", "1500")], u64::MAX)), "it waited for logd");
        assert!(!within(None).has(&entry(&[("at_ns", "2001")], 2_001)));
    }

    #[test]
    fn a_span_is_less_than_its_trace_and_nobody_speaks_for_others() {
        assert!(within(Some(5)).has(&entry(&[], 1_500)));
        assert!(!within(Some(6)).has(&entry(&[], 1_500)));
        let foreign = Entry { service: ServiceId::from_name("thief"), ..entry(&[], 1_500) };
        assert!(!within(None).has(&foreign));
    }
}
