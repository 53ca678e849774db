//! `cargo xtask bench`: prints the figures that `docs/benchmarks.md` explains.
//!
//! Instructions are counted by callgrind: the same program runs with two counts, and the difference
//! of the totals, divided by that of the counts, is the cost of one. So start and end of a program
//! do not count, and the figures do not depend on what else the machine does. What must be timed is
//! timed as a ratio within one run. Targets are beside the figures; the exit status is 1 when one
//! is missed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::{boot, kernel, setup, shell};

/// Arguments of `bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only what counts instructions and bytes: figures that repeat to the digit
    #[arg(long)]
    exact: bool,
    /// Only what is counted in the guest
    #[arg(long)]
    guest: bool,
    /// Only what is kept on a disk: bytes of a sample, and how fast that is written and read
    #[arg(long)]
    retention: bool,
}

/// A figure in instructions.
struct Cost {
    what: &'static str,
    program: Program,
    /// Arguments before the count.
    case: &'static str,
    /// Arguments behind the count.
    rest: &'static [&'static str],
    counts: [u64; 2],
    target: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Logd,
    Metricsd,
}

const FEW: [u64; 2] = [20_000, 60_000];
const BATCHES: [u64; 2] = [2_000, 6_000];

const fn frame(what: &'static str, case: &'static str, rest: &'static [&'static str]) -> Cost {
    Cost { what, program: Program::Metricsd, case, rest, counts: FEW, target: Some(500.0) }
}

const COSTS: [Cost; 11] = [
    frame("counter frame by name, 1 series", "name", &["1"]),
    frame("counter frame by name, 64 series", "name", &["64"]),
    frame("counter frame by name, 4096 series", "name", &["4096"]),
    Cost { target: Some(400.0), ..frame("update by SeriesId, 64 series", "id", &["64"]) },
    Cost { target: Some(400.0), ..frame("update by SeriesId, 4096 series", "id", &["4096"]) },
    Cost { target: None, counts: BATCHES, ..frame("BATCH of 32 counters", "batch", &["64"]) },
    Cost { target: None, counts: BATCHES, ..frame("BATCH of 64 counters", "batch64", &["64"]) },
    Cost {
        what: "APPEND, 4 fields",
        program: Program::Logd,
        case: "four",
        rest: &[],
        counts: FEW,
        target: Some(1000.0),
    },
    Cost {
        what: "APPEND, 8 fields and 150 bytes of message",
        program: Program::Logd,
        case: "eight",
        rest: &[],
        counts: FEW,
        target: Some(2000.0),
    },
    Cost {
        what: "APPEND, 4 fields, message and a value new",
        program: Program::Logd,
        case: "four-new",
        rest: &[],
        counts: FEW,
        target: None,
    },
    Cost {
        what: "APPEND, 8 fields, message and 3 values new",
        program: Program::Logd,
        case: "eight-new",
        rest: &[],
        counts: FEW,
        target: None,
    },
];

/// What a service of the image does, with what it tells of it and without.
struct Instrumented {
    what: &'static str,
    service: &'static str,
    counts: [u64; 2],
    /// Instructions that metrics and spans may take of it.
    target: f64,
}

const fn counted(what: &'static str, service: &'static str) -> Instrumented {
    Instrumented { what, service, counts: [50, 150], target: 500.0 }
}

const INSTRUMENTED: [Instrumented; 6] = [
    counted("policyd: a check", "policyd"),
    counted("timed: a sleep", "timed"),
    counted("entropyd: 32 bytes", "entropyd"),
    counted("bundlemgrd: 512 bytes of a bundle", "bundlemgrd"),
    // With a span and four steps of it; with a span and two.
    Instrumented { target: 4000.0, ..counted("execd: a program from start to end", "execd") },
    Instrumented {
        counts: [10, 30],
        target: 4000.0,
        ..counted("dsoftbusd: a session, and a question in it", "dsoftbusd")
    },
];

/// Instructions that an item of a BATCH may cost.
const ITEM_TARGET: f64 = 50.0;
const BATCH_ITEMS: f64 = 32.0;
/// Bytes that a counter series may take.
const SERIES_BYTES_TARGET: f64 = 256.0;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.retention {
        return retention();
    }
    setup::ensure(setup::FOR_GUEST)?;
    let missed = if args.guest { guest()? } else { all(args)? };
    println!("{missed} targets missed");
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The examples print their figures, and fail if a target is missed.
fn retention() -> Result<ExitCode> {
    let examples = [
        ("retention_cost", "nexus-retention"),
        ("history_cost", "nexus-retention"),
        ("keeping_cost", "sim"),
    ];
    let mut is_met = true;
    for (example, package) in examples {
        let run = ["run", "--release", "--quiet", "--example", example, "-p", package];
        is_met &= shell::succeeds(&mut shell::cargo(&run)?)?;
    }
    Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Messages of the kernel, and the services and their clients under it: counted, the same on every
/// machine. How many targets are missed.
pub(crate) fn guest() -> Result<u32> {
    Ok(kernel::bench()? + boot::bench()?)
}

fn all(args: &Args) -> Result<u32> {
    setup::ensure(setup::FOR_BENCHMARKS)?;
    let build = ["build", "--release", "--quiet", "--example", "cost", "-p"];
    let examples = [Program::Logd, Program::Metricsd].map(build_example(build));
    let [logd, metricsd] = examples;
    let (logd, metricsd) = (logd?, metricsd?);
    let program = |cost: &Cost| match cost.program {
        Program::Logd => logd.as_path(),
        Program::Metricsd => metricsd.as_path(),
    };
    let mut missed = 0;
    println!("instructions (callgrind)");
    for cost in &COSTS {
        let figure = cost.measure(program(cost))?;
        missed += report(cost.what, figure, cost.target);
    }
    let item = item_cost(&metricsd)?;
    missed += report("an item of a BATCH of 32", item, Some(ITEM_TARGET));
    missed += instrumentation()?;
    println!("bytes");
    let [further, first] = series_bytes(&metricsd)?;
    missed += report("a further counter series of a metric", further, Some(SERIES_BYTES_TARGET));
    missed += report("the first of a metric, with its registration", first, None);
    missed += guest()?;
    if !args.exact {
        missed += timed()?;
    }
    Ok(missed)
}

/// Builds the example of a service and keeps it under a name of its own: both are called `cost`.
fn build_example(build: [&'static str; 6]) -> impl Fn(Program) -> Result<PathBuf> {
    move |program| {
        let package = match program {
            Program::Logd => "logd",
            Program::Metricsd => "metricsd",
        };
        let mut args = build.to_vec();
        args.push(package);
        if !shell::succeeds(&mut shell::cargo(&args)?)? {
            bail!("the example of {package} does not build");
        }
        keep_example("cost", &format!("cost-{package}"))
    }
}

/// What instrumentation adds to a request of each service.
fn instrumentation() -> Result<u32> {
    let with = build_instrumented("instrumented-on", &[])?;
    let without = build_instrumented("instrumented-off", &["--features", "nexus-metrics/off"])?;
    println!("instructions of a service for a request; what its metrics and spans are of them");
    let mut missed = 0;
    for Instrumented { what, service, counts, target } in INSTRUMENTED {
        let cost = |program: &Path, within| measure((program, within), service, counts, &[]);
        let (all, bare) = (cost(&with, SERVES)?, cost(&without, SERVES)?);
        report(what, all, None);
        missed += report("  of them metrics and spans", all - bare, Some(target));
        report("  besides, to bring them to metricsd", cost(&with, FLUSHES)?, None);
    }
    Ok(missed)
}

/// Builds the services with those features, and keeps the program under a name of its own.
fn build_instrumented(name: &str, features: &[&str]) -> Result<PathBuf> {
    let build = ["build", "--release", "--quiet", "--example", "instrumented"];
    let args = [&build[..], &["-p", "selftest-client"], features].concat();
    if !shell::succeeds(&mut shell::cargo(&args)?)? {
        bail!("the example `instrumented` of selftest-client does not build");
    }
    keep_example("instrumented", name)
}

/// Keeps an example that is built under another name.
fn keep_example(example: &str, name: &str) -> Result<PathBuf> {
    let folder = shell::target_dir()?.join("release/examples");
    let own = folder.join(name);
    std::fs::copy(folder.join(example), &own).with_context(|| own.display().to_string())?;
    Ok(own)
}

impl Cost {
    fn measure(&self, program: &Path) -> Result<f64> {
        measure((program, SERVES), self.case, self.counts, self.rest)
    }
}

/// The cost of one of many.
fn measure(
    (program, within): (&Path, &str),
    case: &str,
    [few, many]: [u64; 2],
    rest: &[&str],
) -> Result<f64> {
    let total = |count: u64| {
        let count = count.to_string();
        instructions(program, within, &[&[case, count.as_str()], rest].concat())
    };
    Ok((total(many)? - total(few)?) / (many - few) as f64)
}

/// What each further value adds to a BATCH: of 64 against of 32.
fn item_cost(metricsd: &Path) -> Result<f64> {
    let batch = |case| {
        Cost { case, counts: BATCHES, target: None, ..frame("", "", &["64"]) }.measure(metricsd)
    };
    Ok((batch("batch64")? - batch("batch")?) / BATCH_ITEMS)
}

/// Bytes of a counter series, as the example says: of a further one of its metric, and of the first
/// one with all that comes with it.
fn series_bytes(metricsd: &Path) -> Result<[f64; 2]> {
    let said = shell::output(&mut shell::command(&metricsd.to_string_lossy(), &["memory", "0"])?)?;
    let bytes: Vec<f64> = said.lines().filter_map(|line| line.trim().parse().ok()).collect();
    bytes.try_into().map_err(|_| anyhow::anyhow!("no bytes in: {said}"))
}

/// The function of an example that is counted: what makes frames and goes round in a loop is no
/// part of it.
const SERVES: &str = "serve_one";
/// The one that brings to metricsd what a service has recorded.
const FLUSHES: &str = "flush_one";

/// Instructions of a run of a program within a function.
fn instructions(program: &Path, within: &str, args: &[&str]) -> Result<f64> {
    let within = format!("--toggle-collect=*{within}*");
    let program = program.to_string_lossy();
    let callgrind = ["--tool=callgrind", "--callgrind-out-file=/dev/null", &within, &program];
    let mut command = shell::command("valgrind", &[&callgrind[..], args].concat())?;
    let output = command.output().context("valgrind cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let total = said.lines().find_map(|line| line.split_once("Collected :"));
    let total = total.and_then(|(_, total)| total.trim().parse().ok());
    total
        .filter(|total| *total > 0.0)
        .with_context(|| format!("callgrind counted nothing:\n{said}"))
}

/// Prints a figure beside its target; 1 if it misses it.
fn report(what: &str, figure: f64, target: Option<f64>) -> u32 {
    let missed = target.is_some_and(|target| figure >= target);
    let target = target.map_or_else(String::new, |target| {
        format!("  target < {target}{}", if missed { "  MISSED" } else { "" })
    });
    println!("  {what:44} {figure:8.1}{target}");
    u32::from(missed)
}

/// What is timed, as ratios within one run.
fn timed() -> Result<u32> {
    let mut missed = 0;
    println!("recording, in ratios to yardsticks of the same run");
    if !shell::succeeds(&mut shell::cargo(&["bench", "--quiet", "-p", "nexus-metrics"])?)? {
        missed += 1;
    }
    println!("metricsd's processor time, against a receiver that does nothing");
    let build = ["build", "--release", "--quiet", "-p", "metricsd", "-p", "load"];
    if !shell::succeeds(&mut shell::cargo(&build)?)? {
        bail!("metricsd and its load do not build");
    }
    let folder = shell::target_dir()?.join("release");
    let (load, metricsd) = (folder.join("load"), folder.join("metricsd"));
    let mut run = shell::command(&load.to_string_lossy(), &[&metricsd.to_string_lossy()])?;
    if !shell::succeeds(&mut run)? {
        missed += 1;
    }
    Ok(missed)
}
