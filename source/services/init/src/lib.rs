//! When a child is started: one after another, each when its predecessor has served or has done
//! its work, and again after a death, later each time.
//!
//! Plain data that is told the time and what happened, and says what to do next. Invariant: a child
//! that serves, or has ended well, is never started.
//!
//! Deliberately absent: names, rights and the order itself, which stand in the image.
#![no_std]
#![forbid(unsafe_code)]

use nexus_abi::ExitReason;
use nexus_abi::kernel::{CAPABILITIES_MAX, Change};
use nexus_bounded::{Mono, Nanos};

/// The pause after a first death; each further one is twice as long.
pub const PAUSE_MIN: Nanos = Nanos::from_millis(100);
/// The longest pause.
pub const PAUSE_MAX: Nanos = Nanos::from_secs(5);
/// Who has lived for longer has a clean record.
pub const LONG_LIFE: Nanos = Nanos::from_secs(60);

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Start this child, then ask again.
    Start(usize),
    /// Wait until something happens, or until this time.
    Wait(Option<Mono>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Never started.
    New,
    /// Started, and has not served.
    Begun,
    Serves,
    /// Ended well.
    Done,
    /// Ended badly, to be started again.
    Dead {
        again: Mono,
    },
}

#[derive(Clone, Copy, Debug)]
struct Child {
    state: State,
    since: Mono,
    pause: Nanos,
    deaths: u32,
}

const UNBORN: Child = Child { state: State::New, since: Mono(0), pause: PAUSE_MIN, deaths: 0 };

/// Knows how every child is.
#[derive(Clone, Debug)]
pub struct Supervisor {
    children: [Child; CAPABILITIES_MAX],
    count: usize,
}

impl Supervisor {
    /// So many children, none of them started.
    #[must_use]
    pub const fn new(count: usize) -> Self {
        assert!(count <= CAPABILITIES_MAX, "the kernel gives no more capabilities");
        Self { children: [UNBORN; CAPABILITIES_MAX], count }
    }

    /// What to do now.
    #[must_use]
    pub fn next(&self, now: Mono) -> Step {
        self.due(now).map_or_else(|| Step::Wait(self.next_again()), Step::Start)
    }

    /// A child was started.
    pub fn started(&mut self, at: usize, now: Mono) {
        if let Some(child) = self.children.get_mut(at) {
            (child.state, child.since) = (State::Begun, now);
        }
    }

    /// A child could not be started: that is a death too.
    pub fn failed(&mut self, at: usize, now: Mono) {
        if let Some(child) = self.children.get_mut(at) {
            child.since = now;
            child.die(now);
        }
    }

    /// Something has happened to a child.
    pub fn changed(&mut self, at: usize, change: Change, now: Mono) {
        let Some(child) = self.children.get_mut(at) else { return };
        match change {
            Change::Serves => child.state = State::Serves,
            Change::Ended(ExitReason::Exited(0)) => child.state = State::Done,
            Change::Ended(_) => child.die(now),
        }
    }

    /// How often a child has died.
    #[must_use]
    pub fn deaths(&self, at: usize) -> u32 {
        self.children.get(at).map_or(0, |child| child.deaths)
    }

    fn all(&self) -> impl Iterator<Item = &Child> {
        self.children.iter().take(self.count)
    }

    /// The first child to be started: a dead one whose pause is over, or the next new one if nobody
    /// before it is still to serve.
    fn due(&self, now: Mono) -> Option<usize> {
        let again = |child: &Child| matches!(child.state, State::Dead { again } if again <= now);
        let behind = |child: &Child| matches!(child.state, State::Serves | State::Done);
        let next = self.all().position(|child| !behind(child));
        let is_new = |&at: &usize| self.children.get(at).is_some_and(|c| c.state == State::New);
        self.all().position(again).or_else(|| next.filter(is_new))
    }

    fn next_again(&self) -> Option<Mono> {
        let pauses = self.all().filter_map(|child| match child.state {
            State::Dead { again } => Some(again),
            _ => None,
        });
        pauses.min()
    }
}

impl Child {
    fn die(&mut self, now: Mono) {
        if now.since(self.since) >= LONG_LIFE {
            self.pause = PAUSE_MIN;
        }
        self.deaths = self.deaths.saturating_add(1);
        self.state = State::Dead { again: now.after(self.pause) };
        self.pause = Nanos(self.pause.0.saturating_mul(2)).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEATH: Change = Change::Ended(ExitReason::Killed(5));
    const T: Mono = Mono(1_000_000);

    fn started(children: usize, first: usize) -> Supervisor {
        let mut supervisor = Supervisor::new(children);
        for at in 0..first {
            assert_eq!(supervisor.next(T), Step::Start(at));
            supervisor.started(at, T);
            supervisor.changed(at, Change::Serves, T);
        }
        supervisor
    }

    #[test]
    fn the_next_is_started_when_its_predecessor_serves_and_not_before() {
        let mut supervisor = started(2, 0);
        supervisor.started(0, T);
        assert_eq!(supervisor.next(T), Step::Wait(None));
        supervisor.changed(0, Change::Serves, T);
        assert_eq!(supervisor.next(T), Step::Start(1));
    }

    #[test]
    fn who_ends_well_lets_the_next_one_begin_and_is_not_started_again() {
        let mut supervisor = started(2, 0);
        supervisor.started(0, T);
        supervisor.changed(0, Change::Ended(ExitReason::Exited(0)), T);
        assert_eq!(supervisor.next(T), Step::Start(1));
        supervisor.started(1, T);
        assert_eq!(supervisor.next(T.after(LONG_LIFE)), Step::Wait(None));
    }

    #[test]
    fn nobody_new_begins_while_a_predecessor_is_dead() {
        let mut supervisor = started(3, 2);
        supervisor.changed(0, DEATH, T);
        assert_eq!(supervisor.next(T), Step::Wait(Some(T.after(PAUSE_MIN))));
        assert_eq!(supervisor.next(T.after(PAUSE_MIN)), Step::Start(0));
    }

    #[test]
    fn pauses_double_up_to_their_bound_and_are_short_again_after_a_long_life() {
        let mut supervisor = started(1, 1);
        let (mut now, mut pauses) = (T, [Nanos(0); 8]);
        for pause in &mut pauses {
            supervisor.changed(0, DEATH, now);
            let Step::Wait(Some(again)) = supervisor.next(now) else { panic!("it starts at once") };
            *pause = again.since(now);
            now = again;
            supervisor.started(0, now);
        }
        assert_eq!(pauses[..3], [100, 200, 400].map(Nanos::from_millis));
        assert_eq!(pauses[7], PAUSE_MAX);
        assert_eq!(supervisor.deaths(0), 8);
        let late = now.after(LONG_LIFE);
        supervisor.changed(0, DEATH, late);
        assert_eq!(supervisor.next(late), Step::Wait(Some(late.after(PAUSE_MIN))));
    }

    #[test]
    fn who_cannot_be_started_is_tried_again_later() {
        let mut supervisor = started(1, 0);
        supervisor.failed(0, T);
        assert_eq!(supervisor.next(T), Step::Wait(Some(T.after(PAUSE_MIN))));
        assert_eq!(supervisor.deaths(0), 1);
    }
}
