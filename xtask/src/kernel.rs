//! `kernel`: boots the kernel and tries what it promises.
//!
//! The trials are programs of the guest; here is only who builds, boots and counts them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::counts::Counts;
use crate::guest::{self, Machine, Run, Time};
use crate::{image, setup};

/// Boot the kernel and try what it promises.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Count what messages cost instead.
    #[arg(long)]
    bench: bool,
}

const PATIENCE: Duration = Duration::from_secs(120);

/// The subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure(setup::FOR_GUEST)?;
    let failed = if args.bench { u64::from(bench()?) } else { trials()?.failed };
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the trials; one that did not come to its verdict has failed.
pub(crate) fn trials() -> Result<Counts> {
    let run = boot("kernel-trials")?;
    let ours = run.lines.iter().skip_while(|line| !line.starts_with("neuron:"));
    ours.for_each(|line| println!("{line}"));
    let mut counts = verdicts(&run.lines);
    if run.code != Some(0) {
        println!("the kernel's trials ended with {:?}", run.code);
        counts.failed = counts.failed.max(1);
    }
    println!("kernel: {counts}");
    Ok(counts)
}

/// Counts `trial NAME: ok`; any other verdict is a failure.
fn verdicts(lines: &[String]) -> Counts {
    let mut counts = Counts::default();
    let trials = lines.iter().filter_map(|line| line.strip_prefix("trial "));
    for (_, verdict) in trials.filter_map(|trial| trial.rsplit_once(": ")) {
        counts += Counts::one(verdict == "ok");
    }
    counts
}

/// Instructions that a round trip may take: bytes each way, and the bound.
const TARGETS: [(u64, u64); 2] = [(64, 1000), (1024, 2000)];

/// Prints what messages cost; how many targets are missed.
pub(crate) fn bench() -> Result<u32> {
    let run = boot("kernel-bench")?;
    if run.code != Some(0) {
        bail!("the kernel's benchmark ended with {:?}: {:?}", run.code, run.lines);
    }
    println!("messages of the kernel, in instructions (both sides, all of the kernel)");
    for cost in run.lines.iter().filter_map(|line| line.strip_prefix("cost ")) {
        println!("  {}", cost.replace('_', " "));
    }
    let mut missed = 0;
    for (bytes, bound) in TARGETS {
        let figure = figure(&run.lines, bytes).context("a figure is missing")?;
        let verdict = if figure < bound { "met" } else { "MISSED" };
        println!("  target: {bytes} bytes each way below {bound}: {verdict}");
        missed += u32::from(figure >= bound);
    }
    Ok(missed)
}

fn figure(lines: &[String], bytes: u64) -> Option<u64> {
    let name = format!("cost round_trip_{bytes} ");
    lines.iter().find_map(|line| line.strip_prefix(&name))?.parse().ok()
}

/// Builds the kernel, the trials and the image of a recipe, and boots them. Time is what
/// instructions take, so that no deadline of a trial depends on how busy the host is.
fn boot(recipe: &str) -> Result<Run> {
    let kernel = guest::build("neuron", guest::KERNEL)?.join("neuron");
    let image = image_of(recipe)?;
    let machine = Machine {
        kernel: &kernel,
        image: &image,
        memory_mib: image::MEMORY_MIB,
        time: Time::Counted(0),
        disk: None,
        tree: None,
        patience: PATIENCE,
    };
    machine.run()
}

fn image_of(recipe: &str) -> Result<PathBuf> {
    let text = image::text(recipe)?;
    let folder = guest::build("trials", guest::PROGRAMS)?;
    let image = image::build(&text, &folder, None).with_context(|| format!("{recipe}.toml"))?;
    let out = folder.join(format!("{recipe}.image"));
    std::fs::write(&out, image).with_context(|| out.display().to_string())?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ok_is_ok() {
        let lines = ["trial a: ok", "trial b: FAILED", "trial c: o?k", "said: ok", "trial d"];
        let counts = verdicts(&lines.map(str::to_owned));
        assert_eq!(counts, Counts { passed: 1, failed: 2 });
    }

    #[test]
    fn a_figure_is_found_by_its_bytes() {
        let lines = ["cost round_trip_64 612", "cost round_trip_1024 900"].map(str::to_owned);
        assert_eq!(
            [figure(&lines, 64), figure(&lines, 1024), figure(&lines, 6)],
            [Some(612), Some(900), None]
        );
    }
}
