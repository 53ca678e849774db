//! `obsctl demo`: both daemons and a producer of real input on this machine, in one process tree.
//!
//! Each part has its own identity: the daemons give every part a socket of its own. Everything
//! lies in one temporary folder; at the end nothing is left of it, be it the end by a key, a signal
//! or a closed terminal. Only SIGKILL leaves the folder, to be removed by the next demo; the parts
//! end even then. What the daemons keep is another folder, which a person names and which stays.

mod folder;

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
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
use crate::names::{BUILT_IN, Names};
use crate::render::{Screen, visible_lines};
use crate::top::Show;
use crate::{audit, top};
use folder::Folder;

const DAEMONS: [&str; 2] = ["logd", "metricsd"];
/// Parts that speak, each with its own socket.
const SERVED: [&str; 3] = ["hostprobe", "metricsd", "obsctl"];
/// What a demo without a recipe of its own changes in the one built in: snapshots come back from
/// the journal while people watch.
const SOONER: (&str, &str) = ("\ninterval = \"10 s\"", "\ninterval = \"2 s\"");
/// How long a part may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(place: &Place, args: &DemoArgs) -> anyhow::Result<Verdict> {
    if place.run_dir.is_some() {
        bail!("the demo makes a folder of its own and takes no --run-dir");
    }
    let stop = top::stop_flag()?;
    let folder = Folder::new()?;
    let mut tree = Tree { parts: Vec::new(), folder: folder.path.clone() };
    let begin = Instant::now();
    tree.begin(place, args.keep.as_deref(), &stop)?;
    let own = folder.path.join("svc/obsctl");
    let place = Place { run_dir: Some(own.clone()), ..place.clone() };
    let mut screen = Screen::new();
    screen.line("demo: logd, metricsd and hostprobe run in")?;
    screen.line(&format!("demo:   {}", folder.path.display()))?;
    screen.line("demo: look closer with:")?;
    screen.line(&format!("demo:   obsctl --run-dir {} logs -f", own.display()))?;
    let length =
        args.seconds.map(|seconds| Duration::from_secs(seconds).saturating_sub(begin.elapsed()));
    let show = Show { lines: 12, length, journal: true };
    top::watch(&own, &Names::of(&place)?, show, &stop, &mut || tree.check())?;
    // The producer ends first, so that the accounts are closed when they are added up.
    tree.end("hostprobe");
    summary(&own, &mut screen)?;
    let verdict = audit::run(&place, Output::Text)?;
    tree.end_all();
    if let Some(kept) = &args.keep {
        screen.line(&format!("demo: kept in {}; look at it with:", kept.display()))?;
        for daemon in DAEMONS {
            let image = kept.join(format!("{daemon}.img"));
            screen.line(&format!("demo:   obsctl fsck {}", image.display()))?;
        }
    }
    Ok(verdict)
}

/// What has come back from the journal: the way from the producer to logd, shown by its end.
fn summary(own: &Path, screen: &mut Screen) -> anyhow::Result<()> {
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
    screen.line(&format!(
        "demo: read back from the journal: {metrics} metric records, {spans} span records"
    ))?;
    anyhow::ensure!(metrics > 0 && spans > 0, "nothing came back from the journal");
    Ok(())
}

/// The process tree. Whatever runs when it goes is ended first.
struct Tree {
    parts: Vec<(&'static str, Child)>,
    folder: PathBuf,
}

impl Tree {
    fn begin(
        &mut self,
        place: &Place,
        keep: Option<&Path>,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        let recipe = self.recipe(place)?;
        for daemon in DAEMONS {
            let mut options = vec!["--run-dir".into(), self.folder.clone().into_os_string()];
            for name in SERVED.iter().filter(|name| **name != daemon) {
                options.extend(["--serve".into(), (*name).into()]);
            }
            options.extend(["--config".into(), recipe.clone().into_os_string()]);
            if let Some(keep) = keep {
                options.extend(["--state-dir".into(), keep.as_os_str().to_owned()]);
            }
            self.start(daemon, &options)?;
            self.await_socket(&format!("svc/obsctl/{daemon}.sock"), stop)?;
        }
        let own = self.folder.join("svc/hostprobe").into_os_string();
        self.start("hostprobe", &["--run-dir".into(), own])
    }

    /// The recipe of both daemons: the one that was named, else one of our own.
    fn recipe(&self, place: &Place) -> anyhow::Result<PathBuf> {
        if let Some(recipe) = &place.config {
            return Ok(recipe.clone());
        }
        let file = self.folder.join("recipe.toml");
        fs::write(&file, BUILT_IN.replace(SOONER.0, SOONER.1))?;
        Ok(file)
    }

    fn start(&mut self, name: &'static str, options: &[std::ffi::OsString]) -> anyhow::Result<()> {
        let log = File::create(self.log_of(name))?;
        // In a group of its own, so that Ctrl-C ends us alone and we end the parts in good order;
        // with us as its parent, so that it ends even if we have no time to.
        let child = Command::new(binary(name))
            .args(options)
            .args(["--parent", &std::process::id().to_string()])
            .process_group(0)
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
                let said = fs::read(self.folder.join(format!("{name}.out"))).unwrap_or_default();
                let said = visible_lines(&String::from_utf8_lossy(&said));
                bail!("{name} ended ({status}); it said:\n{said}");
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

#[cfg(test)]
mod tests {
    use nexus_recipe::Recipe;

    use super::*;

    #[test]
    fn the_recipe_of_the_demo_exports_sooner_and_is_legal() {
        let own = Recipe::parse(&BUILT_IN.replace(SOONER.0, SOONER.1)).unwrap();
        let built_in = Recipe::parse(BUILT_IN).unwrap();
        assert!(own.metricsd.export.interval < built_in.metricsd.export.interval);
    }
}
