//! The record of an ended span.

use nexus_wire::{Fields, FieldsWriter, Level, SpanStatus};

use crate::spans::EndedSpan;

/// The fields that stand in each part.
pub(super) const IDS: &[&str] = &["event", "name", "origin", "seq", "span", "trace"];

pub(super) const fn level(span: &EndedSpan<'_>) -> Level {
    match span.status {
        SpanStatus::Ok => Level::Info,
        SpanStatus::Error | SpanStatus::Abandoned => Level::Warn,
    }
}

/// Writes the fields; `None` if they do not fit.
pub(super) fn write<'a>(span: &EndedSpan<'_>, seq: u64, out: &'a mut [u8]) -> Option<Fields<'a>> {
    let mut to = FieldsWriter::new(out);
    let attrs = Fields::parse(span.attrs.as_bytes()).unwrap_or(Fields::EMPTY);
    let mut all = attrs.iter().all(|(key, value)| to.joined(&["attr.", key], value));
    all &= to.field("dur_ns", span.duration_ns());
    all &= to.field("end_ns", span.end_ns);
    all &= to.field("event", "span.v1");
    all &= to.field("incarnation", span.incarnation.raw());
    all &= to.field("name", span.name);
    all &= to.field("origin", span.service);
    if !span.parent.is_none() {
        all &= to.field("parent", span.parent);
    }
    if let Some(reason) = span.reason {
        all &= to.field("reason", reason);
    }
    all &= to.field("seq", seq);
    all &= to.field("span", span.span);
    all &= to.field("start_ns", span.start_ns);
    all &= to.field("status", span.status.name());
    all &= to.field("trace", span.trace);
    to.finish().ok().filter(|_| all)
}
