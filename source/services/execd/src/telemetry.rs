//! What execd tells metricsd and logd of its work.

use nexus_bounded::{Mono, Nanos};
use nexus_bundle::{LoadError, StartError};
use nexus_metrics::{CounterFamily, StaticName, Steps, counter, counter_family, gauge, key};
use nexus_policy::Verdict;
use nexus_wire::bundles::StoredName;
use nexus_wire::exec::ExecStatus;
use nexus_wire::logs::Record;
use nexus_wire::policy::Action;

use crate::crash::Crash;

static FAILURES: CounterFamily<1> = counter_family!(
    "execd_failures_total",
    ["reason"],
    help = "requests to start that came to nothing and were not denied, by reason"
);
static EXITS: CounterFamily<1> =
    counter_family!("execd_exits_total", ["how"], help = "processes that ended, by how");

/// A program runs.
pub(crate) fn started(name: StoredName, pid: u32) {
    counter!("execd_spawns_total", help = "programs started").inc();
    let name = name.get().as_str();
    nexus_log::info!("execd", "started {name}";
        event = "exec.started.v1", name = name, pid = pid);
}

/// A request to start has come to nothing.
pub(crate) fn refused(status: ExecStatus) {
    if status == ExecStatus::Denied {
        counter!("execd_denials_total", help = "requests to start that were denied").inc();
    } else {
        FAILURES.with([status.name()]).inc();
    }
}

pub(crate) fn denied(action: Action, verdict: Verdict) -> ExecStatus {
    let (action, reason) = (action.name(), verdict.reason());
    nexus_log::warn!("execd", "nothing was started: {action}: {reason}";
        action = action, event = "exec.denied.v1", reason = reason);
    ExecStatus::Denied
}

pub(crate) fn not_loaded(name: StoredName, why: LoadError) -> ExecStatus {
    let (name, reason) = (name.get().as_str(), why.name());
    nexus_log::error!("execd", "cannot load {name}: {reason}";
        event = "exec.load_failed.v1", name = name, reason = reason);
    ExecStatus::LoadFailed
}

pub(crate) fn not_started(name: StoredName, why: StartError) -> ExecStatus {
    let (name, reason) = (name.get().as_str(), why.name());
    nexus_log::error!("execd", "cannot start {name}: {reason}";
        event = "exec.start_failed.v1", name = name, reason = reason);
    ExecStatus::StartFailed
}

/// A process has ended: by request, well or badly.
pub(crate) fn ended(is_killed: bool, is_crash: bool) {
    let how = match (is_killed, is_crash) {
        (true, _) => "killed",
        (false, true) => "crash",
        (false, false) => "ok",
    };
    EXITS.with([how]).inc();
}

/// So many processes of that entry have ended, and a former life of ours may not have told how.
pub(crate) fn overtaken(entry: StoredName, count: u32) {
    EXITS.with(["unknown"]).add(count.into());
    let name = entry.get().as_str();
    nexus_log::warn!("execd", "nobody may know how {count} processes of {name} ended";
        count = count, event = "exec.unknown_ends.v1", name = name);
}

/// A crash is reported, with so many lines behind it of what was logged in that time before it.
pub(crate) fn crashed(crash: &Crash, lines: usize, window: Nanos) {
    let (name, code) = (crash.name(), crash.code);
    nexus_log::error!("execd", "{name} has crashed with {code}";
        code = code, event = "crash.v1", name = name, pid = crash.pid, recent_count = lines,
        recent_window_nsec = window.0);
}

pub(crate) fn last_line(crash: &Crash, line: &Record<'_>) {
    nexus_log::warn!("execd", "{}", line.message;
        event = "crash.line.v1", level = line.level.name(), name = crash.name(),
        pid = crash.pid, record_id = line.id.0);
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
