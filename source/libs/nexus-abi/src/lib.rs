//! Identity and rights as they are stamped on every frame, and the interface of the kernel.
//!
//! Whoever carries a frame (the kernel, a Unix socket's credentials, the simulated world) stamps
//! it with a [`Sender`]. Services decide by the stamp alone; nothing in a payload can change it.
//!
//! Deliberately absent: any way to turn bytes of a frame into a [`SenderId`].
#![no_std]
#![forbid(unsafe_code)]

pub mod kernel;
mod sender;
mod service_id;

pub use sender::{ExitReason, Incarnation, Life, Rights, Sender, SenderId};
pub use service_id::ServiceId;

/// Frames are at most this many bytes in every world.
pub const FRAME_BYTES_MAX: usize = 4096;
