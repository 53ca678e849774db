//! What daemons have kept, by their files.

use std::path::PathBuf;

use nexus_retention::offline::{self, Archive, Finding};
use serde_json::json;

use crate::Verdict;
use crate::cli::Output;
use crate::disk::ImageFiles;
use crate::render::{BOLD, Screen, WARN, visible};

/// What a daemon has kept.
struct Kept {
    generation: String,
    files: usize,
    bytes: u64,
    /// What there is in words, and how much.
    parts: Vec<(String, u64)>,
    findings: Vec<Finding>,
}

/// Shows what each daemon has kept where; a daemon that has nothing there is away.
pub(super) fn show(all: &[(&str, PathBuf)], output: Output) -> anyhow::Result<Verdict> {
    let mut screen = Screen::new();
    let mut verdict = Verdict::Fine;
    for (daemon, path) in all {
        let kept = ImageFiles::open(path, daemon).map(|mut files| look(&mut files, daemon));
        let is_lost = |kept: &Kept| kept.findings.iter().any(|found| found.problem.is_loss());
        verdict = match &kept {
            Err(_) => Verdict::Broken,
            Ok(kept) if is_lost(kept) && verdict == Verdict::Fine => Verdict::Wrong,
            Ok(_) => verdict,
        };
        match output {
            Output::Text => show_one(&mut screen, daemon, &kept)?,
            Output::Json => screen.json(&as_json(daemon, &kept))?,
        }
    }
    Ok(verdict)
}

fn look(files: &mut ImageFiles, daemon: &str) -> Kept {
    let list = offline::Files::list(files);
    let bytes = list.iter().map(|(_, len)| u64::from(*len)).sum();
    let (generation, parts, findings) = if daemon == "metricsd" {
        let archive = Archive::open(files, false);
        let tier = |(tier, count, bytes)| (format!("{count} segments of {tier}, bytes"), bytes);
        let mut parts: Vec<_> = archive.segments().map(tier).collect();
        let count = archive.in_log();
        parts.push((format!("{count} in the log, not sealed yet"), count as u64));
        (archive.generation().to_owned(), parts, archive.findings)
    } else {
        let generation = offline::newest_generation(files);
        let (mut findings, mut records) = (Vec::new(), 0);
        let log = offline::Log::open(files, &generation);
        log.records(files, &mut findings, |_| records += 1);
        (generation, vec![("entries of the log".to_owned(), records)], findings)
    };
    files.warn_if_changed();
    Kept { generation, files: list.len(), bytes, parts, findings }
}

fn show_one(screen: &mut Screen, daemon: &str, kept: &anyhow::Result<Kept>) -> anyhow::Result<()> {
    let kept = match kept {
        Err(why) => return screen.line(&format!("{daemon}: {}", visible(&format!("{why:#}")))),
        Ok(kept) => kept,
    };
    let title = format!("{daemon} has kept {} files with {} bytes", kept.files, kept.bytes);
    screen.line(&screen.paint(BOLD, &title))?;
    if !kept.generation.is_empty() {
        screen.line(&format!("  generation {}", kept.generation.trim_end_matches('/')))?;
    }
    for (what, count) in &kept.parts {
        screen.line(&format!("  {what} {count}"))?;
    }
    for finding in &kept.findings {
        let mark = if finding.problem.is_loss() { "lost: " } else { "" };
        let text = format!("  {mark}{}", visible(&finding.to_string()));
        screen.line(&screen.paint(WARN, &text))?;
    }
    Ok(())
}

fn as_json(daemon: &str, kept: &anyhow::Result<Kept>) -> serde_json::Value {
    let kept = match kept {
        Err(why) => return json!({ "daemon": daemon, "error": format!("{why:#}") }),
        Ok(kept) => kept,
    };
    let parts = kept.parts.iter().map(|(what, count)| (what.clone(), json!(count)));
    let finding =
        |found: &Finding| json!({ "loss": found.problem.is_loss(), "text": found.to_string() });
    json!({
        "daemon": daemon,
        "generation": kept.generation.trim_end_matches('/'),
        "files": kept.files,
        "bytes": kept.bytes,
        "parts": serde_json::Map::from_iter(parts),
        "findings": kept.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
