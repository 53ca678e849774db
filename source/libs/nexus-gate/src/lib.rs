//! What daemons do before they believe a frame: seat its sender, charge its budget, keep the
//! ledger, and see to it that no secret is stored; and what they do with those that have to wait.
//!
//! Invariants: every sender gets a seat (the longest silent one gives way); a budget is charged
//! wholly or not at all; `offered = accepted + folded + refused + dropped` whenever no event is
//! being handled, also for the row of the evicted. What comes and what becomes of it are counted
//! apart, so that this is a check ([`Senders::check_invariants`]) and no tautology. Of each sender
//! one request waits for its turn at most ([`Turns`]).
//!
//! Deliberately absent: policy. Who may read is in the stamp's rights; this crate only counts.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;

mod asker;
mod budgets;
mod ledger;
mod markers;
mod port_totals;
mod redaction;
mod senders;
mod turns;

pub use asker::Asker;
pub use budgets::Budgets;
pub use markers::{RejectMarker, RejectMarkers};
pub use port_totals::PortTotals;
pub use redaction::{REDACTED, Redacted, Redactor};
pub use senders::{Seat, SenderSlot, Senders};
pub use turns::Turns;
