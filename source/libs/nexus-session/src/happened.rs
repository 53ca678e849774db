use nexus_bounded::Nanos;
use nexus_wire::sessions::{SessionId, SessionStatus};

/// What has come of a session of ours, to whom that was promised: an `O` waits for a session, an
/// `A` for an answer.
#[derive(Debug)]
pub enum Happened<'b, O, A> {
    /// It is open, or why there is none.
    Opened {
        /// Who has asked for it.
        waiter: O,
        /// The session.
        opened: Result<NewSession, SessionStatus>,
    },
    /// What was asked over it was answered; or why there is no answer that can be believed, and
    /// then it ends.
    Answered {
        /// Who has asked.
        waiter: A,
        /// The answer.
        answer: Result<&'b [u8], SessionStatus>,
    },
    /// It was closed as its owner has asked: the other endpoint knows it, or is not there.
    Closed {
        /// Who has asked.
        waiter: A,
    },
    /// It begins to end by itself.
    Ending(End),
    /// It has ended by itself.
    Ended,
}

/// A session that was just opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewSession {
    /// Its number.
    pub id: SessionId,
    /// How long the handshake took.
    pub took: Nanos,
}

/// Why a session ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Its owner has closed it, or the endpoint stops.
    Closed,
    /// Nothing was asked for long.
    Idle,
    /// The life that has opened it has ended.
    OwnerGone,
    /// What was answered could not be believed, or nothing was.
    Failed,
}
