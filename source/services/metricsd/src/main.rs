//! Metrics and spans as a daemon on Linux.

use std::process::ExitCode;

use metricsd::{Keep, Metricsd};
use nexus_rt::linux::front::{self, Program};

const PROGRAM: Program = Program {
    name: "metricsd",
    about: "keeps metrics and spans of every service, in bounds, and exports them to logd",
    version: env!("CARGO_PKG_VERSION"),
    recipe: include_str!("../../../../recipes/observability/metrics.toml"),
    callees: &["logd"],
    serves: &["logd", "metricsd"],
    refuses: Some((
        "state-dir",
        "metricsd keeps everything in memory; there is nothing yet that could write to a directory",
    )),
};

fn main() -> ExitCode {
    front::main(
        &PROGRAM,
        |recipe| metricsd::memory_budget(recipe, Keep::Nothing),
        |recipe, boot| Metricsd::new(recipe, boot, Keep::Nothing),
    )
}
