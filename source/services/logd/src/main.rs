//! The journal as a daemon on Linux.

use std::process::ExitCode;

use logd::Logd;
use nexus_rt::linux::front::{self, Hosted, Program};
use statefsd::Statefsd;

const PROGRAM: Program = Program {
    name: "logd",
    about: "keeps the journal: takes records of every service, in bounds, and answers queries",
    version: env!("CARGO_PKG_VERSION"),
    recipe: include_str!("../../../../recipes/observability/metrics.toml"),
    callees: &[],
    serves: &["logd", "metricsd"],
};

const FILES: Hosted<Statefsd> = Hosted {
    name: "statefsd",
    recipe: |recipe| {
        statefsd::for_share(&logd::share(recipe), recipe.logd.retention.bytes)
            .map_err(|error| error.to_string())
    },
    explain: |_| Vec::new(),
    memory: |state| statefsd::memory(state).map_err(|error| error.to_string()),
    make: |state, boot| Statefsd::new(state, boot).map_err(|error| error.to_string()),
};

fn main() -> ExitCode {
    front::main(&PROGRAM, &FILES, logd::memory_budget, Logd::new)
}
