//! What policyd tells metricsd of its work.

use nexus_metrics::{CounterFamily, counter, counter_family};
use nexus_wire::policy::{Decision, PolicyStatus};

static DECISIONS: CounterFamily<1> = counter_family!(
    "policyd_decisions_total",
    ["outcome"],
    help = "questions that were decided, by outcome"
);
static REFUSALS: CounterFamily<1> = counter_family!(
    "policyd_refusals_total",
    ["reason"],
    help = "frames that were no question, by reason"
);

pub(crate) fn note(outcome: Result<Decision, PolicyStatus>) {
    match outcome {
        Ok(decision) => DECISIONS.with([decision.name()]).inc(),
        Err(status) => REFUSALS.with([status.name()]).inc(),
    }
}

/// A denial has no record.
pub(crate) fn note_left_out() {
    counter!("policyd_audit_left_out_total", help = "denials without a record").inc();
}
