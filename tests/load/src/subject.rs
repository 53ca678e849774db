//! The process whose processor time is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Limits wide enough that nothing is refused: what is measured is work, not refusals.
const WIDE: [(&str, &str); 11] = [
    ("series", "16384"),
    ("series_per_sender", "8192"),
    ("series_per_metric", "8192"),
    ("metrics_per_sender", "8192"),
    ("registrations", "8192"),
    ("text_bytes", "\"8 MiB\""),
    ("events_per_s", "10000000"),
    ("events_burst", "10000000"),
    ("bytes_per_s", "\"1 GiB\""),
    ("bytes_burst", "\"1 GiB\""),
    ("connections", "512"),
];

const RECIPE: &str = include_str!("../../../recipes/observability/metrics.toml");

/// A metricsd, or a receiver that does nothing, in a folder of its own.
pub(crate) struct Subject {
    child: Child,
    folder: PathBuf,
    /// Run directory for clients.
    pub(crate) run_dir: PathBuf,
    /// Whether it knows more than BATCH.
    pub(crate) is_metricsd: bool,
}

impl Subject {
    pub(crate) fn metricsd(program: &Path) -> anyhow::Result<Self> {
        let folder = new_folder()?;
        let recipe = folder.join("recipe.toml");
        fs::write(&recipe, widened(RECIPE))?;
        let mut command = Command::new(program);
        command.arg("--run-dir").arg(&folder).arg("--config").arg(&recipe);
        command.args(["--serve", "bench"]);
        let run_dir = folder.join("svc/bench");
        Self::start(command, folder, run_dir, true)
    }

    pub(crate) fn empty() -> anyhow::Result<Self> {
        let folder = new_folder()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("empty-receiver").arg(folder.join("metricsd.sock"));
        Self::start(command, folder.clone(), folder, false)
    }

    fn start(
        mut command: Command,
        folder: PathBuf,
        run_dir: PathBuf,
        is_metricsd: bool,
    ) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.with_context(|| format!("{command:?}"))?;
        let subject = Self { child, folder, run_dir, is_metricsd };
        let (socket, end) =
            (subject.run_dir.join("metricsd.sock"), Instant::now() + Duration::from_secs(10));
        while !socket.exists() {
            if Instant::now() > end {
                bail!("{} did not appear", socket.display());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(subject)
    }

    /// Processor time of the process so far, by the scheduler's own account.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let text = fs::read_to_string(path)?;
        let nanos: f64 = text.split_whitespace().next().context("an empty schedstat")?.parse()?;
        Ok(nanos / 1e9)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        if !asked {
            drop(self.child.kill());
        }
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn new_folder() -> anyhow::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("nexus-load.{}.{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder)?;
    Ok(folder)
}

/// The recipe with every line `key = ..` of [`WIDE`] rewritten, but for the export to logd: what it
/// may send is bound to what logd takes.
fn widened(recipe: &'static str) -> String {
    let mut section = "";
    let line = |line: &'static str| {
        section = if line.starts_with('[') { line } else { section };
        let key = line.split_once(" = ").map(|(key, _)| key);
        let wide = key.and_then(|key| WIDE.iter().find(|(name, _)| *name == key));
        match wide.filter(|_| section != "[metricsd.export]") {
            Some((key, value)) => format!("{key} = {value}"),
            None => line.to_owned(),
        }
    };
    recipe.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}
