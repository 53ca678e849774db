//! Live spans, from their start to their record.
//!
//! Invariants: at most as many live spans as the recipe says, in all and per sender; a sender below
//! its floor always gets a place and room for its texts, whatever others do; every accepted start
//! ends as exactly one ended span, by its sender's word, by its age, or by its sender's end. What
//! is refused changes nothing.
//!
//! Deliberately absent: checks that a parent lives or that clocks agree. A span says of itself when
//! it began; only its age for the time limit is counted by metricsd's own clock.

mod ages;
mod attributes;
mod ended;
mod index;
mod lives;
mod table;

pub(crate) use ended::{EndReason, EndedSpan};
pub(crate) use table::{SpanOwner, SpanTable};

#[cfg(test)]
mod tests;
