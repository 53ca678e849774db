//! `hostprobe`: reads this machine and reports it as metrics and spans.
//!
//! An ordinary client of `nexus-metrics`: what it reads of processors, memory, load, disks,
//! networks and pressure become counters and gauges, its own reading spans and a histogram. It
//! holds no right but to report, and goes on when nobody listens.
#![forbid(unsafe_code)]

mod probe;
mod rise;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser, ValueExt as _};
use nexus_rt::linux::{client, parent, telemetry};

use crate::probe::Probe;

const HELP: &str = "hostprobe - reads this machine and reports it as metrics and spans

usage: hostprobe [--run-dir DIR] [--interval SECONDS] [--parent PID]

  --run-dir DIR       where metricsd.sock and logd.sock lie; default: $NEXUS_RUN_DIR, else
                      /run/nexus. To speak as the service hostprobe: DIR/svc/hostprobe
  --interval SECONDS  time between two readings, 0.05 to 3600; default: 1
  --parent PID        ends when PID does, the process that started it
  --help, --version

SIGTERM and SIGINT end it in good order. Without the daemons it goes on and tells them its totals
when they are there.
";

struct Options {
    run_dir: PathBuf,
    interval: Duration,
    parent: Option<u32>,
}

fn main() -> ExitCode {
    match parse(Parser::from_env()).map(|options| options.map(run)) {
        Ok(None | Some(Ok(()))) => ExitCode::SUCCESS,
        Ok(Some(Err(error))) => {
            eprintln!("hostprobe: {error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("hostprobe: {error}; see --help");
            ExitCode::from(2)
        }
    }
}

/// `None`: all that was asked for has been printed.
fn parse(mut parser: Parser) -> Result<Option<Options>, lexopt::Error> {
    let (run_dir, interval_default) = (client::run_dir(), Duration::from_secs(1));
    let mut options = Options { run_dir, interval: interval_default, parent: None };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("run-dir") => options.run_dir = parser.value()?.into(),
            Arg::Long("interval") => options.interval = parser.value()?.parse_with(interval)?,
            Arg::Long("parent") => options.parent = Some(parser.value()?.parse()?),
            Arg::Short('h') | Arg::Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            Arg::Short('V') | Arg::Long("version") => {
                println!("hostprobe {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.05..=3600.0).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("{text} is not within 0.05 to 3600 seconds"))?;
    Ok(Duration::from_secs_f64(seconds))
}

fn run(options: Options) -> std::io::Result<()> {
    options.parent.map(parent::end_with).transpose()?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let _telemetry = telemetry::install(options.run_dir)?;
    let interval_ms = options.interval.as_millis();
    nexus_log::info!("hostprobe", "began to read this machine"; interval_ms = interval_ms);
    let mut probe = Probe::default();
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        probe.read();
        next = following(next, options.interval, Instant::now());
        sleep_until(next, &stop);
    }
    Ok(())
}

/// The next time of the rhythm that is not over: after a pause readings are skipped, not made up.
fn following(last: Instant, interval: Duration, now: Instant) -> Instant {
    let next = last + interval;
    if next > now { next } else { now + interval }
}

/// Sleeps in short steps, so that a signal is heeded soon.
fn sleep_until(end: Instant, stop: &AtomicBool) {
    const STEP: Duration = Duration::from_millis(50);
    while !stop.load(Ordering::Relaxed) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(STEP));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Options>, String> {
        let all = ["hostprobe"].iter().chain(args);
        parse(Parser::from_iter(all)).map_err(|error| error.to_string())
    }

    #[test]
    fn options_say_where_and_how_often() {
        let options = parsed(&["--run-dir", "/d", "--interval", "0.5"]).ok().flatten();
        let options = options.map(|options| (options.run_dir, options.interval));
        assert_eq!(options, Some((PathBuf::from("/d"), Duration::from_millis(500))));
    }

    #[test]
    fn nonsense_is_refused_with_its_name() {
        for (args, named) in [
            (&["--interval", "0"][..], "0.05 to 3600"),
            (&["--interval", "NaN"], "NaN"),
            (&["--colour"], "--colour"),
            (&["extra"], "extra"),
        ] {
            let error = parsed(args).err().unwrap_or_default();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_pause_skips_readings() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(following(start, second, start), start + second);
        assert_eq!(following(start, second, start + 5 * second), start + 6 * second);
    }
}
