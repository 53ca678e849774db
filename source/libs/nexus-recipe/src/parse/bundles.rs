//! The recipe of bundles.

use core::ops::RangeInclusive;

use nexus_bounded::Nanos;

use super::contradictions::product;
use super::table::{Report, Table};
use crate::{BUNDLE_NEEDS, BootBundle, BundlemgrdLimits, BundlesRecipe, ExecdLimits};

/// Bytes of the name of a bundle or an entry, and of a version, at most: as frames have them.
const NAME_BYTES_MAX: usize = 31;
const VERSION_BYTES_MAX: usize = 16;

const BUNDLES: RangeInclusive<u32> = 1..=1024;
/// The kernel knows no more processes, and the answer that lists them is one frame.
const PROCESSES: RangeInclusive<u32> = 1..=64;
const WAITING: RangeInclusive<u32> = 1..=64;
/// No bundle is smaller than the least of these.
const BYTES: RangeInclusive<u32> = 51..=1 << 30;
const MEMORY_KIB: RangeInclusive<u32> = 1..=1 << 20;
/// A search gives no more records.
const LINES: RangeInclusive<u32> = 1..=64;
const TIME: RangeInclusive<Nanos> = Nanos::from_millis(1)..=Nanos::from_secs(3600);

pub(super) fn recipe(t: &mut Table<'_, '_>) -> BundlesRecipe {
    BundlesRecipe {
        bundlemgrd: t.table("bundlemgrd", bundlemgrd),
        execd: t.table("execd", execd),
        boot: t.tables("boot", boot).into(),
    }
}

fn bundlemgrd(t: &mut Table<'_, '_>) -> BundlemgrdLimits {
    BundlemgrdLimits {
        bundles: t.count("bundles", BUNDLES),
        bundle_bytes: t.size("bundle_bytes", BYTES),
        installer_bytes: t.size("installer_bytes", BYTES),
        state_bytes: t.size("state_bytes", BYTES),
        waiting: t.count("waiting", WAITING),
        idle: t.duration("idle", TIME),
        patience: t.duration("patience", TIME),
        busy_pause: t.duration("busy_pause", TIME),
        retry: t.duration("retry", TIME),
    }
}

fn execd(t: &mut Table<'_, '_>) -> ExecdLimits {
    ExecdLimits {
        processes: t.count("processes", PROCESSES),
        waiting: t.count("waiting", WAITING),
        patience: t.duration("patience", TIME),
        report_patience: t.duration("report_patience", TIME),
        recent_window: t.duration("recent_window", TIME),
        recent_lines: t.count("recent_lines", LINES),
    }
}

fn boot(t: &mut Table<'_, '_>) -> BootBundle {
    BootBundle {
        name: t.text("name", name),
        version: t.text("version", version),
        entry: t.text("entry", name),
        program: t.text("program", name),
        memory_kib: t.count("memory_kib", MEMORY_KIB),
        needs: t.texts("needs", need),
    }
}

fn is_written_well(text: &str, most: usize) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    (1..=most).contains(&text.len()) && text.chars().all(letter)
}

fn name(text: &str) -> Result<(), String> {
    let begins_well = text.starts_with(|c: char| c.is_ascii_lowercase());
    if begins_well && is_written_well(text, NAME_BYTES_MAX) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no name: write a-z, then a-z, 0-9, `_`, `.`, `-`, {NAME_BYTES_MAX} at most"
    ))
}

fn version(text: &str) -> Result<(), String> {
    if is_written_well(text, VERSION_BYTES_MAX) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no version: write a-z, 0-9, `_`, `.`, `-`, 1 to {VERSION_BYTES_MAX} of them"
    ))
}

fn need(text: &str) -> Result<(), String> {
    if BUNDLE_NEEDS.iter().any(|(name, _)| *name == text) {
        return Ok(());
    }
    let known = BUNDLE_NEEDS.map(|(name, _)| name).join("`, `");
    Err(format!("`{text}` is nothing that a program can need; choose of `{known}`"))
}

pub(super) fn check(report: &mut Report<'_>, recipe: &BundlesRecipe) {
    let sizes = ["bundle_bytes", "installer_bytes", "state_bytes"];
    for (less, more) in sizes.iter().zip(sizes.iter().skip(1)) {
        let [less, more] = [less, more].map(|key| format!("bundlemgrd.{key}"));
        product(report, &[&less], &more, "nobody could ever use it");
    }
    for (at, bundle) in recipe.boot.iter().enumerate() {
        let mut earlier = recipe.boot.iter().take(at);
        if !bundle.name.is_empty() && earlier.any(|other| other.name == bundle.name) {
            let what = format!("a bundle `{}` is there already; name it otherwise", bundle.name);
            report.error_at(&format!("boot[{at}].name"), what);
        }
    }
    let has = u64::try_from(recipe.boot.len()).unwrap_or(u64::MAX);
    if report.number("bundlemgrd.bundles").is_some_and(|most| has > most.number) {
        let what = format!("the boot image alone has {has}; raise it or remove some");
        report.error_at("bundlemgrd.bundles", what);
    }
}
