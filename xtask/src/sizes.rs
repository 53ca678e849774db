//! `sizes`: what the boot image takes, and what its processes may and do take, against the table.

use std::process::ExitCode;

use anyhow::{Context, Result};
use nexus_recipe::{MemoryBudget, Recipe};

use crate::image::{self, Size};
use crate::{guest, setup, shell};

/// Print what the image and its processes take; fail beyond the bounds.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// The image, programs and tables.
const IMAGE_KIB_MAX: u64 = 512;
/// The budgets of all processes together.
const BUDGETS_KIB_MAX: u64 = 8 * 1024;
/// Frames of the OS port: two for each call, a spare one, and that of the request.
const PORT_KIB: u64 = 40;
/// Page tables of a process: one of each level, and leaves for image, heap, resources and stack.
const TABLES_KIB: u64 = 32;

/// The subcommand.
pub(crate) fn run(Args {}: &Args) -> Result<ExitCode> {
    setup::ensure(setup::FOR_GUEST)?;
    Ok(if hold()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the table; whether everything is within its bounds.
pub(crate) fn hold() -> Result<bool> {
    let programs = guest::build("guest", guest::PROGRAMS)?;
    let text = std::fs::read_to_string(shell::root()?.join("recipes/system/image.toml"))?;
    let image = image::build(&text, &programs, None)?.len() as u64 / 1024;
    let sizes = image::sizes(&text, &programs)?;
    let daemons = daemons()?;

    let budgets = sizes.iter().map(|size| size.budget_kib).sum::<u64>();
    println!("what                needs KiB  may take KiB");
    let mut exceeded = line("image", image, IMAGE_KIB_MAX);
    for size in &sizes {
        exceeded += line(&size.name, need(size, &daemons), size.budget_kib);
    }
    exceeded += line("all budgets", budgets, BUDGETS_KIB_MAX);
    Ok(exceeded == 0)
}

/// What the recipe of the guest makes the daemons take.
fn daemons() -> Result<[MemoryBudget; 2]> {
    let path = shell::root()?.join("recipes/observability/guest.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let recipe = Recipe::parse(&text).context("guest.toml")?;
    Ok([logd::memory_budget(&recipe), metricsd::memory_budget(&recipe)])
}

/// What a process takes in all.
fn need(size: &Size, daemons: &[MemoryBudget]) -> u64 {
    let daemon = daemons.iter().find(|daemon| daemon.daemon == size.name);
    let heap = daemon.map_or(0, |daemon| daemon.bytes().div_ceil(1024) + PORT_KIB);
    heap + size.stack_kib + size.written_kib + TABLES_KIB
}

/// Prints a line of the table; 1 if the bound is exceeded.
fn line(what: &str, needs: u64, may: u64) -> u32 {
    let is_exceeded = needs > may;
    let verdict = if is_exceeded { "  EXCEEDED" } else { "" };
    println!("{what:<19} {needs:>9}  {may:>12}{verdict}");
    u32::from(is_exceeded)
}

#[cfg(test)]
mod tests {
    use nexus_recipe::MemoryLine;

    use super::*;

    fn size(name: &str) -> Size {
        Size { name: name.to_owned(), budget_kib: 100, stack_kib: 8, written_kib: 4 }
    }

    #[test]
    fn a_daemon_needs_its_recipes_memory_and_everybody_stack_data_and_tables() {
        let lines = vec![MemoryLine { what: "rows", count: 3, bytes_each: 1000 }];
        let daemons = [MemoryBudget { daemon: "logd", lines }];
        let common = 8 + 4 + TABLES_KIB;
        assert_eq!(need(&size("init"), &daemons), common);
        assert_eq!(need(&size("logd"), &daemons), common + 3 + PORT_KIB);
    }

    #[test]
    fn what_is_beyond_its_bound_is_counted() {
        assert_eq!((line("a", 100, 100), line("a", 101, 100)), (0, 1));
    }
}
