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
use nexus_abi::ServiceId;
use selftest_client::{Case, LOGD, METRICSD, OUTAGES, expected};

use crate::counts::Counts;
use crate::guest::{self, Go, Machine, Time};
use crate::image::{self, Swap};
use crate::{setup, shell};

mod bench;
mod matcher;
mod twins;

pub(crate) use bench::bench;
use matcher::{Lines, Matcher, Wrong};

/// Build the system, boot it in QEMU and let it prove itself.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Boot and prove a part only.
    #[arg(long)]
    only: Option<Part>,
    /// Print the lines that have to come, in order, and end.
    #[arg(long)]
    markers: bool,
    /// Boot everything beside hostile processes: each is contained, and all is proven.
    #[arg(long, conflicts_with = "only")]
    hostile: bool,
    /// Boot everything with services that die, and come back.
    #[arg(long, conflicts_with_all = ["only", "hostile"])]
    outage: bool,
    /// Boot the images that must fail, and see that each does at the right line.
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

/// How long a boot may take unless `RUN_TIMEOUT` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(90);
/// How long the guest may take to stop after its last line.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Instructions of 8 ns: a small device, and few of them while the selftest waits.
const COUNTED: u8 = 3;
/// Lines that are shown of a boot that went wrong.
const LAST_LINES: usize = 20;

impl Args {
    fn variant(&self) -> Variant {
        match self.only {
            Some(Part::LogdHardening) => Variant::LogdAlone,
            None if self.hostile => Variant::Hostile,
            None if self.outage => Variant::Outage,
            None => Variant::Everything,
        }
    }
}

/// The subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let variant = args.variant();
    if args.markers {
        let Lines { in_order, any_time } = variant.lines()?;
        in_order.iter().chain(&any_time).for_each(|line| println!("{line}"));
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
        let counts = twins::twins(&Built::new()?)?;
        println!("twins: {counts}");
        return Ok(verdict(counts.failed == 0));
    }
    let console = Console { all: args.console, until_marker, silent: false };
    let seen = variant.watch(&Built::new()?, None, timeout, &console)?;
    seen.report();
    Ok(verdict(seen.is_proof()))
}

fn verdict(holds: bool) -> ExitCode {
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Boots every variant, and what must fail.
pub(crate) fn proofs() -> Result<Counts> {
    let built = Built::new()?;
    let mut counts = twins::twins(&built)?;
    for variant in Variant::ALL {
        let console = Console { all: false, until_marker: true, silent: false };
        let seen = variant.watch(&built, None, TIMEOUT, &console)?;
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

/// What is booted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Everything,
    /// logd and the selftest alone.
    LogdAlone,
    /// Everything, beside hostile processes.
    Hostile,
    /// Everything, and then services die.
    Outage,
}

impl Variant {
    const ALL: [Self; 4] = [Self::Everything, Self::LogdAlone, Self::Hostile, Self::Outage];

    fn recipe(self) -> &'static str {
        match self {
            Self::Everything => "image",
            Self::LogdAlone => "image-logd",
            Self::Hostile => "image-hostile",
            Self::Outage => "image-outage",
        }
    }

    /// A busy host must not make hostile processes slower than the services' patience, nor pauses
    /// shorter than it takes to see that somebody is away.
    fn time(self) -> Time {
        match self {
            Self::Everything | Self::LogdAlone => Time::Host,
            Self::Hostile | Self::Outage => Time::Counted(COUNTED),
        }
    }

    /// What has to stand on its console.
    fn lines(self) -> Result<Lines> {
        let in_order = self.cases().iter().flat_map(|cases| expected(cases));
        let any_time = match self {
            Self::Everything | Self::LogdAlone => Vec::new(),
            Self::Hostile => hostile_trials()?,
            Self::Outage => deaths(),
        };
        Ok(Lines { in_order: in_order.map(str::to_owned).collect(), any_time })
    }

    fn cases(self) -> &'static [&'static [Case]] {
        match self {
            Self::LogdAlone => &[LOGD],
            Self::Everything | Self::Hostile => &[LOGD, METRICSD],
            Self::Outage => &[LOGD, METRICSD, OUTAGES],
        }
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
        let mut matcher = Matcher::new(self.lines()?);
        let mut seen = Seen::new(image.metadata()?.len());
        let machine = Machine {
            kernel: &built.kernel,
            image: &image,
            memory_mib: image::MEMORY_MIB,
            time: self.time(),
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

/// A verdict on every hostile process of the image.
fn hostile_trials() -> Result<Vec<String>> {
    let text = recipe(Variant::Hostile.recipe())?;
    let names = image::bystanders(&text, "trials")?;
    let others = ["servers_start", "a_round_while_the_system_works"].map(str::to_owned);
    Ok(names.into_iter().chain(others).map(|name| format!("trial {name}: ok")).collect())
}

/// What init says of the deaths that the cases bring about: pauses double, and a third death within
/// a minute casts suspicion on what is stored.
fn deaths() -> Vec<String> {
    let [logd, metricsd] = ["logd", "metricsd"].map(ServiceId::from_name);
    let ended =
        |service, pause| format!("init: {service} ended, Ended(Exited(7)); again in {pause} ms");
    let told = "logd: was told to set its stored state aside".to_owned();
    let suspect = format!("init: {logd}: stored state is suspect and set aside, no. 1");
    vec![ended(logd, 100), ended(metricsd, 100), ended(logd, 200), suspect, ended(logd, 400), told]
}

/// The text of an image's recipe.
fn recipe(name: &str) -> Result<String> {
    let path = shell::root()?.join("recipes/system").join(format!("{name}.toml"));
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
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
const OURS: [&str; 9] = [
    "neuron:",
    "SELFTEST:",
    "init:",
    "logd:",
    "metricsd:",
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
        guest::build("trials", guest::PROGRAMS)?;
        Ok(Self { kernel, programs: guest::build("guest", guest::PROGRAMS)? })
    }

    /// The image of a recipe; `swap`: an entry that gets another program than the recipe says.
    fn image(&self, name: &str, swap: Option<Swap<'_>>) -> Result<PathBuf> {
        let bytes = image::build(&recipe(name)?, &self.programs, swap);
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
        let [all, part] =
            [Variant::Everything, Variant::LogdAlone].map(|v| v.lines().unwrap().in_order);
        assert!(all.starts_with(&part) && part.len() < all.len());
        let distinct = all.iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn every_hostile_process_of_the_image_has_to_have_a_verdict() {
        let Lines { in_order, any_time } = Variant::Hostile.lines().unwrap();
        assert_eq!(in_order, Variant::Everything.lines().unwrap().in_order);
        for name in ["reads_the_kernel", "asks_a_million_things", "floods_a_service"] {
            assert!(any_time.contains(&format!("trial {name}: ok")), "{name}");
        }
        assert!(!any_time.iter().any(|line| line.contains("echo") || line.contains("judge")));
    }

    fn seen(wrong: Option<Wrong>, code: Option<i32>) -> bool {
        Seen { wrong, code, ..Seen::new(0) }.is_proof()
    }

    #[test]
    fn a_boot_proves_something_only_if_its_lines_and_the_guest_say_so() {
        assert!(seen(None, Some(0)));
        assert!(!seen(None, Some(1)));
        assert!(!seen(None, None));
        assert!(!seen(Some(Wrong::Missing("a".to_owned())), Some(0)));
    }
}
