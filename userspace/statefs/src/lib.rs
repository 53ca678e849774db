//! A crash-safe store of bounded files over a block device that may lose power at any time.
//!
//! A [`Store`] is a state machine: [`Store::next_io`] says what to ask the device for,
//! [`Store::complete`] takes what became of it, one request at a time. Changes ([`Store::create`],
//! [`Store::append`], ..) are made in memory and return at once; a [`Store::sync`] makes all that
//! was done before it durable, all or nothing. Reading ([`Store::locate`]) takes no request of the
//! store's: whoever reads asks the device for a [`Span`] and lets it check what came, as many at a
//! time as they like.
//!
//! What always holds:
//! - After a crash the store is as it was at the last sync that was reported durable, or at one
//!   that was under way.
//! - No sector is written again that the last durable sync needs. Each sector of a file is written
//!   once; metadata goes to the free part of a journal, and to an area of it only after the other
//!   one has superseded it.
//! - Every byte is under a CRC-32C. Metadata lies there twice: one damaged sector costs none of it.
//!   A damaged sector of a file costs its own bytes, and reading them is an error.
//! - All memory is taken by [`Store::new`], and [`Store::memory`] says how much.
//!
//! Every byte on the disk: `docs/state-format.md`. Deliberately absent: rewriting within a file,
//! folders, times, owners, compression.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

pub mod blocking;
mod files;
mod format;
mod freed;
mod fsck;
mod journal;
mod name;
mod quota;
mod sector;
mod space;
mod stage;
mod store;

pub use files::{FILES_MAX, File};
pub use format::{Format, FormatError, Limits, Twin, VERSION};
pub use fsck::{Finding, Report, fsck};
pub use journal::Kind;
pub use name::{NAME_BYTES_MAX, Name};
pub use quota::{QUOTAS_MAX, Quota};
pub use sector::PAYLOAD_BYTES;
pub use space::{EXTENTS_MAX, Extent};
pub use stage::STAGE_SECTORS;
pub use store::{
    APPEND_BYTES_MAX, Damaged, Entry, Fault, Found, Recovery, Refusal, Span, State, Store, SyncId,
};
