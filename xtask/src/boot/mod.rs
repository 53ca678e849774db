//! `boot`: builds the system, boots it, and holds its console to the cases of the selftest.
//!
//! `scripts/qemu-test.sh` is this. What has to stand on the console follows from the table of cases
//! ([`selftest_client::expected`]) and from nothing else. The verdict is the guest's own, its exit
//! status, and that of the lines, each judged when it comes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::counts::Counts;
use crate::guest::{self, Go, Machine};
use crate::image::{self, Swap};
use crate::setup;

mod bench;
mod downtime;
mod fallback;
mod faulty;
mod image_file;
mod kept;
mod kills;
mod matcher;
mod seen;
mod state;
mod supervised;
mod tape;
mod trees;
mod twins;
mod variant;

pub(crate) use bench::bench;
use matcher::{Lines, Matcher, Wrong};
use seen::Seen;
use variant::Variant;

/// Build the system, boot it in QEMU and let it prove itself.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Boot and prove a part only.
    #[arg(long)]
    only: Option<Part>,
    /// Print the lines that have to come, in order, and end.
    #[arg(long, conflicts_with_all = ["twins", "state", "tape", "runs", "bench", "console"])]
    markers: bool,
    /// Boot everything beside hostile processes: each is contained, and all is proven.
    #[arg(long, conflicts_with = "only")]
    hostile: bool,
    /// Boot everything with services that die, and come back.
    #[arg(long, conflicts_with_all = ["only", "hostile"])]
    outage: bool,
    /// Boot everything, and let metricsd die until what it has kept is set aside.
    #[arg(long, conflicts_with_all = ["only", "hostile", "outage", "long"])]
    aside: bool,
    /// Boot everything, and end one service after another while it is used: it comes back.
    #[arg(long, conflicts_with_all = ["only", "hostile", "outage", "aside", "long"])]
    deaths: bool,
    /// Boot everything on one disk, and end the machine the hard way so many times.
    #[arg(
        long,
        value_parser = clap::value_parser!(u32).range(1..),
        conflicts_with_all = [
            "only", "hostile", "outage", "aside", "deaths", "long", "twins", "state", "runs",
            "console",
        ]
    )]
    kills: Option<u32>,
    /// Boot everything for longer than a minute, so that short and long windows are over.
    #[arg(long, conflicts_with_all = ["only", "hostile", "outage"])]
    long: bool,
    /// Boot the images that must fail, and see that each does at the right line; those that show a
    /// console without logd, and services that do not live; and a machine that lies to the kernel.
    #[arg(long, conflicts_with_all = ["only", "hostile", "outage", "long", "runs", "console"])]
    twins: bool,
    /// Boot a system with a disk, cut its power again and again, and see from inside and from
    /// outside that what was synced is there; and one that must fail.
    #[arg(
        long,
        conflicts_with_all = ["only", "hostile", "outage", "long", "twins", "runs", "console"]
    )]
    state: bool,
    /// Play a recorded tape to metricsd in the simulated world, on Linux and under the kernel: its
    /// files are the same, byte by byte.
    #[arg(
        long,
        conflicts_with_all = [
            "only", "hostile", "outage", "long", "twins", "state", "runs", "console",
        ]
    )]
    tape: bool,
    /// Boot so many times; all consoles have to be the same.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Count what the services cost their clients instead.
    #[arg(
        long,
        conflicts_with_all = [
            "only", "hostile", "outage", "long", "twins", "state", "tape", "runs", "console",
        ]
    )]
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

/// How long a boot may take unless `RUN_TIMEOUT` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(90);
/// How often a machine is ended the hard way in every test.
const KILLS: u32 = 3;
/// How long we listen to what is said of a death.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long the guest may take to stop after its last line.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

impl Args {
    fn variant(&self) -> Variant {
        match self.only {
            Some(Part::LogdHardening) => Variant::LogdAlone,
            None if self.hostile => Variant::Hostile,
            None if self.outage => Variant::Outage,
            None if self.deaths => Variant::Deaths,
            None if self.long => Variant::Long,
            None if self.aside => Variant::Aside,
            None => Variant::Everything,
        }
    }
}

/// The subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let variant = args.variant();
    if args.markers {
        for variant in std::iter::successors(Some(variant), |variant| variant.next()) {
            let Lines { in_order, any_time } = variant.lines()?;
            in_order.iter().chain(&any_time).for_each(|line| println!("{line}"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let timeout = set("RUN_TIMEOUT", "a time as 90s", duration)?.unwrap_or(TIMEOUT);
    let until_marker = set("RUN_UNTIL_MARKER", "1 or 0", yes_or_no)?.unwrap_or(false);
    setup::ensure(setup::FOR_GUEST)?;
    if args.bench {
        return Ok(verdict(bench()? == 0));
    }
    if args.twins {
        let built = Built::new()?;
        let mut counts = twins::twins(&built)?;
        counts += proofs_of_failures(&built)?;
        println!("twins: {counts}");
        return Ok(verdict(counts.failed == 0));
    }
    if args.state {
        let counts = state::proofs(&Built::new()?)?;
        println!("state: {counts}");
        return Ok(verdict(counts.failed == 0));
    }
    if args.tape {
        let counts = tape::proofs(&Built::of([tape::RECIPE])?)?;
        println!("tape: {counts}");
        return Ok(verdict(counts.failed == 0));
    }
    if let Some(kills) = args.kills {
        return Ok(verdict(kills::told(kills, &Built::of_variant(Variant::Everything)?)?));
    }
    let console = Console { all: args.console, until_marker, silent: false };
    let (built, mut all, mut are_kept) = (Built::of_variant(variant)?, Vec::new(), true);
    for _ in 0..args.runs {
        let (seen, is_kept) = variant.prove(&built, timeout, &console)?;
        all.push(seen);
        are_kept &= is_kept;
    }
    Ok(verdict(are_proofs(&all) && are_kept))
}

/// Whether all boots are proofs, and as good as one.
fn are_proofs(all: &[Seen]) -> bool {
    let different = seen::difference(all);
    if let Some(different) = &different {
        eprintln!("qemu-test: FAILED, {different}");
    } else if all.len() > 1 {
        println!("qemu-test: {} consoles are the same", all.len());
    }
    different.is_none() && all.iter().all(Seen::is_proof)
}

fn verdict(holds: bool) -> ExitCode {
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Boots every variant, twice, and what must fail.
pub(crate) fn proofs() -> Result<Counts> {
    let built = Built::new()?;
    let mut counts = twins::twins(&built)?;
    counts += proofs_of_failures(&built)?;
    counts += state::proofs(&built)?;
    counts += tape::proofs(&built)?;
    counts += Counts::one(kills::told(KILLS, &built)?);
    for variant in Variant::ALL {
        let (mut all, mut are_kept) = (Vec::new(), true);
        for silent in [false, true] {
            let console = Console { all: false, until_marker: true, silent };
            let (seen, is_kept) = variant.prove(&built, TIMEOUT, &console)?;
            all.push(seen);
            are_kept &= is_kept;
        }
        counts += Counts::one(are_proofs(&all) && are_kept);
    }
    Ok(counts)
}

/// The console of a boot of everything.
pub(crate) fn lines_of_everything() -> Result<Vec<String>> {
    let console = Console { all: false, until_marker: true, silent: true };
    let built = Built::of_variant(Variant::Everything)?;
    let seen = Variant::Everything.watch(&built, None, TIMEOUT, &console)?;
    seen.report();
    Ok(seen.into_lines())
}

/// What is seen of services and of a machine that fail.
fn proofs_of_failures(built: &Built) -> Result<Counts> {
    let mut counts = fallback::proofs(built)?;
    counts += supervised::proofs(built)?;
    counts += faulty::proof(built)?;
    Ok(counts)
}

/// What a variable of the environment says, if it is set.
fn set<T>(name: &str, allowed: &str, read: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
    let Some(text) = std::env::var_os(name) else { return Ok(None) };
    let value = text.to_str().context("not a text").and_then(read);
    value.map(Some).with_context(|| format!("{name}={} is not {allowed}", text.display()))
}

fn yes_or_no(text: &str) -> Result<bool> {
    match text {
        "1" => Ok(true),
        "0" | "" => Ok(false),
        _ => bail!("neither yes nor no"),
    }
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

impl Variant {
    /// Boots, and boots again on the same disk, and reads that: what the first boot came to, and
    /// whether what it has kept is there. Both boots together may take so long.
    fn prove(self, built: &Built, patience: Duration, console: &Console) -> Result<(Seen, bool)> {
        let begun = Instant::now();
        let first = self.watch(built, None, patience, console)?;
        let left = patience.saturating_sub(begun.elapsed());
        first.report();
        if self == Self::Aside && first.is_proof() {
            let is_kept = kept::told(self, built)?;
            return Ok((first, is_kept));
        }
        let (Some(next), true) = (self.next(), first.is_proof()) else { return Ok((first, true)) };
        let second = next.watch(built, None, left, console)?;
        second.report();
        let mut is_kept = second.is_proof() && kept::told(self, built)?;
        if self == Self::Everything {
            is_kept = is_kept && trees::told(self, built)?;
        }
        Ok((first, is_kept))
    }

    /// The file of its disk: a new one, or that of the boot before.
    fn disk_file(self, built: &Built) -> Result<Option<PathBuf>> {
        let Some(name) = self.disk() else { return Ok(None) };
        let disk = built.disk_file(name);
        if !self.is_next() {
            state::blank(&disk)?;
        }
        Ok(Some(disk))
    }

    /// Boots, and looks at every line when it comes.
    fn watch(
        self,
        built: &Built,
        swap: Option<Swap<'_>>,
        patience: Duration,
        console: &Console,
    ) -> Result<Seen> {
        let image = built.image(self.recipe(), swap)?;
        let disk = self.disk_file(built)?;
        let machine = Machine {
            kernel: &built.kernel,
            image: &image,
            memory_mib: image::MEMORY_MIB,
            time: self.time(),
            disk: disk.as_deref(),
            tree: None,
            patience,
        };
        self.watch_on(&machine, console)
    }

    /// The same, on any machine.
    fn watch_on(self, machine: &Machine<'_>, console: &Console) -> Result<Seen> {
        let mut matcher = Matcher::new(self.lines()?);
        let mut seen = Seen::new(machine.image.metadata()?.len());
        let ended = machine.watch(|line| {
            console.show(line);
            seen.remember(line);
            if seen.wrong.is_some() {
                return Go::On;
            }
            seen.wrong = matcher.see(line);
            match seen.wrong {
                Some(Wrong::Died(_)) => return Go::Within(LAST_WORDS),
                Some(_) => return Go::Stop,
                None => {}
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

/// How lines begin that are not the firmware's.
const OURS: [&str; 16] = [
    "neuron:",
    "SELFTEST:",
    "init:",
    "logd:",
    "metricsd:",
    "statefsd:",
    "policyd:",
    "timed:",
    "bundlemgrd:",
    "execd:",
    "entropyd:",
    "dsoftbusd",
    "selftest-client:",
    "panicked",
    "trial ",
    "judge:",
];

impl Console {
    fn show(&self, line: &str) {
        let is_ours = |line: &str| OURS.iter().any(|start| line.starts_with(start));
        if !self.silent && (self.all || is_ours(line)) {
            println!("{line}");
        }
    }
}

/// The program that is a package of its own.
const TRIALS: &str = "trials";

/// What was built for the guest.
struct Built {
    kernel: PathBuf,
    /// Where its programs lie.
    programs: PathBuf,
}

impl Built {
    fn new() -> Result<Self> {
        let kernel = guest::build("neuron", guest::KERNEL)?.join("neuron");
        guest::build(TRIALS, guest::PROGRAMS)?;
        Ok(Self { kernel, programs: guest::build("guest", guest::PROGRAMS)? })
    }

    /// Only the kernel and what the images of these recipes run: most programs are for images that
    /// must fail.
    fn of<'r>(recipes: impl IntoIterator<Item = &'r str>) -> Result<Self> {
        let kernel = guest::build("neuron", guest::KERNEL)?.join("neuron");
        let mut programs = BTreeSet::new();
        for recipe in recipes {
            programs.extend(image::programs_of(&image::text(recipe)?)?);
        }
        if programs.remove(TRIALS) {
            guest::build(TRIALS, guest::PROGRAMS)?;
        }
        let programs = programs.iter().map(String::as_str);
        Ok(Self { kernel, programs: guest::build_programs("guest", programs)? })
    }

    /// What a variant and its next boot need.
    fn of_variant(variant: Variant) -> Result<Self> {
        let all = std::iter::successors(Some(variant), |variant| variant.next());
        Self::of(all.map(Variant::recipe))
    }

    /// Where the image of a disk lies.
    fn disk_file(&self, name: &str) -> PathBuf {
        self.programs.join(format!("{name}.disk"))
    }

    /// The image of a recipe; `swap`: an entry that gets another program than the recipe says.
    fn image(&self, name: &str, swap: Option<Swap<'_>>) -> Result<PathBuf> {
        let bytes = image::build(&image::text(name)?, &self.programs, swap);
        let bytes = bytes.with_context(|| format!("{name}.toml"))?;
        let name = swap.map_or(name, |swap| swap.program);
        let image = self.programs.join(format!("{name}.image"));
        std::fs::write(&image, bytes).with_context(|| image.display().to_string())?;
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_says_neither_yes_nor_no_is_refused() {
        let read = |text| yes_or_no(text).ok();
        assert_eq!(["1", "0", ""].map(read), [Some(true), Some(false), Some(false)]);
        assert_eq!(["yes", "true", "2", " 1"].map(read), [None; 4]);
    }

    #[test]
    fn flags_that_would_be_ignored_are_refused() {
        let is_taken = |flags: &[&str]| {
            let command = <Args as clap::Args>::augment_args(clap::Command::new("boot"));
            let words = ["boot"].iter().chain(flags);
            command.try_get_matches_from(words).is_ok()
        };
        let others = [["--hostile"].as_slice(), &["--only", "logd-hardening"], &["--runs", "5"]];
        for flag in ["--twins", "--bench", "--state", "--tape"] {
            assert!(is_taken(&[flag]));
            for other in others {
                assert!(!is_taken(&[&[flag], other].concat()), "{flag} {other:?}");
            }
        }
        assert!(!is_taken(&["--twins", "--bench"]) && !is_taken(&["--markers", "--state"]));
        assert!(is_taken(&["--hostile", "--runs", "5", "--console"]));
        assert!(is_taken(&["--markers", "--outage"]));
    }

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
}
