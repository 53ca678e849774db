//! What a developer types: set-up, tests, the laws of the tree.
//!
//! One module per subcommand; `scripts/` and `.ci/` only call this. Deliberately absent: anything
//! that a user of the product needs.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod boot;
mod counts;
mod demo;
mod guest;
mod image;
mod kernel;
mod keys;
mod leash;
mod setup;
mod shell;
mod sizes;
mod test;
mod tidy;

/// What a developer of this project types.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install or verify the programs that tests and benchmarks call.
    Setup(setup::Args),
    /// Run every check and test; the last line is `N passed, N failed`.
    Test(test::Args),
    /// Print the figures that docs/benchmarks.md explains.
    Bench(bench::Args),
    /// Write new keys for the endpoints that sessions are between.
    Keys(keys::Args),
    /// Build and run the demo: both daemons and a producer on this machine.
    Demo(demo::Args),
    /// Build the system, boot it in QEMU and let it prove itself.
    Boot(boot::Args),
    /// Boot the kernel and try what it promises.
    Kernel(kernel::Args),
    /// Print what the boot image and its processes take, against the bounds.
    Sizes(sizes::Args),
    /// Become a program that ends with the process that started it.
    #[command(hide = true)]
    Leash(leash::Args),
    /// Check the laws of the tree.
    Tidy(tidy::Args),
    /// Do exactly what continuous integration does.
    Ci,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup(args) => setup::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Boot(args) => boot::run(&args),
        Command::Kernel(args) => kernel::run(&args),
        Command::Sizes(args) => sizes::run(&args),
        Command::Leash(args) => leash::run(&args),
        Command::Tidy(args) => tidy::run(&args),
        Command::Ci => test::run(&test::Args::default()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
