//! A process of the kernel `neuron`: where it begins, what it may ask, its memory and its time.
//!
//! [`service!`](crate::service) makes a program of a service: [`run`] is the loop around it. For
//! others [`program!`](crate::program) names the function that a program begins with. Either may
//! record by nexus-log and nexus-metrics: an [`Aside`] brings that to the daemons. What the
//! kernel can be asked is in [`calls`], safe wherever that can be: a frame that is lent for a call
//! stays borrowed until the kernel has forgotten it.
//!
//! Deliberately absent: threads. Memory that is given back is used again where a program says so
//! ([`reuse`]), and never goes back to the kernel. A process that is done ends.

mod aside;
mod birth;
pub mod calls;
mod console;
mod disk;
mod entropy;
mod frames;
mod heap;
mod link;
mod port;
mod start;
mod time;
mod virtio;

pub use aside::{Aside, Logs, Receipt, Receipted, Telemetry};
pub use birth::Start;
pub use console::say;
pub use entropy::{Entropy, Unfit};
pub use heap::{reuse, seal, taken};
pub use port::{SET_ASIDE, run, run_with, tell_memory};
pub use time::{Clock, instructions, monotonic};
