//! obsctl and the daemons, as people run them.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

mod cardinality;
mod crowd;
mod liar;
mod outages;
mod programs;
mod raw;
mod support;
mod traced;
mod tutorial;
