//! execd: starts programs from bundles, and says how they ended.
//!
//! [`Execd`] is a state machine. Whoever asks must be allowed to start that bundle, and the
//! program, under the name of its entry, must be allowed what the bundle says that it needs: both
//! says policyd. The bundle comes from bundlemgrd in pieces, and its digest has to be right. What
//! starts and ends processes is its world, behind [`Processes`](nexus_bundle::Processes).
//!
//! Each request to start is a span, `exec.path`, with the children `policy`, `fetch`, `load` and
//! `start`. A process that ends badly is reported: a line on the console at once, a record in the
//! journal, and behind it the last lines that the process logged. Nothing is polled: its world
//! wakes execd when a process has ended. A new life of execd takes over what its former lives have
//! started, and reports what ended in between, and what one of them has reported before it ended
//! and metricsd and logd did not get.
//!
//! Invariants: every request has one answer; one request at a time waits for other services, few
//! for their turn; nothing is started that both checks have not allowed.
//!
//! Deliberately absent: starting again what has ended (whoever wants it asks), and the program's
//! bytes: under the kernel whatever can run is an entry of the boot image, so the bundle is looked
//! at whole and given away, and starts only if its program is the very one that its entry runs.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod crash;
mod job;
mod lives;
mod proof;
mod service;
mod telemetry;

pub use service::Execd;
