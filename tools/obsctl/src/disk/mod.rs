//! `obsctl fsck`: what is left on the disk of a machine, which may not boot any more. It reads and
//! never writes.

mod image;

use anyhow::anyhow;
use serde_json::json;
use statefs::{Finding, Report};

use crate::Verdict;
use crate::cli::{FsckArgs, Output};
use crate::render::{BAD, Screen, WARN};
use image::Image;

pub(crate) fn fsck(args: &FsckArgs) -> anyhow::Result<Verdict> {
    let mut image = Image::open(&args.image)?;
    let mut findings = Vec::new();
    let report = statefs::fsck(&mut image, |finding| findings.push(finding))
        .map_err(|error| anyhow!("{}: {error}", args.image.display()))?;
    let mut screen = Screen::new();
    match args.output.output {
        Output::Text => show(&mut screen, &report, &findings)?,
        Output::Json => show_json(&mut screen, &report, &findings)?,
    }
    Ok(if report.is_whole() { Verdict::Fine } else { Verdict::Wrong })
}

fn show(screen: &mut Screen, report: &Report, findings: &[Finding]) -> anyhow::Result<()> {
    for finding in findings {
        let mark =
            if finding.is_loss() { screen.paint(BAD, "lost") } else { screen.paint(WARN, "flaw") };
        screen.line(&format!("{mark}  {finding}"))?;
    }
    let Report { files, bytes, lost_bytes, flaws, losses } = report;
    screen.line(&format!(
        "{files} files with {bytes} bytes, of which {lost_bytes} are lost: {losses} losses, \
         {flaws} flaws"
    ))
}

fn show_json(screen: &mut Screen, report: &Report, findings: &[Finding]) -> anyhow::Result<()> {
    for finding in findings {
        let text = finding.to_string();
        screen.json(&json!({ "kind": "finding", "loss": finding.is_loss(), "text": text }))?;
    }
    let Report { files, bytes, lost_bytes, flaws, losses } = report;
    screen.json(&json!({
        "kind": "report", "files": files, "bytes": bytes, "lost_bytes": lost_bytes,
        "flaws": flaws, "losses": losses,
    }))
}
