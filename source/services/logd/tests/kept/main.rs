//! logd with a statefsd in a simulated world: what it keeps, and what becomes of that.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crashes;
mod failures;
mod lives;
mod rig;
