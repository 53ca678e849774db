//! dsoftbusd: sessions between endpoints that prove to each other who they are.
//!
//! [`Dsoftbusd`] is a state machine, and the same one at both ends. To local programs it opens
//! sessions with other endpoints, if policyd allows it, and carries what they ask and what is
//! answered. To other endpoints it is who answers. Both sides know each other's public key before,
//! and prove in a Noise handshake that they have the private one; what is said afterwards only the
//! two can read, each message once and in order. Who somebody is says the kernel's stamp too: a
//! session belongs to one life of its owner, and is taken from one life of the other endpoint.
//!
//! Invariants: no message is sealed twice under one counter; nothing of a message is believed
//! before it is authentic; what is refused changes nothing; sessions are bounded for each owner,
//! each endpoint and all together, and end with their owner's life or when nothing is said;
//! entropy comes in by frames from entropyd, and each piece serves one handshake.
//!
//! Memory: everything but what Noise takes is taken at start. A session takes the same few blocks
//! every time and gives them back, so that an allocator which keeps blocks by their size needs no
//! more than as many sessions as may be.
//!
//! Deliberately absent: a network, sessions that outlive a life of either side, several questions
//! under way over one session, and keys that change while a system runs.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod answers;
mod line;
mod proof;
mod records;
mod requests;
mod says;
mod service;
mod telemetry;
mod teller;
mod wishes;

pub use says::Says;
pub use service::Dsoftbusd;
pub use wishes::WAITING_MAX;
