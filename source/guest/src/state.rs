use nexus_bounded::Nanos;
use nexus_recipe::{Budget, ShareRule, StateRecipe, StatefsdLimits};
use statefsd::Statefsd;

/// The recipe of the state disk of this image, `recipes/observability/state.toml`.
#[must_use]
pub fn state_recipe() -> StateRecipe {
    include!(concat!(env!("OUT_DIR"), "/state.rs"))
}

/// The owner of the disk, in its life `boot`. A recipe that cannot be ends it: a test knows ours.
#[must_use]
pub fn statefsd(boot: u32) -> Statefsd {
    match Statefsd::new(&state_recipe(), boot) {
        Ok(service) => service,
        Err(error) => panic!("state.toml: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../recipes/observability/state.toml");

    #[test]
    fn what_was_compiled_is_what_the_parser_reads_and_a_disk_can_be_laid_out_so() {
        assert_eq!(StateRecipe::parse(TEXT), Ok(state_recipe()));
        assert!(statefsd::layout(&state_recipe()).is_ok());
    }

    #[test]
    fn the_services_have_the_shares_that_their_recipe_needs() {
        let (recipe, state) = (crate::recipe(), state_recipe());
        for needed in [metricsd::share(&recipe), logd::share(&recipe)] {
            let has = state.shares.iter().find(|share| share.name == needed.name).unwrap();
            assert!(needed.bytes <= has.bytes && needed.files <= has.files, "{needed:?}");
            assert!(needed.open <= has.open, "{needed:?}");
        }
    }
}
