//! logd as its senders and readers see it: frames in, replies out.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod hostile;
mod reading;
mod reject;
mod rig;
mod secrets;
mod vectors;
