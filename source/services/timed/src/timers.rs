use alloc::collections::BTreeMap;

use nexus_abi::{Incarnation, Sender, SenderId};
use nexus_bounded::Mono;
use nexus_port::Token;
use nexus_wire::timers::{TimerId, TimerStatus};

/// Timers of one owner, at most.
pub const PER_OWNER: u32 = 64;
/// Timers of all owners together, at most.
pub const TIMERS_MAX: usize = 1024;

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
    owner: Owner,
    sleeper: Option<Sleeper>,
}

/// The timers that have not run out, in the order in which they will.
#[derive(Default)]
pub(crate) struct Timers {
    due: BTreeMap<(Mono, TimerId), Timer>,
    /// When each of them runs out.
    when: BTreeMap<TimerId, Mono>,
    /// How many each owner has who has any.
    owned: BTreeMap<Owner, u32>,
    latest: u32,
}

impl Timers {
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
        let has = self.owned.get(&owner).copied().unwrap_or(0);
        if has == PER_OWNER || self.when.len() == TIMERS_MAX {
            return Err(TimerStatus::OverLimit);
        }
        let id = self.free_id();
        self.owned.insert(owner, has + 1);
        self.when.insert(id, at);
        self.due.insert((at, id), Timer { owner, sleeper });
        Ok(id)
    }

    /// The next number that no timer has; there are far more than timers.
    fn free_id(&mut self) -> TimerId {
        loop {
            self.latest = self.latest.wrapping_add(1);
            let id = TimerId(self.latest);
            if id.0 != 0 && !self.when.contains_key(&id) {
                return id;
            }
        }
    }

    /// Takes a timer of `from` back.
    ///
    /// # Errors
    /// `not_found` if it has run out, never was, or is somebody else's.
    pub(crate) fn cancel(&mut self, from: Sender, id: TimerId) -> Result<(), TimerStatus> {
        let at = *self.when.get(&id).ok_or(TimerStatus::NotFound)?;
        let is_his =
            self.due.get(&(at, id)).is_some_and(|timer| timer.owner == (from.id, from.incarnation));
        if !is_his {
            return Err(TimerStatus::NotFound);
        }
        self.remove(at, id);
        Ok(())
    }

    /// Takes out the first timer if it has run out by `now`; who waits for it, if anybody.
    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<Option<Sleeper>> {
        let (&(at, id), timer) = self.due.first_key_value()?;
        let sleeper = timer.sleeper;
        (at <= now).then(|| {
            self.remove(at, id);
            sleeper
        })
    }

    /// Forgets all timers of a life that has ended.
    pub(crate) fn forget(&mut self, id: SenderId, incarnation: Incarnation) {
        let owner = (id, incarnation);
        if self.owned.remove(&owner).is_some() {
            self.due.retain(|_, timer| timer.owner != owner);
            let due = &self.due;
            self.when.retain(|id, at| due.contains_key(&(*at, *id)));
        }
    }

    fn remove(&mut self, at: Mono, id: TimerId) {
        let timer = self.due.remove(&(at, id));
        let when = self.when.remove(&id);
        assert!(timer.is_some() && when == Some(at), "both ways lead to a timer");
        let owner = timer.map(|timer| timer.owner);
        if let Some((owner, count)) =
            owner.and_then(|owner| Some((owner, self.owned.get_mut(&owner)?)))
        {
            *count -= 1;
            if *count == 0 {
                self.owned.remove(&owner);
            }
        }
    }

    /// When the first of them runs out.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    /// Asserts that the three ways to see them agree.
    pub(crate) fn check(&self) {
        let owned = self.owned.values().map(|count| *count as usize).sum::<usize>();
        assert!(self.due.len() == self.when.len() && owned == self.due.len(), "they agree");
        assert!(self.owned.values().all(|count| (1..=PER_OWNER).contains(count)), "bounded");
    }
}
