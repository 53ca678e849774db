//! What becomes of a service that does not live, and of those behind one that does not serve: on
//! the console, line by line, and in the journal; and images in which it does not come to that.
//!
//! Time is what instructions take here: to wait for a minute takes none of ours.

use std::time::Duration;

use anyhow::Result;

use super::Built;
use crate::counts::Counts;
use crate::guest::{Machine, Run, Time};
use crate::image::{self, Swap};

const RECIPE: &str = "image-supervised";
const PATIENCE: Duration = Duration::from_secs(60);

const HARMLESS: &str = "os-twin-harmless";

/// Boots them.
pub(super) fn proofs(built: &Built) -> Result<Counts> {
    let run = boot(built, None)?;
    let mut counts = told("holds", run.code == Some(0) && lines(&run) == expected(), &run);
    for entry in ["stillborn", "sleeper"] {
        let run = boot(built, Some(Swap { entry, program: HARMLESS }))?;
        let fails = run.code != Some(0) && lines(&run) != expected();
        counts += told(&format!("fails with another {entry}"), fails, &run);
    }
    Ok(counts)
}

fn told(what: &str, is_so: bool, run: &Run) -> Counts {
    println!("supervision {what}: {}", if is_so { "ok" } else { "FAILED" });
    if !is_so {
        println!("ended with {:?}: {:#?}", run.code, lines(run));
    }
    Counts::one(is_so)
}

/// Pauses in milliseconds, after each death but the last.
const PAUSES: [u32; 9] = [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000];

/// Each third death casts suspicion on what is stored; after the tenth there is no life.
fn expected() -> Vec<String> {
    let ended = "init: stillborn ended, Ended(Exited(7));";
    let suspect = "init: stillborn: stored state is suspect and set aside, no.";
    let late = "init: sleeper does not serve after 30 s; those behind it begin, no. 1";
    let mut lines = vec![late.to_owned()];
    for (pause, death) in PAUSES.iter().zip(1..) {
        lines.push(born(death));
        if death % 3 == 0 {
            lines.push(format!("{suspect} {}", death / 3));
        }
        lines.push(format!("{ended} again in {pause} ms"));
    }
    lines.push(born(10));
    lines.push(format!("{ended} given up, 10 deaths within 600 s"));
    let seen = "Said { ended: 9, set_aside: 3, given_up: 1, late: 1, other: 0 }";
    lines.push(format!("overseer: {seen}"));
    lines
}

/// What a life is told; there is no disk, and so nobody who counts boots.
fn born(life: u32) -> String {
    let keep = if life > 1 && life % 3 == 1 { "FilesAside" } else { "Files" };
    format!("stillborn: boot 0, {keep}")
}

fn lines(run: &Run) -> Vec<&str> {
    let is_ours = |line: &&str| {
        let begins = ["init: ", "stillborn: ", "overseer: "];
        !line.contains(": heap of ") && begins.iter().any(|begins| line.starts_with(begins))
    };
    run.lines.iter().map(String::as_str).filter(is_ours).collect()
}

fn boot(built: &Built, swap: Option<Swap<'_>>) -> Result<Run> {
    let image = built.image(RECIPE, swap)?;
    let machine = Machine {
        kernel: &built.kernel,
        image: &image,
        memory_mib: image::MEMORY_MIB,
        time: Time::Counted(0),
        disk: None,
        tree: None,
        patience: PATIENCE,
    };
    machine.run()
}
