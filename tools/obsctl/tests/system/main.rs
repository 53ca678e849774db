//! obsctl and the daemons, as people run them.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

mod crowd;
mod liar;
mod cardinality;
mod outages;
mod programs;
mod raw;
mod support;
mod tutorial;
