//! What execd tells metricsd of its work.

use nexus_bounded::Mono;
use nexus_metrics::{
    CounterFamily, OpenSpan, SpanContext, SpanName, SpanStatus, counter, counter_family, gauge,
    global, key,
};
use nexus_wire::exec::ExecStatus;

static FAILURES: CounterFamily<1> = counter_family!(
    "execd_failures_total",
    ["reason"],
    help = "requests to start that came to nothing and were not denied, by reason"
);
static EXITS: CounterFamily<1> =
    counter_family!("execd_exits_total", ["how"], help = "processes that ended, by how");

/// What became of a request to start.
pub(crate) fn note(outcome: Result<(), ExecStatus>) {
    match outcome {
        Ok(()) => counter!("execd_spawns_total", help = "programs started").inc(),
        Err(ExecStatus::Denied) => {
            counter!("execd_denials_total", help = "requests to start that were denied").inc();
        }
        Err(status) => FAILURES.with([status.name()]).inc(),
    }
}

/// How a process ended.
#[derive(Clone, Copy)]
pub(crate) enum Exit {
    Ok,
    Killed,
    Crash,
}

pub(crate) fn note_exit(how: Exit) {
    let how = match how {
        Exit::Ok => "ok",
        Exit::Killed => "killed",
        Exit::Crash => "crash",
    };
    EXITS.with([how]).inc();
}

pub(crate) fn note_live(processes: usize) {
    gauge!("execd_processes_live", help = "processes that run").set(processes as i64);
}

/// The spans of a request to start: the whole, and the part that goes on.
pub(crate) struct Path {
    whole: Option<OpenSpan>,
    part: Option<OpenSpan>,
}

impl Path {
    pub(crate) fn begin(bundle: &str, now: Mono) -> Self {
        let mut whole = begin("exec.path", None, now);
        if let Some(span) = &mut whole {
            global().span_attr(span, key!("bundle"), bundle);
        }
        Self { whole, part: None }
    }

    /// The next part begins, and with it ends the one before.
    pub(crate) fn part(&mut self, name: &str, now: Mono) {
        end(self.part.take(), now, SpanStatus::Ok);
        self.part = begin(name, self.whole.as_ref().map(OpenSpan::context), now);
    }

    pub(crate) fn end(self, now: Mono, outcome: Result<(), ExecStatus>) {
        let status = outcome.map_or(SpanStatus::Error, |()| SpanStatus::Ok);
        end(self.part, now, status);
        end(self.whole, now, status);
    }
}

fn begin(name: &str, parent: Option<SpanContext>, now: Mono) -> Option<OpenSpan> {
    SpanName::new(name).and_then(|name| global().begin_span(name, parent, now))
}

fn end(span: Option<OpenSpan>, now: Mono, status: SpanStatus) {
    if let Some(span) = span {
        global().end_span(span, now, status);
    }
}
