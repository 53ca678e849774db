use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::{Incarnation, Sender};
use nexus_bounded::{Slab, SlotId};
use nexus_gate::SenderSlot;
use nexus_wire::{TraceId, WideTraceId};

/// One life of a sender that has begun spans.
pub(super) struct Life {
    pub(super) slot: SenderSlot,
    pub(super) sender: Sender,
    /// Its first number: a life that is resumed on a new connection keeps it, so that the traces it
    /// goes on with stay the same.
    pub(super) first: Incarnation,
    pub(super) spans: u32,
    /// The newest trace, counted on beyond 32 bits.
    newest: Option<u64>,
    next: SlotId,
}

impl Life {
    fn new(slot: SenderSlot, sender: Sender, next: SlotId) -> Self {
        Self { slot, sender, first: sender.incarnation, spans: 0, newest: None, next }
    }

    /// The trace as exports name it.
    pub(super) fn widen(&mut self, boot: u32, trace: TraceId) -> WideTraceId {
        let local = (trace.raw() & 0xffff_ffff) as u32;
        WideTraceId::new(boot, self.first, self.lap(local), trace)
    }

    /// How often the sender's 32-bit count had wrapped when it made `local`, modulo 256.
    ///
    /// Ids come roughly in order, but an old trace may be met after a wrap. So `local` is taken for
    /// the number nearest to the newest one, at most 2^31 away either way (serial numbers as in
    /// RFC 1982): the same trace gets the same lap for as long as fewer than 2^31 ids are made
    /// after it. A sender that jumps about confuses its own traces only.
    fn lap(&mut self, local: u32) -> u8 {
        let newest = self.newest.unwrap_or(u64::from(local));
        let step = local.wrapping_sub((newest & 0xffff_ffff) as u32).cast_signed();
        let seen = newest.saturating_add_signed(i64::from(step));
        self.newest = Some(newest.max(seen));
        ((seen >> 32) & 0xff) as u8
    }
}

/// The lives that have begun spans, found by sender and incarnation.
pub(super) struct Lives {
    slab: Slab<Life>,
    heads: Box<[SlotId]>,
}

impl Lives {
    pub(super) fn new(lives: u32, senders: u32) -> Self {
        let heads = vec![SlotId::NONE; senders as usize + 1].into_boxed_slice();
        Self { slab: Slab::new(lives), heads }
    }

    pub(super) const fn bytes(lives: u32, senders: u32) -> usize {
        Slab::<Life>::bytes(lives) + (senders as usize + 1) * size_of::<SlotId>()
    }

    pub(super) fn get(&self, id: SlotId) -> Option<&Life> {
        self.slab.get(id)
    }

    pub(super) fn get_mut(&mut self, id: SlotId) -> Option<&mut Life> {
        self.slab.get_mut(id)
    }

    pub(super) fn find(&self, slot: SenderSlot, incarnation: Incarnation) -> Option<SlotId> {
        let mut at = self.head(slot);
        while let Some(life) = self.slab.get(at) {
            if life.sender.incarnation == incarnation {
                return Some(at);
            }
            at = life.next;
        }
        None
    }

    /// Finds a life or begins it; `None` when the table is full.
    pub(super) fn open(&mut self, slot: SenderSlot, sender: Sender) -> Option<SlotId> {
        if let Some(known) = self.find(slot, sender.incarnation) {
            return Some(known);
        }
        let life = Life::new(slot, sender, self.head(slot));
        let id = self.slab.insert(life).ok()?;
        if let Some(head) = self.heads.get_mut(slot.index()) {
            *head = id;
        }
        Some(id)
    }

    /// The newest life of a sender.
    pub(super) fn first_of(&self, slot: SenderSlot) -> Option<SlotId> {
        let head = self.head(slot);
        self.slab.get(head).map(|_| head)
    }

    fn head(&self, slot: SenderSlot) -> SlotId {
        self.heads.get(slot.index()).copied().unwrap_or(SlotId::NONE)
    }

    pub(super) fn close(&mut self, id: SlotId) {
        let Some(life) = self.slab.remove(id) else { return };
        let Some(head) = self.heads.get_mut(life.slot.index()) else { return };
        if *head == id {
            *head = life.next;
            return;
        }
        let mut at = *head;
        while let Some(before) = self.slab.get_mut(at) {
            if before.next == id {
                before.next = life.next;
                return;
            }
            at = before.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use nexus_abi::{Rights, ServiceId};

    use super::*;

    const SERVICE: ServiceId = ServiceId::from_raw(0x1234);

    fn laps(locals: &[u32]) -> alloc::vec::Vec<u8> {
        let sender = Sender::stamped(SERVICE, 1, Incarnation::new(1), Rights::NONE);
        let mut life = Life::new(SenderSlot::EVICTED, sender, SlotId::NONE);
        locals.iter().map(|local| life.lap(*local)).collect()
    }

    #[test]
    fn the_lap_counts_wraps_of_the_senders_count() {
        let third = u32::MAX / 3;
        assert_eq!(laps(&[1, third, 2 * third, u32::MAX, 0, 5]), [0, 0, 0, 0, 1, 1]);
        assert_eq!(laps(&[u32::MAX - 1, 3, third, 2 * third, u32::MAX, 3]), [0, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn an_old_trace_met_after_a_wrap_keeps_its_lap() {
        assert_eq!(laps(&[u32::MAX - 9, 4, u32::MAX - 9, 5, u32::MAX]), [0, 1, 0, 1, 0]);
    }

    #[test]
    fn traces_out_of_order_stay_in_the_first_lap() {
        assert_eq!(laps(&[900, 2, 899, 1, 901]), [0, 0, 0, 0, 0]);
        assert_eq!(laps(&[3, u32::MAX]), [0, 0], "nothing lies before the first lap");
    }

    #[test]
    fn the_256th_wrap_begins_with_lap_0_again() {
        let sender = Sender::stamped(SERVICE, 1, Incarnation::new(1), Rights::NONE);
        let mut life = Life::new(SenderSlot::EVICTED, sender, SlotId::NONE);
        life.newest = Some((0xff << 32) | 0xffff_fff0);
        assert_eq!((life.lap(0xffff_fff8), life.lap(7)), (0xff, 0));
    }

    #[test]
    fn a_wide_trace_is_boot_incarnation_lap_and_wire_id() {
        let sender = Sender::stamped(SERVICE, 1, Incarnation::new(0x00ab_cdef), Rights::NONE);
        let mut life = Life::new(SenderSlot::EVICTED, sender, SlotId::NONE);
        let first = life.widen(7, TraceId::new(SERVICE, u32::MAX));
        assert_eq!(alloc::format!("{first}"), "00000007abcdef00525f5b70ffffffff");
        let second = life.widen(7, TraceId::new(SERVICE, 1));
        assert_eq!(alloc::format!("{second}"), "00000007abcdef01525f5b7000000001");
    }
}
