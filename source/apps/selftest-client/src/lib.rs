//! One table of cases that prove the services, wherever they run.
//!
//! A [`Case`] talks to logd and metricsd as any client would, through the small port [`Client`],
//! and believes nothing but what logd gives back by QUERY. [`run`] prints a case's marker after the
//! case has seen its evidence, and stops at the first that has not. The table is the contract of
//! what stands on the console: [`expected`].
//!
//! The workload is the same in every run; no number of it depends on time or chance.
//!
//! Deliberately absent: any look into a service but by its frames, and any word of a system.
#![no_std]
#![forbid(unsafe_code)]

mod hardening;
mod journal;
mod metrics;
mod outage;
mod query;
mod recorded;
mod security;
mod series;
mod spans;
mod talk;

use core::fmt::Write as _;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos, Text};
use nexus_wire::markers;

pub use outage::FATAL;
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
            markers::LOGD_READY,
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
];

/// The lines that stand on the console when these cases hold, in order.
pub fn expected(cases: &[Case]) -> impl Iterator<Item = &'static str> {
    cases.iter().flat_map(|case| case.services_print.iter().copied().chain([case.marker]))
}

/// Proves one case after another, logd first; whether all hold. With `only_logd` nobody is let in
/// behind it.
pub fn run(client: &mut dyn Client, only_logd: bool) -> bool {
    if !all_hold(client, LOGD) {
        return false;
    }
    if only_logd {
        return true;
    }
    client.logd_is_proven();
    all_hold(client, METRICSD)
}

/// Proves everything, and then that it outlives its outages; whether all hold.
pub fn run_through_outages(client: &mut dyn Client) -> bool {
    run(client, false) && all_hold(client, OUTAGES)
}

fn all_hold(client: &mut dyn Client, cases: &[Case]) -> bool {
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
