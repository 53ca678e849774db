//! One run of metricsd, recorded in the simulated world, played there, as a process of Linux and
//! under the kernel: the files that it hands to statefsd are the same byte by byte, by the hashes
//! that each of the three prints of them. A tape with one altered event must make other files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Built;
use crate::counts::Counts;
use crate::guest::{Go, Machine, Time};
use crate::{image, shell};

/// The image in which it is played under the kernel.
pub(super) const RECIPE: &str = "image-tape";

const PATIENCE: Duration = Duration::from_secs(60);

/// How lines begin that players print.
const OURS: &str = "tape: ";
/// How the last one ends.
const END: &str = " files unseen";
/// What the port says of its memory.
const HEAP: &str = "tape: heap of ";
/// What is said of the longest event, where instructions can be counted.
const MOST: [&str; 2] = ["tape: at most ", " instructions, by event "];
/// Instructions that an event may take: 10 ms by the guest's clock, at one a nanosecond.
const INSTRUCTIONS_MAX: u64 = 10_000_000;
/// What only a tape says whose events do not fit what was done before.
const MISFIT: &str = "tape: its events fit no more";

/// Records, and compares what is printed.
pub(super) fn proofs(built: &Built) -> Result<Counts> {
    let tapes = Tapes::record()?;
    let [simulated, linux] = [("simulated", &tapes.tape), ("linux", &tapes.tape)]
        .map(|(world, tape)| tapes.played(world, tape));
    let (simulated, linux) = (simulated?, linux?);
    let (guest, most) = played_in_guest(built, &tapes.tape)?;
    let fits = !guest.iter().any(|line| line.starts_with(MISFIT));
    let is_same = fits && simulated == linux && linux == guest;
    report("files are the same in all three worlds", is_same);
    if is_same {
        guest.iter().rev().take(3).rev().for_each(|line| println!("  {line}"));
    }
    let is_short = most <= INSTRUCTIONS_MAX;
    report("has no event that takes long", is_short);
    println!("  the longest takes {most} instructions, of at most {INSTRUCTIONS_MAX}");
    let (altered, _) = played_in_guest(built, &tapes.altered)?;
    let differs = ["wal.", "raw."].iter().all(|kind| some(&altered, kind) != some(&guest, kind));
    report("makes other files with one event altered", differs);
    let mut counts = Counts::one(is_same);
    counts += Counts::one(is_short);
    counts += Counts::one(differs);
    Ok(counts)
}

fn report(what: &str, holds: bool) {
    println!("tape {what}: {}", if holds { "ok" } else { "FAILED" });
}

/// The lines of files of a kind.
fn some<'a>(lines: &'a [String], kind: &str) -> Vec<&'a String> {
    lines.iter().filter(|line| line.contains(kind)).collect()
}

/// The program that records and plays, and the tapes.
struct Tapes {
    program: PathBuf,
    tape: PathBuf,
    altered: PathBuf,
}

impl Tapes {
    fn record() -> Result<Self> {
        let build = ["build", "--release", "--quiet", "-p", "sim", "--bin", "tapes"];
        if !shell::succeeds(&mut shell::cargo(&build)?)? {
            bail!("the program that records tapes does not build");
        }
        let folder = shell::target_dir()?.join("release");
        let [program, tape, altered] =
            ["tapes", "metricsd.tape", "metricsd-altered.tape"].map(|name| folder.join(name));
        let tapes = Self { program, tape, altered };
        tapes.run(&["record", &tapes.tape.to_string_lossy(), &tapes.altered.to_string_lossy()])?;
        Ok(tapes)
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        shell::output(&mut shell::command(&self.program.to_string_lossy(), args)?)
    }

    fn played(&self, world: &str, tape: &Path) -> Result<Vec<String>> {
        let said = self.run(&[world, &tape.to_string_lossy()])?;
        Ok(said.lines().map(str::to_owned).collect())
    }
}

/// What the program of the guest prints that others print too, and how many instructions its
/// longest event takes.
fn played_in_guest(built: &Built, tape: &Path) -> Result<(Vec<String>, u64)> {
    let machine = Machine {
        kernel: &built.kernel,
        image: &built.image(RECIPE, None)?,
        memory_mib: image::MEMORY_MIB,
        time: Time::Counted(0),
        disk: Some(tape),
        tree: None,
        patience: PATIENCE,
    };
    let (mut all, mut ours, mut most) = (Vec::new(), Vec::new(), None);
    machine.watch(|line| {
        all.push(line.to_owned());
        most = most.or_else(|| instructions(line));
        let is_said_elsewhere = !line.starts_with(MOST[0]) && !line.starts_with(HEAP);
        let is_ours = line.starts_with(OURS) && is_said_elsewhere;
        if is_ours {
            ours.push(line.to_owned());
        }
        if is_ours && line.ends_with(END) { Go::Stop } else { Go::On }
    })?;
    let is_over = ours.last().is_some_and(|line| line.ends_with(END));
    most.filter(|_| is_over)
        .map(|most| (ours, most))
        .with_context(|| format!("the tape is not played to its end: {all:#?}"))
}

fn instructions(line: &str) -> Option<u64> {
    let [before, behind] = MOST;
    line.strip_prefix(before)?.split_once(behind)?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read_from_their_line_only() {
        assert_eq!(instructions("tape: at most 12 instructions, by event 7"), Some(12));
        assert_eq!(instructions("tape: at most x instructions, by event 7"), None);
        assert_eq!(instructions("tape: 12 events, 0 files unseen"), None);
    }
}
