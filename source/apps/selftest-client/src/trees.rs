//! Evidence of trees: the spans of a request, as logd has them, are one whole and its parts.

use alloc::vec::Vec;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Text};
use nexus_wire::logs::Record;

use crate::Why;
use crate::journal::has;
use crate::metrics::origin;
use crate::talk::{METRICSD, Talk};

/// How a tree has to be: its parts in their order, and whether it has come to a good end.
#[derive(Clone, Copy)]
pub(crate) struct Tree {
    parts: &'static [&'static str],
    status: &'static str,
}

impl Tree {
    /// Of these parts, with this status.
    pub(crate) const fn of(parts: &'static [&'static str], status: &'static str) -> Self {
        Self { parts, status }
    }
}

/// A span as a record shows it.
struct Span {
    name: Text<16>,
    id: Text<32>,
    parent: Text<32>,
    trace: Text<32>,
    is_ok: bool,
    start_ns: u64,
    end_ns: u64,
    dur_ns: u64,
}

impl Span {
    fn of(record: &Record<'_>) -> Option<Self> {
        let text = |key| record.fields.get(key).and_then(Text::new);
        let number = |key| record.fields.get(key).and_then(|value| value.parse().ok());
        Some(Self {
            name: Text::new(record.message)?,
            id: text("span")?,
            parent: text("parent").unwrap_or(Text::EMPTY),
            trace: text("trace")?,
            is_ok: has(record, &[("status", "ok")]),
            start_ns: number("start_ns")?,
            end_ns: number("end_ns")?,
            dur_ns: number("dur_ns")?,
        })
    }

    fn is_timed(&self) -> bool {
        self.end_ns.checked_sub(self.start_ns) == Some(self.dur_ns)
    }
}

/// A whole and its parts, in the order in which they began.
pub(crate) struct Grown {
    whole: Span,
    parts: Vec<Span>,
}

/// What a whole is called, and what it says of itself.
type Whole<'a> = (&'a str, (&'a str, &'a str));

/// The tree of the only request of `who` since then that has such a whole; `None`: it has not come
/// yet.
pub(crate) fn only_tree(
    talk: &mut Talk<'_>,
    since: Mono,
    who: ServiceId,
    whole: Whole<'_>,
) -> Result<Option<Grown>, Why> {
    let (whole, count) = first_whole(talk, since, who, whole)?;
    if count > 1 {
        return Err("one request has two trees");
    }
    whole.map(|whole| grow(talk, since, who, whole)).transpose()
}

/// The tree of the first request of `who` since then that has such a whole; `None`: it has not come
/// yet.
pub(crate) fn first_tree(
    talk: &mut Talk<'_>,
    since: Mono,
    who: ServiceId,
    whole: Whole<'_>,
) -> Result<Option<Grown>, Why> {
    let (whole, _) = first_whole(talk, since, who, whole)?;
    whole.map(|whole| grow(talk, since, who, whole)).transpose()
}

/// The first such whole, and how many there are.
fn first_whole(
    talk: &mut Talk<'_>,
    since: Mono,
    who: ServiceId,
    (name, attr): Whole<'_>,
) -> Result<(Option<Span>, usize), Why> {
    let (mut first, mut count) = (None::<Span>, 0);
    each_span(talk, since, who, |record, span| {
        if record.message == name && has(record, &[attr]) {
            count += 1;
            if first.as_ref().is_none_or(|first| span.start_ns < first.start_ns) {
                first = Some(span);
            }
        }
    })?;
    Ok((first, count))
}

/// A whole with its parts, which ended before it.
fn grow(talk: &mut Talk<'_>, since: Mono, who: ServiceId, whole: Span) -> Result<Grown, Why> {
    let mut parts = Vec::new();
    each_span(talk, since, who, |_, span| {
        if span.parent.as_str() == whole.id.as_str() {
            parts.push(span);
        }
    })?;
    parts.sort_by_key(|span| span.start_ns);
    Ok(Grown { whole, parts })
}

/// All spans of `who` since then. What is kept of them takes memory that nobody gives back.
fn each_span(
    talk: &mut Talk<'_>,
    since: Mono,
    who: ServiceId,
    mut see: impl FnMut(&Record<'_>, Span),
) -> Result<(), Why> {
    let origin = origin(who);
    talk.each_record(since, |record| {
        let is_its = record.service == METRICSD
            && record.scope == "spans"
            && has(record, &[("event", "span.v1"), ("origin", origin.as_str())]);
        if is_its {
            see(record, Span::of(record).ok_or("a span is not as spans are")?);
        }
        Ok(())
    })
}

impl Grown {
    /// Whether it is of that form: of one trace, each part within the whole, and behind the one
    /// before.
    pub(crate) fn is(&self, form: Tree) -> Result<(), Why> {
        let Self { whole, parts } = self;
        let is_good = form.status == "ok";
        let names = parts.iter().map(|part| part.name.as_str());
        if !names.eq(form.parts.iter().copied()) || !whole.parent.as_str().is_empty() {
            return Err("a request has not the parts that it must have");
        }
        if whole.is_ok != is_good || parts.last().is_some_and(|part| part.is_ok != is_good) {
            return Err("a request has not ended as its spans say");
        }
        if parts.iter().any(|part| part.trace.as_str() != whole.trace.as_str()) {
            return Err("the parts of a request are of several traces");
        }
        let mut at = whole.start_ns;
        for part in parts {
            if part.start_ns < at || !part.is_timed() {
                return Err("a part of a request begins before the one before it has ended");
            }
            at = part.end_ns;
        }
        let sum: u64 = parts.iter().map(|part| part.dur_ns).sum();
        if at <= whole.end_ns && whole.is_timed() && sum <= whole.dur_ns {
            Ok(())
        } else {
            Err("the parts of a request take longer than the whole")
        }
    }
}
