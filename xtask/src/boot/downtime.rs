//! What a boot says of those before it: where what they have kept ends, and since when it keeps
//! windows itself. Nothing is kept between.

use std::path::Path;

use anyhow::{Result, ensure};
use nexus_bounded::Nanos;

use super::kept;
use super::kills::Window;

/// A record of metricsd, which logd has kept.
#[derive(Debug)]
struct Said {
    /// Who says it, and of which boot.
    boot: u64,
    before: u64,
    /// When that one's last window ended, by the time since its boot.
    end_ns: u64,
}

/// Each boot that says what was kept before it says the truth, and the last one says something.
/// Windows are in order, and have the length `raw`.
pub(super) fn is_on_record(disk: &Path, windows: &[Window], raw: Nanos) -> Result<()> {
    let said = said(disk)?;
    for Said { boot, before, end_ns } in &said {
        let known = windows.iter().rfind(|(of, _)| of < boot).copied();
        let (of, window) = known.unwrap_or((0, 0));
        let end = known.map_or(0, |_| (window + 1) * raw.0);
        let is_true = *before == of && *end_ns >= end;
        ensure!(is_true, "boot {boot} says {before} kept until {end_ns} ns: {of} did until {end}");
    }
    let last = windows.last().map(|(boot, _)| *boot);
    ensure!(said.last().map(|said| said.boot) == last, "{said:?} do not end with boot {last:?}");
    Ok(())
}

/// All of them, boot by boot.
fn said(disk: &Path) -> Result<Vec<Said>> {
    let mut all = Vec::new();
    kept::records(disk, |kept| {
        let field = |key| kept.fields.get(key);
        let number = |key| field(key).and_then(|value| value.parse::<u64>().ok());
        if field("event") != Some("retention.v1") || field("state") != Some("keeping") {
            return;
        }
        if let Some((before, end_ns)) = number("before_boot").zip(number("before_end_ns")) {
            all.push(Said { boot: kept.boot.into(), before, end_ns });
        }
    })?;
    Ok(all)
}
