use nexus_abi::{ExitReason, Incarnation, Sender, SenderId};
use nexus_bounded::{Mono, Wall};

use crate::{BlockOutcome, CallId, Token};

/// The time an event is handled at. One event, one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// Time since boot; never goes back.
    pub mono: Mono,
    /// Calendar time as the world believes it now; `None` where nothing knows it.
    pub wall: Option<Wall>,
}

/// What may happen to a service.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A frame of somebody's, to be answered by [`crate::World::reply`] or
    /// [`crate::World::acknowledge`] with this token. An empty frame is a frame.
    Request {
        /// The authenticated sender.
        from: Sender,
        /// Names this request in the answer.
        token: Token,
        /// At most [`nexus_abi::FRAME_BYTES_MAX`] bytes, untrusted.
        frame: &'a [u8],
    },
    /// The end of a call of ours.
    Completion {
        /// The name we gave the call.
        call: CallId,
        /// The callee's answer, untrusted, or why there is none.
        result: Result<&'a [u8], CallError>,
    },
    /// The end of a request to the disk.
    Block {
        /// The name we gave it.
        call: CallId,
        /// What became of it.
        outcome: BlockOutcome<'a>,
    },
    /// A life of a sender has ended; it says nothing more under this incarnation. Comes once for
    /// every life that a request came from, maybe after the first requests of the next life.
    PeerGone {
        /// Whose.
        id: SenderId,
        /// Which life.
        incarnation: Incarnation,
        /// Why, as far as the world knows.
        reason: ExitReason,
    },
    /// The time of [`crate::Service::deadline`] has come. A due one comes before the next request,
    /// however many wait, but once only before the port looks what else has happened. It may come
    /// early and again, and late by a tick of a coarse timer (10 ms): compare with [`Now`].
    Wake,
    /// The world asks for an orderly end: flush what is pending. The port goes on delivering
    /// events until [`crate::Service::stopped`] or its own patience ends.
    Stop,
}

/// Why a call of ours has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallError {
    /// The callee died, or its connection broke, before it answered. It may have acted. A death
    /// between two calls is not reported: frames that depend on the callee's memory say its epoch.
    PeerDied,
}
