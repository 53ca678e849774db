//! Structured log records for applications.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod courier;
mod cut;
pub mod limits;
mod macros;
#[cfg(feature = "memory")]
pub mod memory;
mod names;
#[cfg(feature = "std")]
mod panics;
mod record;
#[cfg(feature = "std")]
mod shared;
mod threads;

pub use courier::Courier;
#[doc(hidden)]
pub use names::check_keys;
pub use names::{StaticKey, StaticScope};
pub use nexus_bounded::Secret;
pub use nexus_port::{Closed, SendError, Transport};
pub use nexus_wire::Level;
#[cfg(feature = "std")]
pub use panics::install_panic_hook;
#[doc(hidden)]
pub use record::log as __log;
pub use record::{Record, SpanRef, log_as};
#[cfg(feature = "std")]
pub use shared::SharedCourier;
pub use threads::{Sink, enabled, flush, install, install_span_source, set_level};
