//! Counters, gauges, histograms and spans for applications.
//!
//! Recording costs a few nanoseconds, takes no memory and never waits; a [`Flusher`] brings it to
//! metricsd in the background. On Linux `nexus_rt` runs one: a program starts it once, and from
//! then on only says what happens.
//!
//! ```
//! use nexus_metrics::{counter, gauge, histogram, key, span};
//!
//! fn spawn(bundle: &str) -> Result<u32, String> {
//!     let mut span = span!("exec.spawn", bundle = bundle);
//!     counter!("exec_spawns_total").inc();
//!     let loaded = load(bundle).inspect_err(|_| span.fail())?;
//!     histogram!("exec_image_bytes", unit = Bytes).observe(loaded);
//!     gauge!("exec_running").add(1);
//!     span.attr(key!("pid"), 7);
//!     Ok(7)
//! }
//!
//! fn load(bundle: &str) -> Result<u64, String> {
//!     // A child of the span above: it is open on this thread.
//!     let _span = span!("exec.load");
//!     if bundle.is_empty() { Err("no bundle".into()) } else { Ok(4096) }
//! }
//! # assert_eq!(spawn("demo.hello"), Ok(7));
//! # assert!(spawn("").is_err());
//! ```
//!
//! # Series
//!
//! A series is a kind, a name and labels. Names and keys in the macros are checked while the
//! program is compiled; a call site asks for its series once and keeps the handle. Labels whose
//! values are known only at run time go through a [`Family`], which remembers 64 sets of values
//! and gathers the surplus in one series labelled `_overflow`: totals stay exact. Handles are
//! `Copy` and may be kept anywhere. Names that are known only at run time go through
//! [`Client::counter`] and its like on [`global()`].
//!
//! | | records | costs |
//! |---|---|---|
//! | [`Counter`] | a total that only rises, u64 | a load and a store |
//! | [`Gauge`] | a value of now, i64 | a store |
//! | [`Histogram`] | observations by size, and their sum | two loads and stores |
//! | [`SpanGuard`] | that something took time, how it ended, and within what | two clock reads |
//!
//! # Spans
//!
//! [`span!`](crate::span!) returns a guard. The span ends when it is dropped: as an error after
//! [`SpanGuard::fail`] or when the thread panics. Spans that begin meanwhile on the thread are its
//! children. Another thread is given the [`SpanContext`]: `span!(parent = context, "name")`. Ids
//! are counted, not drawn: from 1 in each process, one number for each span, which a span without
//! parent gives its trace too. A span that is open for longer than a second is announced, so that
//! metricsd can close it as abandoned if the process dies.
//!
//! # Loss
//!
//! Everything is bounded ([`limits`]), and nothing is lost without being counted by
//! [`LossReason`]; the counts are sent along. While metricsd is away totals go on and are told
//! when it is back; spans fill their rings, and then the newest are dropped.
//!
//! # What lives where
//!
//! Counters and histograms live in *cells*. A cell is a u64 that only rises and wraps; a page is
//! 512 cells in one 4 KiB page of memory, aligned, without header or pointers. Cell `n` of the
//! process is place `n % 512` of the pages of column `n / 512`. A page belongs to one thread at a
//! time, which alone writes it; the value of a cell is the sum over all pages of its column. Pages
//! are never zeroed: when a thread ends its pages pass to the next. A thread for which there is no
//! page counts in pages that all share, by `fetch_add`. So the layout could be mapped into another
//! process as it is. Gauges are one atomic each. Finished spans wait in a ring per thread.
//!
//! A forked child goes on counting, but nothing of it is sent until it makes a flusher of its own:
//! [`Flusher::for_forked_child`].
//!
//! # Without the standard library
//!
//! Without the feature `std` a process has one thread, and its port tells the time by
//! `install_clock`. The feature `memory` lets unit tests read back what was recorded. With the
//! feature `off` nothing is recorded, and a program is as if it said nothing of what happens.
//!
//! Deliberately absent: floating point, wall-clock time, randomness, sampling, and any way to say
//! who one is; that is stamped by whoever carries the frames.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod attrs;
mod bounds;
mod cells;
mod client;
mod family;
mod flush;
mod gauges;
mod handles;
mod lane;
pub mod limits;
mod loss;
mod macros;
#[cfg(feature = "memory")]
pub mod memory;
mod names;
mod record;
mod registry;
mod ring;
mod sites;
mod span;
mod span_names;
mod steps;
mod threads;

pub use attrs::AttrValue;
pub use bounds::Bounds;
pub use client::{Client, OpenSpan};
pub use family::{CounterFamily, Family, GaugeFamily, HistogramFamily};
pub use flush::{Flusher, Pace};
pub use handles::{Counter, Gauge, Handle, Histogram};
#[doc(hidden)]
pub use names::distinct;
pub use names::{StaticKey, StaticLabels, StaticName};
pub use nexus_bounded::Secret;
pub use nexus_port::{Closed, SendError, Transport};
pub use nexus_wire::{Kind, LossReason, MetricName, SpanName, SpanStatus, Unit};
pub use registry::{Refused, Spec};
pub use sites::{CounterSite, Site};
pub use span::{SpanContext, SpanGuard, SpanSite};
pub use steps::Steps;
pub use threads::global;
#[cfg(not(feature = "std"))]
pub use threads::install_clock;

/// Whether nothing is recorded.
const OFF: bool = cfg!(feature = "off");
