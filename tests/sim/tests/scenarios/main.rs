//! Proofs of the whole system in the simulated world. Each has a twin that must fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clocks;
mod device;
mod figures;
mod history;
mod hostile;
mod kept;
mod laps;
mod outage;
mod sameness;
mod scale;
mod secrets;
mod state;
mod tape;
mod threads;
