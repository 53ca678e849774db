//! Structured log records for applications.
//!
//! ```
//! use nexus_log::{Level, error, info, set_level, trace};
//!
//! let (bundle, pid) = ("demo.hello", 7);
//! info!("execd", "spawned {bundle}"; pid = pid, attempt = 1);
//! error!("execd.load", "cannot read {}: {}", bundle, "no such file");
//!
//! // Nothing of this is evaluated unless somebody asks for it.
//! trace!("execd", "table {:?}", (0..1000).collect::<Vec<_>>());
//! set_level(Some(Level::Trace));
//! ```
//!
//! A record has a level, a scope, a message and fields. Scopes and keys are checked while the
//! program is compiled. Message and fields are formatted into buffers on the stack, without
//! allocation; what is too long ([`limits`]) is cut between two characters and marked with `…`,
//! and a field `cut` says by how many bytes. A newline in a value becomes `\n`, two characters.
//! A record that is logged inside a span carries `span_id` and `trace_id`, one that had to wait
//! `at_ns`, the monotonic time at which it was logged.
//!
//! Records go to the process's [`Sink`], which a port installs once at start. Its work is done by
//! a [`Courier`]: it sends at once, never blocks, keeps a bounded queue while logd is away, and
//! tells in a gap record (`event=gap.v1`) what did not get through. Where the port has a console a
//! [`Fallback`] shows there, bounded and counted, what is logged meanwhile. `install_panic_hook`
//! logs panics and flushes. A service that may read asks by a [`SearchClient`].
//!
//! The feature `std` brings threads and the panic hook, `memory` a sink for unit tests. Without it
//! a process has one thread.
//!
//! Deliberately absent: output to a terminal while logd is there, filters by scope, and any way to
//! say who one is; that is stamped by whoever carries the frames.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod courier;
mod cut;
mod fallback;
pub mod limits;
mod macros;
#[cfg(feature = "memory")]
pub mod memory;
mod names;
#[cfg(feature = "std")]
mod panics;
mod record;
mod search;
mod shared;
mod threads;

pub use courier::Courier;
pub use fallback::Fallback;
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
pub use record::{Record, SpanLife, SpanRef, log_as};
pub use search::{NotFound, SearchClient};
pub use shared::SharedCourier;
pub use threads::{Sink, enabled, flush, install, install_span_source, set_level};
