//! The store on a simulated disk.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod basics;
mod bed;
mod crashes;
mod damage;
mod failures;
mod format;
mod model;
