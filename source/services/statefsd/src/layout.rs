//! How a recipe lays the disk out.

use core::fmt;

use nexus_bounded::Nanos;
use nexus_port::SECTOR_BYTES;
use nexus_recipe::{Budget, ShareRule, StateRecipe, StatefsdLimits};
use statefs::{Format, FormatError, Limits};

/// Why a disk cannot be laid out as a recipe says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LayoutError {
    /// The store cannot be formatted so.
    Format(FormatError),
    /// The shares take more than the store leaves for files.
    Shares {
        /// Bytes of all shares.
        needed: u64,
        /// Bytes for files.
        left: u64,
    },
    /// The disk of a share, with what the store takes itself, is larger than it may be.
    Whole {
        /// Bytes of it.
        needed: u64,
        /// Of them, those of files.
        share: u32,
        /// How many files there may be.
        files: u32,
        /// Bytes that it may have.
        most: u32,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => error.fmt(f),
            Self::Shares { needed, left } => write!(
                f,
                "all shares take {needed} B, and the journal leaves {left} B of the disk: raise \
                 statefsd.disk_bytes, or lower the shares or statefsd.files"
            ),
            Self::Whole { needed, share, files, most } => write!(
                f,
                "its image takes {needed} B, {share} B for files and the rest for the store's \
                 journals of {files} files, more than retention.bytes = {most} B: raise that, or \
                 lower the bytes or numbers of its parts"
            ),
        }
    }
}

impl core::error::Error for LayoutError {}

/// The format of a disk that is formatted for the first time as the recipe says.
///
/// # Errors
/// [`LayoutError`].
pub fn layout(recipe: &StateRecipe) -> Result<Format, LayoutError> {
    let limits = &recipe.statefsd;
    let [files, open] = [limits.files, limits.open].map(|n| u16::try_from(n).unwrap_or(u16::MAX));
    let limits = Limits { sectors: limits.disk_bytes / SECTOR_BYTES as u32, files, open };
    let format = Format::new(limits, 1).map_err(LayoutError::Format)?;
    let needed = recipe.shares.iter().map(|share| u64::from(share.bytes)).sum();
    let left = u64::from(format.data().sectors) * SECTOR_BYTES as u64;
    if needed <= left { Ok(format) } else { Err(LayoutError::Shares { needed, left }) }
}

/// Requests of the one sender that may wait for the disk: as many as the world carries for it.
const PENDING: u32 = 64;
const RETRY_MIN: Nanos = Nanos::from_secs(1);
const RETRY_MAX: Nanos = Nanos::from_secs(60);

/// The recipe of a disk that is `share`'s alone, large enough for it and for what the store takes
/// itself, which may be `most` bytes together. Nobody else is there to be protected from its owner,
/// so nothing that it asks is refused for coming too fast.
///
/// # Errors
/// [`LayoutError`] if there can be no such disk.
pub fn for_share(share: &ShareRule, most: u32) -> Result<StateRecipe, LayoutError> {
    // A file is made before the one that it replaces is given up.
    let (files, open) = (share.files.saturating_add(1), share.open.saturating_add(1));
    let of_bytes = |disk_bytes| StateRecipe {
        statefsd: StatefsdLimits {
            disk_bytes,
            files,
            open,
            pending: PENDING,
            retry_min: RETRY_MIN,
            retry_max: RETRY_MAX,
            budget: UNBOUNDED,
        },
        shares: [share.clone()].into(),
    };
    let whole = u32::MAX - u32::MAX % SECTOR_BYTES as u32;
    // What the journals take follows from the number of files alone.
    let widest = layout(&of_bytes(whole))?;
    let journals = u64::from(widest.limits().sectors - widest.data().sectors);
    let data = u64::from(share.bytes).div_ceil(SECTOR_BYTES as u64).max(journals);
    let bytes = (data + journals) * SECTOR_BYTES as u64;
    if bytes > u64::from(most) {
        return Err(LayoutError::Whole { needed: bytes, share: share.bytes, files, most });
    }
    let recipe = of_bytes(u32::try_from(bytes).unwrap_or(whole));
    layout(&recipe).map(|_| recipe)
}

const UNBOUNDED: Budget = Budget {
    events_per_s: u32::MAX,
    events_burst: u32::MAX,
    bytes_per_s: u32::MAX,
    bytes_burst: u32::MAX,
};
