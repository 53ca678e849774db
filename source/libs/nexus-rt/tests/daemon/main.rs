//! What the Linux port promises, seen from outside: a daemon in a process of its own (this very
//! program, started again for its one ignored test), and clients that behave and misbehave.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod allocations;
mod calls;
mod connections;
mod disk;
mod disk_model;
mod echod;
mod files;
mod frames;
mod hosted;
mod identity;
mod lifecycle;
mod process;
