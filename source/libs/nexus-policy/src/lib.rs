//! How a service asks policyd who may do what.
//!
//! [`PolicyClient`] is a state machine: a question goes out as a call, and its end, or the end of
//! patience, is a [`Verdict`]. It fails closed: nobody there, a death before the answer, an answer
//! that is none and no answer in time are denials, each with its reason. [`needed`] says what has
//! to be asked of whoever needs rights.
//!
//! Deliberately absent: remembering what was allowed. The policy does not change while a system
//! runs, but whoever may ask for others must not become a second place that decides.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used)
)]

mod needs;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, OneCall, SubmitError, World};
use nexus_wire::policy::{
    Check, Decision, Frame, PolicyStatus, REQUEST_BYTES_MAX, decode_reply, encode,
};

pub use needs::needed;

/// Who decides.
const POLICYD: ServiceId = ServiceId::from_name("policyd");

/// For how long an answer is waited.
pub const PATIENCE: Nanos = Nanos::from_secs(1);

/// What a question has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// policyd has decided.
    Decided(Decision),
    /// policyd did not take the question for one.
    Refused(PolicyStatus),
    /// policyd is not there, died, said nothing in time, or nothing that is an answer.
    Away,
    /// As many calls of ours as may be are under way.
    Busy,
}

impl Verdict {
    /// Whether it may be done: only if policyd said so.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        self == Self::Decided(Decision::Allowed)
    }

    /// Why, for people and labels.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Decided(decision) => decision.name(),
            Self::Refused(status) => status.name(),
            Self::Away => "policyd away",
            Self::Busy => "too many calls under way",
        }
    }
}

/// Asks one question at a time.
#[derive(Clone, Copy, Debug)]
pub struct PolicyClient {
    call: OneCall,
    nonce: u32,
}

impl PolicyClient {
    /// Nothing was asked yet. `first` and the 65535 names behind it are for its calls.
    #[must_use]
    pub const fn new(first: CallId) -> Self {
        Self { call: OneCall::new(POLICYD, first), nonce: 0 }
    }

    /// Asks; no question may be open.
    ///
    /// # Errors
    /// The verdict, if it could not be asked; then none comes later.
    pub fn ask(
        &mut self,
        check: Check<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), Verdict> {
        self.nonce = self.nonce.wrapping_add(1);
        let mut out = [0; REQUEST_BYTES_MAX];
        let frame = encode(&Frame { nonce: self.nonce, check }, &mut out);
        assert!(frame.is_ok(), "every question fits");
        let begun = self.call.begin(frame.unwrap_or_default(), now.after(PATIENCE), world);
        begun.map_err(|error| match error {
            SubmitError::NotReady => Verdict::Away,
            SubmitError::Busy => Verdict::Busy,
        })
    }

    /// A call of the service has ended: the verdict, if it was the open question.
    pub fn ended(&mut self, call: CallId, result: Result<&[u8], CallError>) -> Option<Verdict> {
        let result = self.call.ended(call, result)?;
        let answer = result.ok().and_then(|frame| decode_reply(self.nonce, frame));
        Some(match answer {
            Some(Ok(decision)) => Verdict::Decided(decision),
            Some(Err(status)) => Verdict::Refused(status),
            None => Verdict::Away,
        })
    }

    /// When patience with the open question ends.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.call.deadline()
    }

    /// The verdict on the open question, if patience has ended by `now`.
    pub fn expired(&mut self, now: Mono) -> Option<Verdict> {
        self.call.expired(now).then_some(Verdict::Away)
    }
}
