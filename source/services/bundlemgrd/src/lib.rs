//! bundlemgrd: programs with all that is to be known of them.
//!
//! [`Bundlemgrd`] is a state machine. It keeps a catalogue of the bundles in the boot image, which
//! it is given as bytes, and of those on the state disk, which it reads through statefsd. Whom the
//! policy allows may bring a bundle, piece by piece: it is there when its digest was right and
//! statefsd has made it durable, and before that nobody sees it.
//!
//! Invariants: nothing is in the catalogue that was not seen whole with the right digest; no
//! installer has more bytes on the disk than its quota, nor all together more than theirs; one
//! request at a time waits for another service, and few for their turn.
//!
//! Deliberately absent: any order of versions, two bundles of one name, and starting anything.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod catalogue;
mod disk;
mod install;
mod parked;
mod path;
mod proof;
mod reading;
mod scan;
mod service;
mod telemetry;

pub use service::Bundlemgrd;
