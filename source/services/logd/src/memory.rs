use nexus_abi::FRAME_BYTES_MAX;
use nexus_gate::{Budgets, Redactor, Senders};
use nexus_recipe::{MemoryBudget, MemoryLine, Recipe};
use nexus_retention::Keep;

use crate::Logd;
use crate::admission::Admission;
use crate::anchors::Anchors;
use crate::journal::Journal;
use crate::keeping::Keeping;

/// All memory that logd takes for a recipe, at start and ever; the port's own comes on top.
#[must_use]
pub fn memory_budget(recipe: &Recipe, keep: Keep) -> MemoryBudget {
    let limits = &recipe.logd;
    let line = |what, count: usize, bytes_each: usize| MemoryLine {
        what,
        count: count as u64,
        bytes_each: bytes_each as u64,
    };
    let recovered = if keep.has_files() { limits.retention.recovered_records } else { 0 };
    let mut lines = Journal::memory(limits, recovered)
        .map(|(what, count, bytes_each)| line(what, count, bytes_each))
        .to_vec();
    lines.extend([
        line("senders and ledger", 1, Senders::bytes(limits.senders)),
        line("budgets by name", 1, Budgets::bytes(recipe)),
        line("rules of redaction", 1, Redactor::bytes(&recipe.redaction)),
        line("room for redacted texts", 1, Admission::bytes(limits)),
        line("clock anchors", 1, Anchors::bytes(limits.anchors)),
        line("reply frame", 1, FRAME_BYTES_MAX),
        line("the state machine", 1, size_of::<Logd>()),
    ]);
    if keep.has_files() {
        lines.push(line("clock anchors of former lives", 1, Anchors::bytes(limits.anchors)));
        lines.push(line("what is kept on a disk", 1, Keeping::bytes(&limits.retention)));
    }
    MemoryBudget { daemon: "logd", lines }
}
