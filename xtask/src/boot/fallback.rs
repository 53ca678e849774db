//! What a console shows of a service's records before logd is there, line by line, and that logd
//! gets all of them, and a panic too; and an image without a logd, in which it does not.
//!
//! Time is what instructions take here, so the lines are the same in every run.

use std::time::Duration;

use anyhow::Result;
use nexus_log::limits::CONSOLE_LINES_BURST;

use super::Built;
use crate::counts::Counts;
use crate::guest::{Machine, Run, Time};
use crate::image::{self, Swap};

const PATIENCE: Duration = Duration::from_secs(60);
/// What the reporter logs, and how often it is woken.
const RECORDS: u64 = 20;
const WAKES: u64 = 5;
/// How often the mortal panics while the witness looks for more.
const LIVES_OF_MORTAL: usize = 7;

/// A logd that never serves.
const NO_LOGD: Swap<'static> = Swap { entry: "logd", program: "os-twin-sleeper" };

/// Boots both.
pub(super) fn proofs(built: &Built) -> Result<Counts> {
    let run = boot(built, None)?;
    let holds = run.code == Some(0) && lines(&run) == [shown(), told()].concat();
    let without = boot(built, Some(NO_LOGD))?;
    let fails = without.code == Some(1) && lines(&without) == [shown(), untold()].concat();
    for (what, is_so, run) in [("holds", holds, &run), ("fails without logd", fails, &without)] {
        println!("console while logd is away: {what}: {}", if is_so { "ok" } else { "FAILED" });
        if !is_so {
            println!("ended with {:?}: {:#?}", run.code, lines(run));
        }
    }
    let mut counts = Counts::one(holds);
    counts += Counts::one(fails);
    Ok(counts)
}

/// Lines of the first records.
fn shown() -> Vec<String> {
    (1..=CONSOLE_LINES_BURST).map(|n| format!("log: warn reporter: record {n}")).collect()
}

/// What follows once logd is there.
fn told() -> Vec<String> {
    let hidden = RECORDS - CONSOLE_LINES_BURST;
    let back = format!("log: logd is there, {hidden} records were not shown here");
    let seen = format!("witness: {RECORDS} records, 0 out of order, {WAKES} wakes");
    vec![back, seen, "witness: a panic true".to_owned()]
}

/// What follows where there is none: whoever waits for it begins without it in the end.
fn untold() -> Vec<String> {
    let panic = "log: error panic: mortal as ever".to_owned();
    let mut lines = vec![panic; LIVES_OF_MORTAL];
    lines.push("witness: 0 records, 0 out of order, 0 wakes".to_owned());
    lines.push("witness: a panic false".to_owned());
    lines
}

fn lines(run: &Run) -> Vec<&str> {
    let is_ours = |line: &&str| line.starts_with("log: ") || line.starts_with("witness: ");
    run.lines.iter().map(String::as_str).filter(is_ours).collect()
}

fn boot(built: &Built, swap: Option<Swap<'_>>) -> Result<Run> {
    let image = built.image("image-fallback", swap)?;
    let kernel = &built.kernel;
    let (memory_mib, time) = (image::MEMORY_MIB, Time::Counted(0));
    let (disk, tree, patience) = (None, None, PATIENCE);
    Machine { kernel, image: &image, memory_mib, time, disk, tree, patience }.run()
}
