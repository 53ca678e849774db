//! How often services have refused what the intruder tries, by what they told of it last.

use core::fmt::Write as _;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Text};
use nexus_wire::logs::{Found, Record, Reply, Request, Search};
use nexus_wire::{Fields, LogStatus, RecordId};

use crate::Why;
use crate::intruder::{ASKED_OF_OTHERS, SESSIONS, TIMERS};
use crate::journal::has;
use crate::metrics::{is_ours, origin};
use crate::talk::{METRICSD, Talk};

/// In whose name services tell what they count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// All in one, whosever it is.
    Anybody,
    /// Each in its own.
    Each,
}

/// Refusals of one kind.
struct Kind {
    service: &'static str,
    metric: &'static str,
    labels: &'static [(&'static str, &'static str)],
    /// How many the intruder brings about.
    count: u64,
}

const fn bundles(labels: &'static [(&'static str, &'static str)], count: u64) -> Kind {
    Kind { service: "bundlemgrd", metric: "bundlemgrd_requests_total", labels, count }
}

const fn sessions(labels: &'static [(&'static str, &'static str)], count: u64) -> Kind {
    Kind { service: "dsoftbusd", metric: "dsoftbusd_requests_total", labels, count }
}

const KINDS: [Kind; 13] = [
    Kind {
        service: "timed",
        metric: "timed_refusals_total",
        labels: &[("label.reason", "not_found")],
        count: TIMERS as u64,
    },
    Kind {
        service: "policyd",
        metric: "policyd_decisions_total",
        labels: &[("label.outcome", "not_delegate")],
        count: ASKED_OF_OTHERS,
    },
    Kind { service: "execd", metric: "execd_denials_total", labels: &[], count: 1 },
    bundles(&[("label.op", "query"), ("label.outcome", "not_found")], 1),
    bundles(&[("label.op", "fetch"), ("label.outcome", "not_found")], 1),
    bundles(&[("label.op", "bring"), ("label.outcome", "out_of_order")], 2),
    bundles(&[("label.op", "commit"), ("label.outcome", "out_of_order")], 1),
    bundles(&[("label.op", "give_up"), ("label.outcome", "out_of_order")], 1),
    bundles(&[("label.op", "begin"), ("label.outcome", "busy")], 1),
    bundles(&[("label.op", "remove"), ("label.outcome", "denied")], 2),
    sessions(&[("label.op", "open"), ("label.outcome", "denied")], 1),
    sessions(&[("label.op", "ask"), ("label.outcome", "not_found")], SESSIONS as u64),
    sessions(&[("label.op", "close"), ("label.outcome", "not_found")], SESSIONS as u64),
];

const METRICS: [&str; 5] = [
    "timed_refusals_total",
    "policyd_decisions_total",
    "execd_denials_total",
    "bundlemgrd_requests_total",
    "dsoftbusd_requests_total",
];

/// Pages that one look takes.
const PAGES_MAX: u32 = 64;

impl Kind {
    fn is_told_by(&self, record: &Record<'_>, of: Of) -> bool {
        let origin = origin(ServiceId::from_name(self.service));
        let is_its = of == Of::Anybody || has(record, &[("origin", origin.as_str())]);
        is_its && is_ours(record, self.metric) && has(record, self.labels)
    }
}

/// How many there were of each kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tallies([u64; KINDS.len()]);

impl Tallies {
    /// Those that were told last.
    pub(crate) fn now(talk: &mut Talk<'_>, of: Of) -> Result<Self, Why> {
        Self::since(talk, of, Mono(0))
    }

    fn since(talk: &mut Talk<'_>, of: Of, since: Mono) -> Result<Self, Why> {
        let mut last = [None; KINDS.len()];
        for metric in METRICS {
            look_back(talk, metric, since, &mut |record| {
                for (last, kind) in last.iter_mut().zip(&KINDS) {
                    if last.is_none() && kind.is_told_by(record, of) {
                        *last = record.fields.get("value").and_then(|value| value.parse().ok());
                    }
                }
            })?;
        }
        Ok(Self(last.map(Option::unwrap_or_default)))
    }

    /// Waits until they are more by what the intruder has tried since then, no less and no more.
    pub(crate) fn have_grown(&self, talk: &mut Talk<'_>, of: Of, since: Mono) -> Result<(), Why> {
        let mut wanted = *self;
        wanted.0.iter_mut().zip(&KINDS).for_each(|(count, kind)| *count += kind.count);
        talk.until("what was refused to others is not counted in the journal", |talk| {
            let now = Self::since(talk, of, since)?;
            let is_beyond = now.0.iter().zip(&wanted.0).any(|(now, wanted)| now > wanted);
            match is_beyond {
                true => Err("more was refused to others than was tried"),
                false => Ok((now == wanted).then_some(())),
            }
        })
    }
}

/// Shows what was told of a metric since then, newest first.
fn look_back(
    talk: &mut Talk<'_>,
    metric: &str,
    since: Mono,
    look: &mut dyn FnMut(&Record<'_>),
) -> Result<(), Why> {
    let mut pair = Text::<64>::EMPTY;
    writeln!(pair, "name={metric}").map_err(|_| "a name is too long")?;
    let pair = Fields::parse(pair.as_str().as_bytes()).map_err(|_| "no such field")?;
    let mut id = RecordId(0);
    for _ in 0..PAGES_MAX {
        let (service, backward) = (Some(METRICSD), true);
        let search = Search { id, since_ns: since.0, service, backward, pair, ..Search::ALL };
        let next = talk.until("no budget to read", |talk| {
            let page = match talk.ask_logd(&Request::Search(search))? {
                (LogStatus::Ok, Reply::Search(page)) => page,
                (LogStatus::RateLimited, _) => return Ok(None),
                _ => return Err("a search was refused"),
            };
            for found in page.found() {
                if let Found::Record(record) = found {
                    look(&record);
                }
            }
            Ok(Some(page.more.then_some(page.next_id)))
        })?;
        match next {
            Some(next) => id = next,
            None => return Ok(()),
        }
    }
    Err("the journal has no end")
}
