use nexus_abi::FRAME_BYTES_MAX;
use nexus_recipe::StateRecipe;
use statefs::Store;

use crate::drafts::Drafts;
use crate::pending::Waiting;
use crate::shares::Shares;
use crate::{LayoutError, Statefsd, layout};

/// Bytes of memory that the service of a recipe takes when it is made; it takes none later.
///
/// # Errors
/// [`LayoutError`], as [`Statefsd::new`].
pub fn memory(recipe: &StateRecipe) -> Result<u64, LayoutError> {
    let format = layout(recipe)?;
    let waiting = recipe.statefsd.pending * recipe.shares.len() as u32;
    let bytes = size_of::<Statefsd>() - size_of::<Store>()
        + Store::memory(&format)
        + Shares::new(recipe).bytes()
        + Drafts::bytes(format.limits().open)
        + Waiting::bytes(waiting)
        + FRAME_BYTES_MAX;
    Ok(bytes as u64)
}
