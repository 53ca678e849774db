//! Lives of senders, and the numbers of series they have been given.
//!
//! A life is (sender, incarnation). It is made when a sender first says something that lasts, kept
//! for a while after its connection is gone so that it may be resumed, and ends with all its
//! registrations. A `SeriesId` names a registration, not a series: it is worth something only in
//! the mouth of the life it was given to.
//!
//! Invariants: every sender can have one life, and its floor of registrations, whatever others do;
//! what a registration says is cumulative, so saying it again changes nothing.
//!
//! Deliberately absent: live spans (`spans` keeps its own lives, under the same names).

mod registrations;

use nexus_abi::{ExitReason, Incarnation};
use nexus_bounded::{Mono, Nanos};
use nexus_gate::SenderSlot;
use nexus_recipe::{MemoryLine, MetricsdLimits};
use nexus_wire::metrics::Recorded;
use nexus_wire::{LossReason, Reason};

use crate::limits::memory_line;
use crate::registry::Registry;
use crate::rows::{NONE, Pool, Rows};
use crate::shares::{Shares, row};

pub(crate) use registrations::{Granted, PlainCounters, Registrations, rise};

/// How a life stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The row is no life.
    Free,
    /// Its connection is there, as far as anybody knows.
    Alive,
    /// Its connection is gone since then.
    Lost(Mono),
}

/// One life of a sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    state: State,
    pub(crate) owner: SenderSlot,
    pub(crate) incarnation: Incarnation,
    /// Under which number it was asked for when it was last resumed: its client may not have heard
    /// the answer, and ask for that one again.
    asked_as: Incarnation,
    /// Number of the last BATCH applied; 0: none.
    pub(crate) applied_seq: u32,
    /// Items refused in applied BATCHes.
    pub(crate) refused_items: u32,
    /// The next BATCH brings what an outage has held up.
    pub(crate) catchup: bool,
    /// When the last BATCH was applied.
    pub(crate) last_batch: Mono,
    /// What the client says it has lost, by reason.
    losses: [u64; LossReason::ALL.len()],
    /// What its BATCHes have brought to the registry.
    pub(crate) taken: Recorded,
    /// What the client says it has recorded and has not arrived, as of its last word on it.
    missing: Option<Recorded>,
    /// The first of its registrations.
    registrations: u32,
    /// The sender's next life.
    next: u32,
}

const NOTHING: Recorded = Recorded { counted: 0, observed: 0, sum: 0 };

const FREE: Session = Session {
    state: State::Free,
    owner: SenderSlot::EVICTED,
    incarnation: Incarnation::new(0),
    asked_as: Incarnation::new(0),
    applied_seq: 0,
    refused_items: 0,
    catchup: false,
    last_batch: Mono(0),
    losses: [0; LossReason::ALL.len()],
    taken: NOTHING,
    missing: None,
    registrations: NONE,
    next: NONE,
};

/// A life that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) owner: SenderSlot,
    pub(crate) incarnation: Incarnation,
}

/// All lives.
pub(crate) struct Sessions {
    rows: Pool<Session>,
    /// Each sender's newest life.
    heads: Rows<u32>,
    shares: Shares,
    grace: Nanos,
    /// No lost life ends before this.
    next_end: Option<Mono>,
    /// What was missing of lives that have ended.
    missing_of_ended: Recorded,
    /// Whose the first of these lives was, while its owner has its seat.
    missing_whose: Option<SenderSlot>,
    pub(crate) registrations: Registrations,
}

impl Sessions {
    /// No lives, all memory taken now.
    pub(crate) fn new(limits: &MetricsdLimits) -> Self {
        Self {
            rows: Pool::filled(limits.sessions, FREE),
            heads: Rows::filled(limits.senders + 1, NONE),
            shares: Shares::new(limits.senders, limits.sessions, 1, limits.sessions),
            grace: limits.session_grace,
            next_end: None,
            missing_of_ended: NOTHING,
            missing_whose: None,
            registrations: Registrations::new(limits),
        }
    }

    /// What they take memory for.
    pub(crate) fn memory(limits: &MetricsdLimits) -> [MemoryLine; 4] {
        let (senders, shares) = (limits.senders, Shares::bytes(limits.senders));
        let (registration, heard) = Registrations::bytes_each();
        let per_sender = Rows::<u32>::bytes(senders + 1) + 3 * shares;
        [
            memory_line("lives of senders", limits.sessions, Pool::<Session>::bytes_each()),
            memory_line("registrations", limits.registrations, registration),
            memory_line("histograms' registrations", limits.histograms, heard),
            memory_line("what senders have of them", 1, per_sender),
        ]
    }

    /// The life of a sender.
    #[inline]
    pub(crate) fn find(&self, owner: SenderSlot, incarnation: Incarnation) -> Option<u32> {
        let mut at = self.heads[row(owner)];
        while let Some(session) = self.rows.find(at) {
            if session.incarnation == incarnation {
                return Some(at);
            }
            at = session.next;
        }
        None
    }

    /// The life that a client means by `incarnation` when it wants to go on with it.
    pub(crate) fn find_resumable(
        &self,
        owner: SenderSlot,
        incarnation: Incarnation,
    ) -> Option<u32> {
        let asked_before = || {
            self.of(owner).find(|(_, session)| session.asked_as == incarnation).map(|(at, _)| at)
        };
        self.find(owner, incarnation).or_else(asked_before)
    }

    #[inline]
    pub(crate) fn at(&self, session: u32) -> &Session {
        &self.rows[session]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, session: u32) -> &mut Session {
        &mut self.rows[session]
    }

    /// A new life. Where there is no room the sender's own longest lost one must end first.
    ///
    /// # Errors
    /// `NotReady`: the table is full, and the sender has its part of it.
    pub(crate) fn open(
        &mut self,
        owner: SenderSlot,
        incarnation: Incarnation,
    ) -> Result<u32, Reason> {
        if !self.shares.fits(owner, 1) {
            return Err(Reason::NotReady);
        }
        let next = self.heads[row(owner)];
        let state = State::Alive;
        let asked_as = incarnation;
        let session = Session { state, owner, incarnation, asked_as, next, ..FREE };
        let at = self.rows.take(session).ok_or(Reason::NotReady)?;
        self.shares.take(owner, 1);
        self.heads[row(owner)] = at;
        Ok(at)
    }

    /// The sender's longest lost life, if another has no room beside it.
    pub(crate) fn in_the_way(&self, owner: SenderSlot) -> Option<u32> {
        if self.shares.fits(owner, 1) {
            return None;
        }
        let lost = self.of(owner).filter_map(|(at, session)| match session.state {
            State::Lost(since) => Some((since, at)),
            _ => None,
        });
        lost.min().map(|(_, at)| at)
    }

    fn of(&self, owner: SenderSlot) -> impl Iterator<Item = (u32, &Session)> {
        let mut at = self.heads[row(owner)];
        core::iter::from_fn(move || {
            let session = self.rows.find(at)?;
            let found = (at, session);
            at = session.next;
            Some(found)
        })
    }

    /// Any life of a sender.
    pub(crate) fn first_of(&self, owner: SenderSlot) -> Option<u32> {
        self.of(owner).next().map(|(at, _)| at)
    }

    /// Goes on with an earlier life, asked for as `earlier`, under the number of a new connection.
    pub(crate) fn resume(&mut self, session: u32, earlier: Incarnation, incarnation: Incarnation) {
        let life = self.at_mut(session);
        life.state = State::Alive;
        life.asked_as = earlier;
        life.incarnation = incarnation;
    }

    /// The connection of a life is gone.
    pub(crate) fn lose(&mut self, session: u32, now: Mono) {
        self.at_mut(session).state = State::Lost(now);
        let end = now.after(self.grace);
        self.next_end = Some(self.next_end.map_or(end, |next| next.min(end)));
    }

    /// A lost life whose time is over, if there is one.
    pub(crate) fn overdue(&mut self, now: Mono) -> Option<u32> {
        if self.next_end.is_none_or(|next| now < next) {
            return None;
        }
        let grace = self.grace;
        let lost = self.rows.iter().filter_map(|(at, session)| match session.state {
            State::Lost(since) => Some((since.after(grace), at)),
            _ => None,
        });
        let first = lost.min();
        self.next_end = first.map(|(end, _)| end);
        first.filter(|(end, _)| *end <= now).map(|(_, at)| at)
    }

    /// When [`Self::overdue`] is to be asked next.
    pub(crate) const fn deadline(&self) -> Option<Mono> {
        self.next_end
    }

    /// Ends a life and frees its registrations.
    pub(crate) fn end(&mut self, session: u32, registry: &mut Registry) -> Ended {
        let life = self.rows[session];
        self.registrations.free_all(life.owner, life.registrations, registry);
        let before = self.of(life.owner).find(|(_, other)| other.next == session);
        match before.map(|(at, _)| at) {
            Some(before) => self.rows[before].next = life.next,
            None => self.heads[row(life.owner)] = life.next,
        }
        if let Some(missing) = life.missing.filter(|missing| *missing != NOTHING) {
            self.missing_of_ended = self.missing_of_ended.plus(missing);
            self.missing_whose.get_or_insert(life.owner);
        }
        self.rows[session] = FREE;
        self.rows.give(session);
        self.shares.give(life.owner, 1);
        Ended { owner: life.owner, incarnation: life.incarnation }
    }

    /// Registers a series with a life.
    ///
    /// # Errors
    /// `NotReady`: no room.
    pub(crate) fn register(
        &mut self,
        session: u32,
        series: u32,
        folded: bool,
        registry: &mut Registry,
    ) -> Result<Granted, Reason> {
        let life = &mut self.rows[session];
        self.registrations.grant(life, session, series, folded, registry)
    }

    /// What is new in a client's own total of losses.
    pub(crate) fn new_losses(&mut self, session: u32, reason: LossReason, total: u64) -> u64 {
        let place = usize::from(reason.raw()).saturating_sub(1);
        let Some(known) = self.at_mut(session).losses.get_mut(place) else { return 0 };
        let new = total.saturating_sub(*known);
        *known += new;
        new
    }

    /// A client says what it has recorded in its life.
    pub(crate) fn hear_recorded(&mut self, session: u32, recorded: Recorded) {
        let life = self.at_mut(session);
        life.missing = Some(recorded.missing_in(life.taken));
    }

    /// Lives whose clients say what they have recorded, and what of it has not arrived, in ended
    /// lives too.
    pub(crate) fn told(&self) -> (usize, Recorded) {
        let told = self.rows.iter().filter_map(|(_, life)| life.missing);
        told.fold((0, self.missing_of_ended), |(count, sum), life| (count + 1, sum.plus(life)))
    }

    /// Whose life the first is of which something is missing: of those that have ended, else of
    /// the others.
    pub(crate) fn first_missing(&self) -> Option<SenderSlot> {
        let mut lives = self.rows.iter().map(|(_, life)| life);
        let living = lives.find(|life| life.missing.is_some_and(|missing| missing != NOTHING));
        self.missing_whose.or(living.map(|life| life.owner))
    }

    /// Forgets whose a seat was.
    pub(crate) fn displace(&mut self, owner: SenderSlot) {
        self.missing_whose = self.missing_whose.filter(|whose| *whose != owner);
    }

    /// Lives there may be.
    pub(crate) fn capacity(&self) -> u32 {
        self.rows.capacity()
    }

    /// Lives there are, and how many of them are lost.
    pub(crate) fn counts(&self) -> (u32, u32) {
        let lost = |session: &Session| matches!(session.state, State::Lost(_));
        let lost = self.rows.iter().filter(|(_, session)| lost(session)).count();
        (self.rows.used(), u32::try_from(lost).unwrap_or(u32::MAX))
    }
}

/// Whether an end is one that nobody resumes from.
pub(crate) const fn is_final(reason: ExitReason) -> bool {
    match reason {
        ExitReason::Exited(_) | ExitReason::Killed(_) => true,
        ExitReason::Disconnected => false,
    }
}

/// Why a lost life whose time is over ended.
pub(crate) const GRACE_OVER: ExitReason = ExitReason::Disconnected;
