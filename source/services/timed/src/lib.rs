//! timed: timers that share wake-ups.
//!
//! [`Timed`] is a state machine: frames and time in, replies out. A deadline is rounded up to a
//! multiple of its class' window, so that what may be late by some milliseconds ends together with
//! others: one wake-up instead of many. Nothing ends before its deadline, nor drifts, as deadlines
//! are times and not durations. Whose a timer is the stamp of its request says; it goes with the
//! life of its owner.
//!
//! Invariants: every request gets one reply, a sleeper's when its time has come; no sender has more
//! than [`PER_OWNER`] timers, nor all together more than [`TIMERS_MAX`].
//!
//! Deliberately absent: periodic timers (whoever wants one sets the next), telling anybody but a
//! sleeper that a timer has run out, and wall-clock time.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod proof;
mod service;
mod telemetry;
mod timers;

pub use service::Timed;
pub use timers::{PER_OWNER, TIMERS_MAX};
