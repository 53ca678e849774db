//! metricsd as a state machine: metrics and spans with bounded memory, exported to the journal.
//!
//! A frame goes through decode, identity, budgets, and ends in the registry or among the live
//! spans; what is there is exported to logd and read by SCRAPE. Everything is allocated when the
//! service is made; handling an event allocates nothing and cannot panic on input.
//!
//! Deliberately absent: storage of windows beyond the last closed ones, and any clock or socket.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod conversation;
mod export;
mod keys;
mod limits;
mod own;
mod reads;
mod registry;
mod retention;
mod rows;
mod service;
mod sessions;
mod share;
mod shares;
mod spans;
mod status;
mod updates;
mod windows;

pub use limits::{CounterBytes, counter_series_bytes, memory_budget};
pub use nexus_retention::Keep;
pub use retention::{explain_retention, flash_bytes_per_day};
pub use service::Metricsd;
pub use share::share;
