//! Metrics and spans as a daemon on Linux.

use std::process::ExitCode;

use metricsd::Metricsd;
use nexus_recipe::MemoryBudget;
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
    let memory = |_: &_| MemoryBudget { daemon: PROGRAM.name, lines: Vec::new() };
    front::main(&PROGRAM, memory, Metricsd::new)
}
