//! What the port promises together with the services that it is made for: logd and metricsd as
//! their programs run them, each in a process of its own (this very program, started again for its
//! one ignored test), so that their allocations can be counted.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

#[path = "../daemon/allocations.rs"]
mod allocations;
mod fork;
mod load;
mod memory;
mod process;
mod readers;
mod watched;
