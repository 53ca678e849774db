//! What is kept on a disk: a write-ahead log, sealed columnar segments, and rollups in time.
//!
//! - [`wal`]: a ring of records of any bytes over a fixed number of sectors. What was synced
//!   survives a crash; recovery says what did not.
//! - [`log`]: such a ring in files, which are begun and deleted whole.
//! - [`segment`]: what happened in a few hundred windows, column by column, written once. One
//!   series can be read without the others.
//! - [`key`], [`record`], [`recorder`]: what metricsd keeps. Its log says window by window what has
//!   changed; a recorder holds up to 64 windows of that in memory and gives their columns.
//! - [`keeper`]: all of that put together: windows into the log and into segments, segments into
//!   longer windows, exactly, what is too old or too much away.
//! - [`history`]: what is kept, read back in steps of a length, without waiting for a device.
//! - [`offline`]: the same for tools that have only the files, on damaged copies too.
//! - [`name`], [`manifest`], [`recovery`]: how the files are called, what ties them together, and
//!   what each combination of them means after a crash.
//! - [`journal`]: what a record of logd's log is.
//! - [`generation`]: a prefix of names, so that what is suspected can be set aside.
//! - [`files`]: calls to statefsd, which has the files in every world; [`PatientFiles`]: those of
//!   a service that gives up on one that says nothing.
//!
//! Nothing here reads or writes a device: functions take bytes and give bytes and say where they
//! belong, state machines ask statefsd by a [`nexus_port::World`]. Memory is taken by constructors
//! only. The same input gives the same bytes, always. Every byte on the disk:
//! `docs/retention-format.md`.
//!
//! Deliberately absent: floating point, and compression that a reader of the page could not do by
//! hand.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod bytes;
pub mod files;
pub mod generation;
pub mod history;
pub mod journal;
mod keep;
pub mod keeper;
pub mod key;
pub mod log;
pub mod manifest;
pub mod name;
pub mod offline;
mod patient;
pub mod record;
pub mod recorder;
pub mod recovery;
mod rollup;
pub mod segment;
pub mod wal;

pub use keep::Keep;
pub use patient::PatientFiles;
