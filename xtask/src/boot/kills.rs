//! A machine that is ended the hard way in the middle of its work, again and again on one disk, all
//! along its way through the markers.
//! After each time the host reads the disk: no window is there twice, none is missing between the
//! first and the last of a boot or of those that were there before, and no total that was exported
//! goes back. How long before its end the last window of each ended is told. At last a boot is let
//! through, and where nothing was kept is on record.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nexus_bounded::Nanos;
use nexus_recipe::MetricsRetention;

use super::{Built, Console, TIMEOUT, Variant, downtime, kept, state};
use crate::guest::{self, Go, Machine};
use crate::image;

/// So many windows may one be behind the one before it: a gap of one window is no longer than the
/// sync interval, which is two of them at least.
const STEP_MAX: u64 = 2;

/// Kills and reads, and says what comes of it.
pub(super) fn told(kills: u32, built: &Built) -> Result<bool> {
    let done = proof(kills, built);
    match &done {
        Ok(Kept { windows, tail, late, sync }) => println!(
            "kills: ok, {windows} windows after {kills} of them; from the last window to a kill \
             {} ms at most, {late} longer than the sync interval of {} ms",
            tail.as_millis(),
            sync.as_millis(),
        ),
        Err(error) => eprintln!("kills: FAILED, {error:#}"),
    }
    Ok(done.is_ok())
}

/// What is there at last.
struct Kept {
    /// Raw windows on the disk.
    windows: usize,
    /// The longest time from the end of a boot's last window to the boot's own.
    tail: Duration,
    /// How many were longer than it is to be.
    late: usize,
    sync: Duration,
}

fn proof(kills: u32, built: &Built) -> Result<Kept> {
    let MetricsRetention { raw_interval: raw, sync_interval, .. } =
        guest::recipe()?.metricsd.retention;
    let variant = Variant::Everything;
    let (disk, image) = (built.disk_file("kills"), built.image(variant.recipe(), None)?);
    state::blank(&disk)?;
    let machine = Machine {
        kernel: &built.kernel,
        image: &image,
        memory_mib: image::MEMORY_MIB,
        time: variant.time(),
        disk: Some(&disk),
        tree: None,
        patience: TIMEOUT,
    };
    let markers = variant.lines()?.in_order;
    let (mut known, mut tails) = (Vec::new(), Vec::new());
    for kill in 0..kills {
        let at = (2 * kill as usize + 1) * markers.len() / (2 * kills as usize);
        let at = markers.get(at).context("a marker")?;
        let after = Duration::from_millis(u64::from(kill) * 137 % 900);
        let lived = lived(&machine, |line| if line == at { Go::Within(after) } else { Go::On })?;
        let before = std::mem::take(&mut known);
        known = check(&disk, &before)
            .with_context(|| format!("kill {kill}, {after:?} behind \"{at}\""))?;
        tails.extend(tail(&before, &known, lived, raw));
    }
    let console = Console { all: false, until_marker: true, silent: true };
    let seen = variant.watch_on(&machine, &console)?;
    seen.report();
    ensure!(seen.is_proof(), "nothing is proven after {kills} kills");
    let windows = check(&disk, &known)?;
    downtime::is_on_record(&disk, &windows, raw)?;
    let sync = Duration::from_nanos(sync_interval.0);
    let late = tails.iter().filter(|tail| **tail > sync).count();
    let tail = tails.into_iter().max().unwrap_or_default();
    Ok(Kept { windows: windows.len(), tail, late, sync })
}

/// How long a machine lives, from its first line on, which comes as soon as its clock runs.
fn lived(machine: &Machine<'_>, mut see: impl FnMut(&str) -> Go) -> Result<Duration> {
    let mut begin = None;
    machine.watch(|line| {
        begin.get_or_insert_with(Instant::now);
        see(line)
    })?;
    Ok(begin.context("it has said nothing")?.elapsed())
}

/// What a boot has lived behind its last window, if there is any that was not there before.
fn tail(before: &[Window], now: &[Window], lived: Duration, raw: Nanos) -> Option<Duration> {
    let (boot, window) = *now.last()?;
    let is_new = before.last().is_none_or(|(last, _)| *last < boot);
    let end = Duration::from_nanos((window + 1) * raw.0);
    is_new.then(|| lived.saturating_sub(end))
}

/// A raw window: its boot and its number.
pub(super) type Window = (u64, u64);

/// Raw windows of all boots that are on the disk; `known` were there before.
fn check(disk: &Path, known: &[Window]) -> Result<Vec<Window>> {
    state::is_whole(disk)?;
    let windows = windows(disk)?;
    let gone = known.iter().find(|known| windows.binary_search(known).is_err());
    ensure!(gone.is_none(), "{gone:?}, boot and window, was there and is gone");
    for ((boot, before), (next, window)) in windows.iter().zip(windows.iter().skip(1)) {
        let is_gap = boot == next && window - before > STEP_MAX;
        ensure!(!is_gap, "of boot {boot} nothing is there from {before} to {window}");
    }
    totals_never_go_back(disk)?;
    Ok(windows)
}

/// All windows in which any series has anything, boot by boot; none of a series is there twice.
/// There may be none if the power was cut before the first sync.
fn windows(disk: &Path) -> Result<Vec<Window>> {
    let (mut windows, mut last) = (Vec::new(), BTreeMap::new());
    if kept::is_empty(disk)? {
        return Ok(windows);
    }
    for row in kept::rows(disk, &["", "--prefix"])? {
        if row["kind"] != "step" {
            continue;
        }
        let number = |key: &str| row[key].as_u64().with_context(|| format!("{key} of {row}"));
        let at = (number("boot")?, number("mono_ns")? / number("step_ns")?);
        let series = ["service_id", "metric", "name", "labels"].map(|key| row[key].to_string());
        let before = last.insert(series, at);
        ensure!(before < Some(at), "there twice, or out of order: {row}");
        windows.push(at);
    }
    windows.sort_unstable();
    windows.dedup();
    Ok(windows)
}

/// Of each boot's counters, as logd has kept what metricsd exported.
fn totals_never_go_back(disk: &Path) -> Result<()> {
    let (mut last, mut wrong) = (BTreeMap::new(), None);
    kept::records(disk, |kept| {
        let field = |key| kept.fields.get(key);
        if kept.scope != "metrics" || field("kind") != Some("counter") {
            return;
        }
        let series = (kept.boot, field("series").map(str::to_owned));
        let total = field("value").and_then(|value| value.parse::<u64>().ok());
        let before = last.insert(series, total).flatten();
        if before > total {
            wrong = Some(format!("{}: {before:?}, then {total:?}", kept.message));
        }
    })?;
    wrong.map_or(Ok(()), |wrong| Err(anyhow::anyhow!(wrong)))
}
