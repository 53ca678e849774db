use nexus_abi::{ExitReason, Incarnation, Sender, SenderId};
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, Event, Token};

use crate::drive::Done;

use crate::trace::Trace;

/// An event with the bytes it lends.
#[derive(Debug)]
pub(crate) enum Delivery {
    Request { from: Sender, token: Token, frame: Vec<u8> },
    Completion { call: CallId, result: Result<Vec<u8>, CallError> },
    Block { call: CallId, done: Done },
    PeerGone { id: SenderId, incarnation: Incarnation, reason: ExitReason },
    Wake,
    Stop,
}

impl Delivery {
    pub(crate) fn event(&self) -> Event<'_> {
        match self {
            Self::Request { from, token, frame } => {
                Event::Request { from: *from, token: *token, frame }
            }
            Self::Completion { call, result } => Event::Completion {
                call: *call,
                result: result.as_ref().map(Vec::as_slice).map_err(|error| *error),
            },
            Self::Block { call, done } => Event::Block { call: *call, outcome: done.outcome() },
            Self::PeerGone { id, incarnation, reason } => {
                Event::PeerGone { id: *id, incarnation: *incarnation, reason: *reason }
            }
            Self::Wake => Event::Wake,
            Self::Stop => Event::Stop,
        }
    }

    pub(crate) const fn gone(sender: Sender, reason: ExitReason) -> Self {
        Self::PeerGone { id: sender.id, incarnation: sender.incarnation, reason }
    }

    /// Writes the event, its time and its receiver into the trace.
    pub(crate) fn note(&self, trace: &mut Trace, at: Mono, to: usize) {
        trace.number(at.0);
        trace.number(to as u64);
        match self {
            Self::Request { from, token, frame } => {
                trace.number(from.service().raw());
                trace.number(token.raw());
                trace.bytes(frame);
            }
            Self::Completion { call, result } => {
                trace.number(u64::from(call.0));
                trace.bytes(result.as_deref().unwrap_or_default());
            }
            Self::Block { call, done } => {
                trace.number(u64::from(call.0));
                trace.bytes(done.read());
            }
            Self::PeerGone { id, incarnation, .. } => {
                trace.number(id.service().raw());
                trace.number(u64::from(incarnation.raw()));
            }
            Self::Wake => trace.number(1),
            Self::Stop => trace.number(2),
        }
    }
}
