//! Reading back: what series did in a range of time, in steps of a length.
//!
//! - [`Selection`]: which series.
//! - [`Plan`]: which tiers are read from when to when, and how long a step is.
//! - [`Step`]: what a series did in a step, or in a part of it. Parts of a step add up, in any
//!   pieces, to what the samples themselves make.
//! - [`Walk`]: reads one segment without waiting: it says which bytes it wants, and gives what a
//!   series did in a group.
//! - [`Unsealed`]: what is in no sealed segment yet, read as one.
//! - [`Reader`]: reads segment after segment and answers RANGE, frame by frame.
//! - [`Answers`]: a reader over the files of a keeper, for a service that is asked.
//!
//! What cannot be read is said, the rest is read. Nothing is interpolated: where nothing was
//! recorded there is nothing. Nobody's place is remembered: a cursor says all.

mod answers;
mod batch;
mod cursor;
mod plan;
mod reader;
mod select;
mod step;
mod unsealed;
mod walk;

pub use answers::{Answers, Held};
pub use plan::{Extent, Plan, Span, Tiers};
pub use reader::{Kept, Limits, Reader, Refusal, Sealed, Turn};
pub use select::Selection;
pub use step::{Fold, Step, Total};
pub use unsealed::{Drafted, Unsealed};
pub use walk::{Event, Found, Gap, Walk};
