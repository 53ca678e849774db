//! The interface between `neuron` and its processes, version [`VERSION`].
//!
//! `docs/kernel.md` is the whole of it, and a test holds that page to this module. A system call
//! puts its number in `a7` and its arguments in `a0` to `a5`; the answer comes in `a0` to `a5`.
//!
//! Deliberately absent: anything about what processes say to each other.

mod child;
mod event;
mod limits;
mod numbers;

pub use child::ChildStatus;
pub use event::{Change, Received};
pub use limits::{
    ADDRESS_HEAP, ADDRESS_IMAGE, ADDRESS_RESOURCES, ADDRESS_STACK_END, CALLS_MAX, CAPABILITIES_MAX,
    GROW_PAGES_MAX, LEVELS, LINE_BYTES_MAX, NEVER, PAGE_BYTES, PROCESSES_MAX, RESOURCE_SLOTS,
};
pub use numbers::{CapabilityKind, KernelError, Signals, SystemCall};

/// Grows when anything of this module does; a decision record says why.
pub const VERSION: u32 = 2;
