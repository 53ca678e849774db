//! What is kept on the guest's disk, as the host reads it: the windows and records of the first
//! boot, exactly, out of the image alone.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use nexus_abi::ServiceId;
use nexus_retention::journal::{Item, Kept};
use nexus_retention::offline::{self, Archive};
use nexus_wire::Tier;
use nexus_wire::metrics::{Range, RangeEntry, RangeValue};
use selftest_client::{ANEW, LONG, NOTE, Note, SHORT, Workload};
use serde_json::Value;
use statefs::{Store, blocking};

use super::image_file::ImageFile;
use super::{Built, Variant, state};
use crate::shell;

/// Reads the disk that a variant and its next boot have left, and says what comes of it.
pub(super) fn told(variant: Variant, built: &Built) -> Result<bool> {
    let disk = built.disk_file(variant.disk().context("it has a disk")?);
    let read = match variant {
        Variant::Aside => aside(&disk),
        Variant::Long => read(&disk, &LONG),
        _ => read(&disk, &SHORT),
    };
    match &read {
        Ok(boot) => println!("qemu-test: ok, the disk has what boot {boot} has kept"),
        Err(error) => eprintln!("qemu-test: FAILED, the disk has not what was kept: {error:#}"),
    }
    report(&disk)?;
    Ok(read.is_ok())
}

/// What is asked of a disk for its report, and whether the answer is short enough for a console.
const QUESTIONS: [(&[&str], bool); 6] = [
    (&["fsck"], true),
    (&["status"], true),
    (&["metrics", "--describe"], false),
    (&["history", "", "--prefix", "--tier", "raw"], false),
    (&["spans", "--tree"], false),
    (&["logs"], false),
];

/// Leaves beside the disk what `obsctl` says of it, and shows the most important of that.
fn report(disk: &Path) -> Result<()> {
    let mut all = String::new();
    for (question, is_short) in QUESTIONS {
        let mut command = obsctl(disk, question)?;
        let answer = command.output().with_context(|| format!("obsctl {question:?}"))?;
        let said = String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned();
        all += &format!("$ obsctl --image {} {}\n{said}\n", disk.display(), question.join(" "));
        if is_short {
            said.lines().for_each(|line| println!("  {line}"));
        }
    }
    let path = disk.with_extension("report.txt");
    std::fs::write(&path, all).with_context(|| path.display().to_string())?;
    println!("  all that it keeps: {}", path.display());
    Ok(())
}

/// `obsctl` on a disk.
fn obsctl(disk: &Path, args: &[&str]) -> Result<Command> {
    let disk = disk.to_str().context("a path that is no text")?;
    let run = ["run", "--quiet", "--locked", "-p", "obsctl", "--", "--image", disk];
    shell::cargo(&[run.as_slice(), args].concat())
}

/// Of which boot all of it is.
fn read(disk: &Path, workload: &Workload) -> Result<u32> {
    state::is_whole(disk)?;
    let note = note(disk)?;
    let count = |at: usize| workload.steps.get(at).map(|step| Value::from(step.count));
    let level = |at: usize| workload.steps.get(at).map(|step| Value::from(step.level));
    holds(disk, workload.counter, &note, "added", count)?;
    holds(disk, workload.gauge, &note, "last", level)?;
    Ok(note.boot)
}

/// The note of the selftest, which logd has kept.
fn note(disk: &Path) -> Result<Note> {
    match notes(disk)?.as_slice() {
        [note] => Ok(*note),
        others => bail!("logd's records of the selftest are {others:?}"),
    }
}

/// All of them.
fn notes(disk: &Path) -> Result<Vec<Note>> {
    let (me, mut found) = (ServiceId::from_name("selftest-client").raw(), Vec::new());
    records(disk, |kept| {
        if (kept.scope, kept.message, kept.service) == (NOTE.0, NOTE.1, me) {
            let [run, windows] = ["run", "windows"].map(|key| kept.fields.get(key));
            let note = run.zip(windows).and_then(|(run, windows)| Note::read(run, windows));
            found.push(note.filter(|note| note.boot == kept.boot));
        }
    })?;
    let notes = found.iter().copied().collect::<Option<Vec<_>>>();
    notes.with_context(|| format!("a record that is no note of its boot: {found:?}"))
}

/// Shows what logd has kept, which has to be whole.
pub(super) fn records(disk: &Path, mut look: impl FnMut(&Kept<'_>)) -> Result<()> {
    let mut files = Files::open(disk, "logd", None)?;
    let (mut findings, generation) = (Vec::new(), offline::newest_generation(&mut files));
    offline::Log::open(&mut files, &generation).records(&mut files, &mut findings, |record| {
        if let Some(Item::Record(kept)) = Item::read(record.bytes) {
            look(&kept);
        }
    });
    ensure!(!findings.iter().any(|finding| finding.problem.is_loss()), "lost: {findings:?}");
    Ok(())
}

/// What was set aside is there as it was kept, and behind it what was kept anew. Of which boot all
/// of it is.
fn aside(disk: &Path) -> Result<u32> {
    state::is_whole(disk)?;
    let notes = notes(disk)?;
    let [first, anew] = notes.as_slice() else { bail!("logd's notes are {notes:?}") };
    for (generation, workload, note) in [("g1/", &SHORT, first), ("g2/", &ANEW, anew)] {
        let mut files = Files::open(disk, "metricsd", Some(generation))?;
        let archive = Archive::open(&mut files, true);
        let findings = &archive.findings;
        ensure!(!findings.iter().any(|finding| finding.problem.is_loss()), "lost: {findings:?}");
        let rows = counted(&archive, &mut files, workload)?;
        let steps = workload.steps.iter().map(|step| step.count);
        let expected = note.windows().iter().copied().zip(steps).collect::<Vec<_>>();
        ensure!(rows == expected, "{generation}: {rows:?}, not {expected:?}");
    }
    Ok(first.boot)
}

/// Windows of a workload's counter, and what was counted in each.
fn counted(archive: &Archive, files: &mut Files, workload: &Workload) -> Result<Vec<(u64, u64)>> {
    let name = workload.counter;
    let range = Range { tier: Tier::Raw, is_prefix: false, name, ..Range::ALL };
    let mut rows = Vec::new();
    let answer = archive.ask(files, &range, |_, entry| {
        if let RangeEntry::Row(row) = entry
            && let RangeValue::Counter { delta } = row.value
        {
            rows.push((row.step, delta));
        }
        true
    });
    ensure!(answer.is_ok(), "what was set aside cannot be read");
    Ok(rows)
}

/// Holds the rows of a series, as `obsctl` reads them, to the note.
fn holds(
    disk: &Path,
    name: &str,
    note: &Note,
    key: &str,
    expected: impl Fn(usize) -> Option<Value>,
) -> Result<()> {
    let rows = rows(disk, &[name])?;
    let windows = note.windows();
    ensure!(rows.len() == windows.len(), "{name}: {rows:?}, not one for each of {windows:?}");
    for (at, (row, window)) in rows.iter().zip(windows).enumerate() {
        let length = row["step_ns"].as_u64().context("a row without its length")?;
        let begun = row["mono_ns"].as_u64().context("a row without its time")?;
        // The gauge is set behind the counter, and may lie in the window behind.
        let is_there = begun == window * length || key == "last" && begun == (window + 1) * length;
        let is_boot = row["boot"].as_u64() == Some(note.boot.into());
        let is_clear = row["catchup"] == false && row["lost"].is_null() && row["windows"] == 1;
        let is_it = Some(&row[key]) == expected(at).as_ref();
        ensure!(is_there && is_boot && is_clear && is_it, "{name}, {window}: {row}");
    }
    Ok(())
}

/// Whether metricsd has no file there yet.
pub(super) fn is_empty(disk: &Path) -> Result<bool> {
    let mut files = Files::open(disk, "metricsd", None)?;
    Ok(offline::Files::list(&mut files).is_empty())
}

/// The raw windows of the series that are called so, or whose names begin so.
pub(super) fn rows(disk: &Path, name: &[&str]) -> Result<Vec<Value>> {
    lines(disk, &[&["history"], name, &["--tier", "raw", "-o", "json"]].concat())
}

/// What `obsctl` says of an image, line by line.
pub(super) fn lines(disk: &Path, args: &[&str]) -> Result<Vec<Value>> {
    let text = shell::output(&mut obsctl(disk, args)?)?;
    let rows = text.lines().map(serde_json::from_str::<Value>);
    rows.map(|row| row.context("a line that is no JSON")).collect()
}

/// The files of a service on an image.
struct Files {
    image: ImageFile,
    store: Store,
    prefix: String,
    /// How the names behind that begin.
    generation: &'static str,
}

impl Files {
    /// All of a service, or one generation alone.
    fn open(disk: &Path, service: &str, generation: Option<&'static str>) -> Result<Self> {
        let mut image = ImageFile::readable(disk)?;
        let store = blocking::view(&mut image)?;
        let generation = generation.unwrap_or_default();
        Ok(Self { image, store, prefix: format!("{service}/"), generation })
    }
}

impl offline::Files for Files {
    fn list(&mut self) -> Vec<(String, u32)> {
        let files = self.store.list(&self.prefix);
        let own = files.filter_map(|entry| {
            let name = entry.name.as_str().strip_prefix(self.prefix.as_str())?;
            name.starts_with(self.generation).then(|| (name.to_owned(), entry.len))
        });
        own.collect()
    }

    fn read(&mut self, name: &str, offset: u32, out: &mut [u8]) -> bool {
        let Some(file) = self.store.find(&format!("{}{name}", self.prefix)) else { return false };
        let read = blocking::read(&self.store, &mut self.image, file, offset, out);
        read.is_ok_and(|count| count == out.len())
    }
}
