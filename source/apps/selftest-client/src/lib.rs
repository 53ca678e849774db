//! One table of cases that prove the services, wherever they run.
//!
//! A [`Case`] talks to logd and metricsd as any client would, through the small port [`Client`],
//! and believes of what services record nothing but what logd gives back by QUERY; how often they
//! have refused others, once that was proven, metricsd may say. [`run`] prints a case's marker
//! after the case has seen its evidence, and stops at the first that has not. The table is the
//! contract of what stands on the console: [`expected`]. Which tables are proven is a [`Goal`]. In
//! one of the cases another program is the one who must be refused: [`intrude`].
//!
//! The workload is the same in every run; no number of it depends on time or chance.
//!
//! Deliberately absent: any look into a service but by its frames, and any word of a system.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bundles;
mod core_logs;
mod crash;
mod deaths;
mod entropy;
mod exec;
mod files;
mod goal;
mod hardening;
mod intruder;
mod journal;
mod ledgers;
mod metrics;
mod order;
mod others;
mod outage;
mod policy;
mod query;
mod recorded;
mod retention;
mod rows;
mod security;
mod series;
mod sessions;
mod spans;
mod talk;
mod tallies;
mod timers;
mod trees;

use core::fmt::Write as _;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos, Text};
use nexus_wire::markers;

pub use goal::Goal;
pub use intruder::intrude;
pub use order::Order;
pub use outage::FATAL;
pub use retention::{ANEW, LONG, NOTE, Note, SHORT, Told, Workload};
use talk::Talk;

/// What a case sees of its world.
pub trait Client {
    /// Who we are to the services.
    fn id(&self) -> ServiceId;

    /// The time that services read.
    fn now(&mut self) -> Mono;

    /// Lets time pass.
    fn pause(&mut self, length: Nanos);

    /// Hands over a frame and waits for its answer, at the front of `answer`: its length. `None` if
    /// nobody serves there, or none came in time.
    fn call(&mut self, to: ServiceId, frame: &[u8], answer: &mut [u8]) -> Option<usize>;

    /// Why the last call had no answer, where the world tells.
    fn absence(&self) -> Absence {
        Absence::Unknown
    }

    /// Brings what this process has recorded by nexus-log and nexus-metrics to whichever service
    /// is there, and waits for that for a moment at most. What it does not do then pauses do.
    fn flush(&mut self);

    /// Lets those begin who wait until logd is proven: metricsd and its export.
    fn logd_is_proven(&mut self);

    /// Prints one line.
    fn print(&mut self, line: &str);
}

/// Why a call has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absence {
    /// The world does not tell.
    Unknown,
    /// The callee died of it, or meanwhile.
    Died,
    /// Nobody serves there now.
    NotReady,
    /// None came in time.
    Silent,
}

/// Why a case has not seen its evidence.
pub(crate) type Why = &'static str;

/// One thing to be proven.
pub struct Case {
    /// What the services print meanwhile, in this order.
    pub services_print: &'static [&'static str],
    /// What is printed when it is proven.
    pub marker: &'static str,
    run: fn(&mut Talk<'_>) -> Result<(), Why>,
}

/// What is proven of logd alone.
pub const LOGD: &[Case] = &[
    Case {
        services_print: &[
            markers::LOGD_REJECT_INVALID_ARGS,
            markers::LOGD_REJECT_OVER_LIMIT,
            markers::LOGD_REJECT_RATE_LIMITED,
        ],
        marker: markers::SELFTEST_LOGD_HARDENING,
        run: hardening::rejects,
    },
    Case { services_print: &[], marker: markers::SELFTEST_LOG_QUERY, run: query::reads_back },
];

/// What is proven of metricsd, once logd is proven.
pub const METRICSD: &[Case] = &[
    Case {
        services_print: &[
            markers::METRICSD_READY,
            markers::METRICSD_REJECT_INVALID_ARGS,
            markers::METRICSD_REJECT_OVER_LIMIT,
            markers::METRICSD_REJECT_RATE_LIMITED,
        ],
        marker: markers::SELFTEST_METRICS_SECURITY,
        run: security::rejects,
    },
    Case {
        services_print: &[],
        marker: markers::SELFTEST_METRICS_COUNTERS,
        run: metrics::counters,
    },
    Case { services_print: &[], marker: markers::SELFTEST_METRICS_GAUGES, run: metrics::gauges },
    Case {
        services_print: &[],
        marker: markers::SELFTEST_METRICS_HISTOGRAMS,
        run: metrics::histograms,
    },
    Case { services_print: &[], marker: markers::SELFTEST_TRACING_SPANS, run: spans::come_back },
];

/// What is proven of policyd, once both are proven, where it runs: before anybody else asks it.
pub const POLICY: &[Case] = &[Case {
    services_print: &[markers::POLICYD_REJECT_INVALID_ARGS, markers::POLICYD_REJECT_OVER_LIMIT],
    marker: markers::SELFTEST_POLICY,
    run: policy::decisions,
}];

/// What is proven of timed, where it runs.
pub const TIMED: &[Case] =
    &[Case { services_print: &[], marker: markers::SELFTEST_TIMED, run: timers::coalesce }];

/// What is proven of bundlemgrd, once both are proven, where it runs.
pub const BUNDLES: &[Case] = &[Case {
    services_print: &[
        markers::BUNDLEMGRD_REJECT_INVALID_ARGS,
        markers::BUNDLEMGRD_REJECT_OVER_LIMIT,
    ],
    marker: markers::SELFTEST_BUNDLES,
    run: bundles::come_and_go,
}];

/// What is proven of execd behind [`BUNDLES`].
pub const EXEC: &[Case] = &[
    Case {
        services_print: &[markers::EXECD_REJECT_INVALID_ARGS, markers::EXECD_REJECT_OVER_LIMIT],
        marker: markers::SELFTEST_EXEC,
        run: exec::path,
    },
    Case {
        services_print: &[markers::EXECD_CRASH_DEMO_CRASH, markers::EXECD_CRASH_DEMO_HOARD],
        marker: markers::SELFTEST_CRASH_REPORT,
        run: crash::reports,
    },
];

/// What is proven of all services that log, behind [`EXEC`], where each lives once.
pub const CORE_LOGS: &[Case] =
    &[Case { services_print: &[], marker: markers::SELFTEST_CORE_LOGS, run: core_logs::are_there }];

/// What is proven of outages, once both are proven, where services die of [`FATAL`].
pub const OUTAGES: &[Case] = &[
    Case {
        services_print: &[markers::LOGD_READY],
        marker: markers::SELFTEST_LOGD_OUTAGE,
        run: outage::of_logd,
    },
    Case {
        services_print: &[markers::METRICSD_READY],
        marker: markers::SELFTEST_METRICSD_OUTAGE,
        run: outage::of_metricsd,
    },
    Case {
        services_print: &[markers::LOGD_READY, markers::LOGD_READY],
        marker: markers::SELFTEST_REPEATED_OUTAGES,
        run: outage::again_and_again,
    },
    Case {
        services_print: &[markers::POLICYD_READY],
        marker: markers::SELFTEST_POLICYD_OUTAGE,
        run: outage::of_policyd,
    },
];

/// What is proven of policyd's death, where the first process ends whom an [`Order`] names: before
/// [`POLICY`], as nobody else has asked it then.
pub const POLICYD_DEATH: &[Case] = &[Case {
    services_print: &[markers::POLICYD_READY],
    marker: markers::SELFTEST_POLICYD_DEATH,
    run: |talk| deaths::is_outlived(talk, &deaths::POLICYD),
}];

/// The same of the deaths of others, behind [`POLICY`]; their own cases come behind it. statefsd
/// is ended behind bundlemgrd, which outlives it and installs bundles then.
pub const DEATHS: &[Case] = &[
    Case {
        services_print: &[markers::ENTROPYD_READY],
        marker: markers::SELFTEST_ENTROPYD_DEATH,
        run: |talk| deaths::is_outlived(talk, &deaths::ENTROPYD),
    },
    Case {
        services_print: &[markers::TIMED_READY],
        marker: markers::SELFTEST_TIMED_DEATH,
        run: |talk| deaths::is_outlived(talk, &deaths::TIMED),
    },
    Case {
        services_print: &[markers::EXECD_READY],
        marker: markers::SELFTEST_EXECD_DEATH,
        run: |talk| deaths::is_outlived(talk, &deaths::EXECD),
    },
    Case {
        services_print: &[markers::BUNDLEMGRD_READY],
        marker: markers::SELFTEST_BUNDLEMGRD_DEATH,
        run: |talk| deaths::is_outlived(talk, &deaths::BUNDLEMGRD),
    },
    Case {
        services_print: &[markers::STATEFSD_READY],
        marker: markers::SELFTEST_STATEFSD_DEATH,
        run: |talk| deaths::is_outlived(talk, &deaths::STATEFSD),
    },
    Case {
        services_print: &[markers::DSOFTBUSD_READY],
        marker: markers::SELFTEST_DSOFTBUSD_DEATH,
        run: |talk| deaths::is_outlived(talk, &deaths::DSOFTBUSD),
    },
    Case {
        services_print: &[markers::DSOFTBUSD_PEER_READY],
        marker: markers::SELFTEST_DSOFTBUSD_PEER_DEATH,
        run: |talk| deaths::is_outlived(talk, &deaths::PEER),
    },
];

/// Whom [`POLICYD_DEATH`] and [`DEATHS`] end, in order.
pub fn victims() -> impl Iterator<Item = &'static str> {
    deaths::VICTIMS.iter().map(|victim| victim.name)
}

/// What is proven of what is kept, where there is a disk.
pub const RETENTION: &[Case] = &[Case {
    services_print: &[],
    marker: markers::SELFTEST_METRICS_RETENTION,
    run: retention::is_kept,
}];

/// What is proven of entropyd, where it runs.
pub const ENTROPY: &[Case] = &[Case {
    services_print: &[markers::ENTROPYD_REJECT_INVALID_ARGS, markers::ENTROPYD_REJECT_OVER_LIMIT],
    marker: markers::SELFTEST_ENTROPY,
    run: entropy::is_given_once,
}];

/// What is proven of sessions, where all endpoints record in one name.
pub const SESSIONS: &[Case] = &[Case {
    services_print: SESSIONS_PRINT,
    marker: markers::SELFTEST_SESSIONS,
    run: sessions::are_carried,
}];

/// The same, where each endpoint records for itself.
pub const SESSIONS_APART: &[Case] = &[Case {
    services_print: SESSIONS_PRINT,
    marker: markers::SELFTEST_SESSIONS,
    run: sessions::are_carried_between_processes,
}];

/// What endpoints print of what they refuse: first the other one.
const SESSIONS_PRINT: &[&str] = &[
    markers::DSOFTBUSD_PEER_REJECT_INVALID_ARGS,
    markers::DSOFTBUSD_REJECT_INVALID_ARGS,
    markers::DSOFTBUSD_REJECT_OVER_LIMIT,
];

/// What is proven of statefsd, where it serves us too.
pub const FILES: &[Case] = &[Case {
    services_print: &[
        markers::STATEFSD_REJECT_INVALID_ARGS,
        markers::STATEFSD_REJECT_OVER_LIMIT,
        markers::STATEFSD_REJECT_RATE_LIMITED,
    ],
    marker: markers::SELFTEST_STATEFSD,
    run: files::rejects,
}];

/// What is proven of everybody who has something of ours, behind all of theirs, where
/// [`intrude`] is a program and all services record in one name.
pub const OTHERS: &[Case] = &[Case {
    services_print: &[],
    marker: markers::SELFTEST_OTHER_SENDERS,
    run: others::are_refused,
}];

/// The same, where each service records for itself.
pub const OTHERS_APART: &[Case] = &[Case {
    services_print: &[],
    marker: markers::SELFTEST_OTHER_SENDERS,
    run: others::are_refused_by_each,
}];

/// What is proven of what is kept over the first boundaries of short and long windows; it takes
/// more than a minute.
pub const BOUNDARIES: &[Case] = &[Case {
    services_print: &[],
    marker: markers::SELFTEST_METRICS_BOUNDARIES,
    run: retention::crosses_boundaries,
}];

/// What is proven of what is suspect, where metricsd dies of [`FATAL`].
pub const SET_ASIDE: &[Case] = &[Case {
    services_print: &[markers::METRICSD_READY; 3],
    marker: markers::SELFTEST_METRICS_SET_ASIDE,
    run: retention::is_set_aside,
}];

/// What is proven in the next boot, of logd alone.
pub const KEPT_LOGS: &[Case] = &[Case {
    services_print: &[],
    marker: markers::SELFTEST_KEPT_LOGS,
    run: retention::again::logs_are_there,
}];

/// And of metricsd.
pub const KEPT_METRICS: &[Case] = &[Case {
    services_print: &[markers::METRICSD_READY],
    marker: markers::SELFTEST_KEPT_METRICS,
    run: retention::again::windows_are_there,
}];

/// And of bundlemgrd, behind [`BUNDLES`] and [`EXEC`].
pub const KEPT_BUNDLES: &[Case] = &[Case {
    services_print: &[],
    marker: markers::SELFTEST_KEPT_BUNDLES,
    run: bundles::are_there,
}];

/// What is proven behind [`BOUNDARIES`] in the next boot, of logd alone.
pub const KEPT_BOUNDARIES: &[Case] = &[Case {
    services_print: &[],
    marker: markers::SELFTEST_KEPT_LOGS,
    run: retention::again::logs_of_boundaries_are_there,
}];

/// And of metricsd.
pub const ROLLUPS: &[Case] = &[Case {
    services_print: &[markers::METRICSD_READY],
    marker: markers::SELFTEST_METRICS_ROLLUPS,
    run: retention::again::rollups_are_there,
}];

/// The lines that stand on the console when a goal is reached, in order.
pub fn expected(goal: Goal) -> impl Iterator<Item = &'static str> {
    let cases = goal.tables().iter().copied().flatten();
    let lines = |case: &'static Case| case.services_print.iter().copied().chain([case.marker]);
    goal.ready().iter().copied().chain(cases.flat_map(lines))
}

/// Proves one table after another; whether all hold.
pub fn run(client: &mut dyn Client, goal: Goal) -> bool {
    let Some((first, others)) = goal.tables().split_first() else { return true };
    if !prove(client, first) {
        return false;
    }
    if !others.is_empty() {
        client.logd_is_proven();
    }
    others.iter().all(|cases| prove(client, cases))
}

/// Proves one table after what has to be proven before it; whether all of it hold.
pub fn prove(client: &mut dyn Client, cases: &[Case]) -> bool {
    cases.iter().all(|case| match (case.run)(&mut Talk::new(client)) {
        Ok(()) => {
            client.print(case.marker);
            true
        }
        Err(why) => {
            complain(client, case, why);
            false
        }
    })
}

/// Says which case failed, in words that are no marker.
fn complain(client: &mut dyn Client, case: &Case, why: Why) {
    let mut line = Text::<160>::EMPTY;
    let missing = case.marker;
    if write!(line, "selftest-client: no \"{missing}\": {why}").is_ok() {
        client.print(line.as_str());
    }
}
