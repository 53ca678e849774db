//! What both daemons do before they believe a frame: seat its sender, charge its budget, keep the
//! ledger, and see to it that no secret is stored.
//!
//! Invariants: every sender gets a seat (the longest silent one gives way); a budget is charged
//! wholly or not at all; `offered = accepted + folded + refused + dropped` at every moment, also
//! for the row of the evicted.
//!
//! Deliberately absent: policy. Who may read is in the stamp's rights; this crate only counts.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

extern crate alloc;

mod budgets;
mod markers;
mod port_totals;
mod redaction;
mod senders;

pub use budgets::Budgets;
pub use markers::{RejectMarker, RejectMarkers};
pub use port_totals::PortTotals;
pub use redaction::{REDACTED, Redacted, Redactor};
pub use senders::{Seat, SenderSlot, Senders};
