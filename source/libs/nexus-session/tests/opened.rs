//! Sessions that an endpoint opens, beside a list that says what there should be.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod net;

use net::{NAMES, Net, Seen, life};
use nexus_bounded::{Mono, Nanos};
use nexus_session::{End, IDLE, PER_OWNER, PER_PEER, SESSIONS_MAX};
use nexus_wire::sessions::line::Op;
use nexus_wire::sessions::{SessionId, SessionStatus};
use proptest::prelude::*;

/// What somebody does; nothing is heard of it before the others of its batch are done.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open { owner: u32, peer: usize },
    Ask(Which),
    Close(Which),
    Forget { owner: u32 },
}

/// Over which session, and whether as its owner.
#[derive(Clone, Copy, Debug)]
struct Which {
    at: prop::sample::Index,
    is_owner: bool,
}

#[derive(Clone, Debug)]
struct Batch {
    steps: Vec<Step>,
    spoils: Option<Op>,
    /// How much time passes after it.
    pass: Nanos,
}

fn step() -> impl Strategy<Value = Step> {
    let which = || {
        let which = (any::<prop::sample::Index>(), prop::bool::weighted(0.9));
        which.prop_map(|(at, is_owner)| Which { at, is_owner })
    };
    prop_oneof![
        6 => (0..6u32, 1..NAMES.len()).prop_map(|(owner, peer)| Step::Open { owner, peer }),
        3 => which().prop_map(Step::Ask),
        1 => which().prop_map(Step::Close),
        1 => (0..6u32).prop_map(|owner| Step::Forget { owner }),
    ]
}

/// No more steps than there are seeds before others are fetched.
fn batch() -> impl Strategy<Value = Batch> {
    let steps = prop::collection::vec(step(), 1..=5);
    let spoils = prop_oneof![
        6 => Just(None), 1 => Just(Some(Op::Handshake)), 1 => Just(Some(Op::Carry))
    ];
    let pass = prop_oneof![4 => Just(0), 1 => 1..IDLE.0, 1 => Just(IDLE.0)];
    (steps, spoils, pass).prop_map(|(steps, spoils, pass)| Batch {
        steps,
        spoils,
        pass: Nanos(pass),
    })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Asking,
    Closing,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    owner: u32,
    peer: usize,
    waiter: u32,
    /// None until it is known.
    id: Option<SessionId>,
    state: State,
    is_gone: bool,
    until: Mono,
}

/// What there should be, as a list that knows no slots.
struct Model {
    net: Net,
    entries: Vec<Entry>,
    waiters: u32,
}

const SAID: [u8; 3] = [7; 3];

impl Model {
    fn may_open(&self, owner: u32, peer: usize) -> Result<(), SessionStatus> {
        let count = |is_it: &dyn Fn(&&Entry) -> bool| self.entries.iter().filter(is_it).count();
        let fits = count(&|entry| entry.owner == owner) < PER_OWNER
            && count(&|entry| entry.peer == peer) < PER_PEER
            && self.entries.len() < SESSIONS_MAX;
        if fits { Ok(()) } else { Err(SessionStatus::OverLimit) }
    }

    fn open(&mut self, owner: u32, peer: usize) {
        let (waiter, now) = (self.waiters, self.net.now);
        let expected = self.may_open(owner, peer);
        let place = self.net.us().reserve(life(owner), NAMES[peer], now);
        let opened = place.map(|place| assert_eq!(place.open(waiter, now), Ok(())));
        assert_eq!(opened, expected);
        if opened.is_ok() {
            let (id, state, is_gone, until) = (None, State::Idle, false, Mono(0));
            self.entries.push(Entry { owner, peer, waiter, id, state, is_gone, until });
        }
    }

    /// Asks something, or closes.
    fn use_it(&mut self, Which { at, is_owner }: Which, state: State) {
        let (waiter, now) = (self.waiters, self.net.now);
        let entry = (!self.entries.is_empty()).then(|| at.index(self.entries.len()));
        let entry = entry.and_then(|at| self.entries.get_mut(at));
        let mut entry = entry.filter(|entry| entry.id.is_some());
        let owner = entry.as_ref().map_or(0, |entry| entry.owner) + u32::from(!is_owner);
        let id = entry.as_ref().and_then(|entry| entry.id).unwrap_or(SessionId(u32::MAX));
        let expected = match &entry {
            Some(entry) if !is_owner || entry.is_gone => Err(SessionStatus::NotFound),
            None | Some(Entry { state: State::Closing, .. }) => Err(SessionStatus::NotFound),
            Some(Entry { state: State::Asking, .. }) => Err(SessionStatus::Busy),
            Some(Entry { state: State::Idle, .. }) => Ok(()),
        };
        let us = self.net.ends.get_mut(NAMES[0]).unwrap();
        let done = match state {
            State::Closing => us.close((id, life(owner)), waiter, now),
            _ => us.ask((id, life(owner)), waiter, &SAID, now),
        };
        assert_eq!(done, expected);
        if let (Ok(()), Some(entry)) = (done, &mut entry) {
            (entry.state, entry.waiter) = (state, waiter);
        }
    }

    fn step(&mut self, step: Step) {
        self.waiters += 1;
        match step {
            Step::Open { owner, peer } => self.open(owner, peer),
            Step::Ask(which) => self.use_it(which, State::Asking),
            Step::Close(which) => self.use_it(which, State::Closing),
            Step::Forget { owner } => {
                self.net.us().forget(life(owner));
                let its = self.entries.iter_mut().filter(|entry| entry.owner == owner);
                its.for_each(|entry| entry.is_gone = true);
            }
        }
        self.net.advance(NAMES[0]);
        assert_eq!(self.net.us().opened(), self.entries.len());
    }

    fn at(&self, waiter: u32) -> usize {
        self.entries.iter().position(|entry| entry.waiter == waiter).unwrap()
    }

    fn opened(&mut self, waiter: u32, id: SessionId) {
        assert_ne!(id, SessionId(0));
        assert!(self.entries.iter().all(|entry| entry.id != Some(id)), "numbers are unique");
        let at = self.at(waiter);
        (self.entries[at].id, self.entries[at].until) = (Some(id), self.net.now.after(IDLE));
    }

    /// Hears what has come of what was asked for: what ends by itself, and how many failed.
    fn hear(&mut self) -> (Vec<End>, usize) {
        let (mut endings, mut failed) = (vec![], 0);
        for seen in std::mem::take(&mut self.net.seen) {
            match seen {
                Seen::Opened(waiter, Ok(id)) => self.opened(waiter, id),
                Seen::Answered(waiter, Ok(bytes)) => {
                    assert_eq!(bytes, SAID);
                    let (at, until) = (self.at(waiter), self.net.now.after(IDLE));
                    (self.entries[at].state, self.entries[at].until) = (State::Idle, until);
                }
                Seen::Opened(waiter, Err(status)) | Seen::Answered(waiter, Err(status)) => {
                    assert_eq!(status, SessionStatus::NotAuthentic);
                    self.entries.remove(self.at(waiter));
                    failed += 1;
                }
                Seen::Closed(waiter) => {
                    let closed = self.entries.remove(self.at(waiter));
                    assert_eq!(closed.state, State::Closing);
                }
                Seen::Ending(how) => endings.push(how),
                Seen::Ended => {}
            }
        }
        (endings, failed)
    }

    /// Takes out those that should have ended by themselves: how many those are.
    fn end(&mut self, is_over: impl Fn(&Entry) -> bool) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| !is_over(entry));
        before - self.entries.len()
    }

    fn batch(&mut self, Batch { steps, spoils, pass }: Batch) {
        self.net.spoils = spoils;
        steps.into_iter().for_each(|step| self.step(step));
        self.net.run();
        let is_spoilt = spoils.is_some() && self.net.spoils.take().is_none();
        let (endings, failed) = self.hear();
        assert_eq!(failed, usize::from(is_spoilt));
        let of = |how| endings.iter().filter(|end| **end == how).count();
        // A failed session of somebody who is gone has ended for that reason.
        let gone = self.end(|entry| entry.is_gone);
        assert!((gone..=gone + failed).contains(&of(End::OwnerGone)), "{endings:?}");
        assert!(of(End::Failed) <= failed, "{endings:?}");
        assert_eq!((of(End::Idle), of(End::Closed)), (0, 0));
        self.pass(pass);
    }

    fn pass(&mut self, pass: Nanos) {
        self.net.now = self.net.now.after(pass);
        let now = self.net.now;
        self.net.run();
        let idle = self.end(|entry| entry.until <= now);
        assert_eq!(self.hear(), (vec![End::Idle; idle], 0));
        assert_eq!(self.net.us().opened(), self.entries.len());
        assert!(self.net.us().deadline().is_none_or(|at| at > now), "nothing is due");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// And the ear on the line hears no counter and no key of a handshake twice.
    #[test]
    fn sessions_are_bounded_unique_and_end_as_a_list_of_them_says(
        batches in prop::collection::vec(batch(), 1..40),
    ) {
        let mut model = Model { net: Net::new(), entries: vec![], waiters: 0 };
        batches.into_iter().for_each(|batch| model.batch(batch));
        model.net.us().stop();
        model.net.run();
        let (endings, failed) = model.hear();
        prop_assert_eq!((endings, failed), (vec![End::Closed; model.entries.len()], 0));
        prop_assert_eq!(model.net.us().opened(), 0);
        let known = NAMES.map(|name| model.net.ends[name].accepted());
        prop_assert_eq!(known, [0; NAMES.len()], "both sides know that all are over");
    }
}
