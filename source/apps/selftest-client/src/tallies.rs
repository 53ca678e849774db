//! How often services have refused what the intruder tries, by what metricsd was told of it.
//!
//! That what it was told comes back from logd, and not otherwise, other cases prove; to wait for
//! that here takes longer than all else.

use nexus_abi::ServiceId;
use nexus_wire::MetricStatus;
use nexus_wire::metrics::{Reply, Request, SeriesValue, SeriesView};

use crate::Why;
use crate::intruder::{ASKED_OF_OTHERS, SESSIONS, TIMERS};
use crate::talk::Talk;

/// In whose name services tell what they count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// All in one, whosever it is.
    Anybody,
    /// Each in its own.
    Each,
}

/// Refusals of one kind: whose, of which series, and how many the intruder brings about.
struct Kind {
    service: &'static str,
    metric: &'static str,
    labels: &'static str,
    count: u64,
}

const fn kind(
    service: &'static str,
    metric: &'static str,
    labels: &'static str,
    count: u64,
) -> Kind {
    Kind { service, metric, labels, count }
}

const fn bundles(labels: &'static str, count: u64) -> Kind {
    kind("bundlemgrd", "bundlemgrd_requests_total", labels, count)
}

const fn sessions(labels: &'static str, count: u64) -> Kind {
    kind("dsoftbusd", "dsoftbusd_requests_total", labels, count)
}

const KINDS: [Kind; 13] = [
    kind("timed", "timed_refusals_total", "reason=not_found\n", TIMERS as u64),
    kind("policyd", "policyd_decisions_total", "outcome=not_delegate\n", ASKED_OF_OTHERS as u64),
    kind("execd", "execd_denials_total", "", 1),
    bundles("op=query\noutcome=not_found\n", 1),
    bundles("op=fetch\noutcome=not_found\n", 1),
    bundles("op=bring\noutcome=out_of_order\n", 2),
    bundles("op=commit\noutcome=out_of_order\n", 1),
    bundles("op=give_up\noutcome=out_of_order\n", 1),
    bundles("op=begin\noutcome=busy\n", 1),
    bundles("op=remove\noutcome=denied\n", 2),
    sessions("op=open\noutcome=denied\n", 1),
    sessions("op=ask\noutcome=not_found\n", SESSIONS as u64),
    sessions("op=close\noutcome=not_found\n", SESSIONS as u64),
];

impl Kind {
    fn is(&self, series: &SeriesView<'_>, of: Of) -> bool {
        let is_its = of == Of::Anybody || series.service == ServiceId::from_name(self.service);
        is_its && (series.name, series.labels) == (self.metric, self.labels)
    }
}

/// How many there were of each kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tallies([u64; KINDS.len()]);

impl Tallies {
    /// Those that were told by now.
    pub(crate) fn now(talk: &mut Talk<'_>, of: Of) -> Result<Self, Why> {
        let (mut counts, mut cursor) = ([0; KINDS.len()], 0);
        loop {
            cursor = talk.until("no budget to read series", |talk| {
                let request = Request::Scrape { cursor, with_help: false };
                let page = match talk.ask_metricsd(&request)? {
                    (MetricStatus::Ok, Reply::Scrape(page)) => page,
                    (MetricStatus::RateLimited, _) => return Ok(None),
                    _ => return Err("metricsd does not show its series"),
                };
                for series in page.series() {
                    let mut of_kinds = counts.iter_mut().zip(&KINDS);
                    let found = of_kinds.find(|(_, kind)| kind.is(&series, of));
                    if let (Some((count, _)), SeriesValue::Counter(total)) = (found, series.value) {
                        *count = total;
                    }
                }
                Ok(Some(page.next_cursor))
            })?;
            if cursor == 0 {
                return Ok(Self(counts));
            }
        }
    }

    /// Waits until they are more by what the intruder has tried since then, no less and no more.
    pub(crate) fn have_grown(&self, talk: &mut Talk<'_>, of: Of) -> Result<(), Why> {
        let mut wanted = *self;
        wanted.0.iter_mut().zip(&KINDS).for_each(|(count, kind)| *count += kind.count);
        talk.until("what was refused to others is not counted", |talk| {
            let now = Self::now(talk, of)?;
            let is_beyond = now.0.iter().zip(&wanted.0).any(|(now, wanted)| now > wanted);
            match is_beyond {
                true => Err("more was refused to others than was tried"),
                false => Ok((now == wanted).then_some(())),
            }
        })
    }
}
