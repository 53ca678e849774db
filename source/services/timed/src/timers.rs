use alloc::vec::Vec;

use nexus_abi::{Incarnation, Sender, SenderId};
use nexus_bounded::Mono;
use nexus_port::Token;
use nexus_wire::timers::{TimerId, TimerStatus};

/// Timers of one owner, at most: the field's number.
pub const PER_OWNER: usize = 64;
/// Timers of all owners together, at most: sixteen services, as many as the guest's daemons know at
/// a time, may have all that they may.
pub const TIMERS_MAX: usize = 16 * PER_OWNER;

/// Somebody who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleeper {
    pub(crate) token: Token,
    pub(crate) nonce: u32,
}

/// A life of a sender.
type Owner = (SenderId, Incarnation);

#[derive(Clone, Copy, Debug)]
struct Timer {
    at: Mono,
    id: TimerId,
    owner: Owner,
    sleeper: Option<Sleeper>,
}

/// Whether one timer runs out behind another; of those of one time the older goes first.
fn is_behind(one: &Timer, (at, id): (Mono, TimerId)) -> bool {
    (one.at, one.id) > (at, id)
}

/// The timers that have not run out: one table in which the next to run out stands last. There are
/// so few that to look at all of them is cheap.
pub(crate) struct Timers {
    due: Vec<Timer>,
    latest: u32,
}

impl Timers {
    /// None yet. Takes its memory now.
    pub(crate) fn new() -> Self {
        Self { due: Vec::with_capacity(TIMERS_MAX), latest: 0 }
    }

    /// Adds a timer that runs out at `at`.
    ///
    /// # Errors
    /// `over_limit` if the owner, or all together, have as many as they may.
    pub(crate) fn add(
        &mut self,
        from: Sender,
        at: Mono,
        sleeper: Option<Sleeper>,
    ) -> Result<TimerId, TimerStatus> {
        let owner = (from.id, from.incarnation);
        if self.owned(owner) == PER_OWNER || self.due.len() == TIMERS_MAX {
            return Err(TimerStatus::OverLimit);
        }
        let id = self.free_id();
        let place = self.due.partition_point(|timer| is_behind(timer, (at, id)));
        self.due.insert(place, Timer { at, id, owner, sleeper });
        Ok(id)
    }

    fn owned(&self, owner: Owner) -> usize {
        self.due.iter().filter(|timer| timer.owner == owner).count()
    }

    /// The next number that no timer has; there are far more than timers.
    fn free_id(&mut self) -> TimerId {
        loop {
            self.latest = self.latest.wrapping_add(1);
            let id = TimerId(self.latest);
            if id.0 != 0 && !self.due.iter().any(|timer| timer.id == id) {
                return id;
            }
        }
    }

    /// Takes a timer of `from` back.
    ///
    /// # Errors
    /// `not_found` if it has run out, never was, or is somebody else's.
    pub(crate) fn cancel(&mut self, from: Sender, id: TimerId) -> Result<(), TimerStatus> {
        let is_it = |timer: &Timer| (timer.id, timer.owner) == (id, (from.id, from.incarnation));
        let place = self.due.iter().position(is_it).ok_or(TimerStatus::NotFound)?;
        self.due.remove(place);
        Ok(())
    }

    /// Takes out the first timer if it has run out by `now`; who waits for it, if anybody.
    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<Option<Sleeper>> {
        self.due.pop_if(|timer| timer.at <= now).map(|timer| timer.sleeper)
    }

    /// Forgets all timers of a life that has ended.
    pub(crate) fn forget(&mut self, id: SenderId, incarnation: Incarnation) {
        self.due.retain(|timer| timer.owner != (id, incarnation));
    }

    /// When the first of them runs out.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.due.last().map(|timer| timer.at)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    /// Asserts that they are found by their order, and that nobody has more than they may.
    pub(crate) fn check(&self) {
        let sorted = self.due.is_sorted_by(|one, next| is_behind(one, (next.at, next.id)));
        assert!(sorted && self.due.len() <= TIMERS_MAX, "the next to run out stands last");
        let is_bounded = |timer: &Timer| self.owned(timer.owner) <= PER_OWNER;
        assert!(self.due.iter().all(is_bounded), "nobody has more than they may");
    }
}
