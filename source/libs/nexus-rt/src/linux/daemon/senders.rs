//! Who is connected, how often, and in which life.

use nexus_abi::{Incarnation, ServiceId};
use nexus_bounded::{Slab, SlotId};

struct Entry {
    service: ServiceId,
    connections: u32,
    /// Connections ever, since it has its place here.
    accepted: u64,
    last: Incarnation,
    /// When it last connected, in connections of all senders.
    used: u64,
}

/// The table of senders. It has room for every sender that is connected; one that is not may lose
/// its place to a newcomer, and then [`Self::floor`] sees to it that no life comes twice.
pub(super) struct Senders {
    entries: Slab<Entry>,
    floor: Incarnation,
    joins: u64,
}

impl Senders {
    /// A table for at most `connections` senders that are connected.
    pub(super) fn new(connections: u32) -> Self {
        Self {
            entries: Slab::new(connections.saturating_add(1)),
            floor: Incarnation::new(0),
            joins: 0,
        }
    }

    /// Bytes of the table for one sender.
    pub(super) const BYTES_EACH: usize = Slab::<Entry>::bytes(1);

    /// Begins a life of `service`. `None` if the table is full of connected senders, which the
    /// limit on connections rules out.
    pub(super) fn join(&mut self, service: ServiceId) -> Option<(SlotId, Incarnation)> {
        let slot = self.find(service).or_else(|| self.enter(service))?;
        self.joins += 1;
        let entry = self.entries.get_mut(slot)?;
        entry.connections += 1;
        entry.accepted += 1;
        entry.used = self.joins;
        entry.last = entry.last.next();
        Some((slot, entry.last))
    }

    /// Ends a life of the sender in `slot`.
    pub(super) fn leave(&mut self, slot: SlotId) {
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.connections -= 1;
        }
    }

    /// Connections of `service` now.
    pub(super) fn connections(&self, service: ServiceId) -> u32 {
        self.find(service).and_then(|slot| self.entries.get(slot)).map_or(0, |e| e.connections)
    }

    /// The sender with the most connections.
    pub(super) fn busiest(&self) -> Option<SlotId> {
        self.entries.iter().max_by_key(|(_, entry)| entry.connections).map(|(slot, _)| slot)
    }

    /// The sender that has connected most often, and how often.
    pub(super) fn most_accepted(&self) -> Option<(ServiceId, u64)> {
        let entries = self.entries.iter().map(|(_, entry)| (entry.service, entry.accepted));
        entries.max_by_key(|(_, accepted)| *accepted)
    }

    /// Where `service` stands, if it is known.
    pub(super) fn find(&self, service: ServiceId) -> Option<SlotId> {
        self.entries.iter().find(|(_, entry)| entry.service == service).map(|(slot, _)| slot)
    }

    fn enter(&mut self, service: ServiceId) -> Option<SlotId> {
        if self.entries.len() == self.entries.capacity() {
            self.forget_oldest();
        }
        let entry = Entry { service, connections: 0, accepted: 0, last: self.floor, used: 0 };
        self.entries.insert(entry).ok()
    }

    fn forget_oldest(&mut self) {
        let unconnected = self.entries.iter().filter(|(_, entry)| entry.connections == 0);
        let oldest = unconnected.min_by_key(|(_, entry)| entry.used).map(|(slot, _)| slot);
        if let Some(entry) = oldest.and_then(|slot| self.entries.remove(slot)) {
            self.floor = self.floor.max(entry.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(n: u64) -> ServiceId {
        ServiceId::from_raw(n)
    }

    #[test]
    fn lives_of_a_sender_are_counted_from_one() {
        let mut senders = Senders::new(2);
        let lives =
            [service(1), service(1), service(2)].map(|s| senders.join(s).map(|j| j.1.raw()));
        assert_eq!(lives, [Some(1), Some(2), Some(1)]);
    }

    #[test]
    fn a_forgotten_sender_never_gets_a_life_twice() {
        let mut senders = Senders::new(1);
        for _ in 0..5 {
            let slot = senders.join(service(1)).map(|joined| joined.0);
            senders.leave(slot.unwrap_or(SlotId::NONE));
        }
        for stranger in 2..9 {
            let slot = senders.join(service(stranger)).map(|joined| joined.0);
            senders.leave(slot.unwrap_or(SlotId::NONE));
        }
        assert_eq!(senders.find(service(1)), None);
        assert!(senders.join(service(1)).is_some_and(|joined| joined.1.raw() > 5));
    }

    #[test]
    fn who_connects_most_often_is_known_although_it_does_not_stay() {
        let mut senders = Senders::new(4);
        let stays = [service(1), service(1)].map(|s| senders.join(s).map(|joined| joined.0));
        for _ in 0..3 {
            let slot = senders.join(service(2)).map(|joined| joined.0);
            senders.leave(slot.unwrap_or(SlotId::NONE));
        }
        assert_eq!(senders.most_accepted(), Some((service(2), 3)));
        assert_eq!(senders.busiest(), stays[0]);
    }

    #[test]
    fn a_connected_sender_keeps_its_place() {
        let mut senders = Senders::new(2);
        let kept = senders.join(service(1)).map(|joined| joined.0);
        for stranger in 2..9 {
            let slot = senders.join(service(stranger)).map(|joined| joined.0);
            senders.leave(slot.unwrap_or(SlotId::NONE));
        }
        assert_eq!(senders.find(service(1)), kept);
        assert_eq!(senders.busiest(), kept);
    }
}
