//! The Linux port: one frame a packet over `SOCK_SEQPACKET`, identity by the kernel's word.
//!
//! * [`daemon`] runs a service behind its sockets.
//! * [`front`] is the command line that logd and metricsd share.
//! * [`client`] is a program's connection to a daemon.
//! * [`parent`] ends a process with the one that started it.
//! * [`telemetry`] brings what a program records to the daemons, in the background.
//!
//! No socket of another family than `AF_UNIX` is ever made here.

pub mod client;
mod clock;
pub mod daemon;
pub mod front;
mod link;
pub mod parent;
mod socket;
pub mod telemetry;

pub use clock::monotonic;
pub use link::Link;
