//! The journal as a daemon on Linux.

use std::process::ExitCode;

use logd::{Keep, Logd};
use nexus_rt::linux::front::{self, Program};

const PROGRAM: Program = Program {
    name: "logd",
    about: "keeps the journal: takes records of every service, in bounds, and answers queries",
    version: env!("CARGO_PKG_VERSION"),
    recipe: include_str!("../../../../recipes/observability/metrics.toml"),
    callees: &[],
    serves: &["logd", "metricsd"],
    refuses: None,
};

fn main() -> ExitCode {
    front::main(
        &PROGRAM,
        |recipe| logd::memory_budget(recipe, Keep::Nothing),
        |recipe, boot| Logd::new(recipe, boot, Keep::Nothing),
    )
}
