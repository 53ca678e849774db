//! The tape of a service: every event that a port has handed to it, with its time, and what it was
//! answered when it asked for something. A service is a state machine, so the same tape makes it
//! say the same in every world.
//!
//! - [`Recording`] is a service that writes the tape of the one in it.
//! - [`Player`] is a service that reads a tape from its disk, plays it to the one in it, and prints
//!   a hash of every file that was handed to statefsd, and of everything else that was let out.
//!
//! What a recording needs besides is the same for all: the number of the start, [`BOOT`], and the
//! recipe, [`recipe`].
//!
//! Numbers are little endian. A tape is `NXTAPE`, `0`, `1`, the bytes of all of it as u64, and
//! entries, as [`Entry`] says; zeros behind it make whole blocks.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod entry;
mod player;
mod prints;
mod recording;

pub use entry::{Calls, Entry};
pub use player::{Counter, Player};
pub use prints::{Prints, Stream};
pub use recording::{Recording, Tape, altered, whole};

use nexus_bounded::Nanos;
use nexus_recipe::Recipe;

/// The number of the start of whoever is recorded.
pub const BOOT: u32 = 1;

/// What metricsd lives by on a tape: with windows so short that segments of all three lengths are
/// sealed within two minutes, and the older ones have had their time within three.
#[must_use]
pub fn recipe(mut recipe: Recipe) -> Recipe {
    let limits = &mut recipe.metricsd;
    (limits.window_short, limits.window_long) = (Nanos::from_millis(500), Nanos::from_secs(1));
    limits.retention.raw_interval = Nanos::from_millis(250);
    limits.retention.segment_windows = 120;
    limits.retention.raw.ttl = Nanos::from_secs(60);
    limits.retention.short.ttl = Nanos::from_secs(60);
    recipe
}
