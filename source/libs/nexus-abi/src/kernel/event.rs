use super::{KernelError, Signals};
use crate::{ExitReason, Incarnation, Rights, Sender, SenderId, ServiceId};

/// What `receive`, `reply_receive` and `call` come back with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// The deadline has come, and nothing else.
    Deadline,
    /// These signals were raised since they were last received.
    Signals(Signals),
    /// A child has changed.
    Child {
        /// Which.
        service: ServiceId,
        /// Its latest change; earlier ones that were not received are forgotten.
        change: Change,
    },
    /// A life that requests were received from has ended.
    PeerGone {
        /// Whose.
        id: SenderId,
        /// Which life.
        incarnation: Incarnation,
        /// Why it ended.
        reason: ExitReason,
    },
    /// A call has ended.
    Completion {
        /// What `submit` was given; 0 for `call`.
        tag: u64,
        /// Bytes of the answer, which lies where `submit` was told, or why there is none.
        result: Result<usize, KernelError>,
        /// The life of the callee that took the request; 0 if none did.
        incarnation: Incarnation,
    },
    /// A request, whose bytes lie in the buffer.
    Request {
        /// Names it in the answer.
        token: u64,
        /// Bytes of it.
        bytes: usize,
        /// Who sends it, as the kernel knows it.
        from: Sender,
    },
}

/// What has happened to a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It has begun to receive requests.
    Serves,
    /// It has ended.
    Ended(ExitReason),
}

const SERVES: u64 = u64::MAX;

impl Change {
    /// As it stands in a register.
    #[must_use]
    pub const fn raw(self) -> u64 {
        match self {
            Self::Serves => SERVES,
            Self::Ended(reason) => reason.raw(),
        }
    }

    /// Read from a register.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Option<Self> {
        if raw == SERVES {
            return Some(Self::Serves);
        }
        match ExitReason::from_raw(raw) {
            Some(reason) => Some(Self::Ended(reason)),
            None => None,
        }
    }
}

impl Received {
    /// What stands in `a0` to `a5`.
    #[must_use]
    #[inline(always)]
    pub const fn registers(self) -> [u64; 6] {
        match self {
            Self::Deadline => [0; 6],
            Self::Signals(signals) => [1, signals.0, 0, 0, 0, 0],
            Self::Child { service, change } => [2, service.raw(), change.raw(), 0, 0, 0],
            Self::PeerGone { id, incarnation, reason } => {
                [3, id.service().raw(), incarnation.raw() as u64, reason.raw(), 0, 0]
            }
            Self::Completion { tag, result, incarnation } => {
                let (error, bytes) = match result {
                    Ok(bytes) => (0, bytes as u64),
                    Err(error) => (error.raw(), 0),
                };
                [4, tag, error, bytes, incarnation.raw() as u64, 0]
            }
            Self::Request { token, bytes, from } => {
                let life = (from.incarnation.raw() as u64) << 32 | from.pid as u64;
                let rights = from.rights.raw() as u64;
                [5, token, bytes as u64, from.service().raw(), life, rights]
            }
        }
    }

    /// Read from `a0` to `a5`; `None` for what no kernel of this version says.
    #[must_use]
    #[inline]
    pub fn from_registers(registers: [u64; 6]) -> Option<Self> {
        let [kind, a1, a2, a3, a4, a5] = registers;
        Some(match kind {
            0 => Self::Deadline,
            1 => Self::Signals(Signals(a1)),
            2 => Self::Child { service: ServiceId::from_raw(a1), change: Change::from_raw(a2)? },
            3 => Self::PeerGone {
                id: Self::sender(a1, 0, 0).id,
                incarnation: incarnation(a2),
                reason: ExitReason::from_raw(a3)?,
            },
            4 => {
                Self::Completion { tag: a1, result: result(a2, a3)?, incarnation: incarnation(a4) }
            }
            5 => Self::Request { token: a1, bytes: a2 as usize, from: Self::sender(a3, a4, a5) },
            _ => return None,
        })
    }

    const fn sender(service: u64, life: u64, rights: u64) -> Sender {
        let rights = Rights::from_raw((rights & 0xff) as u8);
        let service = ServiceId::from_raw(service);
        Sender::stamped(service, life as u32, incarnation(life >> 32), rights)
    }
}

const fn incarnation(raw: u64) -> Incarnation {
    Incarnation::new(raw as u32)
}

const fn result(error: u64, bytes: u64) -> Option<Result<usize, KernelError>> {
    if error == 0 {
        return Some(Ok(bytes as usize));
    }
    match KernelError::from_raw(error) {
        Some(error) => Some(Err(error)),
        None => None,
    }
}
