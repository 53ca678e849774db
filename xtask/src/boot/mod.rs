//! `boot`: builds the system, boots it, and holds its console to the cases of the selftest.
//!
//! `scripts/qemu-test.sh` is this. What has to stand on the console follows from the table of cases
//! ([`selftest_client::expected`]) and from nothing else. The verdict is the guest's own, its exit
//! status, and that of the lines, each judged when it comes.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use selftest_client::{Case, LOGD, METRICSD, expected};

use crate::counts::Counts;
use crate::guest::{self, Go, Machine};
use crate::image::{self, Swap};
use crate::{setup, shell};

mod bench;
mod fallback;
mod matcher;
mod twins;

pub(crate) use bench::bench;
use matcher::{Matcher, Wrong};

/// Build the system, boot it in QEMU and let it prove itself.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Boot and prove a part only.
    #[arg(long)]
    only: Option<Part>,
    /// Print the lines that have to come, in order, and end.
    #[arg(long)]
    markers: bool,
    /// Boot the images that must fail, and see that each does at the right line; and those that
    /// show a console without logd.
    #[arg(long)]
    twins: bool,
    /// Count what the services cost their clients instead.
    #[arg(long)]
    bench: bool,
    /// Print the whole console, the firmware's lines too.
    #[arg(long)]
    console: bool,
}

/// A part of the system.
#[derive(clap::ValueEnum, Clone, Copy)]
enum Part {
    /// logd and the selftest alone.
    LogdHardening,
}

/// Memory of the machine: all services together fit it.
const MEMORY_MIB: u32 = 32;
/// How long a boot may take unless `RUN_TIMEOUT` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(90);
/// How long the guest may take to stop after its last line.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Lines that are shown of a boot that went wrong.
const LAST_LINES: usize = 20;

/// The subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let boot = Boot::of(args.only);
    if args.markers {
        boot.expected().for_each(|line| println!("{line}"));
        return Ok(ExitCode::SUCCESS);
    }
    let timeout = match std::env::var("RUN_TIMEOUT") {
        Ok(text) => duration(&text).with_context(|| format!("RUN_TIMEOUT={text}: try 90s"))?,
        Err(_) => TIMEOUT,
    };
    let until_marker = std::env::var("RUN_UNTIL_MARKER").is_ok_and(|value| value == "1");
    setup::ensure(setup::FOR_GUEST)?;
    if args.bench {
        return Ok(verdict(bench()? == 0));
    }
    if args.twins {
        let built = Built::new()?;
        let mut counts = twins::twins(&built)?;
        counts += fallback::proofs(&built)?;
        println!("twins: {counts}");
        return Ok(verdict(counts.failed == 0));
    }
    let console = Console { all: args.console, until_marker, silent: false };
    let seen = boot.watch(&Built::new()?, None, timeout, &console)?;
    seen.report();
    Ok(verdict(seen.is_proof()))
}

fn verdict(holds: bool) -> ExitCode {
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Boots everything, a part, and what must fail.
pub(crate) fn proofs() -> Result<Counts> {
    let built = Built::new()?;
    let mut counts = twins::twins(&built)?;
    counts += fallback::proofs(&built)?;
    for part in [None, Some(Part::LogdHardening)] {
        let console = Console { all: false, until_marker: true, silent: false };
        let seen = Boot::of(part).watch(&built, None, TIMEOUT, &console)?;
        seen.report();
        counts += Counts::one(seen.is_proof());
    }
    Ok(counts)
}

/// `90s`, `90`, `1500ms` or `2m`.
fn duration(text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count = digits.parse()?;
    match text.strip_prefix(digits) {
        Some("" | "s") => Ok(Duration::from_secs(count)),
        Some("ms") => Ok(Duration::from_millis(count)),
        Some("m") => Ok(Duration::from_secs(count * 60)),
        _ => bail!("no such unit"),
    }
}

/// What is booted and what it has to prove.
struct Boot {
    recipe: &'static str,
    cases: &'static [&'static [Case]],
}

impl Boot {
    fn of(part: Option<Part>) -> Self {
        match part {
            None => Self { recipe: "image", cases: &[LOGD, METRICSD] },
            Some(Part::LogdHardening) => Self { recipe: "image-logd", cases: &[LOGD] },
        }
    }

    fn expected(&self) -> impl Iterator<Item = &'static str> {
        self.cases.iter().flat_map(|cases| expected(cases))
    }

    /// Boots, and looks at every line when it comes.
    fn watch(
        &self,
        built: &Built,
        swap: Option<Swap<'_>>,
        patience: Duration,
        console: &Console,
    ) -> Result<Seen> {
        let image = built.image(self.recipe, swap)?;
        let mut matcher = Matcher::new(self.expected());
        let mut seen = Seen::new(image.metadata()?.len());
        let machine = Machine {
            kernel: &built.kernel,
            image: &image,
            memory_mib: MEMORY_MIB,
            counts: false,
            patience,
        };
        let ended = machine.watch(|line| {
            console.show(line);
            seen.remember(line);
            seen.wrong = matcher.see(line);
            if seen.wrong.is_some() {
                return Go::Stop;
            }
            if matcher.is_complete() && seen.complete.is_none() {
                seen.complete = Some(seen.start.elapsed());
                return if console.until_marker { Go::Within(STOP_PATIENCE) } else { Go::On };
            }
            Go::On
        })?;
        seen.code = ended;
        seen.wrong = seen.wrong.take().or_else(|| matcher.missing());
        Ok(seen)
    }
}

/// What is shown of a console.
struct Console {
    /// The firmware's lines too.
    all: bool,
    /// Whether nothing but the end is waited for after the last expected line.
    until_marker: bool,
    silent: bool,
}

impl Console {
    fn show(&self, line: &str) {
        let is_ours = |line: &str| {
            ["neuron:", "SELFTEST:", "init:", "logd:", "metricsd:", "selftest-client:", "panicked"]
                .iter()
                .any(|start| line.starts_with(start))
        };
        if !self.silent && (self.all || is_ours(line)) {
            println!("{line}");
        }
    }
}

/// What a boot came to.
struct Seen {
    image_bytes: u64,
    start: Instant,
    /// How long it took to the last expected line.
    complete: Option<Duration>,
    wrong: Option<Wrong>,
    /// The guest's exit status; `None` if it did not stop by itself.
    code: Option<i32>,
    last: VecDeque<String>,
}

impl Seen {
    fn new(image_bytes: u64) -> Self {
        let start = Instant::now();
        Self { image_bytes, start, complete: None, wrong: None, code: None, last: VecDeque::new() }
    }

    fn remember(&mut self, line: &str) {
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
    }

    fn is_proof(&self) -> bool {
        self.wrong.is_none() && self.code == Some(0)
    }

    fn report(&self) {
        if let (true, Some(took)) = (self.is_proof(), self.complete) {
            let (took, kib) = (took.as_secs_f64(), self.image_bytes / 1024);
            return println!("qemu-test: ok, {took:.2} s to the last line, image of {kib} KiB");
        }
        eprintln!("the last lines:");
        self.last.iter().for_each(|line| eprintln!("  {line}"));
        let stopped = match self.code {
            Some(code) => format!("the guest stopped with {code}"),
            None if matches!(self.wrong, None | Some(Wrong::Missing(_))) => {
                "the guest hung and was ended".to_owned()
            }
            None => "the guest was ended".to_owned(),
        };
        let wrong = self.wrong.as_ref().map(Wrong::to_string).unwrap_or_default();
        eprintln!("qemu-test: FAILED, {stopped}; {wrong}");
    }
}

/// What was built for the guest.
struct Built {
    kernel: PathBuf,
    /// Where its programs lie.
    programs: PathBuf,
}

impl Built {
    fn new() -> Result<Self> {
        let kernel = guest::build("neuron", guest::KERNEL)?.join("neuron");
        Ok(Self { kernel, programs: guest::build("guest", guest::PROGRAMS)? })
    }

    /// The image of a recipe; `swap`: an entry that gets another program than the recipe says.
    fn image(&self, recipe: &str, swap: Option<Swap<'_>>) -> Result<PathBuf> {
        let path = shell::root()?.join("recipes/system").join(format!("{recipe}.toml"));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let bytes = image::build(&text, &self.programs, swap);
        let bytes = bytes.with_context(|| path.display().to_string())?;
        let name = swap.map_or(recipe, |swap| swap.program);
        let image = self.programs.join(format!("{name}.image"));
        std::fs::write(&image, bytes).with_context(|| image.display().to_string())?;
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_read_with_and_without_a_unit() {
        let read = |text| duration(text).ok();
        assert_eq!(read("90s"), Some(Duration::from_secs(90)));
        assert_eq!(read("90"), Some(Duration::from_secs(90)));
        assert_eq!(read("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(read("2m"), Some(Duration::from_secs(120)));
        for text in ["", "s", "-1s", "9h", "1.5s"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn no_line_is_expected_twice_and_the_part_is_the_beginning_of_the_whole() {
        let all = Boot::of(None).expected().collect::<Vec<_>>();
        let part = Boot::of(Some(Part::LogdHardening)).expected().collect::<Vec<_>>();
        assert!(all.starts_with(&part) && part.len() < all.len());
        let distinct = all.iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(distinct.len(), all.len());
    }

    fn seen(wrong: Option<Wrong>, code: Option<i32>) -> bool {
        Seen { wrong, code, ..Seen::new(0) }.is_proof()
    }

    #[test]
    fn a_boot_proves_something_only_if_its_lines_and_the_guest_say_so() {
        assert!(seen(None, Some(0)));
        assert!(!seen(None, Some(1)));
        assert!(!seen(None, None));
        assert!(!seen(Some(Wrong::Missing("a")), Some(0)));
    }
}
