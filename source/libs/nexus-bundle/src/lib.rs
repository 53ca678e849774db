//! Bundles: a program with its name, version, entry, rights, memory and digest.
//!
//! `docs/bundle-format.md` is this crate in prose, byte by byte; a test holds the two together.
//! A bundle comes in pieces and is never held whole: [`Checker`] is shown them one after another,
//! and in the end says whether they are a bundle. [`BundleClient`] is how a service asks bundlemgrd
//! for one, [`store::Store`] how bundlemgrd has them, [`Fetch`] how a bundle comes whole, and
//! [`Processes`] what starts its [`Program`].
//!
//! Deliberately absent: compression, signatures (the digest says that nothing was damaged, the
//! policy who may bring a bundle), and what is in the program.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod checker;
mod client;
mod defect;
mod fetch;
mod format;
mod processes;
mod program;
pub mod store;

pub use checker::{Checker, Whole};
pub use client::{BundleClient, NoAnswer};
pub use defect::Defect;
pub use fetch::{Fetch, NoBundle};
pub use format::{BUNDLE_BYTES_MIN, HEAD_BYTES, HEADER_BYTES_MAX, MEMORY_KIB_MAX, Manifest, pack};
pub use processes::{Left, LeftState, LoadError, Processes, StartError};
pub use program::Program;
