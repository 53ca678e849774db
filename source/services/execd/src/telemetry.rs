//! What execd tells metricsd of its work.

use nexus_bounded::Mono;
use nexus_metrics::{CounterFamily, StaticName, Steps, counter, counter_family, gauge, key};
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

/// The steps of a request to start.
pub(crate) mod steps {
    use nexus_metrics::StaticName;

    pub(crate) const POLICY: StaticName = StaticName::literal("policy");
    pub(crate) const FETCH: StaticName = StaticName::literal("fetch");
    pub(crate) const LOAD: StaticName = StaticName::literal("load");
    pub(crate) const START: StaticName = StaticName::literal("start");
}

/// A request to start begins.
pub(crate) fn path(bundle: &str, now: Mono) -> Steps {
    Steps::begin(StaticName::literal("exec.path"), (key!("bundle"), bundle), now)
}
