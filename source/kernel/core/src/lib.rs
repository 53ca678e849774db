//! What the kernel decides: who may call whom, whose turn it is, what wakes whom, what ends mean.
//!
//! Plain data and no machine: page tables, registers and copying belong to whoever implements
//! [`Machine`], which is `neuron` on hardware and a model in the tests. All tables are as large as
//! they will ever be, and every operation visits each of their rows at most once.
//!
//! [`Kernel`] has one method per system call that concerns others; [`Image`] is what boots.
//!
//! Deliberately absent: allocation, locks (there is one hart), and any word of what processes say.
#![no_std]
#![forbid(unsafe_code)]

mod calls;
mod capability;
mod frames;
mod image;
mod kernel;
mod process;
mod schedule;
mod set;
mod turns;

pub use calls::Extent;
pub use capability::{Capabilities, Capability};
pub use frames::Frames;
pub use image::{Entry, Image, ImageError, RESOURCE_STRIDE, Resource, Segment, format};
pub use kernel::{Kernel, Machine};
pub use schedule::{SLICES_PER_SECOND, Schedule};
pub use set::{ProcessId, Set};
pub use turns::Turns;
