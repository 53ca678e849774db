//! dsoftbusd: sessions between endpoints that prove to each other who they are.
//!
//! [`Dsoftbusd`] is a state machine, and the same one at both ends. To local programs it opens
//! sessions with other endpoints, if policyd allows it, and carries what they ask and what is
//! answered. To other endpoints it is who answers. Handshakes, channels and the tables of sessions
//! are `nexus_session`'s; here are requests, policy, answers, records and numbers.
//!
//! Invariants: nobody has a session that policyd has not allowed; whoever asks is answered once;
//! of each sender one wish for a session waits; whatever was opened, refused or ended is counted.
//!
//! Deliberately absent: a network, and whatever `nexus_session` leaves out.
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
