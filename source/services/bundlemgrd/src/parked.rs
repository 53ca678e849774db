use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::{FRAME_BYTES_MAX, Sender};
use nexus_port::Token;

/// A request that waits for its turn.
struct Slot {
    from: Option<(Sender, Token)>,
    len: usize,
    frame: Box<[u8]>,
}

/// Requests in the order in which they came, one of each sender.
pub(crate) struct Parked {
    slots: Box<[Slot]>,
    first: usize,
    count: usize,
}

impl Parked {
    /// At most so many; takes its memory now.
    pub(crate) fn new(most: u32) -> Self {
        let slot = || Slot { from: None, len: 0, frame: vec![0; FRAME_BYTES_MAX].into() };
        Self { slots: (0..most).map(|_| slot()).collect(), first: 0, count: 0 }
    }

    /// Lets a request wait; `false` if there is no room, or the sender has one waiting.
    pub(crate) fn add(&mut self, from: Sender, token: Token, frame: &[u8]) -> bool {
        let is_its = |slot: &Slot| slot.from.is_some_and(|(sender, _)| sender.id == from.id);
        if self.slots.iter().any(is_its) || self.count == self.slots.len() {
            return false;
        }
        let at = (self.first + self.count) % self.slots.len();
        let Some(slot) = self.slots.get_mut(at) else { return false };
        let Some(room) = slot.frame.get_mut(..frame.len()) else { return false };
        room.copy_from_slice(frame);
        (slot.from, slot.len) = (Some((from, token)), frame.len());
        self.count += 1;
        true
    }

    /// Takes the first one, to the front of `into`.
    pub(crate) fn take(&mut self, into: &mut [u8]) -> Option<(Sender, Token, usize)> {
        let places = self.slots.len();
        let slot = self.slots.get_mut(self.first)?;
        let (from, token) = slot.from.take()?;
        let frame = slot.frame.get(..slot.len).unwrap_or_default();
        into.get_mut(..frame.len())?.copy_from_slice(frame);
        let len = frame.len();
        self.first = (self.first + 1) % places;
        self.count -= 1;
        Some((from, token, len))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}
