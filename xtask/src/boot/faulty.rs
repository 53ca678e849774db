//! A machine that has half of the memory that it tells the kernel. The kernel falls over what is
//! not there: it has to say so, and to stop the machine with a failure, and whoever watches has to
//! see that.

use std::time::Duration;

use anyhow::Result;

use super::{Built, Console, Variant, Wrong};
use crate::counts::Counts;
use crate::guest::{self, Machine};
use crate::image;

const PATIENCE: Duration = Duration::from_secs(10);

/// The exit status of a machine whose kernel gives up.
const LOST: i32 = 101;

pub(super) fn proof(built: &Built) -> Result<Counts> {
    let tree = built.programs.join("faulty.tree");
    guest::describe(2 * image::MEMORY_MIB, &tree)?;
    let variant = Variant::LogdAlone;
    let machine = Machine {
        kernel: &built.kernel,
        image: &built.image(variant.recipe(), None)?,
        memory_mib: image::MEMORY_MIB,
        time: variant.time(),
        disk: None,
        tree: Some(&tree),
        patience: PATIENCE,
    };
    let silent = Console { all: false, until_marker: true, silent: true };
    let seen = variant.watch_on(&machine, &silent)?;
    let is_death = |line: &String| line.starts_with("neuron: panicked at ");
    let died = matches!(&seen.wrong, Some(Wrong::Died(line)) if is_death(line));
    let is_said = seen.last().any(|line| line.starts_with("fault in the kernel: cause 0x"));
    let holds = died && is_said && seen.code == Some(LOST);
    println!("a fault of the kernel is said: {}", if holds { "ok" } else { "FAILED" });
    if !holds {
        seen.report();
    }
    Ok(Counts::one(holds))
}
