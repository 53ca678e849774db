//! The service on a simulated disk, whose requests end in any order, as its clients see it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crashes;
mod failures;
mod files;
mod hostile;
mod model;
mod rig;
mod syncs;
