//! `leash`: becomes another program, which ends when the process that started it ends, however that
//! one ends. A machine that is booted outlives nobody, not even who was killed the hard way.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, ExitCode};

use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::shell;

/// Become a program that ends with the process that started it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// That process.
    parent: u32,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Ourselves, wherever we lie now.
const OURSELVES: &str = "/proc/self/exe";

/// `program`, on a leash that our thread holds.
pub(crate) fn command(program: &str) -> Result<Command> {
    shell::command(OURSELVES, &["leash", &process::id().to_string(), program])
}

/// The subcommand: comes back only with an error.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs());
    let who = args.parent;
    ensure!(parent == Some(who), "process {who} did not start this one, or has ended");
    let (program, rest) = args.command.split_first().context("no program")?;
    let error = Command::new(program).args(rest).exec();
    Err(error).with_context(|| format!("cannot run {}", program.to_string_lossy()))
}
