use nexus_recipe::{Recipe, ShareRule};

use crate::retention::files_bytes;

/// The manifest, and the one that replaces it.
const MANIFESTS: u32 = 2;
/// A segment of each tier is being written.
const DRAFTS: u32 = 3;

/// Files of the log that grow: the last one, and the next one, which may be begun before that is
/// finished.
const GROWING: u32 = 2;

/// What metricsd may have of a state disk.
#[must_use]
pub fn share(recipe: &Recipe) -> ShareRule {
    let kept = &recipe.metricsd.retention;
    let sealed = kept.raw.segments + kept.short.segments + kept.long.segments;
    ShareRule {
        name: "metricsd".into(),
        bytes: u32::try_from(files_bytes(recipe)).unwrap_or(u32::MAX / 512 * 512),
        files: sealed + kept.log_files + DRAFTS + MANIFESTS,
        open: GROWING + DRAFTS,
    }
}
