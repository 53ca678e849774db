//! The contracts of `nexus-port` as the simulated world keeps them, and as it holds services to
//! them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod disks;
mod links;
mod oracle;
mod services;
mod threads;
mod world;
