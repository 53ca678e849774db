//! The memory that a registry takes.

use nexus_recipe::{MemoryLine, MetricsdLimits, TextBlocks};

use super::histogram::{Bounds, Histogram, Layouts};
use super::idle::Idle;
use super::index::Chains;
use super::rows::{Gauge, Metric, Owner, Series};
use super::sampled::Sampled;
use super::{EVICTED_SERIES, Registry};
use crate::limits::{memory_line, text_blocks};
use crate::rows::{Pool, Rows};
use crate::shares::Shares;

impl Registry {
    /// What a registry takes memory for; `ids` as in [`Self::new`].
    pub(crate) fn memory(limits: &MetricsdLimits, ids: u32) -> [MemoryLine; 9] {
        let (series, senders) = (limits.series, limits.senders);
        let layouts = Layouts::rows(&limits.buckets, limits.histograms);
        let per_sender =
            Rows::<Owner>::bytes(senders + 1) + 3 * Shares::bytes(senders) + Idle::bytes(senders);
        let sampled = Sampled::bytes(series + EVICTED_SERIES, limits.histograms + 1, ids);
        [
            memory_line("series", series + EVICTED_SERIES, Pool::<Series>::bytes_each()),
            memory_line("metrics", series, Pool::<Metric>::bytes_each()),
            memory_line("their index", 2, Chains::bytes(series)),
            memory_line("gauges", series, Pool::<Gauge>::bytes_each()),
            memory_line("histograms", limits.histograms + 1, Pool::<Histogram>::bytes_each()),
            memory_line("histograms' bounds", layouts, Pool::<Bounds>::bytes_each()),
            memory_line(
                "blocks of names and labels",
                text_blocks(limits),
                TextBlocks::bytes(1) as u64,
            ),
            memory_line("what senders have of them", 1, per_sender),
            memory_line("what was sampled of them", 1, sampled),
        ]
    }

    /// Bytes of a counter series' row and of a metric's row, with their places in tables; texts
    /// come on top.
    pub(crate) const fn row_bytes() -> (u64, u64) {
        let chain = size_of::<u32>() as u64;
        (Pool::<Series>::bytes_each() + chain, Pool::<Metric>::bytes_each() + chain)
    }
}
