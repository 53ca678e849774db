//! entropyd: bytes that nobody can foresee.
//!
//! [`Entropyd`] is a state machine: requests in, bytes of a [`Source`] out. It is a service of its
//! own because whoever drives a device that writes memory by itself can reach all memory: this one
//! knows nothing else, and reads nothing that anybody has sent but a number.
//!
//! Invariants: nobody is given bytes that somebody else was given; a source that repeats itself is
//! not believed; no memory is taken after the start.
//!
//! Deliberately absent: a generator that stretches what the source gives, and budgets for senders:
//! the image says who may ask at all.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

mod proof;
mod service;
mod telemetry;

pub use service::{Entropyd, Source};
