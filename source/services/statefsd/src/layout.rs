//! How a recipe lays the disk out.

use core::fmt;

use nexus_port::SECTOR_BYTES;
use nexus_recipe::StateRecipe;
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
