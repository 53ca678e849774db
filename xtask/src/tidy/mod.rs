//! `tidy`: the laws of the tree, read from its text and its dependency graph.
//!
//! Each law is one file in `laws/`: a function over a [`Workspace`], which tests make up in memory,
//! so that each law is shown to fail on a bad tree. What a compiler or clippy can refuse is left to
//! them. Deliberately absent: fixing, and switching a law off; an exception is a line in the law's
//! own table, with its reason.

use std::process::ExitCode;

use anyhow::Result;

use crate::shell;

mod code;
mod facts;
mod graph;
mod laws;
mod levels;
mod report;
mod source;
#[cfg(test)]
mod testing;
mod tokens;
mod tree;
mod workspace;

pub(crate) use levels::guest_libraries;

use report::Report;
use workspace::Workspace;

/// Check the laws of the tree.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the laws instead of checking them.
    #[arg(long)]
    list: bool,
}

/// The subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.list {
        for law in laws::ALL {
            println!("{:12} {}", law.name, law.says);
        }
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if holds()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Packages with tests that are too slow for every run.
pub(crate) fn packages_with_long_tests() -> Result<Vec<String>> {
    let workspace = Workspace::read(&shell::root()?)?;
    Ok(workspace.with_long_tests().into_iter().map(str::to_owned).collect())
}

/// Checks all laws on the real tree and prints what breaks them.
pub(crate) fn holds() -> Result<bool> {
    let workspace = Workspace::read(&shell::root()?)?;
    let mut report = Report::default();
    for law in laws::ALL {
        report.check(law, &workspace);
    }
    print!("{report}");
    Ok(report.failures() == 0)
}
