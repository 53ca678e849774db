//! What is left on the disk of a machine, which may not boot any more, or in the folder of daemons
//! that may not run. It is read and never written.

mod files;
mod image;

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use nexus_retention::offline::{self, Archive, Finding};
use serde_json::json;
use statefs::Report;

use crate::Verdict;
use crate::cli::{FsckArgs, Output, Place};
use crate::render::{BAD, Screen, WARN, visible};
pub(crate) use files::{ImageFiles, of_daemon, tell};
use image::Image;

/// Services that keep something.
const SERVICES: [&str; 2] = ["metricsd", "logd"];

/// Something that is wrong, as it is told.
struct Told {
    is_loss: bool,
    text: String,
}

/// `obsctl fsck`.
pub(crate) fn fsck(place: &Place, args: &FsckArgs) -> anyhow::Result<Verdict> {
    let mut screen = Screen::new();
    let mut verdict = Verdict::Fine;
    for path in images(place, args)? {
        if !check(&mut screen, &path, args.output.output)? {
            verdict = Verdict::Wrong;
        }
    }
    Ok(verdict)
}

/// The images that are to be looked at.
fn images(place: &Place, args: &FsckArgs) -> anyhow::Result<Vec<PathBuf>> {
    let named = args.file.iter().chain(&place.image).cloned();
    let of_dir = place.state_dir.iter().flat_map(|dir| {
        SERVICES
            .map(|service| dir.join(format!("{service}.img")))
            .into_iter()
            .filter(|path| path.exists())
    });
    let images: Vec<_> = named.chain(of_dir).collect();
    match (&place.state_dir, images.is_empty()) {
        (Some(dir), true) => Err(anyhow!("{}: no daemon has kept anything there", dir.display())),
        (None, true) => {
            Err(anyhow!("which? say obsctl fsck IMAGE, or give --state-dir or --image"))
        }
        _ => Ok(images),
    }
}

/// Looks at one image; whether all that was durable is there.
fn check(screen: &mut Screen, path: &Path, output: Output) -> anyhow::Result<bool> {
    let mut image = Image::open(path)?;
    let mut told = Vec::new();
    let report = statefs::fsck(&mut image, |finding| {
        told.push(Told { is_loss: finding.is_loss(), text: finding.to_string() });
    })
    .map_err(|error| anyhow!("{}: {error}", path.display()))?;
    // Where the store cannot be mounted there are no files to look into.
    for service in SERVICES {
        if let Ok(mut files) = ImageFiles::open_quietly(path, service) {
            told.extend(of_service(&mut files, service));
        }
    }
    match output {
        Output::Text => show(screen, &report, &told)?,
        Output::Json => show_json(screen, path, &report, &told)?,
    }
    Ok(!told.iter().any(|told| told.is_loss))
}

/// What is wrong with what a service has kept.
fn of_service(files: &mut ImageFiles, service: &str) -> Vec<Told> {
    if files.is_empty() {
        return Vec::new();
    }
    let findings = if service == "metricsd" {
        Archive::open(files, true).findings
    } else {
        let (mut findings, generation) = (Vec::new(), offline::newest_generation(files));
        offline::Log::open(files, &generation).records(files, &mut findings, |_| {});
        findings
    };
    let tell = |Finding { file, problem }: Finding| Told {
        is_loss: problem.is_loss(),
        text: format!("{service}/{file}: {problem}"),
    };
    findings.into_iter().map(tell).collect()
}

fn show(screen: &mut Screen, report: &Report, all: &[Told]) -> anyhow::Result<()> {
    for told in all {
        let mark =
            if told.is_loss { screen.paint(BAD, "lost") } else { screen.paint(WARN, "flaw") };
        screen.line(&format!("{mark}  {}", visible(&told.text)))?;
    }
    let losses = all.iter().filter(|told| told.is_loss).count();
    let flaws = all.len() - losses;
    let Report { files, bytes, lost_bytes, .. } = report;
    screen.line(&format!(
        "{files} files with {bytes} bytes, of which {lost_bytes} are lost: {losses} losses, \
         {flaws} flaws"
    ))
}

fn show_json(
    screen: &mut Screen,
    path: &Path,
    report: &Report,
    all: &[Told],
) -> anyhow::Result<()> {
    for told in all {
        screen.json(&json!({ "kind": "finding", "loss": told.is_loss, "text": told.text }))?;
    }
    let losses = all.iter().filter(|told| told.is_loss).count();
    let Report { files, bytes, lost_bytes, .. } = report;
    screen.json(&json!({
        "kind": "report", "image": path.display().to_string(), "files": files, "bytes": bytes,
        "lost_bytes": lost_bytes, "flaws": all.len() - losses, "losses": losses,
    }))
}
