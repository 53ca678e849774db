use nexus_bounded::Nanos;
use nexus_recipe::{BootBundle, BundlemgrdLimits, BundlesRecipe, ExecdLimits};

/// Bundles of the boot image, made of its own programs; none where it was not built to boot.
pub const BOOT_BUNDLES: &[&[u8]] = include!(concat!(env!("OUT_DIR"), "/boot.rs"));

/// The recipe of bundles of this image, `recipes/system/bundles.toml`.
#[must_use]
pub fn bundles_recipe() -> BundlesRecipe {
    include!(concat!(env!("OUT_DIR"), "/bundles.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../recipes/system/bundles.toml");
    /// Bytes of a sector that are a file's.
    const SECTOR: u32 = 508;

    #[test]
    fn what_was_compiled_is_what_the_parser_reads() {
        assert_eq!(BundlesRecipe::parse(TEXT), Ok(bundles_recipe()));
    }

    #[test]
    fn the_state_disk_has_room_for_all_bundles_and_one_that_is_being_brought() {
        let BundlemgrdLimits { bundles, bundle_bytes, state_bytes, .. } =
            bundles_recipe().bundlemgrd;
        let state = crate::state_recipe();
        let share = state.shares.iter().find(|share| share.name == "bundlemgrd").unwrap();
        let on_disk = bundles - bundles_recipe().boot.len() as u32;
        // Each file ends within a sector.
        let sectors = state_bytes.div_ceil(SECTOR) + on_disk + bundle_bytes.div_ceil(SECTOR) + 1;
        assert!(sectors * 512 <= share.bytes, "{sectors} sectors");
        assert!(on_disk < share.files && share.open >= 1);
    }
}
