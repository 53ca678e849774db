use nexus_wire::sessions::{SessionId, SessionStatus};

/// What has come of a session of ours; `W` is what was given along with what was asked for.
pub enum Happened<'b, W> {
    /// It is open.
    Opened {
        /// Who has asked for it.
        waiter: W,
        /// Its number.
        session: SessionId,
    },
    /// There is none.
    NotOpened {
        /// Who has asked for it.
        waiter: W,
        /// Why.
        status: SessionStatus,
    },
    /// What was asked over it was answered.
    Answered {
        /// Who has asked.
        waiter: W,
        /// The answer.
        bytes: &'b [u8],
    },
    /// There is no answer that can be believed, and the session is over.
    Failed {
        /// Who has asked.
        waiter: W,
        /// Why.
        status: SessionStatus,
    },
    /// The other endpoint knows that it is over, or is not there.
    Closed(Option<W>),
    /// It ends by itself.
    Ended(End),
}

/// Why a session ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Its owner has closed it, or we stop.
    Closed,
    /// Nothing was asked for long.
    Idle,
    /// The life that has opened it has ended.
    OwnerGone,
    /// What was answered could not be believed, or nothing was.
    Failed,
}
