//! What is kept, read by somebody who may wait and has only the files: a tool, on a machine that
//! may not boot any more. Nothing is written, and nothing asked of the service that wrote it.
//!
//! - [`Log`]: the records of a write-ahead log, out of as many of its files as there are.
//! - [`Archive`]: metricsd's files. What the log holds and no segment does is sealed in memory, by
//!   the code that would have done it, and read as a segment like the others.
//!
//! Damage is named, each with its file, and costs no more than what it is in. What is of another
//! version is named and not read. Unlike the rest of this crate, this takes memory as it goes.

mod archive;
mod finding;
mod log;
mod tail;

pub use archive::{Answer, Archive, Interrupted};
pub use finding::{Finding, Problem};
pub use log::{Log, newest_generation};

use alloc::string::String;
use alloc::vec::Vec;

/// Files that somebody has.
pub trait Files {
    /// Their names, and how many bytes each has.
    fn list(&mut self) -> Vec<(String, u32)>;

    /// Fills `out` with bytes of a file; `false` if the device does not read them, or they are
    /// damaged.
    fn read(&mut self, name: &str, offset: u32, out: &mut [u8]) -> bool;
}
