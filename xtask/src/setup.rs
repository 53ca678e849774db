//! `setup`: the programs that tests and benchmarks call, installed where we may, else explained.
//!
//! A second run finds everything in place and does nothing.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::{guest, shell};

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
    probe: Probe,
    why: &'static str,
    by: Means,
}

/// How to see that a program is there.
enum Probe {
    /// This command succeeds.
    Runs(&'static [&'static str]),
    /// Something compiles for the guest.
    GuestCompiler,
}

enum Means {
    Apt(&'static [&'static str]),
    Rustup(&'static str),
    CargoInstall(&'static str),
    GuestCompiler,
}

/// What `cargo xtask test` cannot do without.
pub(crate) const FOR_TESTS: &[Need] = &[
    Need {
        name: "rustfmt",
        probe: Probe::Runs(&["cargo", "fmt", "--version"]),
        why: "the format check",
        by: Means::Rustup("rustfmt"),
    },
    Need {
        name: "clippy",
        probe: Probe::Runs(&["cargo", "clippy", "--version"]),
        why: "the lints",
        by: Means::Rustup("clippy"),
    },
    Need {
        name: "strace",
        probe: Probe::Runs(&["strace", "-V"]),
        why: "the test that no daemon opens an INET socket",
        by: Means::Apt(&["strace"]),
    },
    Need {
        name: "python3",
        probe: Probe::Runs(&["python3", "--version"]),
        why: "the test that runs the example of docs/wire.md in another language",
        by: Means::Apt(&["python3"]),
    },
];

/// What building for the kernel and booting it cannot do without.
pub(crate) const FOR_GUEST: &[Need] = &[
    Need {
        name: "a compiler for riscv64",
        probe: Probe::GuestCompiler,
        why: "the kernel and its programs",
        by: Means::GuestCompiler,
    },
    Need {
        name: "qemu-system-riscv64",
        probe: Probe::Runs(&["qemu-system-riscv64", "--version"]),
        why: "booting the kernel",
        by: Means::Apt(&["qemu-system-misc", "opensbi"]),
    },
];

/// What benchmarks cannot do without.
pub(crate) const FOR_BENCHMARKS: &[Need] = &[Need {
    name: "valgrind",
    probe: Probe::Runs(&["valgrind", "--version"]),
    why: "counting instructions in benchmarks",
    by: Means::Apt(&["valgrind"]),
}];

const EXTRAS: &[Need] = &[
    Need {
        name: "cargo-nextest",
        probe: Probe::Runs(&["cargo", "nextest", "--version"]),
        why: "faster test runs",
        by: Means::CargoInstall("cargo-nextest"),
    },
    Need {
        name: "cargo-deny",
        probe: Probe::Runs(&["cargo", "deny", "--version"]),
        why: "a second opinion on licences, bans and sources",
        by: Means::CargoInstall("cargo-deny"),
    },
];

/// The subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let extras = if args.all { EXTRAS } else { &[] };
    ensure(FOR_TESTS.iter().chain(FOR_GUEST).chain(FOR_BENCHMARKS).chain(extras))?;
    println!("setup: everything is in place");
    Ok(ExitCode::SUCCESS)
}

/// Brings what is missing of `needs`, or says exactly what to type for all of it.
pub(crate) fn ensure<'a>(needs: impl IntoIterator<Item = &'a Need>) -> Result<()> {
    let mut beyond_us = Vec::new();
    for need in needs.into_iter().filter(|need| !need.is_there()) {
        println!("setup: {} is missing, needed for {}", need.name, need.why);
        match need.by {
            Means::Apt(packages) if !may_install() => beyond_us.extend(packages),
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
        match self.probe {
            Probe::Runs(probe) => {
                probe.split_first().is_some_and(|(program, args)| shell::works(program, args))
            }
            Probe::GuestCompiler => guest::compiler().is_some(),
        }
    }

    fn bring(&self) -> Result<()> {
        match self.by {
            Means::Apt(packages) => {
                let install = [&["install"], packages].concat();
                if !shell::succeeds(&mut apt(&install)?)? {
                    // A fresh machine knows no packages yet.
                    shell::succeeds(&mut apt(&["update"])?)?;
                    shell::succeeds(&mut apt(&install)?)?;
                }
            }
            Means::GuestCompiler => guest::bring_compiler()?,
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
            Means::Apt(packages) => apt_advice(packages),
            Means::GuestCompiler => {
                format!("type: rustup target add {} {}", guest::PROGRAMS, guest::KERNEL)
            }
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
        Need {
            name: "tool",
            probe: Probe::Runs(probe),
            why: "a test",
            by: Means::Apt(&["tool-package"]),
        }
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
