//! The recipe of a state disk.

use core::ops::RangeInclusive;

use nexus_bounded::Nanos;

use super::contradictions::product;
use super::sections::{budget, service_name};
use super::table::{Report, Table};
use crate::{ShareRule, StateRecipe, StatefsdLimits};

/// Bytes of a prefix at most: with those of a file's name in frames they make the disk's 64.
const PREFIX_BYTES_MAX: usize = 24;
const SECTOR: u32 = 512;
/// A file is made before the one that it replaces is given up.
const SPARE: u64 = 1;

const BYTES: RangeInclusive<u32> = SECTOR..=1 << 30;
const FILES: RangeInclusive<u32> = 1..=8192;
const PAUSE: RangeInclusive<Nanos> = Nanos::from_millis(1)..=Nanos::from_secs(3600);

pub(super) fn recipe(t: &mut Table<'_, '_>) -> StateRecipe {
    StateRecipe { statefsd: t.table("statefsd", limits), shares: t.tables("shares", share).into() }
}

fn limits(t: &mut Table<'_, '_>) -> StatefsdLimits {
    StatefsdLimits {
        disk_bytes: sectors(t, "disk_bytes"),
        files: t.count("files", FILES),
        open: t.count("open", FILES),
        pending: t.count("pending", 1..=64),
        retry_min: t.duration("retry_min", PAUSE),
        retry_max: t.duration("retry_max", PAUSE),
        budget: t.table("budget", budget),
    }
}

fn share(t: &mut Table<'_, '_>) -> ShareRule {
    ShareRule {
        name: t.text("name", owner),
        bytes: sectors(t, "bytes"),
        files: t.count("files", FILES),
        open: t.count("open", FILES),
    }
}

fn owner(name: &str) -> Result<(), String> {
    service_name(name)?;
    let most = PREFIX_BYTES_MAX - 1;
    let fits = name.len() <= most;
    if fits { Ok(()) } else { Err(format!("`{name}` is too long to own files: {most} at most")) }
}

fn sectors(t: &mut Table<'_, '_>, key: &str) -> u32 {
    let bytes = t.size(key, BYTES);
    if !bytes.is_multiple_of(SECTOR) {
        t.report.error_at(&t.path_of(key), "no whole sectors: choose a multiple of 512 B");
    }
    bytes
}

pub(super) fn check(report: &mut Report<'_>, recipe: &StateRecipe) {
    product(report, &["statefsd.open"], "statefsd.files", "a file that grows is a file");
    let pauses = ["statefsd.retry_min"];
    product(report, &pauses, "statefsd.retry_max", "it is where pauses begin");
    shares_fit(report, recipe, "bytes", "disk_bytes", 0);
    shares_fit(report, recipe, "files", "files", SPARE);
    shares_fit(report, recipe, "open", "open", SPARE);
    for (at, share) in recipe.shares.iter().enumerate() {
        let earlier = recipe.shares.iter().take(at);
        if !share.name.is_empty() && earlier.into_iter().any(|other| other.name == share.name) {
            let what = format!("`{}` has a share already; remove one", share.name);
            report.error_at(&format!("shares[{at}].name"), what);
        }
    }
}

/// Every service is guaranteed its share.
fn shares_fit(report: &mut Report<'_>, recipe: &StateRecipe, part: &str, whole: &str, spare: u64) {
    let whole = format!("statefsd.{whole}");
    let keys = (0..recipe.shares.len()).map(|at| format!("shares[{at}].{part}"));
    let parts = keys.map(|key| report.number(&key)).collect::<Option<Vec<_>>>();
    let (Some(parts), Some(limit)) = (parts, report.number(&whole)) else { return };
    let needed = parts.iter().map(|part| part.number).sum::<u64>() + spare;
    if needed > limit.number {
        let [needed, has] = [needed, limit.number].map(|number| limit.unit.show(number));
        let spare = if spare > 0 { " and one to be replaced" } else { "" };
        let what = format!("{has} is less than {needed}, the `{part}` of all shares{spare}");
        report.error_at(&whole, format!("{what}; raise it or lower those"));
    }
}
