//! Reading back what was recorded, for unit tests.
//!
//! ```
//! use nexus_metrics::{counter, memory, span};
//!
//! let recording = memory::record();
//! counter!("exec_spawns_total", "result" => "ok").inc();
//! span!("exec.path", bundle = "demo.hello").fail();
//!
//! assert_eq!(recording.counter("exec_spawns_total", &[("result", "ok")]), 1);
//! let spans = recording.finished_spans();
//! assert_eq!(spans[0].name, "exec.path");
//! assert_eq!(spans[0].attr("bundle"), Some("demo.hello"));
//! ```
//!
//! While one [`Recording`] lives other threads that ask for one wait, so tests do not see each
//! other's numbers; those of threads that did not ask are seen. It empties the rings of spans, so
//! there must be no flusher in the process.

extern crate std;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nexus_wire::{Fields, Kind, LossReason, SpanStatus};

use crate::attrs;
use crate::global;
use crate::record::{AttrText, Record};
use crate::registry::Series;

/// What was observed into a histogram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observed {
    /// Upper bounds of the buckets, inclusive.
    pub bounds: Vec<u64>,
    /// Observations per bucket; one more than bounds, the last above all of them.
    pub counts: Vec<u64>,
    /// Sum of all observations, wrapping.
    pub sum: u64,
}

/// A span that has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// What it is called.
    pub name: String,
    /// How it ended.
    pub status: SpanStatus,
    /// This process's count of it.
    pub span: u32,
    /// This process's count of the span it is part of; 0: none.
    pub parent: u32,
    /// This process's count of its trace.
    pub trace: u32,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
    /// Its attributes, sorted by key.
    pub attrs: Vec<(String, String)>,
}

impl Finished {
    /// The value of an attribute.
    #[must_use]
    pub fn attr(&self, key: &str) -> Option<&str> {
        self.attrs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Everything from [`record`] on.
pub struct Recording {
    _turn: MutexGuard<'static, ()>,
    before: Vec<(Arc<Series>, Vec<u64>)>,
    lost_before: Vec<u64>,
    spans: Mutex<Vec<Finished>>,
}

static TURN: Mutex<()> = Mutex::new(());

/// Begins to record, from nothing. Waits while somebody else does.
#[must_use]
pub fn record() -> Recording {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    drain(|_| {});
    Recording {
        _turn: turn,
        before: all_series().map(|series| (series.clone(), value(&series))).collect(),
        lost_before: LossReason::ALL.iter().map(|reason| global().losses().read(*reason)).collect(),
        spans: Mutex::new(Vec::new()),
    }
}

impl Recording {
    /// How far a counter has risen; 0 if there is none.
    #[must_use]
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let risen = self.risen(Kind::Counter, name, labels);
        risen.and_then(|words| words.first().copied()).unwrap_or(0)
    }

    /// The value of a gauge, whenever it was set; `None` if it never was.
    #[must_use]
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Option<i64> {
        let series = find(Kind::Gauge, name, labels)?;
        let mut word = [0];
        global().read(&series, &mut word).then(|| word[0].cast_signed())
    }

    /// What was observed into a histogram.
    #[must_use]
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Option<Observed> {
        let bounds = find(Kind::Histogram, name, labels)?.bounds()?.iter().collect();
        let mut counts = self.risen(Kind::Histogram, name, labels)?;
        let sum = counts.pop()?;
        Some(Observed { bounds, counts, sum })
    }

    /// The spans that have ended: by thread, and of one thread in the order of their ends.
    #[must_use]
    pub fn finished_spans(&self) -> Vec<Finished> {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        drain(|record| spans.push(finished(record)));
        spans.clone()
    }

    /// How much was lost for a reason.
    #[must_use]
    pub fn lost(&self, reason: LossReason) -> u64 {
        let before = self.lost_before.get(crate::loss::place(reason)).copied().unwrap_or(0);
        global().losses().read(reason) - before
    }

    fn risen(&self, kind: Kind, name: &str, labels: &[(&str, &str)]) -> Option<Vec<u64>> {
        let series = find(kind, name, labels)?;
        let mut words = value(&series);
        let before = self.before.iter().find(|(known, _)| Arc::ptr_eq(known, &series));
        for (word, before) in words.iter_mut().zip(before.iter().flat_map(|(_, words)| words)) {
            *word = word.wrapping_sub(*before);
        }
        Some(words)
    }
}

fn all_series() -> impl Iterator<Item = Arc<Series>> {
    (0..).map_while(|at| global().registry().get(at))
}

fn find(kind: Kind, name: &str, labels: &[(&str, &str)]) -> Option<Arc<Series>> {
    let has_labels = |series: &Series| {
        let fields = Fields::parse(series.labels.as_bytes());
        fields.is_ok_and(|fields| {
            fields.iter().count() == labels.len()
                && labels.iter().all(|(key, value)| fields.get(key) == Some(value))
        })
    };
    all_series().find(|series| series.kind == kind && *series.name == *name && has_labels(series))
}

fn value(series: &Series) -> Vec<u64> {
    let mut words = vec![0; series.place.words()];
    global().read(series, &mut words);
    words
}

fn drain(mut take: impl FnMut(&Record)) {
    for lane in global().lanes() {
        while let Some(record) = lane.ring.peek() {
            take(&record);
            lane.ring.pop(&record);
        }
    }
}

fn finished(record: &Record) -> Finished {
    let mut sorted = AttrText::EMPTY;
    let attrs = Fields::parse(attrs::sorted(record.attrs.as_str(), &mut sorted));
    let attrs = attrs.iter().flat_map(|attrs| attrs.iter());
    let name = global().span_names().get(record.head.name);
    Finished {
        name: name.map(|name| String::from(&*name)).unwrap_or_default(),
        status: record.shape.status,
        span: record.head.span,
        parent: record.head.parent,
        trace: record.head.trace,
        duration_ns: record.end.saturating_sub(record.head.start),
        attrs: attrs.map(|(key, value)| (key.into(), value.into())).collect(),
    }
}
