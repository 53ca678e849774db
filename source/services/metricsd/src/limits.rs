//! What of the recipe has to be divided before it is used, and the memory that follows from it.

use nexus_gate::{Redactor, Senders};
use nexus_recipe::{MemoryBudget, MemoryLine, MetricsdLimits, Recipe, TextBlocks};
use nexus_retention::Keep;
use nexus_wire::{HELP_BYTES_MAX, LABELS_BYTES_MAX, NAME_BYTES_MAX};

use crate::export::Exporter;
use crate::registry::Registry;
use crate::retention::{self, Retention};
use crate::sessions::{Registrations, Sessions};
use crate::spans::SpanTable;

/// Blocks of text that a series takes at most: its metric's name and help, and its labels.
pub(crate) const SERIES_BLOCKS_MAX: u32 = (TextBlocks::blocks_for(NAME_BYTES_MAX)
    + TextBlocks::blocks_for(LABELS_BYTES_MAX)
    + TextBlocks::blocks_for(HELP_BYTES_MAX)) as u32;

/// Blocks of the recipe's bytes for text that series have; live spans have the others.
pub(crate) const fn text_blocks(limits: &MetricsdLimits) -> u32 {
    let blocks = limits.text_bytes / TextBlocks::bytes(1) as u32;
    blocks - SpanTable::text_blocks(limits)
}

/// What metricsd takes memory for when it is made; it takes none later. The daemon's own stack and
/// its port come on top.
#[must_use]
pub fn memory_budget(recipe: &Recipe, keep: Keep) -> MemoryBudget {
    let limits = &recipe.metricsd;
    let mut lines = Registry::memory(limits, ids(recipe, keep)).to_vec();
    lines.extend(Retention::memory(recipe, keep));
    lines.extend(Sessions::memory(limits));
    lines.push(memory_line(
        "senders' budgets and ledger",
        1,
        Senders::bytes(limits.senders) as u64,
    ));
    lines.extend(SpanTable::memory(limits));
    lines.extend(Exporter::memory(recipe));
    lines.push(memory_line("rules of the recipe", 1, rules_bytes(recipe)));
    lines.push(memory_line("the state machine", 1, size_of::<crate::Metricsd>() as u64));
    MemoryBudget { daemon: "metricsd", lines }
}

/// Series that can be numbered for what is kept; none where nothing is.
pub(crate) fn ids(recipe: &Recipe, keep: Keep) -> u32 {
    if keep.has_files() { retention::series_ids(recipe) } else { 0 }
}

/// What a counter series takes of memory.
#[derive(Clone, Copy, Debug)]
pub struct CounterBytes {
    /// Its row, its places in tables, and its labels.
    pub series: u64,
    /// Its metric's row and name, once for all series of that name.
    pub metric: u64,
    /// A life's number for it, for senders that register.
    pub registration: u64,
}

/// Bytes that a counter series with a name and labels of so many bytes takes.
#[must_use]
pub fn counter_series_bytes(name_bytes: usize, labels_bytes: usize) -> CounterBytes {
    let (series, metric) = Registry::row_bytes();
    let text = |bytes| TextBlocks::bytes(TextBlocks::blocks_for(bytes) as u32) as u64;
    CounterBytes {
        series: series + text(labels_bytes),
        metric: metric + text(name_bytes),
        registration: Registrations::bytes_each().0,
    }
}

pub(crate) const fn memory_line(what: &'static str, count: u32, bytes_each: u64) -> MemoryLine {
    MemoryLine { what, count: count as u64, bytes_each }
}

/// Copies of the recipe's lists, and tables made of them.
fn rules_bytes(recipe: &Recipe) -> u64 {
    const HANDLE: usize = 64;
    let prefixes = recipe.metricsd.buckets.iter().map(|rule| rule.prefix.len());
    let senders = recipe.senders.iter().map(|_| 0);
    let rules = prefixes.chain(senders).map(|bytes| bytes + HANDLE).sum::<usize>();
    (rules + Redactor::bytes(&recipe.redaction)) as u64
}
