//! `test`: every check and every test, and one closing line that sums them up.
//!
//! A check (format, lints, laws, ...) counts as one test. All of them run, whatever failed before,
//! so that one run shows everything. Deliberately absent: retries; a flaky test is a defect.

use std::process::ExitCode;

use anyhow::Result;

use crate::counts::Counts;
use crate::{bench, boot, kernel, setup, shell, sizes, tidy};

/// Run every check and test; the last line is `N passed, N failed`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Then also run the long tests (those marked `#[ignore = "long: .."]`), optimised, and show
    /// what they have counted. Property tests take new random cases instead of the same ones in
    /// every run.
    #[arg(long)]
    long: bool,
    /// Use plain `cargo test` even where `cargo nextest` is installed.
    #[arg(long)]
    plain: bool,
}

/// What property tests draw their cases from. Fixed, so that the same sources give the same result.
const CASES: &str = "PROPTEST_RNG_SEED";

/// The subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure(setup::FOR_TESTS)?;
    setup::ensure(setup::FOR_GUEST)?;
    let mut all = checks();
    let mut tests = unit_tests(args)?;
    tests += kernel::trials()?;
    tests += boot::proofs()?;
    tests += check("sizes", sizes::hold());
    tests += check("costs in the guest", bench::guest().map(|missed| missed == 0));
    tests += runner(args, &["test", "--workspace", "--doc", "--no-fail-fast"])?;
    if args.long {
        tests += long_tests(args)?;
    }
    if tests.is_zero() {
        eprintln!("error: no test ran");
        tests.failed = 1;
    }
    all += tests;
    println!("{all}");
    Ok(if all.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn checks() -> Counts {
    let mut all = Counts::default();
    all += check("laws", tidy::holds());
    all += check("format", cargo(&["fmt", "--all", "--check"]));
    let lints = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    all += check("lints", cargo(&lints));
    all += check("no_std", no_std());
    all += check("documents", documents());
    all += deny();
    all
}

fn check(name: &str, passed: Result<bool>) -> Counts {
    let passed = passed.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        false
    });
    println!("check {name}: {}", if passed { "ok" } else { "FAILED" });
    Counts::one(passed)
}

fn cargo(args: &[&str]) -> Result<bool> {
    shell::succeeds(&mut shell::cargo(args)?)
}

/// The libraries that boot in the guest compile with nothing but `core` and `alloc`.
fn no_std() -> Result<bool> {
    let mut args = vec!["check", "--lib", "--no-default-features"];
    for name in tidy::guest_libraries() {
        args.extend(["--package", name]);
    }
    cargo(&args)
}

/// Every link of the documentation leads somewhere.
fn documents() -> Result<bool> {
    let mut doc = shell::cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"])?;
    shell::succeeds(doc.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// `cargo deny`, where it is installed. What it says of licences and duplicates the law `licences`
/// has already said from the same file.
fn deny() -> Counts {
    if !shell::works("cargo", &["deny", "--version"]) {
        println!("check deny: not run, cargo-deny is not installed (`cargo xtask setup --all`)");
        return Counts::default();
    }
    check("deny", cargo(&["deny", "check", "licenses", "bans", "sources"]))
}

fn unit_tests(args: &Args) -> Result<Counts> {
    if !args.plain && shell::works("cargo", &["nextest", "--version"]) {
        return runner(args, &["nextest", "run", "--workspace", "--no-fail-fast"]);
    }
    runner(args, &["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"])
}

/// Only packages that have long tests: others ignore tests that are processes of other tests.
fn long_tests(args: &Args) -> Result<Counts> {
    let packages = tidy::packages_with_long_tests()?;
    let mut cargo = vec!["test", "--release", "--no-fail-fast", "--lib", "--bins", "--tests"];
    for package in &packages {
        cargo.extend(["--package", package]);
    }
    cargo.extend(["--", "--ignored", "--show-output"]);
    runner(args, &cargo)
}

fn runner(args: &Args, cargo: &[&str]) -> Result<Counts> {
    let mut command = shell::cargo(cargo)?;
    if !args.long && std::env::var_os(CASES).is_none() {
        command.env(CASES, "1");
    }
    let (succeeded, lines) = shell::watched(&mut command)?;
    Ok(Counts::of_runner(succeeded, &lines))
}
