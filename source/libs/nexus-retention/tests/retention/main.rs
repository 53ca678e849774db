//! Segments, rollups, names, the manifest, and every byte of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bed;
mod damage;
mod files;
mod format;
mod history;
mod journal;
mod offline;
mod recorded;
mod rollups;
mod segments;
