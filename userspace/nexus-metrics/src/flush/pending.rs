use alloc::collections::VecDeque;

use nexus_bounded::Mono;
use nexus_wire::MetricStatus;
use nexus_wire::metrics::{Op, Reply, decode_reply};

/// Requests that may wait for their replies at a time.
const WINDOW: usize = 32;

/// Requests whose replies have not come, in the order in which they were sent.
pub(super) struct Pending {
    queue: VecDeque<Request>,
    last_nonce: u32,
}

struct Request {
    nonce: u32,
    sent: Mono,
    asked: Asked,
}

/// What was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    Hello,
    /// For the series at this place of the table.
    Register(usize),
    /// As part of this pass over the outbox.
    Batch {
        pass: u32,
    },
}

impl Asked {
    const fn op(self) -> Op {
        match self {
            Self::Hello => Op::Hello,
            Self::Register(_) => Op::Register,
            Self::Batch { .. } => Op::Batch,
        }
    }
}

impl Pending {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::with_capacity(WINDOW), last_nonce: 0 }
    }

    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < WINDOW
    }

    /// A nonce for the next request.
    pub(super) const fn nonce(&mut self) -> u32 {
        self.last_nonce = self.last_nonce.wrapping_add(1);
        self.last_nonce
    }

    pub(super) fn push(&mut self, nonce: u32, sent: Mono, asked: Asked) {
        self.queue.push_back(Request { nonce, sent, asked });
    }

    /// When the oldest waiting request was sent.
    pub(super) fn oldest(&self) -> Option<Mono> {
        self.queue.front().map(|request| request.sent)
    }

    /// What a reply answers. A BATCH may be answered by the reply to a later one; anything else
    /// out of order is `None`: the other side does not speak our language.
    pub(super) fn settle<'f>(
        &mut self,
        frame: &'f [u8],
    ) -> Option<(Asked, MetricStatus, Reply<'f>)> {
        while let Some(Request { nonce, asked, .. }) = self.queue.pop_front() {
            if let Some((status, reply)) = decode_reply(asked.op(), nonce, frame) {
                return Some((asked, status, reply));
            }
            if !matches!(asked, Asked::Batch { .. }) {
                return None;
            }
        }
        None
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }
}
