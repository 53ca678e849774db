use nexus_port::SECTOR_BYTES;
use nexus_recipe::{Recipe, ShareRule};

/// Files of the journal on a disk, those that are being made among them.
const FILES: u32 = 16;

/// What logd may have of a state disk: room for the journal of this life and of the one before it.
#[must_use]
pub fn share(recipe: &Recipe) -> ShareRule {
    let bytes = recipe.logd.journal_bytes.saturating_mul(2);
    let bytes = bytes - bytes % SECTOR_BYTES as u32;
    ShareRule { name: "logd".into(), bytes, files: FILES, open: FILES }
}
