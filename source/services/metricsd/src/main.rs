//! Metrics and spans as a daemon on Linux.

use std::process::ExitCode;

use metricsd::Metricsd;
use nexus_rt::linux::front::{self, Hosted, Program};
use statefsd::Statefsd;

const PROGRAM: Program = Program {
    name: "metricsd",
    about: "keeps metrics and spans of every service, in bounds, and exports them to logd",
    version: env!("CARGO_PKG_VERSION"),
    recipe: include_str!("../../../../recipes/observability/metrics.toml"),
    callees: &["logd"],
    serves: &["logd", "metricsd"],
};

const FILES: Hosted<Statefsd> = Hosted {
    name: "statefsd",
    recipe: |recipe| {
        statefsd::for_share(&metricsd::share(recipe), recipe.metricsd.retention.bytes)
            .map_err(|error| error.to_string())
    },
    explain: |recipe| metricsd::explain_retention(recipe).to_vec(),
    memory: |state| statefsd::memory(state).map_err(|error| error.to_string()),
    make: |state, boot| Statefsd::new(state, boot).map_err(|error| error.to_string()),
};

fn main() -> ExitCode {
    front::main(&PROGRAM, &FILES, metricsd::memory_budget, Metricsd::new)
}
