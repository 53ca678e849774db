//! What keeping costs metricsd, over a real statefsd: how long a segment of some thousand series
//! and the recovery of its log take (`work`), and for how long its clients wait meanwhile, also
//! on a slow disk (`pauses`). Without a word both. Fails if an event of metricsd's takes so long
//! that ingest would pause, or if more series cost more than their number makes of it.
#![expect(clippy::expect_used, reason = "a tool for measuring may stop")]

mod pauses;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut is_met = true;
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {
            is_met = work::print();
            pauses::print();
        }
        ["work"] => is_met = work::print(),
        ["pauses"] => pauses::print(),
        [word, dir, delay] if *word == pauses::DAEMON => pauses::serve(dir.as_ref(), delay),
        _ => panic!("keeping_cost [work | pauses]"),
    }
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The recipe of a machine with so many series of one sender, which may send what it likes.
fn recipe(series: u32) -> nexus_recipe::Recipe {
    const RECIPE: &str = include_str!("../../../../recipes/observability/metrics.toml");
    let mut recipe = nexus_recipe::Recipe::parse(RECIPE).expect("the shipped recipe");
    let most = u32::MAX;
    let budget = nexus_recipe::Budget {
        events_per_s: most,
        events_burst: most,
        bytes_per_s: most,
        bytes_burst: most,
    };
    let limits = &mut recipe.metricsd;
    (limits.budget, limits.unknown_budget) = (budget, budget);
    // So that the floors of others leave room.
    limits.series = series + 512;
    // As much for each series as that recipe has: groups of windows are as long.
    limits.retention.buffer_bytes = limits.retention.buffer_bytes / 4096 * series;
    limits.series_per_sender = limits.series;
    limits.series_per_metric = limits.series;
    limits.series_floor = 3;
    recipe.senders = [].into();
    recipe
}

/// The frame that changes a series in a window: two of five are counters, three gauges.
fn change(series: u32, window: u64) -> Vec<u8> {
    use nexus_wire::Kind;
    let (kind, name) = match series % 5 {
        0 | 1 => (Kind::Counter, "app_counter_total"),
        _ => (Kind::Gauge, "app_gauge"),
    };
    let value = u64::from(series).wrapping_mul(7919).wrapping_add(window * window) % 997;
    sim::update(kind, name, &format!("n={series}\n"), value as i64)
}
