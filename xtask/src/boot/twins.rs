//! Images that must fail: each has one program that lies, and the boot must end at the very line
//! that the lie makes impossible. A proof that a liar can give is none.

use std::time::Duration;

use anyhow::Result;
use nexus_wire::markers;

use super::{Boot, Built, Console, Wrong};
use crate::counts::Counts;
use crate::image::Swap;

/// An image that must fail.
struct Twin {
    name: &'static str,
    swap: Swap<'static>,
    /// The first line that must not come.
    lacks: &'static str,
}

const TWINS: &[Twin] = &[
    Twin {
        name: "logd's guard is off",
        swap: Swap { entry: "logd", program: "os-twin-gullible-logd" },
        lacks: markers::LOGD_REJECT_OVER_LIMIT,
    },
    Twin {
        name: "logd drops silently",
        swap: Swap { entry: "logd", program: "os-twin-forgetful-logd" },
        lacks: markers::SELFTEST_LOGD_HARDENING,
    },
    Twin {
        name: "logd never starts",
        swap: Swap { entry: "logd", program: "os-twin-sleeper" },
        lacks: markers::LOGD_READY,
    },
    Twin {
        name: "metricsd never starts",
        swap: Swap { entry: "metricsd", program: "os-twin-sleeper" },
        lacks: markers::METRICSD_READY,
    },
    Twin {
        name: "metricsd's export is cut",
        swap: Swap { entry: "metricsd", program: "os-twin-mute-metricsd" },
        lacks: markers::METRICSD_READY,
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
    Ok(counts)
}

impl Twin {
    fn fails(&self, built: &Built) -> Result<bool> {
        let console = Console { all: false, until_marker: true, silent: true };
        let seen = Boot::of(None).watch(built, Some(self.swap), PATIENCE, &console)?;
        let is_it = seen.wrong == Some(Wrong::Missing(self.lacks)) && seen.code != Some(0);
        if !is_it {
            seen.report();
        }
        Ok(is_it)
    }
}
