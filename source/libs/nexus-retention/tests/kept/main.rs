//! What is kept in files of a statefsd in a simulated world.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bed;
mod calls;
mod crashes;
mod failures;
mod generations;
mod logs;
mod owner;
