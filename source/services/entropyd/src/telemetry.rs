//! What entropyd tells metricsd of its work.

use nexus_metrics::{CounterFamily, counter, counter_family};
use nexus_wire::entropy::EntropyStatus;

static REQUESTS: CounterFamily<1> = counter_family!(
    "entropyd_requests_total",
    ["outcome"],
    help = "requests for entropy, by what came of them"
);

pub(crate) fn note(status: EntropyStatus) {
    REQUESTS.with([status.name()]).inc();
}

/// The source has given the same twice.
pub(crate) fn note_repeat() {
    counter!("entropyd_repeats_total", help = "bytes that the source had given before").inc();
}
