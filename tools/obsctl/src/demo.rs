//! `obsctl demo`: both daemons and a producer of real input on this machine, in one process tree.
//!
//! Each part has its own identity: the daemons give every part a socket of its own. Everything
//! lies in one temporary folder; at the end nothing is left of it.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nexus_wire::logs::Search;
use rustix::process::{Pid, Signal, kill_process};

use crate::Verdict;
use crate::cli::{DemoArgs, Output, Place};
use crate::daemons::Journal;
use crate::names::Names;
use crate::{audit, top};

/// Parts that speak, each with its own socket.
const SERVED: [&str; 3] = ["hostprobe", "metricsd", "obsctl"];
/// How long a part may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<Verdict> {
    let stop = top::stop_flag()?;
    let folder = Folder::new()?;
    let mut tree = Tree { parts: Vec::new(), folder: folder.0.clone() };
    let begin = Instant::now();
    tree.begin(args, &stop)?;
    let own = folder.0.join("svc/obsctl");
    let place = Place { run_dir: Some(own.clone()), config: args.recipe.clone() };
    println!("demo: logd, metricsd and hostprobe run in {}", folder.0.display());
    println!("demo: look closer with: obsctl --run-dir {} logs -f", own.display());
    let length =
        args.seconds.map(|seconds| Duration::from_secs(seconds).saturating_sub(begin.elapsed()));
    top::watch(&own, &Names::of(&place)?, 16, length, &stop, &mut || tree.check())?;
    // The producer ends first, so that the accounts are closed when they are added up.
    tree.end("hostprobe");
    summary(&own)?;
    let verdict = audit::run(&place, Output::Text)?;
    tree.end_all();
    Ok(verdict)
}

/// What has come back from the journal: the way from the producer to logd, shown by its end.
fn summary(own: &Path) -> anyhow::Result<()> {
    let mut journal = Journal::open(own)?;
    let mut count = |scope: &'static str| -> anyhow::Result<usize> {
        let (mut found, mut search) = (0, Search { scope, ..Search::ALL });
        loop {
            let page = journal.search(&search)?;
            found += page.entries.len();
            search.id = page.next_id;
            if !page.more {
                return Ok(found);
            }
        }
    };
    let (metrics, spans) = (count("metrics")?, count("spans")?);
    println!("demo: read back from the journal: {metrics} metric records, {spans} span records");
    anyhow::ensure!(metrics > 0 && spans > 0, "nothing came back from the journal");
    Ok(())
}

/// A temporary folder that goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("obsctl-demo.{}", std::process::id()));
        // Not created with its parents and not if it is there: nobody can have prepared it.
        DirBuilder::new().mode(0o755).create(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("obsctl: {} is left: {error}", self.0.display());
        }
    }
}

/// The process tree. Whatever runs when it goes is ended first.
struct Tree {
    parts: Vec<(&'static str, Child)>,
    folder: PathBuf,
}

impl Tree {
    fn begin(&mut self, args: &DemoArgs, stop: &AtomicBool) -> anyhow::Result<()> {
        for daemon in ["logd", "metricsd"] {
            let mut options = vec!["--run-dir".into(), self.folder.clone().into_os_string()];
            for name in SERVED.iter().filter(|name| **name != daemon) {
                options.extend(["--serve".into(), (*name).into()]);
            }
            if let Some(recipe) = &args.recipe {
                options.extend(["--config".into(), recipe.clone().into_os_string()]);
            }
            self.start(daemon, &options)?;
            self.await_socket(&format!("svc/obsctl/{daemon}.sock"), stop)?;
        }
        let own = self.folder.join("svc/hostprobe").into_os_string();
        self.start("hostprobe", &["--run-dir".into(), own])
    }

    fn start(&mut self, name: &'static str, options: &[std::ffi::OsString]) -> anyhow::Result<()> {
        let log = File::create(self.log_of(name))?;
        let child = Command::new(binary(name))
            .args(options)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{name} (build it with: cargo build --release)"))?;
        self.parts.push((name, child));
        Ok(())
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.out"))
    }

    fn await_socket(&mut self, socket: &str, stop: &AtomicBool) -> anyhow::Result<()> {
        let (path, end) = (self.folder.join(socket), Instant::now() + PATIENCE);
        while !path.exists() {
            self.check()?;
            if Instant::now() > end || stop.load(Ordering::Relaxed) {
                bail!("{} did not appear", path.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// All parts must be running.
    fn check(&mut self) -> anyhow::Result<()> {
        for (name, child) in &mut self.parts {
            if let Some(status) = child.try_wait()? {
                let said = fs::read_to_string(self.folder.join(format!("{name}.out")));
                bail!("{name} ended ({status}); it said:\n{}", said.unwrap_or_default());
            }
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        if let Some(at) = self.parts.iter().position(|(part, _)| *part == name) {
            let (_, child) = self.parts.remove(at);
            end_child(child);
        }
    }

    /// Ends all parts, producers before those they produce for.
    fn end_all(&mut self) {
        while let Some((_, child)) = self.parts.pop() {
            end_child(child);
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// Asks a process to end, and insists when it does not.
fn end_child(mut child: Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // An error means that it has ended already.
    let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
    let end = Instant::now() + PATIENCE;
    while asked && Instant::now() < end {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    drop(child.wait());
}

/// The program beside this one, else the one in the search path.
fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().ok();
    let beside = own.and_then(|own| own.parent().map(|folder| folder.join(name)));
    beside.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name))
}
