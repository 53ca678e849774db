//! statefsd: the only owner of the state disk, as a service.
//!
//! [`Statefsd`] is a state machine around a [`statefs::Store`]: frames and ends of block requests
//! in, replies and block requests out. Who asks sees the files below its own prefix, which follows
//! from the stamp, and has a share of the disk that nobody else can take. Changes happen in memory
//! and are answered at once; reads and syncs wait for the disk, several at a time, and end in any
//! order. Syncs that wait together are one sync of the store.
//!
//! When the disk fails, whoever waits for a sync is told, the store is mounted anew from its last
//! sync, after pauses that double, and a new epoch begins: by it a client learns that what it did
//! and had not synced is gone.
//!
//! Invariants: memory is taken in [`Statefsd::new`] and never after; every request gets one reply;
//! no SYNC is answered `ok` that is not durable; a disk that holds anything but one of our stores
//! is left alone, unless both places of its superblock are zeros: then it is formatted.
//!
//! Deliberately absent: records, metrics, and any decision about what files mean.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod changes;
mod disk;
mod drafts;
mod layout;
mod memory;
mod pending;
mod reads;
mod service;
mod shares;

pub use layout::{LayoutError, for_share, layout};
pub use memory::memory;
pub use service::Statefsd;
