//! Every limit of logd, metricsd and statefsd, who may do what, and the recipes that say so.
//!
//! [`Recipe`] is plain data without a parser, fit for a guest image. With the feature `parse` (the
//! hosts) [`Recipe::parse`] reads `recipes/observability/metrics.toml`: unknown keys, impossible
//! values and contradictions are errors that name their line; nothing is ever defaulted. What it
//! has read can be compiled into a program (`Recipe::to_source`). [`StateRecipe`] is the same for
//! statefsd and its disk, [`BundlesRecipe`] for bundlemgrd, execd and the bundles of the boot
//! image, [`Policy`] for who may do what, [`Keys`] for who proves to be whom.
#![cfg_attr(not(feature = "parse"), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod blocks;
mod bundles;
mod keys;
mod limits;
mod memory;
#[cfg(feature = "parse")]
mod parse;
mod policy;
#[cfg(feature = "parse")]
mod source;
mod state;

pub use blocks::{JournalBlocks, TextBlocks};
pub use bundles::{BUNDLE_NEEDS, BootBundle, BundlemgrdLimits, BundlesRecipe, ExecdLimits};
pub use keys::{EndpointKeys, KEY_BYTES, Keyring, Keys, PeerKey};
pub use limits::*;
pub use memory::{MemoryBudget, MemoryLine};
#[cfg(feature = "parse")]
pub use parse::{RecipeError, RecipeErrors};
pub use policy::{AuditLimits, POLICY_OBJECT_BYTES_MAX, Policy, PolicyRule};
pub use state::{ShareRule, StateRecipe, StatefsdLimits};
