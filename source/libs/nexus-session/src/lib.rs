//! Sessions of one endpoint with others, whoever has begun them.
//!
//! [`Endpoint`] is a state machine without clock, entropy or policy of its own: what it is told
//! changes it, and what has come of that it tells as [`Happened`]. It asks other endpoints and
//! entropyd by the calls of its world. Whether somebody may have a session, what is answered, and
//! what is recorded of it is its user's.
//!
//! Invariants: no message is sealed twice under one counter; nothing of a message is believed
//! before it is authentic; what is refused changes nothing; sessions are bounded for each owner,
//! each endpoint and all together, and end with their owner's life or when nothing is said;
//! each piece of entropy serves one handshake.
//!
//! Memory: everything but what Noise takes is taken at start. A session takes the same few blocks
//! every time and gives them back.
//!
//! Deliberately absent: sessions that outlive a life of either side, several questions under way
//! over one session, and keys that change.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod accepted;
mod endpoint;
mod happened;
mod line;
mod noise;
mod numbers;
mod opened;
#[cfg(test)]
mod page;
mod place;
mod ring;
mod rooms;
mod seeds;
mod session;
mod slot;

pub use accepted::{ACCEPTED_MAX, ACCEPTED_PER_PEER, IDLE_ACCEPTED};
pub use endpoint::{Endpoint, Served};
pub use happened::{End, Happened, NewSession};
pub use noise::{Accepting, Channel, Opening, Pair, Seed, public_key};
pub use opened::{PER_OWNER, PER_PEER, SESSIONS_MAX};
pub use place::Place;
pub use rooms::{Rooms, Sealing};
pub use session::IDLE;
pub use slot::PATIENCE;
