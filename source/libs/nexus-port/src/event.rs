use nexus_abi::{ExitReason, Incarnation, Sender, SenderId};
use nexus_bounded::{Mono, Wall};

use crate::{CallId, Token};

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
    /// A life of a sender has ended; it says nothing more under this incarnation.
    PeerGone {
        /// Whose.
        id: SenderId,
        /// Which life.
        incarnation: Incarnation,
        /// Why, as far as the world knows.
        reason: ExitReason,
    },
    /// The time of [`crate::Service::deadline`] has come (it may come early and again).
    Wake,
    /// The world asks for an orderly end: flush what is pending. The port goes on delivering
    /// events until [`crate::Service::stopped`] or its own patience ends.
    Stop,
}

/// Why a call of ours has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallError {
    /// The callee died, or its connection broke, before it answered. It may have acted.
    PeerDied,
}
