//! logd: the journal as a service.
//!
//! [`Logd`] is a state machine: frames and time in, replies and markers out. What it accepts has
//! passed, in this order: the shape of the frame, the sender's budget, the recipe's sizes, the
//! canonical form, the ban on claims of identity, and redaction. Records live in the journal until
//! their sender's share and the total run out; what is dropped is counted in a gap that readers
//! see. Reading is a right that the stamp of the sender gives.
//!
//! Invariants: memory is taken in [`Logd::new`] and never after; every request gets one reply;
//! for every sender `offered = accepted + refused + dropped`, and what is accepted is kept.
//!
//! Where there are files, what is appended goes there too, and former lives' records are in the
//! journal again: [`Keep`]. Without them nobody is called and no memory is taken for it.
//!
//! Deliberately absent: subscriptions, and records about records: logd tells of losses by gaps and
//! counters. Its only own records are the one by which it proves at start that appending and
//! reading work, and one when keeping on the disk begins to fail, or works again.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod admission;
mod anchors;
mod append;
mod journal;
mod keeping;
mod memory;
mod past;
mod proof;
mod reads;
mod search;
mod service;
mod status;
mod table;

pub use keeping::share;
pub use memory::memory_budget;
pub use nexus_retention::Keep;
pub use service::Logd;
