//! policyd: who may do what.
//!
//! [`Policyd`] is a state machine: questions in, decisions out. Its table is the system's policy,
//! which also decides which rights bits the kernel stamps: so what a bit says nobody has to ask,
//! and what is asked here nobody decides by itself. What the table does not grant is denied.
//! Whoever the table lets ask for others may ask about anybody, others about themselves only; who
//! asks says the kernel's stamp.
//!
//! Invariants: a question changes nothing but counts; the table is as it was at start; an audit
//! never writes more than its budget, and no record because of one of logd's own questions, as
//! logd may ask because of a record.
//!
//! Deliberately absent: budgets per sender (a question takes no memory and little time, which under
//! the kernel is its asker's), changes of the table while the system runs, and names that stand for
//! several.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod audit;
mod proof;
mod service;
mod table;
mod telemetry;

pub use service::Policyd;
