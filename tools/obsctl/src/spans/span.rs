//! Spans as the journal and metricsd tell them, put together from the parts of their records.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_abi::ServiceId;
use nexus_wire::{TraceId, WideTraceId};

use crate::daemons::{Entry, LiveSpan};
use crate::trace::{LIFE_KEY, Trace};

/// A span, ended or going on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) trace: Trace,
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) name: String,
    pub(crate) origin: ServiceId,
    pub(crate) start_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) status: String,
    pub(crate) attrs: BTreeMap<String, String>,
}

/// The status of a span that has not ended.
pub(crate) const RUNNING: &str = "running";

impl Span {
    pub(crate) fn of_entry(entry: &Entry) -> Option<Self> {
        let hex = |key| entry.field(key).and_then(|text| u64::from_str_radix(text, 16).ok());
        let number = |key| entry.field(key).and_then(|text| text.parse().ok());
        let attrs = entry.fields.iter().filter_map(|(key, value)| {
            Some((key.strip_prefix("attr.")?.to_owned(), value.clone()))
        });
        let trace: Trace = entry.field("trace")?.parse().ok()?;
        let mut span = Self {
            trace,
            id: hex("span")?,
            parent: hex("parent").unwrap_or(0),
            name: entry.field("name").unwrap_or(&entry.message).to_owned(),
            origin: ServiceId::from_raw(hex("origin").unwrap_or(0)),
            start_ns: number("start_ns").unwrap_or(0),
            duration_ns: number("dur_ns").unwrap_or(0),
            status: entry.field("status").unwrap_or_default().to_owned(),
            attrs: attrs.collect(),
        };
        span.join_trace();
        Some(span)
    }

    /// Shows the trace id as metricsd will widen it, so that the span joins its tree.
    pub(crate) fn of_live(live: LiveSpan, epoch: u32, now_ns: u64) -> Self {
        let trace = TraceId::from_raw(live.trace);
        let mut span = Self {
            trace: Trace(WideTraceId::new(epoch, live.incarnation, 0, trace)),
            id: live.span,
            parent: live.parent,
            name: live.name,
            origin: live.service,
            start_ns: live.start_ns,
            duration_ns: now_ns.saturating_sub(live.start_ns),
            status: RUNNING.to_owned(),
            attrs: live.attrs.into_iter().collect(),
        };
        span.join_trace();
        span
    }

    /// A command within the span of another command is a life of its own and says whose trace it
    /// is part of. It can name its own service's only: metricsd has checked the id on the wire.
    fn join_trace(&mut self) {
        let life = self.attrs.get(LIFE_KEY);
        let joined = life.and_then(|life| Trace::of_life(life, self.trace.0.wire()));
        self.trace = joined.unwrap_or(self.trace);
    }

    /// From when to when it went; for ever, if it goes on.
    pub(crate) fn times(&self) -> (u64, u64) {
        let end = self.start_ns.saturating_add(self.duration_ns);
        (self.start_ns, if self.status == RUNNING { u64::MAX } else { end })
    }

    fn merge(&mut self, part: Self) {
        self.attrs.extend(part.attrs);
        self.start_ns = self.start_ns.max(part.start_ns);
        self.duration_ns = self.duration_ns.max(part.duration_ns);
        self.parent = self.parent.max(part.parent);
        if self.status.is_empty() {
            self.status = part.status;
        }
        self.join_trace();
    }
}

/// The record's trace, as it stands there, and its span.
type Key = (String, String);

/// A span of which parts may be missing.
struct Open {
    span: Span,
    parts: BTreeSet<u16>,
    of: u16,
    /// How often it was asked for and held back.
    held: u32,
}

/// How often a span is held back for want of parts that do not come.
const PATIENCE: u32 = 4;
/// Spans remembered as told, so that a repeat of their records is seen as one.
const TOLD_MAX: usize = 4096;

/// Puts the parts of split records together, and tells each span once.
#[derive(Default)]
pub(crate) struct Merger {
    open: BTreeMap<Key, Open>,
    told: BTreeSet<Key>,
    order: VecDeque<Key>,
}

impl Merger {
    pub(crate) fn add(&mut self, entry: &Entry) {
        let Some(span) = Span::of_entry(entry) else { return };
        let field = |key| entry.field(key).unwrap_or_default().to_owned();
        let key = (field("trace"), field("span"));
        if self.told.contains(&key) {
            return;
        }
        let part = entry.field("part").and_then(|part| part.split_once('/'));
        let part = part.and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        let (part, of) = part.unwrap_or((1, 1));
        match self.open.get_mut(&key) {
            Some(open) => {
                open.span.merge(span);
                open.parts.insert(part);
            }
            None => {
                let parts = BTreeSet::from([part]);
                self.open.insert(key, Open { span, parts, of, held: 0 });
            }
        }
    }

    /// All spans, whole or not.
    pub(crate) fn take_all(&mut self) -> Vec<Span> {
        self.take_where(|_| true)
    }

    /// The spans that are whole, and those whose other parts will not come.
    pub(crate) fn take_whole(&mut self) -> Vec<Span> {
        self.open.values_mut().for_each(|open| open.held += 1);
        self.take_where(|open| open.parts.len() >= usize::from(open.of) || open.held > PATIENCE)
    }

    fn take_where(&mut self, is_due: impl Fn(&Open) -> bool) -> Vec<Span> {
        let due: Vec<Key> =
            self.open.iter().filter(|(_, open)| is_due(open)).map(|(key, _)| key.clone()).collect();
        due.into_iter().filter_map(|key| self.take(key)).collect()
    }

    fn take(&mut self, key: Key) -> Option<Span> {
        let open = self.open.remove(&key)?;
        if self.order.len() >= TOLD_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.told.insert(key);
        Some(open.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0000000300000c006c895f3200000001";

    fn entry(fields: &[(&str, &str)]) -> Entry {
        let ids = [("trace", TRACE), ("span", "0000000000000005"), ("name", "bake")];
        let fields = ids.iter().chain(fields).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Entry { fields: fields.collect(), ..Entry::empty() }
    }

    #[test]
    fn a_split_span_is_told_once_with_all_its_parts() {
        let mut merger = Merger::default();
        let first = entry(&[("part", "1/2"), ("attr.a", "1"), ("dur_ns", "7")]);
        merger.add(&first);
        assert_eq!(merger.take_whole(), []);
        merger.add(&entry(&[("part", "2/2"), ("attr.b", "2"), ("status", "ok")]));
        let spans = merger.take_whole();
        let [span] = spans.as_slice() else { panic!("one span, not {spans:?}") };
        assert_eq!((span.attrs.len(), span.duration_ns, span.status.as_str()), (2, 7, "ok"));
        merger.add(&first);
        assert_eq!(merger.take_all(), [], "a repeat is no second span");
    }

    #[test]
    fn a_span_whose_other_part_never_comes_is_told_in_the_end() {
        let mut merger = Merger::default();
        merger.add(&entry(&[("part", "1/2")]));
        let rounds = (0..10).map(|_| merger.take_whole().len()).collect::<Vec<_>>();
        assert_eq!(rounds.iter().sum::<usize>(), 1);
        assert_eq!(rounds.first(), Some(&0));
    }

    #[test]
    fn a_span_that_says_so_is_part_of_another_lifes_trace() {
        let span = Span::of_entry(&entry(&[("attr.trace_life", "3.9")])).unwrap();
        assert_eq!(span.trace.life(), "3.9");
        let span = Span::of_entry(&entry(&[("attr.trace_life", "nonsense")])).unwrap();
        assert_eq!(span.trace, TRACE.parse().unwrap());
    }
}
