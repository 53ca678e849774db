use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::{SenderId, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_recipe::Budget;
use nexus_wire::{LedgerRow, Reason};

use crate::budgets::{Budgets, Purse};
use crate::ledger::Ledger;

/// A sender's place in the table. Services index what they keep per sender by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SenderSlot(u16);

impl SenderSlot {
    /// The permanent row of those who lost their place.
    pub const EVICTED: Self = Self(0);

    /// 0 for [`Self::EVICTED`], else 1 to the table's capacity.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a sender sits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    /// Its place.
    pub slot: SenderSlot,
    /// Who lost this place just now. Whatever a service keeps under the slot is still his: it must
    /// be folded or freed before the slot is used for the newcomer.
    pub displaced: Option<SenderId>,
}

/// The senders a daemon knows: seats, budgets, ledger.
pub struct Senders {
    /// Seat 0 is the row of the evicted.
    seats: Box<[Place]>,
    /// Open addressing by the low bits of the id, which is a hash already; 0 is empty.
    index: Box<[u16]>,
    seated: u16,
    idle: Nanos,
    budgets: Budgets,
    displaced: u64,
    displaced_active: u64,
}

#[derive(Clone, Copy)]
struct Place {
    id: Option<SenderId>,
    /// Whether the recipe knows it by name.
    named: bool,
    seen: Mono,
    purse: Purse,
    ledger: Ledger,
}

impl Place {
    fn row(&self) -> LedgerRow {
        let service = self.id.map_or(LedgerRow::EVICTED, |id| id.service().raw());
        LedgerRow { service, ..self.ledger.row() }
    }
}

const NO_BUDGET: Budget =
    Budget { events_per_s: 0, events_burst: 0, bytes_per_s: 0, bytes_burst: 0 };

const EMPTY: Place = Place {
    id: None,
    named: false,
    seen: Mono(0),
    purse: Purse::full(NO_BUDGET, Mono(0)),
    ledger: Ledger::EMPTY,
};

impl Senders {
    /// An empty table of `capacity` seats, 1 to 65534, all memory taken now. A sender silent for
    /// `idle` gives way without being counted as displaced while active.
    #[must_use]
    pub fn new(capacity: u32, idle: Nanos, budgets: Budgets) -> Self {
        let capacity = capacity.clamp(1, u32::from(u16::MAX) - 1) as usize;
        Self {
            seats: vec![EMPTY; capacity + 1].into_boxed_slice(),
            index: vec![0; (2 * capacity).next_power_of_two()].into_boxed_slice(),
            seated: 0,
            idle,
            budgets,
            displaced: 0,
            displaced_active: 0,
        }
    }

    /// Bytes that a table of `capacity` seats takes.
    #[must_use]
    pub const fn bytes(capacity: u32) -> usize {
        (capacity as usize + 1) * size_of::<Place>()
            + (2 * capacity as usize).next_power_of_two() * size_of::<u16>()
    }

    /// The seat of a sender; a newcomer gets a free one or that of the longest silent of those whom
    /// the recipe does not name. Only a newcomer with a name may take a named one's seat, and only
    /// if there is no other: strangers, however many, displace strangers.
    #[inline]
    pub fn seat(&mut self, id: SenderId, now: Mono) -> Seat {
        if let Some(slot) = self.find(id) {
            if let Some(place) = self.seats.get_mut(slot.index()) {
                place.seen = now;
            }
            return Seat { slot, displaced: None };
        }
        self.seat_newcomer(id, now)
    }

    /// The seat of a sender that has one.
    #[inline]
    #[must_use]
    pub fn find(&self, id: SenderId) -> Option<SenderSlot> {
        let mask = self.index.len() - 1;
        let mut at = Self::home(id) & mask;
        loop {
            let slot = SenderSlot(*self.index.get(at)?);
            if slot == SenderSlot::EVICTED {
                return None;
            }
            if self.id(slot) == Some(id) {
                return Some(slot);
            }
            at = (at + 1) & mask;
        }
    }

    const fn home(id: SenderId) -> usize {
        let raw = id.service().raw();
        (raw ^ (raw >> 32)) as usize
    }

    #[cold]
    fn seat_newcomer(&mut self, id: SenderId, now: Mono) -> Seat {
        let free = usize::from(self.seated) + 1;
        let named = self.budgets.knows(id.service());
        let mut purse = Purse::full(self.budgets.of(id.service()), now);
        let (slot, displaced) = if free < self.seats.len() {
            self.seated += 1;
            (SenderSlot(self.seated), None)
        } else {
            let slot = self.who_gives_way(named);
            // Strangers share the budget of a seat: a new name is no new budget.
            if let Some(place) = self.seats.get(slot.index()).filter(|seat| !(named || seat.named))
            {
                purse = place.purse;
            }
            (slot, self.displace(slot, now))
        };
        if let Some(place) = self.seats.get_mut(slot.index()) {
            *place = Place { id: Some(id), named, seen: now, purse, ..EMPTY };
        }
        self.rebuild_index();
        Seat { slot, displaced }
    }

    /// The longest silent stranger; if there is none, the longest silent of all, so that nobody is
    /// locked out (a recipe has more seats than names, so a stranger finds a stranger).
    fn who_gives_way(&self, newcomer_is_named: bool) -> SenderSlot {
        let seated = || (0u16..).zip(self.seats.iter()).skip(1);
        let silent = seated().min_by_key(|(slot, place)| (place.named, place.seen, *slot));
        let slot = SenderSlot(silent.map_or(1, |(slot, _)| slot));
        assert!(
            newcomer_is_named
                || self.seats.get(slot.index()).is_some_and(|place| !place.named)
                || seated().all(|(_, place)| place.named),
            "a stranger displaces a named sender only if all are named"
        );
        slot
    }

    /// Adds the ledger of a seat to the row of the evicted.
    fn displace(&mut self, slot: SenderSlot, now: Mono) -> Option<SenderId> {
        let place = *self.seats.get(slot.index())?;
        self.displaced += 1;
        self.displaced_active += u64::from(now.since(place.seen) < self.idle);
        self.seats.first_mut()?.ledger.absorb(&place.ledger);
        place.id
    }

    /// Seats change rarely, and there are few: to build the index anew is the simplest deletion.
    fn rebuild_index(&mut self) {
        self.index.fill(0);
        let mask = self.index.len() - 1;
        for (slot, place) in (0u16..).zip(self.seats.iter()).skip(1) {
            let Some(id) = place.id else { continue };
            let mut at = Self::home(id) & mask;
            while self.index.get(at).is_some_and(|taken| *taken != 0) {
                at = (at + 1) & mask;
            }
            if let Some(entry) = self.index.get_mut(at) {
                *entry = slot;
            }
        }
    }

    /// Who sits there; nobody on the row of the evicted.
    #[inline]
    #[must_use]
    pub fn id(&self, slot: SenderSlot) -> Option<SenderId> {
        self.seats.get(slot.index())?.id
    }

    /// Takes a request: counts the items that it offers, whatever becomes of them, and charges
    /// items and bytes to the sender's budget, wholly or not at all. Whether the budget allows it.
    /// From here on every item must be counted by one outcome before the event is over.
    #[inline]
    pub fn offer(&mut self, slot: SenderSlot, items: u32, bytes: u32, now: Mono) -> bool {
        let Some(place) = self.seats.get_mut(slot.index()) else { return false };
        place.ledger.take(items.into());
        place.purse.take(items, bytes, now)
    }

    #[inline]
    fn ledger(&mut self, slot: SenderSlot, note: impl FnOnce(&mut Ledger)) {
        if let Some(place) = self.seats.get_mut(slot.index()) {
            note(&mut place.ledger);
        }
    }

    /// Counts offered items stored as they were.
    #[inline]
    pub fn accepted(&mut self, slot: SenderSlot, items: u64) {
        self.ledger(slot, |ledger| ledger.accept(items));
    }

    /// Counts offered items that went into an overflow series.
    pub fn folded(&mut self, slot: SenderSlot, items: u64) {
        self.ledger(slot, |ledger| ledger.fold(items));
    }

    /// Counts offered items that were refused.
    pub fn refused(&mut self, slot: SenderSlot, reason: Reason, items: u64) {
        self.ledger(slot, |ledger| ledger.refuse(reason, items));
    }

    /// Counts items that were accepted and have been lost since: they are accepted no longer.
    #[inline]
    pub fn dropped(&mut self, slot: SenderSlot, items: u64) {
        self.ledger(slot, |ledger| ledger.drop_accepted(items));
    }

    /// Counts offered items that were repeats and changed nothing: they are offered no longer.
    pub fn repeated(&mut self, slot: SenderSlot, items: u64) {
        self.ledger(slot, |ledger| ledger.repeat(items));
    }

    /// Counts a request that brought nothing to store and got its answer: it offers nothing.
    pub fn answered(&mut self, slot: SenderSlot) {
        self.ledger(slot, |ledger| ledger.answer(1));
    }

    /// Counts values in which a secret was replaced.
    pub fn redacted(&mut self, slot: SenderSlot, values: u64) {
        self.ledger(slot, |ledger| ledger.redact(values));
    }

    /// Counts what a sender says it lost itself.
    pub fn lost_by_client(&mut self, slot: SenderSlot, items: u64) {
        self.ledger(slot, |ledger| ledger.lose(items));
    }

    /// The ledger row of a seat; `kept` is what the service keeps of it now.
    #[must_use]
    pub fn row(&mut self, slot: SenderSlot, kept: u64, now: Mono) -> LedgerRow {
        let Some(place) = self.seats.get_mut(slot.index()) else { return LedgerRow::default() };
        let (events_left, bytes_left) = place.purse.left(now);
        LedgerRow { kept, events_left, bytes_left, ..place.row() }
    }

    /// Asserts the law of the ledger for every seat. It holds whenever no event is being handled.
    pub fn check_invariants(&self) {
        for place in self.seats.iter().take(usize::from(self.seated) + 1) {
            let row = place.row();
            assert!(
                row.balances(),
                "{} of {} items have no outcome: {row:?}",
                row.uncounted(),
                row.offered
            );
        }
    }

    /// The row of the evicted, then every seat that is taken.
    pub fn slots(&self) -> impl Iterator<Item = SenderSlot> + use<> {
        (0..=self.seated).map(SenderSlot)
    }

    /// Seats taken.
    #[must_use]
    pub const fn seated(&self) -> u16 {
        self.seated
    }

    /// Seats there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.seats.len() - 1
    }

    /// How often a sender lost its seat, and how often although it was not idle.
    #[must_use]
    pub const fn displacements(&self) -> (u64, u64) {
        (self.displaced, self.displaced_active)
    }

    /// The budget of a service.
    #[must_use]
    pub fn budget(&self, service: ServiceId) -> Budget {
        self.budgets.of(service)
    }
}

#[cfg(test)]
#[path = "senders_tests.rs"]
mod tests;
