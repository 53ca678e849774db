//! What is kept on a disk: a write-ahead log, sealed columnar segments, and rollups in time.
//!
//! - [`wal`]: a ring of records of any bytes over a fixed number of sectors. What was synced
//!   survives a crash; recovery says what did not.
//! - [`segment`]: what happened in a few hundred windows, column by column, written once. One
//!   series can be read without the others.
//! - [`rollup`]: columns of longer windows out of columns of shorter ones, exactly.
//! - [`name`], [`manifest`], [`recovery`]: how the files are called, what ties them together, and
//!   what each combination of them means after a crash.
//!
//! Nothing here reads or writes a device: functions take bytes and give bytes, and say where they
//! belong. Memory is taken by constructors only. The same input gives the same bytes, always.
//! Every byte on the disk: `docs/retention-format.md`.
//!
//! Deliberately absent: what a record of the log or the key of a series means, when to seal, sync
//! or delete, floating point, and compression that a reader of the page could not do by hand.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod bytes;
mod keep;
pub mod manifest;
pub mod name;
pub mod recovery;
pub mod rollup;
pub mod segment;
pub mod wal;

pub use keep::Keep;
