//! `sizes`: what the boot image takes, and what its processes may and do take, against the table.
//!
//! What a daemon needs follows from the recipe. The image is booted too, and what daemons say that
//! they have taken must not be more.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;

use anyhow::{Context, Result};
use logd::Keep;
use nexus_abi::FRAME_BYTES_MAX;
use nexus_abi::kernel::{CALLS_MAX, PAGE_BYTES};
use nexus_recipe::MemoryBudget;

use crate::image::{self, Size};
use crate::{boot, guest, setup};

/// Print what the image and its processes take; fail beyond the bounds.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// The image, programs and tables: a tenth of the guest's memory.
const IMAGE_KIB_MAX: u64 = image::MEMORY_MIB as u64 * 1024 / 10;
/// The budgets of all processes together: less than half of it.
const BUDGETS_KIB_MAX: u64 = 15 * 1024;
/// Frames of the OS port: two for each call, a spare one, and that of the request.
const PORT_KIB: u64 = ((2 * CALLS_MAX + 2) * FRAME_BYTES_MAX / 1024) as u64;
/// Page tables of a process: the root, the one below it, and leaves for image, resources, stack and
/// a heap of at most 6 MiB.
const TABLES_KIB: u64 = ((1 + 1 + 3 + 3) * PAGE_BYTES / 1024) as u64;

/// The subcommand.
pub(crate) fn run(Args {}: &Args) -> Result<ExitCode> {
    setup::ensure(setup::FOR_GUEST)?;
    Ok(if hold()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the table; whether everything is within its bounds.
pub(crate) fn hold() -> Result<bool> {
    let kernel = guest::build("neuron", guest::KERNEL)?.join("neuron");
    let text = image::text("image")?;
    let programs = image::programs_of(&text)?;
    let programs = guest::build_programs("guest", programs.iter().map(String::as_str))?;
    let image_bytes = image::build(&text, &programs, None)?.len();
    let (entries, promised_pages) = image::sizes(&text, &programs)?;
    let kept_kib = image::kept_kib(&kernel)?;
    let sizes = Sizes { kept_kib, image_bytes, entries, promised_pages };
    let (daemons, left) = (daemons()?, left(&boot::lines_of_everything()?));
    let rows = [sizes.rows(&daemons), sizes.taken(&daemons, &left)?].concat();
    println!("what                needs KiB  may take KiB");
    rows.iter().for_each(|row| println!("{row}"));
    Ok(!rows.iter().any(Row::is_exceeded))
}

/// What was built.
struct Sizes {
    /// What firmware and kernel take.
    kept_kib: u64,
    image_bytes: usize,
    entries: Vec<Size>,
    /// What entries and resources may take.
    promised_pages: u64,
}

impl Sizes {
    fn rows(&self, daemons: &[MemoryBudget]) -> Vec<Row> {
        let entry = |size: &Size| Row::new(&size.name, need(size, daemons), size.budget_kib);
        let budgets = self.entries.iter().map(|size| size.budget_kib).sum();
        let memory = image::memory_kib(self.image_bytes, self.promised_pages);
        let mut rows = vec![
            Row::new("firmware and kernel", self.kept_kib, image::KEPT_KIB),
            Row::new("image", (self.image_bytes as u64).div_ceil(1024), IMAGE_KIB_MAX),
        ];
        rows.extend(self.entries.iter().map(entry));
        rows.push(Row::new("all budgets", budgets, BUDGETS_KIB_MAX));
        rows.push(Row::new("all of memory", memory, u64::from(image::MEMORY_MIB) * 1024));
        rows
    }
}

impl Sizes {
    /// What daemons have taken, against what they need by the table; each has to tell.
    fn taken(&self, daemons: &[MemoryBudget], left: &BTreeMap<String, u64>) -> Result<Vec<Row>> {
        let row = |size: &Size| {
            let left = left.get(&size.name).with_context(|| format!("{} tells nothing", size.name));
            let taken = size.budget_kib.saturating_sub(*left?);
            Ok(Row::new(&format!("{}, as told", size.name), taken, need(size, daemons)))
        };
        let is_daemon = |size: &&Size| daemons.iter().any(|daemon| daemon.daemon == size.name);
        self.entries.iter().filter(is_daemon).map(row).collect()
    }
}

/// What processes have said that is left of their budgets, in KiB.
fn left(lines: &[String]) -> BTreeMap<String, u64> {
    let left = lines.iter().filter_map(|line| {
        let (name, memory) = line.split_once(": heap of ")?;
        let left = memory.split_once(" KiB, ")?.1.strip_suffix(" KiB of the budget left")?;
        Some((name.to_owned(), left.parse().ok()?))
    });
    left.collect()
}

/// A line of the table.
#[derive(Clone)]
struct Row {
    what: String,
    needs: u64,
    may: u64,
}

impl Row {
    fn new(what: &str, needs: u64, may: u64) -> Self {
        Self { what: what.to_owned(), needs, may }
    }

    fn is_exceeded(&self) -> bool {
        self.needs > self.may
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_exceeded() { "  EXCEEDED" } else { "" };
        write!(f, "{:<19} {:>9}  {:>12}{verdict}", self.what, self.needs, self.may)
    }
}

/// What the recipe of the guest makes the daemons take.
fn daemons() -> Result<[MemoryBudget; 2]> {
    let recipe = guest::recipe()?;
    Ok([logd::memory_budget(&recipe, Keep::Files), metricsd::memory_budget(&recipe, Keep::Files)])
}

/// What a process takes in all.
fn need(size: &Size, daemons: &[MemoryBudget]) -> u64 {
    let daemon = daemons.iter().find(|daemon| daemon.daemon == size.name);
    let heap = daemon.map_or(0, |daemon| daemon.bytes().div_ceil(1024) + PORT_KIB);
    heap + size.stack_kib + size.written_kib + TABLES_KIB
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
    fn a_daemon_that_takes_more_than_the_table_says_is_found_and_one_that_tells_nothing_too() {
        let sizes = Sizes { entries: vec![size("logd"), size("init")], ..full() };
        let daemons = [MemoryBudget { daemon: "logd", lines: Vec::new() }];
        let needs = 8 + 4 + TABLES_KIB + PORT_KIB;
        let taken = |kib: u64| {
            let line = format!("logd: heap of 7 KiB, {} KiB of the budget left", 100 - kib);
            let rows = sizes.taken(&daemons, &left(&[line])).unwrap();
            rows.iter().map(Row::is_exceeded).collect::<Vec<_>>()
        };
        assert_eq!([taken(needs), taken(needs + 1)], [[false], [true]]);
        assert!(sizes.taken(&daemons, &left(&["logd: ready".to_owned()])).is_err());
    }

    fn exceeded(sizes: &Sizes) -> Vec<String> {
        let rows = sizes.rows(&[]).into_iter().filter(Row::is_exceeded);
        rows.map(|row| row.what).collect()
    }

    /// As much as may be of everything.
    fn full() -> Sizes {
        let entry = |name: &str, budget_kib| Size { budget_kib, ..size(name) };
        Sizes {
            kept_kib: image::KEPT_KIB,
            image_bytes: IMAGE_KIB_MAX as usize * 1024,
            entries: vec![entry("a", 8 + 4 + TABLES_KIB), entry("b", BUDGETS_KIB_MAX - 44)],
            promised_pages: (32 * 1024 - image::KEPT_KIB - IMAGE_KIB_MAX) / 4,
        }
    }

    #[test]
    fn what_fills_its_bound_is_within_it() {
        assert_eq!(exceeded(&full()), Vec::<String>::new());
    }

    #[test]
    fn a_byte_more_of_anything_is_beyond_its_bound() {
        let mut sizes = full();
        sizes.kept_kib += 1;
        assert_eq!(exceeded(&sizes), ["firmware and kernel"]);
        let mut sizes = full();
        sizes.image_bytes += 1;
        assert_eq!(exceeded(&sizes), ["image", "all of memory"]);
        let mut sizes = full();
        sizes.entries[0].written_kib += 1;
        assert_eq!(exceeded(&sizes), ["a"]);
        let mut sizes = full();
        sizes.entries[1].budget_kib += 1;
        assert_eq!(exceeded(&sizes), ["all budgets"]);
        let mut sizes = full();
        sizes.promised_pages += 1;
        assert_eq!(exceeded(&sizes), ["all of memory"]);
    }

    #[test]
    fn what_is_beyond_its_bound_says_so() {
        assert_eq!(
            Row::new("a", 100, 100).to_string(),
            format!("{:<19}       100           100", "a")
        );
        assert!(Row::new("a", 101, 100).to_string().ends_with("  EXCEEDED"));
    }
}
