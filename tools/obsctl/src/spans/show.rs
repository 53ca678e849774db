//! How spans look.

use std::collections::BTreeSet;

use nexus_wire::SpanId;
use serde_json::json;

use super::span::RUNNING;
use super::{Item, Span};
use crate::cli::Output;
use crate::render::{self, BAD, DIM, GOOD, WARN, visible};
use crate::trace::{LIFE_KEY, Trace};
use crate::view::View;

/// One line, or one object, for each.
pub(super) fn list(view: &mut View, items: &[Item]) -> anyhow::Result<()> {
    for item in items {
        match (view.output, item) {
            (Output::Json, Item::Span(span)) => view.screen.json(&json(view, span))?,
            (Output::Json, Item::Loss(loss)) => view.screen.json(&loss.json(view))?,
            (Output::Text, Item::Span(span)) => view.screen.line(&line(view, span))?,
            (Output::Text, Item::Loss(loss)) => view.screen.line(&loss.text(view))?,
        }
    }
    Ok(())
}

fn line(view: &View, span: &Span) -> String {
    let (time, who) = (view.time(span.start_ns), view.who(span.origin));
    let ids = format!("span={} trace={}", SpanId::from_raw(span.id), span.trace);
    format!("{time} {who} {} {}", describe(view, span), view.screen.paint(DIM, &ids))
}

/// One tree per trace, and the losses in between.
pub(super) fn trees(view: &mut View, items: &[Item]) -> anyhow::Result<()> {
    let mut shown: BTreeSet<Trace> = BTreeSet::new();
    for item in items {
        match item {
            Item::Loss(loss) => view.screen.line(&loss.text(view))?,
            Item::Span(span) if shown.insert(span.trace) => {
                let of_trace = items.iter().filter_map(Item::span);
                let members: Vec<&Span> =
                    of_trace.filter(|other| other.trace == span.trace).collect();
                tree(view, span.trace, &members)?;
            }
            Item::Span(_) => {}
        }
    }
    Ok(())
}

fn tree(view: &mut View, trace: Trace, members: &[&Span]) -> anyhow::Result<()> {
    let start = members.iter().map(|span| span.start_ns).min().unwrap_or(0);
    let who = members.first().map_or_else(String::new, |span| view.who(span.origin));
    let head = view.screen.paint(DIM, &format!("trace {trace}"));
    view.screen.line(&format!("{} {who} {head}", view.time(start)))?;
    let roots = members.iter().filter(|span| !members.iter().any(|s| s.id == span.parent));
    let roots: Vec<&Span> = roots.copied().collect();
    branches(view, &roots, members, "")
}

fn branches(view: &mut View, level: &[&Span], all: &[&Span], indent: &str) -> anyhow::Result<()> {
    for (at, span) in level.iter().enumerate() {
        let last = at + 1 == level.len();
        let branch = if last { "`- " } else { "|- " };
        let id = view.screen.paint(DIM, &format!("span={}", SpanId::from_raw(span.id)));
        // A parent that runs elsewhere, was not chosen, or is gone from the journal.
        let torn = span.parent != 0 && !all.iter().any(|other| other.id == span.parent);
        let torn = if torn { " (parent not shown)" } else { "" };
        view.screen.line(&format!("{indent}{branch}{} {id}{torn}", describe(view, span)))?;
        let is_child = |child: &&&Span| child.parent == span.id && child.id != span.id;
        let children: Vec<&Span> = all.iter().filter(is_child).copied().collect();
        let deeper = format!("{indent}{}", if last { "   " } else { "|  " });
        branches(view, &children, all, &deeper)?;
    }
    Ok(())
}

fn describe(view: &View, span: &Span) -> String {
    let style = match span.status.as_str() {
        "ok" => GOOD,
        RUNNING => DIM,
        "abandoned" => WARN,
        _ => BAD,
    };
    let attrs = span.attrs.iter().filter(|(key, _)| *key != LIFE_KEY);
    let attrs = view.screen.paint(DIM, &render::pairs(attrs));
    let status = view.screen.paint(style, &visible(&span.status));
    let duration = render::duration(span.duration_ns);
    format!("{} {duration} {status} {attrs}", visible(&span.name)).trim_end().to_owned()
}

fn json(view: &View, span: &Span) -> serde_json::Value {
    json!({
        "kind": "span",
        "trace": span.trace.0.to_string(),
        "span": SpanId::from_raw(span.id).to_string(),
        "parent": (span.parent != 0).then(|| SpanId::from_raw(span.parent).to_string()),
        "name": span.name,
        "service": view.names.of_service(span.origin),
        "service_id": span.origin.to_string(),
        "start_mono_ns": span.start_ns,
        "start": view.rfc3339(span.start_ns),
        "duration_ns": span.duration_ns,
        "status": span.status,
        "attrs": span.attrs,
    })
}
