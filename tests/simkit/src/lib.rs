//! The simulated world: many processes in virtual time, in one thread, from one seed.
//!
//! [`World`] runs any number of [`nexus_port::Service`]s, [`Client`]s that say what a test makes
//! them say, and [`Link`]s for client libraries. Processes are killed, restarted, paused and
//! stopped; requests and answers are delayed; clocks tick coarsely; wakes come early. Nothing
//! happens that the contracts of `nexus-port` do not allow, and all that they allow can happen
//! ([`Config`]). It is the oracle of those contracts too: see [`World`]. A [`Disk`] loses power as
//! real ones do.
//!
//! Deliberately absent: knowledge of any frame, threads, real time, and randomness that does not
//! follow from the seed.
#![forbid(unsafe_code)]

mod clock;
mod config;
mod delivery;
mod disk;
mod drive;
mod effects;
mod fabric;
mod inbox;
mod link;
mod process;
mod requests;
mod rng;
mod timeline;
mod trace;
mod world;

pub use config::{Config, Letters};
pub use disk::{Disk, Fate, fates};
pub use link::Link;
pub use process::Start;
pub use rng::Rng;
pub use world::{Client, Line, NoAnswer, PATIENCE, Reply, Ticket, World};
