//! What follows from the recipe: the bounds of everything that is kept, and what it writes.

use alloc::format;
use alloc::string::String;

use nexus_recipe::{MetricsRetention, Recipe, TierLimits};
use nexus_retention::keeper::{Limits, ShelfLimits, StoreLimits};
use nexus_retention::name::Tier;
use nexus_retention::segment::{GROUPS_MAX, ROWS, SERIES_MAX};
use nexus_retention::{history, log, recorder};

/// Bytes of memory for the key of a series in longer windows, on the average.
const KEY_BYTES: u32 = 96;

/// Series that a segment numbers: all there are, and a quarter that comes and goes.
pub(crate) fn series_ids(recipe: &Recipe) -> u32 {
    let series = recipe.metricsd.series;
    series.saturating_add(series / 4).saturating_add(16).min(SERIES_MAX)
}

/// The bounds of everything that is kept.
pub(crate) fn of(recipe: &Recipe) -> Limits {
    let kept = &recipe.metricsd.retention;
    let (recorder, log) = (recorder(recipe), log(recipe));
    Limits { store: store(recipe), recorder, log, sync_interval: kept.sync_interval }
}

fn log(recipe: &Recipe) -> log::Limits {
    let kept = &recipe.metricsd.retention;
    let record_bytes = recorder::Limits::RECORD_BYTES_MIN;
    log::Limits::of_bytes(kept.log_files, kept.log_bytes, kept.wait_bytes, record_bytes)
}

/// What a reader of it is made for: a segment has no more blocks than fit its file, each of which
/// its indexes name with 10 bytes at most.
pub(crate) fn reading(recipe: &Recipe) -> history::Limits {
    const BLOCK_BYTES: u32 = 4096;
    let blocks = segment_file_bytes(&recipe.metricsd.retention) / BLOCK_BYTES + 4;
    history::Limits { series: 16, index_bytes: 2048 + 10 * blocks, reads: 64 }
}

fn recorder(recipe: &Recipe) -> recorder::Limits {
    let limits = &recipe.metricsd;
    let kept = &limits.retention;
    let group_bytes = kept.buffer_bytes / 2;
    // Two groups of a segment may end early, so that there is one less for full ones.
    let groups = kept.segment_windows.div_ceil(GROUPS_MAX as u32 - 1);
    recorder::Limits {
        series: series_ids(recipe),
        segment_windows: kept.segment_windows,
        align_windows: (limits.window_long.0 / kept.raw_interval.0) as u32,
        group_bytes,
        window_bytes: group_bytes / groups,
        record_bytes: recorder::Limits::RECORD_BYTES_MIN,
    }
}

fn store(recipe: &Recipe) -> StoreLimits {
    let limits = &recipe.metricsd;
    let kept = &limits.retention;
    let shelf = |tier: TierLimits| ShelfLimits {
        ttl: tier.ttl,
        bytes: tier.bytes.into(),
        segments: tier.segments as usize,
        span: kept.segment_windows.into(),
    };
    let series = series_ids(recipe);
    StoreLimits {
        tiers: [
            Tier::raw(kept.raw_interval),
            Tier::rollup(limits.window_short),
            Tier::rollup(limits.window_long),
        ],
        shelves: [shelf(kept.raw), shelf(kept.short), shelf(kept.long)],
        series,
        key_bytes: series.saturating_mul(KEY_BYTES),
        segment_bytes: segment_file_bytes(kept),
        block_bytes: block_bytes(recipe),
        retry_min: kept.retry_min,
        retry_max: kept.retry_max,
        ttl_interval: kept.sync_interval,
    }
}

/// Bytes of blocks in memory while a segment is rolled up, series by series: of each of its groups
/// the index and a block, so that none is read again for every series. There are as many groups as
/// there are if all series change in each window.
fn block_bytes(recipe: &Recipe) -> usize {
    const INDEX_AND_BLOCK: u64 = 5 * 1024;
    let windows = logged_windows(recipe).min(recipe.metricsd.retention.segment_windows.into());
    let bytes = windows * window_bytes(recipe);
    let full = bytes.div_ceil(recorder(recipe).group_bytes.max(1).into());
    let groups = full.max(windows.div_ceil(ROWS as u64)) + 1;
    (groups.min(GROUPS_MAX as u64) * INDEX_AND_BLOCK) as usize
}

/// Bytes of a file that so many bytes of the disk hold.
const fn segment_file_bytes(kept: &MetricsRetention) -> u32 {
    kept.segment_bytes / 512 * 508
}

/// The manifest, and the one that takes its place.
const MANIFEST_BYTES: u64 = 2 * SECTOR_BYTES;

/// Bytes of the disk that all files take at most, at any moment.
pub(crate) fn files_bytes(recipe: &Recipe) -> u64 {
    let Limits { store, log, .. } = of(recipe);
    let tiers = store.shelves.iter().map(|shelf| shelf.bytes / SECTOR_BYTES * SECTOR_BYTES);
    log.bytes() + tiers.sum::<u64>() + MANIFEST_BYTES
}

/// What a sync costs of the disk: a record of the store's journal, in both copies, with its flush.
const SYNC_BYTES: u64 = 1536;
/// Bytes of a sector, and of what the log puts into it.
const SECTOR_BYTES: u64 = 512;
const LOG_PAYLOAD_BYTES: u64 = 464;
/// Bytes of a window in the log besides its samples.
const WINDOW_BYTES: u64 = 20;
/// Thousandths of a byte that a sample takes: in the log, and in the segments of the tiers.
const LOG_SAMPLE: u64 = 2300;
const SAMPLES: [u64; 3] = [1100, 2000, 3000];
/// How often a series changes.
const CHANGES: u64 = 10;

/// Series that what is written a day is computed for, each of which changes every 10 s.
pub(crate) const FLASH_SERIES: u32 = 200;

const DAY: u64 = 86_400;
const NS_IN_S: u64 = 1_000_000_000;

/// Bytes that the disk is written a day for so many series, each of which changes every 10 s.
#[must_use]
pub fn flash_bytes_per_day(recipe: &Recipe, series: u32) -> u64 {
    let limits = &recipe.metricsd;
    let kept = &limits.retention;
    let a_day = |length: u64| DAY.saturating_mul(NS_IN_S) / length.max(1);
    let series = u64::from(series);
    let changes = DAY / CHANGES * series;
    let windows = a_day(kept.raw_interval.0).min(changes);
    let syncs = a_day(kept.raw_interval.0.saturating_mul(windows_of_a_sync(kept)));
    let logged = changes * LOG_SAMPLE / 1000 + windows * WINDOW_BYTES;
    let sectors = (logged / syncs.max(1)).div_ceil(LOG_PAYLOAD_BYTES) * syncs;
    let tiers = [kept.raw_interval, limits.window_short, limits.window_long];
    let segments = tiers.iter().zip(SAMPLES).map(|(length, bytes)| {
        let samples = changes.min(a_day(length.0) * series);
        let seals = a_day(length.0).div_ceil(kept.segment_windows.into());
        // A segment takes a place among the files, and the manifest another one.
        samples * bytes / 1000 + seals * (2 * SYNC_BYTES + 2 * SECTOR_BYTES)
    });
    sectors * SECTOR_BYTES + syncs * SYNC_BYTES + segments.sum::<u64>()
}

/// Windows that are made durable together, if something changes in each: before the next is whole,
/// the first has to be.
fn windows_of_a_sync(kept: &MetricsRetention) -> u64 {
    kept.sync_interval.0.div_ceil(kept.raw_interval.0.max(1)).saturating_sub(1).max(1)
}

/// Windows that the log has room for before a segment has to end, if all series change in each.
fn logged_windows(recipe: &Recipe) -> u64 {
    // Segments end where half of the log is in use.
    log(recipe).bytes() / SECTOR_BYTES * LOG_PAYLOAD_BYTES / 2 / window_bytes(recipe)
}

/// Bytes of a window in the log, if all series change in it.
fn window_bytes(recipe: &Recipe) -> u64 {
    u64::from(recipe.metricsd.series) * LOG_SAMPLE / 1000 + WINDOW_BYTES
}

/// What people should know of what a recipe makes be kept.
#[must_use]
pub fn explain_retention(recipe: &Recipe) -> [String; 2] {
    let flash = flash_bytes_per_day(recipe, FLASH_SERIES);
    let (segment, series) = (recipe.metricsd.retention.segment_windows, recipe.metricsd.series);
    let logged = logged_windows(recipe);
    let ends = if logged < segment.into() { "; segments of so many end earlier" } else { "" };
    [
        format!(
            "log of {logged} of the {segment} windows of a segment, if {series} series change in \
             each{ends}"
        ),
        format!("writes {flash} B a day for {FLASH_SERIES} series that change every 10 s"),
    ]
}

#[cfg(test)]
mod tests {
    use nexus_recipe::StateRecipe;
    use nexus_retention::Keep;
    use nexus_retention::keeper::Keeper;

    use super::*;
    use crate::share;

    const RECIPES: [&str; 3] = [
        include_str!("../../../../../recipes/observability/metrics.toml"),
        include_str!("../../../../../recipes/observability/device-2mib.toml"),
        include_str!("../../../../../recipes/observability/guest.toml"),
    ];
    const STATE: &str = include_str!("../../../../../recipes/observability/state.toml");

    fn recipe(text: &str) -> Recipe {
        Recipe::parse(text).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn what_recipes_say_can_be_kept() {
        for text in RECIPES {
            let recipe = recipe(text);
            let limits = of(&recipe);
            assert!(limits.recorder.are_possible() && limits.log.are_possible(), "{limits:?}");
            drop(Keeper::new(limits, 1, Keep::Files));
            let tiers: u64 = limits.store.shelves.iter().map(|shelf| shelf.bytes).sum();
            assert!(tiers + limits.log.bytes() <= u64::from(share(&recipe).bytes));
        }
    }

    /// The guest's recipe is for boots of seconds that wait for what is durable.
    #[test]
    fn recipes_for_machines_that_run_for_years_spare_the_flash() {
        let [machine, device, guest] = RECIPES.map(|text| flash_bytes_per_day(&recipe(text), 200));
        assert!(machine <= 32_000_000 && device <= 32_000_000, "{machine} {device}");
        assert!(guest > 32_000_000, "{guest}: it may be held to the same bound");
    }

    #[test]
    fn the_guest_has_the_share_that_its_recipe_needs() {
        let [_, _, guest] = RECIPES;
        let needed = share(&recipe(guest));
        let state = StateRecipe::parse(STATE).unwrap_or_else(|errors| panic!("{errors}"));
        let has = state.shares.iter().find(|share| share.name == needed.name).unwrap();
        assert!(needed.bytes <= has.bytes && needed.files <= has.files, "{needed:?}");
        assert!(needed.open <= has.open, "{needed:?}");
    }
}
