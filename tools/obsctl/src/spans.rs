//! `obsctl spans`: what took how long, as a list or as trees.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use nexus_wire::logs::Search;
use nexus_wire::{RecordId, TraceId, WideTraceId};
use serde_json::json;

use crate::Verdict;
use crate::cli::{Output, Place, SpansArgs};
use crate::clock::{self, Calendar};
use crate::daemons::{Entry, LiveSpan, Metrics, SteadyJournal};
use crate::logs::{Cursor, Reader};
use crate::names::Names;
use crate::render::{self, BAD, DIM, GOOD, Screen, WARN};

/// Scope of metricsd's records about spans that have ended.
const SCOPE: &str = "spans";
const FOLLOW_PAUSE: Duration = Duration::from_millis(500);

/// A span, ended or going on.
#[derive(Clone, Debug)]
struct Span {
    trace: String,
    id: u64,
    parent: u64,
    name: String,
    origin: u64,
    start_ns: u64,
    duration_ns: u64,
    status: String,
    attrs: BTreeMap<String, String>,
}

pub(crate) fn run(place: &Place, args: &SpansArgs) -> anyhow::Result<Verdict> {
    let mut reader = Reader::open(place, &args.select)?;
    let mut view = View::new(place, args.select.output.output)?;
    // The records are metricsd's; whose span it is stands in the field `origin`.
    let unit = args.select.unit.as_deref().map(Names::service);
    let wanted = |span: &Span| {
        span.name.starts_with(&args.name) && unit.is_none_or(|unit| span.origin == unit.raw())
    };
    let (mut cursor, mut spans) = ended(&mut reader, (0, RecordId(0)))?;
    if !args.select.follow && args.select.until.is_none() {
        spans.extend(live(place)?);
    }
    spans.retain(&wanted);
    spans.sort_by_key(|span| (span.start_ns, span.id));
    let newest = args.select.lines.map_or(spans.len(), |lines| lines as usize);
    let spans = spans.split_off(spans.len().saturating_sub(newest));
    if args.tree {
        view.trees(&spans)?
    } else {
        view.list(&spans)?
    }
    if !args.select.follow {
        return Ok(Verdict::Fine);
    }
    loop {
        std::thread::sleep(FOLLOW_PAUSE);
        // While logd is away there is nothing.
        let Ok((next, mut spans)) = ended(&mut reader, cursor) else { continue };
        cursor = next;
        spans.retain(&wanted);
        view.list(&spans)?;
        view.screen.flush()?;
    }
}

/// Spans whose ends came behind a cursor, and the cursor behind them.
fn ended(reader: &mut Reader, cursor: Cursor) -> anyhow::Result<(Cursor, Vec<Span>)> {
    let search = Search { scope: SCOPE, service: None, ..reader.search };
    let mut merger = Merger::default();
    let cursor = reader.forward(&search, cursor, &mut |page| {
        page.entries.iter().for_each(|entry| merger.add(entry));
        Ok(())
    })?;
    Ok((cursor, merger.take()))
}

/// Puts the parts of split records together.
#[derive(Default)]
struct Merger(BTreeMap<(String, String), Span>);

impl Merger {
    fn add(&mut self, entry: &Entry) {
        let Some(span) = Span::of_entry(entry) else { return };
        let key = (span.trace.clone(), format!("{:016x}", span.id));
        match self.0.entry(key) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(span);
            }
            std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().merge(span),
        }
    }

    fn take(self) -> Vec<Span> {
        self.0.into_values().collect()
    }
}

impl Span {
    fn of_entry(entry: &Entry) -> Option<Self> {
        let hex = |key| entry.field(key).and_then(|text| u64::from_str_radix(text, 16).ok());
        let number = |key| entry.field(key).and_then(|text| text.parse().ok());
        let attrs = entry.fields.iter().filter_map(|(key, value)| {
            Some((key.strip_prefix("attr.")?.to_owned(), value.clone()))
        });
        Some(Self {
            trace: entry.field("trace")?.to_owned(),
            id: hex("span")?,
            parent: hex("parent").unwrap_or(0),
            name: entry.field("name").unwrap_or(&entry.message).to_owned(),
            origin: hex("origin").unwrap_or(0),
            start_ns: number("start_ns").unwrap_or(0),
            duration_ns: number("dur_ns").unwrap_or(0),
            status: entry.field("status").unwrap_or_default().to_owned(),
            attrs: attrs.collect(),
        })
    }

    /// Shows the trace id as metricsd will widen it, so that the span joins its tree.
    fn of_live(live: LiveSpan, epoch: u32, now_ns: u64) -> Self {
        let trace = TraceId::from_raw(live.trace);
        Self {
            trace: WideTraceId::new(epoch, live.incarnation, 0, trace).to_string(),
            id: live.span,
            parent: live.parent,
            name: live.name,
            origin: live.service.raw(),
            start_ns: live.start_ns,
            duration_ns: now_ns.saturating_sub(live.start_ns),
            status: "running".to_owned(),
            attrs: live.attrs.into_iter().collect(),
        }
    }

    fn merge(&mut self, part: Self) {
        self.attrs.extend(part.attrs);
        self.start_ns = self.start_ns.max(part.start_ns);
        self.duration_ns = self.duration_ns.max(part.duration_ns);
        self.parent = self.parent.max(part.parent);
        if self.status.is_empty() {
            self.status = part.status;
        }
    }
}

/// Spans that go on; none while metricsd is away.
fn live(place: &Place) -> anyhow::Result<Vec<Span>> {
    let Ok(mut metrics) = Metrics::open(&place.dir()) else { return Ok(Vec::new()) };
    let epoch = metrics.hello()?.epoch;
    let (now_ns, spans) = metrics.live_spans()?;
    Ok(spans.into_iter().map(|span| Span::of_live(span, epoch, now_ns)).collect())
}

struct View {
    screen: Screen,
    output: Output,
    names: Names,
    calendar: Calendar,
    zone: TimeZone,
}

impl View {
    fn new(place: &Place, output: Output) -> anyhow::Result<Self> {
        let anchors = SteadyJournal::new(place.dir()).with(|journal| journal.anchors())?;
        Ok(Self {
            screen: Screen::new(),
            output,
            names: Names::of(place)?,
            calendar: Calendar::new(anchors),
            zone: TimeZone::system(),
        })
    }

    fn list(&mut self, spans: &[Span]) -> anyhow::Result<()> {
        for span in spans {
            match self.output {
                Output::Json => self.screen.json(&self.json(span))?,
                Output::Text => {
                    let time = clock::short_time(&self.calendar, span.start_ns, &self.zone);
                    let who = self.names.of_service(nexus_abi::ServiceId::from_raw(span.origin));
                    let line = format!("{time} {who} {}", self.describe(span));
                    let trace = self.screen.paint(DIM, &format!("trace={}", span.trace));
                    self.screen.line(&format!("{line} {trace}"))?;
                }
            }
        }
        Ok(())
    }

    /// One tree per trace; a span whose parent is not here is a root.
    fn trees(&mut self, spans: &[Span]) -> anyhow::Result<()> {
        if self.output == Output::Json {
            return self.list(spans);
        }
        let mut traces: Vec<(&str, Vec<&Span>)> = Vec::new();
        for span in spans {
            match traces.iter_mut().find(|(trace, _)| *trace == span.trace) {
                Some((_, members)) => members.push(span),
                None => traces.push((&span.trace, vec![span])),
            }
        }
        for (trace, members) in traces {
            let start = members.iter().map(|span| span.start_ns).min().unwrap_or(0);
            let time = clock::short_time(&self.calendar, start, &self.zone);
            self.screen
                .line(&format!("{time} {}", self.screen.paint(DIM, &format!("trace {trace}"))))?;
            let roots = members.iter().filter(|span| !members.iter().any(|s| s.id == span.parent));
            let roots: Vec<&Span> = roots.copied().collect();
            self.branches(&roots, &members, "")?;
        }
        Ok(())
    }

    fn branches(&mut self, level: &[&Span], all: &[&Span], indent: &str) -> anyhow::Result<()> {
        for (at, span) in level.iter().enumerate() {
            let last = at + 1 == level.len();
            let branch = if last { "└─ " } else { "├─ " };
            self.screen.line(&format!("{indent}{branch}{}", self.describe(span)))?;
            let children: Vec<&Span> = all
                .iter()
                .filter(|child| child.parent == span.id && child.id != span.id)
                .copied()
                .collect();
            let deeper = format!("{indent}{}", if last { "   " } else { "│  " });
            self.branches(&children, all, &deeper)?;
        }
        Ok(())
    }

    fn describe(&self, span: &Span) -> String {
        let style = match span.status.as_str() {
            "ok" => GOOD,
            "running" => DIM,
            "abandoned" => WARN,
            _ => BAD,
        };
        let attrs: Vec<_> =
            span.attrs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let attrs = self.screen.paint(DIM, &attrs.join(" "));
        let status = self.screen.paint(style, &span.status);
        let duration = render::duration(span.duration_ns);
        format!("{} {duration} {status} {attrs}", span.name).trim_end().to_owned()
    }

    fn json(&self, span: &Span) -> serde_json::Value {
        json!({
            "trace": span.trace,
            "span": format!("{:016x}", span.id),
            "parent": (span.parent != 0).then(|| format!("{:016x}", span.parent)),
            "name": span.name,
            "service": self.names.of_service(nexus_abi::ServiceId::from_raw(span.origin)),
            "start_mono_ns": span.start_ns,
            "start": clock::rfc3339(&self.calendar, span.start_ns),
            "duration_ns": span.duration_ns,
            "status": span.status,
            "attrs": span.attrs,
        })
    }
}
