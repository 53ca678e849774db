//! Counters, gauges, histograms and spans for applications.
#![no_std]
#![forbid(unsafe_code)]

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
pub use threads::global;
#[cfg(not(feature = "std"))]
pub use threads::install_clock;
