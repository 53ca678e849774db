//! Scenarios and proofs in the simulated world: the real daemons and the real client libraries,
//! over days and months of virtual time.
//!
//! A scenario knows the daemons by their frames alone ([`Bed`]): what it proves, it has read back.
//! [`thirty_days`], [`cardinality`] and [`registered`] run in two sizes with the same assertions: a
//! small one in every test run, the large one among the long tests. Memory that a service takes
//! while it handles an event is counted ([`allocations`]).
#![expect(clippy::expect_used, reason = "a scenario that cannot go on fails")]

pub mod allocations;
mod bed;
pub mod cardinality;
mod handed;
pub mod ledger;
mod producer;
pub mod registered;
mod seen;
mod talker;
pub mod taped;
pub mod thirty_days;
mod watched;

pub use bed::{Bed, Make, app, device, machine};
pub use producer::{Producer, Tap, run};
pub use seen::{Seen, Series, Totals, Value};
pub use talker::{Answers, Talker, append, update};
pub use watched::{Sabotage, Sink, Watched};
