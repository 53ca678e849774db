//! bundlemgrd: programs with all that is to be known of them.
//!
//! [`Bundlemgrd`] is a state machine. It has the bundles of the boot image, which it is given as
//! bytes, and those of the state disk, in a [`nexus_bundle::store::Store`] that it joins with
//! statefsd. Whom the policy allows may bring a bundle, piece by piece, and take it away.
//!
//! Invariants: no installer has more bytes on the disk than its quota, nor all together more than
//! theirs; one request at a time waits for another service, and few for their turn.
//!
//! Deliberately absent: any order of versions, two bundles of one name, and starting anything.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod proof;
mod requests;
mod service;
mod telemetry;
mod waiting;

pub use service::Bundlemgrd;
