//! What the services cost their clients under the kernel, in instructions.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Built;
use crate::guest::{Machine, Time};
use crate::image;

const PATIENCE: Duration = Duration::from_secs(60);

/// What is counted, how it is called, and what it may cost.
const COSTS: [(&str, &str, Option<u64>); 4] = [
    ("counter_by_handle", "a counter by handle", Some(30)),
    ("counter_by_site", "a counter by call site", None),
    ("update_by_name", "update by name, call to reply", Some(2500)),
    ("append", "APPEND", None),
];

/// Prints the figures; how many targets are missed.
pub(crate) fn bench() -> Result<u32> {
    let built = Built::new()?;
    let image = built.image("image-bench", None)?;
    let machine = Machine {
        kernel: &built.kernel,
        image: &image,
        memory_mib: image::MEMORY_MIB,
        time: Time::Counted(0),
        disk: None,
        tree: None,
        patience: PATIENCE,
    };
    let run = machine.run()?;
    if run.code != Some(0) {
        bail!("the benchmark ended with {:?}: {:?}", run.code, run.lines);
    }
    println!("services under the kernel, in instructions (client, kernel and service)");
    let mut missed = 0;
    for (name, what, target) in COSTS {
        let cost = figure(&run.lines, name).context("a figure is missing")?;
        let is_missed = target.is_some_and(|bound| cost >= bound);
        let verdict = match target {
            Some(bound) if is_missed => format!(" (target: below {bound}, MISSED)"),
            Some(bound) => format!(" (target: below {bound}, met)"),
            None => String::new(),
        };
        println!("  {what}: {cost}{verdict}");
        missed += u32::from(is_missed);
    }
    Ok(missed)
}

fn figure(lines: &[String], name: &str) -> Option<u64> {
    let prefix = format!("cost {name} ");
    lines.iter().find_map(|line| line.strip_prefix(&prefix))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_its_whole_name() {
        let lines = ["cost append_batch 9", "cost append 7", "cost update x"].map(str::to_owned);
        assert_eq!(figure(&lines, "append"), Some(7));
        assert_eq!(figure(&lines, "update"), None);
    }
}
