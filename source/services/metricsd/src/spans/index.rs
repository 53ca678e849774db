use alloc::boxed::Box;
use alloc::vec;

use nexus_bounded::SlotId;

/// Where the chains of live spans begin. Each sender has buckets of its own, as many as it may have
/// spans: whatever ids somebody chooses, only its own chains grow, and no longer than its cap.
pub(super) struct Index {
    heads: Box<[SlotId]>,
    per_sender: usize,
}

impl Index {
    pub(super) fn new(senders: u32, spans_per_sender: u32) -> Self {
        let per_sender = Self::buckets(spans_per_sender);
        let heads = vec![SlotId::NONE; (senders as usize + 1) * per_sender].into_boxed_slice();
        Self { heads, per_sender }
    }

    pub(super) const fn bytes(senders: u32, spans_per_sender: u32) -> usize {
        (senders as usize + 1) * Self::buckets(spans_per_sender) * size_of::<SlotId>()
    }

    const fn buckets(spans_per_sender: u32) -> usize {
        spans_per_sender.next_power_of_two() as usize
    }

    /// The first of the chain for a span.
    pub(super) fn head(&self, sender: usize, life: SlotId, local: u32) -> SlotId {
        self.heads.get(self.place(sender, life, local)).copied().unwrap_or(SlotId::NONE)
    }

    pub(super) fn head_mut(
        &mut self,
        sender: usize,
        life: SlotId,
        local: u32,
    ) -> Option<&mut SlotId> {
        self.heads.get_mut(self.place(sender, life, local))
    }

    /// Ids that follow each other go to different buckets.
    const fn place(&self, sender: usize, life: SlotId, local: u32) -> usize {
        let mixed = local.wrapping_add(life.0.wrapping_mul(0x9e37_79b9));
        sender * self.per_sender + (mixed as usize & (self.per_sender - 1))
    }
}
