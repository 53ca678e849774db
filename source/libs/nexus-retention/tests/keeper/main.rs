//! The keeper over a real statefsd, whose disk loses power, fails and comes back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crashes;
mod keeping;
mod oracle;
mod sealing;
mod tail;
mod troubles;
