//! Images that must fail: each has one program that lies, and the boot must end at the very line
//! that the lie makes impossible, or with the liar's death. A proof that a liar can give is none.

use std::time::Duration;

use anyhow::Result;
use nexus_wire::markers;

use super::{Built, Console, Variant, Wrong};
use crate::counts::Counts;
use crate::image::Swap;

/// An image that must fail.
struct Twin {
    name: &'static str,
    of: Variant,
    swap: Swap<'static>,
    ends: End,
}

/// How its boot must end.
#[derive(Clone, Copy)]
enum End {
    /// Without this line, the first that is missing.
    Without(&'static str),
    /// With this line, which nobody expects.
    With(&'static str),
    /// With the death of a process.
    Dead,
    /// With what execd says of the intruder: it ends with the number of who did not refuse.
    Intruded(&'static str),
}

impl End {
    fn is(self, wrong: Option<&Wrong>) -> bool {
        match (self, wrong) {
            (Self::Without(line), Some(Wrong::Missing(missing))) => line == missing,
            (Self::With(line), Some(Wrong::Unexpected(unexpected))) => line == unexpected,
            (Self::Dead, Some(Wrong::Died(_))) => true,
            (Self::Intruded(line), Some(Wrong::Died(report))) => line == report,
            _ => false,
        }
    }
}

const TWINS: &[Twin] = &[
    Twin {
        name: "logd's guard is off",
        of: Variant::Everything,
        swap: Swap { entry: "logd", program: "os-twin-gullible-logd" },
        ends: End::Without(markers::LOGD_REJECT_INVALID_ARGS),
    },
    Twin {
        name: "logd says of what it refused that it was stored",
        of: Variant::Everything,
        swap: Swap { entry: "logd", program: "os-twin-flattering-logd" },
        ends: End::Without(markers::LOGD_REJECT_OVER_LIMIT),
    },
    Twin {
        name: "logd stores what it says it refused",
        of: Variant::Everything,
        swap: Swap { entry: "logd", program: "os-twin-hoarding-logd" },
        ends: End::Without(markers::SELFTEST_LOGD_HARDENING),
    },
    Twin {
        name: "logd drops silently",
        of: Variant::Everything,
        swap: Swap { entry: "logd", program: "os-twin-forgetful-logd" },
        ends: End::Without(markers::SELFTEST_LOGD_HARDENING),
    },
    Twin {
        name: "logd gives more records than it is asked for",
        of: Variant::Everything,
        swap: Swap { entry: "logd", program: "os-twin-boundless-logd" },
        ends: End::Without(markers::SELFTEST_LOG_QUERY),
    },
    Twin {
        name: "logd takes memory while it serves",
        of: Variant::Everything,
        swap: Swap { entry: "logd", program: "os-twin-greedy-logd" },
        ends: End::Dead,
    },
    Twin {
        name: "logd never starts",
        of: Variant::Everything,
        swap: Swap { entry: "logd", program: "os-twin-sleeper" },
        ends: End::Without(markers::LOGD_READY),
    },
    Twin {
        name: "metricsd never starts",
        of: Variant::Everything,
        swap: Swap { entry: "metricsd", program: "os-twin-sleeper" },
        ends: End::Without(markers::METRICSD_READY),
    },
    Twin {
        name: "metricsd's export is cut",
        of: Variant::Everything,
        swap: Swap { entry: "metricsd", program: "os-twin-mute-metricsd" },
        ends: End::Without(markers::METRICSD_READY),
    },
    Twin {
        name: "metricsd's export is cut once it is ready",
        of: Variant::Everything,
        swap: Swap { entry: "metricsd", program: "os-twin-cut-metricsd" },
        ends: End::Without(markers::SELFTEST_METRICS_SECURITY),
    },
    Twin {
        name: "metricsd exports a total too large by one",
        of: Variant::Everything,
        swap: Swap { entry: "metricsd", program: "os-twin-miscounting-metricsd" },
        ends: End::Without(markers::SELFTEST_METRICS_COUNTERS),
    },
    Twin {
        name: "metricsd exports a gauge without its sign",
        of: Variant::Everything,
        swap: Swap { entry: "metricsd", program: "os-twin-misreading-metricsd" },
        ends: End::Without(markers::SELFTEST_METRICS_GAUGES),
    },
    Twin {
        name: "metricsd exports a histogram with a wrong bucket",
        of: Variant::Everything,
        swap: Swap { entry: "metricsd", program: "os-twin-misplacing-metricsd" },
        ends: End::Without(markers::SELFTEST_METRICS_HISTOGRAMS),
    },
    Twin {
        name: "metricsd exports a failed span as a good one",
        of: Variant::Everything,
        swap: Swap { entry: "metricsd", program: "os-twin-whitewashing-metricsd" },
        ends: End::Without(markers::SELFTEST_TRACING_SPANS),
    },
    // Where other services bring their numbers theirs might be refused before metricsd is ready.
    Twin {
        name: "only invalid traffic reaches metricsd",
        of: Variant::Hostile,
        swap: Swap { entry: "metricsd", program: "os-twin-misled-metricsd" },
        ends: End::Without(markers::METRICSD_REJECT_OVER_LIMIT),
    },
    Twin {
        name: "bundlemgrd gives bundles with another bit",
        of: Variant::Everything,
        swap: Swap { entry: "bundlemgrd", program: "os-twin-spoiling-bundlemgrd" },
        ends: End::Without(markers::BUNDLEMGRD_REJECT_INVALID_ARGS),
    },
    Twin {
        name: "a program ends that has to wait until it is ended",
        of: Variant::Everything,
        swap: Swap { entry: "demo-wait", program: "os-twin-harmless" },
        ends: End::Without(markers::EXECD_REJECT_INVALID_ARGS),
    },
    Twin {
        name: "a program that has to crash ends well",
        of: Variant::Everything,
        swap: Swap { entry: "demo-crash", program: "os-twin-harmless" },
        ends: End::Without(markers::EXECD_CRASH_DEMO_CRASH),
    },
    Twin {
        name: "metricsd keeps nothing",
        of: Variant::Everything,
        swap: Swap { entry: "metricsd", program: "os-twin-unkept-metricsd" },
        ends: End::Without(markers::SELFTEST_METRICS_RETENTION),
    },
    Twin {
        name: "metricsd gives windows back as those behind them",
        of: Variant::Everything,
        swap: Swap { entry: "metricsd", program: "os-twin-misremembering-metricsd" },
        ends: End::Without(markers::SELFTEST_METRICS_RETENTION),
    },
    Twin {
        name: "policyd allows everything",
        of: Variant::Everything,
        swap: Swap { entry: "policyd", program: "os-twin-lenient-policyd" },
        ends: End::Without(markers::POLICYD_REJECT_INVALID_ARGS),
    },
    Twin {
        name: "timed lets no timers end together",
        of: Variant::Everything,
        swap: Swap { entry: "timed", program: "os-twin-eager-timed" },
        ends: End::Without(markers::SELFTEST_TIMED),
    },
    Twin {
        name: "dsoftbusd takes an answer that it has had before for the one it asked for",
        of: Variant::Everything,
        swap: Swap { entry: "dsoftbusd", program: "os-twin-credulous-dsoftbusd" },
        ends: End::Without(markers::DSOFTBUSD_PEER_REJECT_INVALID_ARGS),
    },
    Twin {
        name: "an endpoint refuses a handshake without looking at it",
        of: Variant::Everything,
        swap: Swap { entry: "dsoftbusd-stranger", program: "os-twin-refusing-dsoftbusd-peer" },
        ends: End::Without(markers::SELFTEST_SESSIONS),
    },
    Twin {
        name: "logd lets others read because the selftest may",
        of: Variant::Everything,
        swap: Swap { entry: "logd", program: "os-twin-mistaken-logd" },
        ends: End::Intruded("execd: crash report pid=<pid> code=1 name=demo.intruder"),
    },
    Twin {
        name: "statefsd takes the share of one for another's",
        of: Variant::Everything,
        swap: Swap { entry: "statefsd", program: "os-twin-mistaken-statefsd" },
        ends: End::Intruded("execd: crash report pid=<pid> code=3 name=demo.intruder"),
    },
    Twin {
        name: "timed does not look whose a timer is",
        of: Variant::Everything,
        swap: Swap { entry: "timed", program: "os-twin-mistaken-timed" },
        ends: End::Intruded("execd: crash report pid=<pid> code=5 name=demo.intruder"),
    },
    Twin {
        name: "a hostile process does not end as it must",
        of: Variant::Hostile,
        swap: Swap { entry: "reads_the_kernel", program: "os-twin-harmless" },
        ends: End::With("trial reads_the_kernel: FAILED"),
    },
    Twin {
        name: "logd drops silently, beside hostile processes",
        of: Variant::Hostile,
        swap: Swap { entry: "logd", program: "os-twin-forgetful-logd" },
        ends: End::Without(markers::SELFTEST_LOGD_HARDENING),
    },
    Twin {
        name: "logd outlives what should end it",
        of: Variant::Outage,
        swap: Swap { entry: "logd", program: "os-logd" },
        ends: End::Without(markers::LOGD_READY),
    },
    Twin {
        name: "metricsd outlives what should end it",
        of: Variant::Outage,
        swap: Swap { entry: "metricsd", program: "os-metricsd" },
        ends: End::Without(markers::METRICSD_READY),
    },
    Twin {
        name: "policyd outlives what should end it",
        of: Variant::Outage,
        swap: Swap { entry: "policyd", program: "os-policyd" },
        ends: End::With(markers::POLICYD_REJECT_INVALID_ARGS),
    },
    Twin {
        name: "metricsd invents a count while logd is away",
        of: Variant::Outage,
        swap: Swap { entry: "metricsd", program: "os-twin-inventing-metricsd" },
        ends: End::Without(markers::SELFTEST_LOGD_OUTAGE),
    },
    Twin {
        name: "metricsd does not count anew after its death",
        of: Variant::Outage,
        swap: Swap { entry: "metricsd", program: "os-twin-remembering-metricsd" },
        ends: End::Without(markers::SELFTEST_METRICSD_OUTAGE),
    },
    Twin {
        name: "whose child a service is does not end it",
        of: Variant::Deaths,
        swap: Swap { entry: "init", program: "os-init" },
        ends: End::Without(markers::POLICYD_READY),
    },
    Twin {
        name: "timed does not come back",
        of: Variant::Deaths,
        swap: Swap { entry: "timed", program: "os-twin-brief-timed" },
        ends: End::Without(markers::TIMED_READY),
    },
    Twin {
        name: "metricsd exports of what a dead service had begun that it ended",
        of: Variant::Deaths,
        swap: Swap { entry: "metricsd", program: "os-twin-glossing-metricsd" },
        ends: End::Without(markers::SELFTEST_EXECD_DEATH),
    },
    Twin {
        name: "metricsd counts twice what was told while a service was dead",
        of: Variant::Deaths,
        swap: Swap { entry: "metricsd", program: "os-twin-doubling-metricsd" },
        ends: End::Without(markers::SELFTEST_EXECD_DEATH),
    },
    Twin {
        name: "metricsd's ledger has something of which nothing became",
        of: Variant::Deaths,
        swap: Swap { entry: "metricsd", program: "os-twin-owing-metricsd" },
        ends: End::Without(markers::SELFTEST_POLICYD_DEATH),
    },
];

/// A selftest gives up earlier by itself.
const PATIENCE: Duration = Duration::from_secs(12);

/// Boots them all; one that fails as it must has passed.
pub(super) fn twins(built: &Built) -> Result<Counts> {
    let mut counts = Counts::default();
    for twin in TWINS {
        let fails = twin.fails(built)?;
        println!("twin {}: {}", twin.name, if fails { "fails as it must" } else { "FAILED" });
        counts += Counts::one(fails);
    }
    let fails = forgets(built)?;
    println!("twin {FORGETS}: {}", if fails { "fails as it must" } else { "FAILED" });
    counts += Counts::one(fails);
    Ok(counts)
}

const FORGETS: &str = "statefsd's syncs are not durable";

/// From inside that cannot be seen: the next boot has to.
fn forgets(built: &Built) -> Result<bool> {
    let console = Console { all: false, until_marker: true, silent: true };
    let swap = Swap { entry: "statefsd", program: "os-twin-volatile-statefsd" };
    let first = Variant::Everything.watch(built, Some(swap), PATIENCE, &console)?;
    if !first.is_proof() {
        first.report();
        return Ok(false);
    }
    let second = Variant::Kept.watch(built, None, PATIENCE, &console)?;
    let is_it = End::Without(markers::SELFTEST_KEPT_LOGS).is(second.wrong.as_ref());
    if !is_it {
        second.report();
    }
    Ok(is_it && second.code != Some(0))
}

impl Twin {
    fn fails(&self, built: &Built) -> Result<bool> {
        let console = Console { all: false, until_marker: true, silent: true };
        let seen = self.of.watch(built, Some(self.swap), PATIENCE, &console)?;
        let is_it = self.ends.is(seen.wrong.as_ref()) && seen.code != Some(0);
        if !is_it {
            seen.report();
        }
        Ok(is_it)
    }
}
