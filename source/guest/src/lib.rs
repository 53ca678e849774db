//! What the programs of the boot image have in common: the recipe that was compiled into them.
//!
//! A program is a file in `bin/` that joins a package that knows no system to the kernel's port.
//! `recipes/system/image.toml` says which of them boot and what they may do.
//!
//! Deliberately absent: anything that a service decides.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bundles;
mod children;
mod cut;
mod forgetful;
mod hanging;
mod lenient;
mod misremembering;
mod mistaken;
mod mortal;
mod names;
mod newborn;
mod pace;
mod pages;
mod policy;
mod receipts;
mod reporter;
mod retold;
mod rough;
mod state;
mod twin;
mod volatile;

pub use bundles::{BOOT_BUNDLES, bundles_recipe};
pub use children::{Calls, Children};
pub use cut::Cut;
pub use forgetful::Forgetful;
pub use hanging::Hanging;
pub use lenient::Lenient;
pub use misremembering::{Misremembered, Misremembering};
pub use mistaken::Mistaken;
pub use mortal::Mortal;
pub use names::names;
pub use newborn::Newborn;
pub use pace::PACE;
pub use pages::Pages;
pub use policy::policy;
pub use receipts::Receipts;
pub use reporter::{RECORDS, REPORTER, Reporter, WAKES};
pub use retold::{Alteration, Retold};
pub use rough::{CHANGES, CUTS, DOWNGRADES, REPEATS, Rough};
pub use state::{state_recipe, statefsd};
pub use twin::{Lie, Twin};
pub use volatile::Volatile;

use nexus_bounded::Nanos;
use nexus_recipe::{
    BucketRule, Budget, ExportLimits, LogRetention, LogdLimits, MetricsRetention, MetricsdLimits,
    OnSecret, PortLimits, Recipe, Redaction, SenderRule, TierLimits,
};

/// The recipe of this image, `recipes/observability/guest.toml`.
#[must_use]
pub fn recipe() -> Recipe {
    include!(concat!(env!("OUT_DIR"), "/recipe.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../recipes/observability/guest.toml");

    #[test]
    fn what_was_compiled_is_what_the_parser_reads() {
        assert_eq!(Recipe::parse(TEXT), Ok(recipe()));
    }
}
