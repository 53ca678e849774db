//! What was lost on the way to logd, and of whom.

use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_gate::{SenderSlot, Senders};
use nexus_wire::{Fields, FieldsWriter};

/// State changes are told at most once in so long.
const PACE: Nanos = Nanos::from_secs(1);

/// Why records did not stay in logd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GapReason {
    /// A span found no room in the queue.
    QueueFull,
    /// logd refused a record for good.
    Refused,
    /// logd had acknowledged records and began anew without them.
    LogdRestarted,
}

const REASONS: [(GapReason, &str); 3] = [
    (GapReason::QueueFull, "queue_full"),
    (GapReason::Refused, "refused"),
    (GapReason::LogdRestarted, "logd_restarted"),
];

/// Some losses: how many, and when the first and the last of them happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gap {
    pub(super) origin: Option<ServiceId>,
    pub(super) count: u64,
    pub(super) first: Mono,
    pub(super) last: Mono,
}

impl Gap {
    pub(super) const NONE: Self = Self { origin: None, count: 0, first: Mono(0), last: Mono(0) };

    /// `count` losses at one time.
    pub(super) const fn at(origin: Option<ServiceId>, count: u64, now: Mono) -> Self {
        Self { origin, count, first: now, last: now }
    }

    pub(super) fn add(&mut self, more: Self) {
        if self.count == 0 {
            *self = more;
        } else if more.count > 0 {
            self.count = self.count.saturating_add(more.count);
            self.first = self.first.min(more.first);
            self.last = self.last.max(more.last);
        }
    }
}

/// Losses that are not told yet, and drops that the ledger does not know yet.
pub(super) struct Gaps {
    /// By reason, then by seat.
    gaps: Box<[Gap]>,
    seats: usize,
    /// Places of `gaps` with losses.
    open: usize,
    turn: usize,
    next: Mono,
    dropped: Box<[u64]>,
    unsettled: bool,
}

impl Gaps {
    pub(super) fn new(senders: u32) -> Self {
        let seats = senders as usize + 1;
        Self {
            gaps: vec![Gap::NONE; seats * REASONS.len()].into_boxed_slice(),
            seats,
            open: 0,
            turn: 0,
            next: Mono(0),
            dropped: vec![0; seats].into_boxed_slice(),
            unsettled: false,
        }
    }

    pub(super) const fn bytes(senders: u32) -> usize {
        (senders as usize + 1) * (size_of::<Gap>() * REASONS.len() + size_of::<u64>())
    }

    /// Notes losses of the sender at `seat`.
    pub(super) fn add(&mut self, reason: GapReason, seat: usize, gap: Gap) {
        let place = reason as usize * self.seats + seat;
        let Some(known) = self.gaps.get_mut(place).filter(|_| gap.count > 0) else { return };
        self.open += usize::from(known.count == 0);
        known.add(gap);
    }

    /// Notes a span of the sender at `seat` that was accepted and is lost.
    pub(super) fn span_lost(
        &mut self,
        reason: GapReason,
        seat: usize,
        origin: ServiceId,
        now: Mono,
    ) {
        self.add(reason, seat, Gap::at(Some(origin), 1, now));
        if let Some(dropped) = self.dropped.get_mut(seat) {
            *dropped += 1;
            self.unsettled = true;
        }
    }

    /// Moves drops to the ledger.
    pub(super) fn settle(&mut self, senders: &mut Senders, now: Mono) {
        if !core::mem::take(&mut self.unsettled) {
            return;
        }
        for slot in senders.slots() {
            let Some(dropped) = self.dropped.get_mut(slot.index()) else { continue };
            let lost = core::mem::take(dropped);
            // What a former holder of the seat lost stands in the row of the evicted.
            let own = lost.min(senders.row(slot, 0, now).accepted);
            senders.dropped(slot, own);
            // More than was accepted cannot be lost; a record refused twice is no second loss.
            let evicted = senders.row(SenderSlot::EVICTED, 0, now).accepted;
            senders.dropped(SenderSlot::EVICTED, (lost - own).min(evicted));
        }
    }

    /// Counts everything of a seat for the evicted.
    pub(super) fn displace(&mut self, slot: SenderSlot) {
        let (evicted, seat) = (SenderSlot::EVICTED.index(), slot.index());
        if seat == evicted {
            return;
        }
        for (reason, _) in REASONS {
            let gone = self.take_at(reason as usize * self.seats + seat);
            self.add(reason, evicted, Gap { origin: None, ..gone });
        }
        let dropped = self.dropped.get_mut(seat).map(core::mem::take).unwrap_or_default();
        if let Some(sum) = self.dropped.get_mut(evicted) {
            *sum += dropped;
        }
    }

    fn take_at(&mut self, place: usize) -> Gap {
        let Some(gap) = self.gaps.get_mut(place) else { return Gap::NONE };
        let gone = core::mem::replace(gap, Gap::NONE);
        self.open -= usize::from(gone.count > 0);
        gone
    }

    /// Losses to be told now, if any: one sender and reason after another, one a second unless
    /// `hurry`.
    pub(super) fn take_due(&mut self, now: Mono, hurry: bool) -> Option<(&'static str, Gap)> {
        if self.open == 0 || (now < self.next && !hurry) {
            return None;
        }
        let places = (self.turn..self.gaps.len()).chain(0..self.turn);
        let mut lost = places.filter(|place| self.gaps.get(*place).is_some_and(|g| g.count > 0));
        let place = lost.next()?;
        self.turn = place + 1;
        self.next = now.after(PACE);
        let (_, reason) = REASONS.get(place / self.seats)?;
        Some((reason, self.take_at(place)))
    }

    /// Losses that are not told yet.
    pub(super) fn untold(&self) -> u64 {
        self.gaps.iter().fold(0, |sum, gap| sum.saturating_add(gap.count))
    }

    /// When the next losses may be told, if there are any.
    pub(super) fn due(&self) -> Option<Mono> {
        (self.open > 0).then_some(self.next)
    }
}

/// Writes the fields of a gap record; `None` if they do not fit.
pub(super) fn write<'a>(
    (reason, gap): (&str, &Gap),
    boot: u32,
    seq: u64,
    out: &'a mut [u8],
) -> Option<Fields<'a>> {
    let mut to = FieldsWriter::new(out);
    let mut all = to.field("boot", boot);
    all &= to.field("count", gap.count);
    all &= to.field("event", "gap.v1");
    all &= to.field("first_ns", gap.first.0);
    all &= to.field("last_ns", gap.last.0);
    if let Some(origin) = gap.origin {
        all &= to.field("origin", origin);
    }
    all &= to.field("reason", reason);
    all &= to.field("seq", seq);
    to.finish().ok().filter(|_| all)
}
