//! Answers that wait for their connections to read.

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::{Slab, SlotId};

struct Waiting {
    owner: SlotId,
    next: SlotId,
    len: usize,
    bytes: [u8; FRAME_BYTES_MAX],
}

/// The answers of one connection, oldest first. The frames themselves lie in the [`Outbox`].
#[derive(Clone, Copy)]
pub(super) struct Queue {
    head: SlotId,
    tail: SlotId,
}

impl Queue {
    pub(super) const EMPTY: Self = Self { head: SlotId::NONE, tail: SlotId::NONE };

    pub(super) fn is_empty(self) -> bool {
        self.head == SlotId::NONE
    }
}

/// A fixed number of waiting answers, for all connections together.
pub(super) struct Outbox {
    frames: Slab<Waiting>,
}

impl Outbox {
    pub(super) fn new(frames: u32) -> Self {
        Self { frames: Slab::new(frames) }
    }

    pub(super) const fn bytes(frames: u32) -> usize {
        Slab::<Waiting>::bytes(frames)
    }

    pub(super) fn is_full(&self) -> bool {
        self.frames.len() == self.frames.capacity()
    }

    /// The connections that wait, each as often as it has answers here.
    pub(super) fn owners(&self) -> impl Iterator<Item = SlotId> {
        self.frames.iter().map(|(_, waiting)| waiting.owner)
    }

    /// Puts a copy of `frame` behind the others of `queue`; `false` if there is no room.
    #[must_use]
    pub(super) fn push(&mut self, queue: &mut Queue, owner: SlotId, frame: &[u8]) -> bool {
        let mut bytes = [0; FRAME_BYTES_MAX];
        bytes[..frame.len()].copy_from_slice(frame);
        let waiting = Waiting { owner, next: SlotId::NONE, len: frame.len(), bytes };
        let Ok(slot) = self.frames.insert(waiting) else { return false };
        match self.frames.get_mut(queue.tail) {
            Some(last) => last.next = slot,
            None => queue.head = slot,
        }
        queue.tail = slot;
        true
    }

    /// The oldest answer of `queue`.
    pub(super) fn first(&self, queue: Queue) -> Option<&[u8]> {
        let waiting = self.frames.get(queue.head)?;
        waiting.bytes.get(..waiting.len)
    }

    /// Drops the oldest answer of `queue`; `false` if there is none.
    pub(super) fn pop(&mut self, queue: &mut Queue) -> bool {
        let Some(waiting) = self.frames.remove(queue.head) else { return false };
        queue.head = waiting.next;
        if queue.is_empty() {
            *queue = Queue::EMPTY;
        }
        true
    }
}
