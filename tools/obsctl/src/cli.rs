//! The command line, each option described once.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nexus_wire::{Level, Tier};

const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  done, and something is wrong: audit: the books do not balance; status: something was lost
     (dropped, refused to a producer, missing in a gap, lost by a client, or a metric is in
     quarantine); count: it went into an overflow series; fsck, and what is read of files:
     something is lost
  2  could not be done; status: a daemon is away, or does not work now
  run ends as its command does: 127 if there is no such command, 126 if it cannot be run,
  128 + N if signal N ended it";

/// See what happened on this machine: its journal, metrics and spans.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100, after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the daemons are.
#[derive(Args, Debug, Clone)]
pub(crate) struct Place {
    /// Where logd.sock and metricsd.sock lie [default: $NEXUS_RUN_DIR, else /run/nexus]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) run_dir: Option<PathBuf>,
    /// Recipe that names the services and sets the demo's limits [default: the one built in]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read what daemons have kept in DIR/logd.img and DIR/metricsd.img, running or not
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "image")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Read what daemons have kept on the disk of a machine, or its image
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
}

impl Place {
    pub(crate) fn dir(&self) -> PathBuf {
        self.run_dir.clone().unwrap_or_else(nexus_rt::linux::client::run_dir)
    }

    /// Where a daemon has kept what, if that is what is to be read.
    pub(crate) fn kept(&self, daemon: &str) -> Option<PathBuf> {
        let of_dir = || self.state_dir.as_ref().map(|dir| dir.join(format!("{daemon}.img")));
        self.image.clone().or_else(of_dir)
    }

    /// # Errors
    /// Files are named, and only daemons can tell what is asked.
    pub(crate) fn must_be_running(&self) -> anyhow::Result<()> {
        if self.state_dir.is_some() || self.image.is_some() {
            anyhow::bail!(
                "only a daemon that runs can tell that; --state-dir and --image are for logs, \
                 spans, metrics, history, status and fsck, and not for what is still to come"
            );
        }
        Ok(())
    }
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run both daemons and a producer on this machine and watch them, in temporary folders
    Demo(DemoArgs),
    /// Show records of the journal
    Logs(LogsArgs),
    /// Show values, rates and quantiles
    Metrics(MetricsArgs),
    /// Show what metrics did, step by step
    History(HistoryArgs),
    /// Show spans, as a list or as trees
    Spans(SpansArgs),
    /// Watch what is busiest
    Top(TopArgs),
    /// Add up what was offered and what became of it; exit status 1 if anything is missing
    Audit(OutputArgs),
    /// Health, budgets and losses; exit status 1 if anything was lost, 2 if a daemon is away or
    /// does not work now
    Status(StatusArgs),
    /// Append a record to the journal
    Log(LogArgs),
    /// Add to a counter (or set a gauge, or observe)
    Count(CountArgs),
    /// Run a command within a span; what it runs within spans of its own is part of the trace
    Run(RunArgs),
    /// Look at the disk of a machine, or its image, and say what of its state is lost
    Fsck(FsckArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it can do with the files of daemons that do not run.
    pub(crate) const fn reads_what_is_kept(&self) -> bool {
        matches!(
            self,
            Self::Logs(_)
                | Self::Spans(_)
                | Self::Metrics(_)
                | Self::History(_)
                | Self::Status(_)
                | Self::Fsck(_)
        )
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Args, Debug, Clone, Copy)]
pub(crate) struct OutputArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Args, Debug, Clone, Copy)]
pub(crate) struct StatusArgs {
    /// With everything that the daemons say of themselves
    #[arg(short, long)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct FsckArgs {
    /// The image in a file, or the disk; it is only read [or --state-dir, --image]
    #[arg(value_name = "IMAGE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Which records.
#[derive(Args, Debug, Clone)]
pub(crate) struct Selection {
    /// Go on with what comes
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the newest N [with -f: 10 unless told otherwise; of trees, all that they are part of]
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<u32>,
    /// Only this level and graver: error, warn, info, debug, trace (or 0 to 4)
    #[arg(short, long, value_name = "LEVEL", value_parser = parse_level)]
    pub(crate) priority: Option<Level>,
    /// Only this service, by name or by its 16 hexadecimal digits
    #[arg(short, long, value_name = "SERVICE")]
    pub(crate) unit: Option<String>,
    /// Not older: "10 min ago", "-5m", "today", "2026-01-31 12:00", RFC 3339; of files, "ago" is
    /// before the newest that they hold
    #[arg(short = 'S', long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Not newer
    #[arg(short = 'U', long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) select: Selection,
    /// Only scopes that begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) scope: String,
    /// Only records with this field; given again, with all of them
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) field: Vec<String>,
    /// Only what was logged in this trace, named as obsctl spans names it
    #[arg(long, value_name = "TRACE")]
    pub(crate) trace: Option<String>,
    /// Only what was logged in this span, by its 16 hexadecimal digits
    #[arg(long, value_name = "SPAN")]
    pub(crate) span: Option<String>,
    /// Newest first
    #[arg(short, long, conflicts_with = "follow")]
    pub(crate) reverse: bool,
    /// Only this boot of logd's: its number, 0 for the newest, -1 for the one before it and so on,
    /// or `all` that are kept; else the one that runs, or the newest
    #[arg(
        short,
        long,
        value_name = "BOOT|all",
        num_args = 0..=1,
        default_missing_value = "0",
        allow_negative_numbers = true,
        conflicts_with = "after_cursor"
    )]
    pub(crate) boot: Option<Boots>,
    /// Show which boots the journal has records of, and from when to when
    #[arg(long, conflicts_with_all = ["boot", "after_cursor", "reverse", "lines", "follow"])]
    pub(crate) list_boots: bool,
    /// Only what is behind this cursor
    #[arg(long, value_name = "CURSOR", conflicts_with_all = ["lines", "reverse"])]
    pub(crate) after_cursor: Option<String>,
    /// Print the cursor behind the last record
    #[arg(long)]
    pub(crate) show_cursor: bool,
}

/// Which boots of logd's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Boots {
    One(u32),
    /// So many before the newest.
    Before(u32),
    All,
}

impl std::str::FromStr for Boots {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number: Option<i64> = text.parse().ok();
        let before = |number: i64| u32::try_from(number.unsigned_abs()).ok().map(Self::Before);
        let boots = match number {
            _ if text == "all" => Some(Self::All),
            Some(number) if number > 0 => u32::try_from(number).ok().map(Self::One),
            Some(number) => before(number),
            None => None,
        };
        boots.ok_or_else(|| {
            "a boot is a number from 1 on, 0 for the newest, -1 for the one before it, or `all`"
                .to_owned()
        })
    }
}

/// One boot: the times of several cannot be told apart in a list of spans.
fn one_boot(text: &str) -> Result<Boots, String> {
    match text.parse()? {
        Boots::All => Err("spans are shown of one boot at a time".to_owned()),
        boot => Ok(boot),
    }
}

/// Which time, in which steps.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct When {
    /// Not older: "10 min ago", "-5m", "today", "2026-01-31 12:00", RFC 3339; of files, "ago" is
    /// before the newest that they hold
    #[arg(short = 'S', long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Not newer
    #[arg(short = 'U', long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// Length of a step: "10s", "5 min"; rounded up to whole windows
    #[arg(long, value_name = "LENGTH", value_parser = parse_step)]
    pub(crate) step: Option<u64>,
    /// Which windows are read [default: the longest that are no longer than a step]
    #[arg(long, value_name = "TIER", value_parser = parse_tier)]
    pub(crate) tier: Option<Tier>,
}

impl When {
    /// Whether a time is asked for, and not only now.
    pub(crate) const fn is_asked(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.step.is_some() || self.tier.is_some()
    }
}

#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// Name of the metric
    pub(crate) name: String,
    /// All metrics whose names begin so
    #[arg(long)]
    pub(crate) prefix: bool,
    /// Only this service, by name or by its 16 hexadecimal digits
    #[arg(short, long, value_name = "SERVICE")]
    pub(crate) unit: Option<String>,
    /// Only series with this label; given again, with all of them
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<String>,
    #[command(flatten)]
    pub(crate) when: When,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct MetricsArgs {
    /// Only metrics whose names begin so
    #[arg(default_value = "")]
    pub(crate) name: String,
    /// Only this service, by name or by its 16 hexadecimal digits
    #[arg(short, long, value_name = "SERVICE")]
    pub(crate) unit: Option<String>,
    /// Print again every short window (10 s)
    #[arg(short, long, conflicts_with_all = ["since", "until", "step", "tier"])]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) when: When,
    /// With the help and the unit of each metric; of what is kept only the unit is known, and the
    /// helps of this project's own services
    #[arg(long)]
    pub(crate) describe: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct SpansArgs {
    #[command(flatten)]
    pub(crate) select: Selection,
    /// As trees, one per trace
    #[arg(short, long, conflicts_with = "follow")]
    pub(crate) tree: bool,
    /// Only spans whose names begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) name: String,
    /// Of this boot of logd's: its number, 0 for the newest, -1 for the one before it and so on;
    /// else of the one that runs, or the newest
    #[arg(
        short,
        long,
        value_name = "BOOT",
        num_args = 0..=1,
        default_missing_value = "0",
        allow_negative_numbers = true,
        value_parser = one_boot,
        conflicts_with = "follow"
    )]
    pub(crate) boot: Option<Boots>,
}

#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// End after so many seconds
    #[arg(long, value_name = "N", value_parser = seconds())]
    pub(crate) seconds: Option<u64>,
    /// Lines of the tables, where the output is no terminal
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(crate) lines: usize,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// End after so many seconds
    #[arg(long, value_name = "N", value_parser = seconds())]
    pub(crate) seconds: Option<u64>,
    /// Let the daemons keep in DIR what shall outlive them; the next demo goes on with it
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

/// Seconds that last.
fn seconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..)
}

#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// error, warn, info, debug, trace (or 0 to 4)
    #[arg(short, long, value_name = "LEVEL", default_value = "info", value_parser = parse_level)]
    pub(crate) priority: Level,
    /// Where it comes from
    #[arg(long, default_value = "obsctl")]
    pub(crate) scope: String,
    /// What happened; `-`: each line of standard input
    pub(crate) message: String,
    /// Fields
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) fields: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct CountArgs {
    /// Set a gauge instead
    #[arg(long, conflicts_with = "observe")]
    pub(crate) gauge: bool,
    /// Observe into a histogram instead
    #[arg(long)]
    pub(crate) observe: bool,
    /// Name of the metric: a lower-case letter, then a-z, 0-9, `_`, `.` and `-`
    pub(crate) name: String,
    /// How much (1 unless told otherwise; may be negative for a gauge), and labels
    #[arg(value_name = "VALUE|KEY=VALUE", allow_negative_numbers = true)]
    pub(crate) rest: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Name of the span [default: the command's]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

/// A length of time in nanoseconds.
fn parse_step(text: &str) -> Result<u64, String> {
    let parsed = text.trim().parse::<jiff::SignedDuration>().ok();
    let nanos = parsed.and_then(|length| u64::try_from(length.as_nanos()).ok());
    nanos
        .filter(|nanos| *nanos > 0)
        .ok_or_else(|| "no length; write \"10s\" or \"5 min\"".to_owned())
}

fn parse_tier(text: &str) -> Result<Tier, String> {
    Tier::from_name(text).ok_or_else(|| {
        let names: Vec<_> = Tier::ALL.iter().map(|tier| tier.name()).collect();
        format!("no such tier; there are {}", names.join(", "))
    })
}

fn parse_level(text: &str) -> Result<Level, String> {
    let by_number = || text.parse().ok().and_then(Level::from_raw);
    let short = match text {
        "err" => "error",
        "warning" => "warn",
        other => other,
    };
    Level::from_name(short).or_else(by_number).ok_or_else(|| {
        let names: Vec<_> = Level::ALL.iter().map(|level| level.name()).collect();
        format!("no such level; there are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_time_at_all_is_refused_when_it_is_read() {
        for command in ["demo", "top"] {
            let parsed = Cli::try_parse_from(["obsctl", command, "--seconds", "0"]);
            let why = parsed.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(why.contains("--seconds") && why.contains('1'), "{why}");
        }
    }

    #[test]
    fn a_boot_is_a_number_or_so_many_back_or_all_of_them() {
        let boots = |text: &str| text.parse::<Boots>().ok();
        assert_eq!(boots("3"), Some(Boots::One(3)));
        assert_eq!((boots("0"), boots("-2")), (Some(Boots::Before(0)), Some(Boots::Before(2))));
        assert_eq!(boots("all"), Some(Boots::All));
        assert!(["", "every", "4294967296", "-"].iter().all(|text| boots(text).is_none()));
        let parsed = Cli::try_parse_from(["obsctl", "logs", "-b", "-1", "-n", "5", "-r"]).unwrap();
        let Command::Logs(logs) = parsed.command else { panic!("these are logs") };
        assert_eq!((logs.boot, logs.select.lines), (Some(Boots::Before(1)), Some(5)));
        let parsed = Cli::try_parse_from(["obsctl", "logs", "-b", "-n", "5"]).unwrap();
        let Command::Logs(logs) = parsed.command else { panic!("these are logs") };
        assert_eq!((logs.boot, logs.select.lines), (Some(Boots::Before(0)), Some(5)));
    }

    #[test]
    fn levels_go_by_name_and_by_number() {
        assert_eq!(parse_level("warning"), Ok(Level::Warn));
        assert_eq!(parse_level("3"), Ok(Level::Debug));
        assert!(parse_level("loud").is_err_and(|why| why.contains("error, warn")));
    }
}
