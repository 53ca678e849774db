//! `setup`: the programs that tests and benchmarks call, installed where we may, else explained.
//!
//! A second run finds everything in place and does nothing.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::shell;

/// Install or verify the programs that tests and benchmarks call.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also compile `cargo-nextest` (faster test runs) and `cargo-deny` (a second opinion on
    /// licences and duplicates). Takes minutes; everything works without them.
    #[arg(long)]
    all: bool,
}

/// A program, how to see that it is there, and what brings it.
pub(crate) struct Need {
    name: &'static str,
    probe: &'static [&'static str],
    why: &'static str,
    by: Means,
}

enum Means {
    Apt(&'static str),
    Rustup(&'static str),
    CargoInstall(&'static str),
}

/// What `cargo xtask test` cannot do without.
pub(crate) const FOR_TESTS: &[Need] = &[
    Need {
        name: "rustfmt",
        probe: &["cargo", "fmt", "--version"],
        why: "the format check",
        by: Means::Rustup("rustfmt"),
    },
    Need {
        name: "clippy",
        probe: &["cargo", "clippy", "--version"],
        why: "the lints",
        by: Means::Rustup("clippy"),
    },
    Need {
        name: "strace",
        probe: &["strace", "-V"],
        why: "the test that no daemon opens an INET socket",
        by: Means::Apt("strace"),
    },
    Need {
        name: "python3",
        probe: &["python3", "--version"],
        why: "the test that runs the example of docs/wire.md in another language",
        by: Means::Apt("python3"),
    },
];

/// What benchmarks cannot do without.
pub(crate) const FOR_BENCHMARKS: &[Need] = &[Need {
    name: "valgrind",
    probe: &["valgrind", "--version"],
    why: "counting instructions in benchmarks",
    by: Means::Apt("valgrind"),
}];

const EXTRAS: &[Need] = &[
    Need {
        name: "cargo-nextest",
        probe: &["cargo", "nextest", "--version"],
        why: "faster test runs",
        by: Means::CargoInstall("cargo-nextest"),
    },
    Need {
        name: "cargo-deny",
        probe: &["cargo", "deny", "--version"],
        why: "a second opinion on licences, bans and sources",
        by: Means::CargoInstall("cargo-deny"),
    },
];

/// The subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let extras = if args.all { EXTRAS } else { &[] };
    ensure(FOR_TESTS.iter().chain(FOR_BENCHMARKS).chain(extras))?;
    println!("setup: everything is in place");
    Ok(ExitCode::SUCCESS)
}

/// Brings what is missing of `needs`, or says exactly what to type for all of it.
pub(crate) fn ensure<'a>(needs: impl IntoIterator<Item = &'a Need>) -> Result<()> {
    let mut beyond_us = Vec::new();
    for need in needs.into_iter().filter(|need| !need.is_there()) {
        println!("setup: {} is missing, needed for {}", need.name, need.why);
        match need.by {
            Means::Apt(package) if !may_install() => beyond_us.push(package),
            _ => need.bring()?,
        }
    }
    if !beyond_us.is_empty() {
        bail!("the administrator has to install something; {}", apt_advice(&beyond_us));
    }
    Ok(())
}

impl Need {
    fn is_there(&self) -> bool {
        self.probe.split_first().is_some_and(|(program, args)| shell::works(program, args))
    }

    fn bring(&self) -> Result<()> {
        match self.by {
            Means::Apt(package) => {
                if !shell::succeeds(&mut apt(&["install", package])?)? {
                    // A fresh machine knows no packages yet.
                    shell::succeeds(&mut apt(&["update"])?)?;
                    shell::succeeds(&mut apt(&["install", package])?)?;
                }
            }
            Means::Rustup(part) => {
                shell::succeeds(&mut shell::command("rustup", &["component", "add", part])?)?;
            }
            Means::CargoInstall(name) => {
                shell::succeeds(&mut shell::cargo(&["install", "--locked", name])?)?;
            }
        }
        if !self.is_there() {
            bail!("{} is still missing, needed for {}; {}", self.name, self.why, self.advice());
        }
        Ok(())
    }

    fn advice(&self) -> String {
        match self.by {
            Means::Apt(package) => apt_advice(&[package]),
            Means::Rustup(part) => format!("type: rustup component add {part}"),
            Means::CargoInstall(name) => format!("type: cargo install --locked {name}"),
        }
    }
}

fn apt_advice(packages: &[&str]) -> String {
    let packages = packages.join(" ");
    format!("type: sudo apt-get install {packages} (or your system's way to install it)")
}

/// Whether we may install packages, and know how.
fn may_install() -> bool {
    is_root() && shell::works("apt-get", &["--version"])
}

fn apt(args: &[&str]) -> Result<Command> {
    let mut command = shell::command("apt-get", &["--yes", "--no-install-recommends"])?;
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

/// Whether we may install: our process belongs to user 0.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|process| process.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(probe: &'static [&'static str]) -> Need {
        Need { name: "tool", probe, why: "a test", by: Means::Apt("tool-package") }
    }

    #[test]
    fn what_runs_is_there_and_what_does_not_run_is_missing() {
        assert!(need(&["true"]).is_there());
        assert!(!need(&["false"]).is_there());
        assert!(!need(&["no-such-program-anywhere"]).is_there());
    }

    #[test]
    fn nothing_is_done_when_everything_is_there() {
        assert!(ensure(&[need(&["true"])]).is_ok());
    }

    #[test]
    fn the_advice_names_the_command_to_type() {
        assert!(need(&["false"]).advice().contains("sudo apt-get install tool-package"));
    }
}
