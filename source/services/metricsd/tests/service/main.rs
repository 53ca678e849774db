//! metricsd as its users meet it: frames in, replies out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batches;
mod caps;
mod common;
mod conservation;
mod hostile;
mod lives;
mod own;
mod reject;
mod semantics;
mod spans;
mod vectors;
mod windows;
