//! Containers, bytes and time that cannot outgrow their bounds.
//!
//! Everything here takes its memory when it is made and never more. Capacities are given at run
//! time, because limits come from a recipe; an operation that would exceed one says so in its
//! result and changes nothing.
//!
//! Deliberately absent: growth, hashing, and anything that reads a clock.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod blocks;
mod byte_queue;
pub mod bytes;
pub mod eights;
mod secret;
mod slab;
mod text;
mod time;
mod token_bucket;

pub use blocks::{BlockChain, BlockStore};
pub use byte_queue::{ByteQueue, Cursor};
pub use secret::Secret;
pub use slab::{Slab, SlotId};
pub use text::Text;
pub use time::{Mono, Nanos, Wall};
pub use token_bucket::TokenBucket;
