//! When a child is started: one after another, each when its predecessor has served or has done
//! its work, and again after a death, later each time. Who dies again and again is started without
//! what it has stored, which may be why.
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

/// So many deaths within [`SUSPICION`] cast it on what a child has stored.
pub const SUSPICIOUS_DEATHS: usize = 3;
/// See [`SUSPICIOUS_DEATHS`].
pub const SUSPICION: Nanos = Nanos::from_secs(60);

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Start this child, then ask again.
    Start {
        /// Which.
        at: usize,
        /// Whether it has to set aside what it has stored.
        set_aside: bool,
    },
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
    /// The latest deaths but the last one, oldest first.
    recent: [Option<Mono>; SUSPICIOUS_DEATHS - 1],
    is_suspect: bool,
    /// How often that was so.
    suspicions: u32,
}

const UNBORN: Child = Child {
    state: State::New,
    since: Mono(0),
    pause: PAUSE_MIN,
    recent: [None; SUSPICIOUS_DEATHS - 1],
    is_suspect: false,
    suspicions: 0,
};

/// How a dead child will be started again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Again {
    /// How long it takes until then.
    pub after: Nanos,
    /// Whether it will have to set aside what it has stored, and how often it had to, this time
    /// included.
    pub set_aside: Option<u32>,
}

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
        let is_suspect = |at: usize| self.children.get(at).is_some_and(|child| child.is_suspect);
        let start = |at| Step::Start { at, set_aside: is_suspect(at) };
        self.due(now).map_or_else(|| Step::Wait(self.next_again()), start)
    }

    /// A child was started.
    pub fn started(&mut self, at: usize, now: Mono) {
        if let Some(child) = self.children.get_mut(at) {
            (child.state, child.since, child.is_suspect) = (State::Begun, now, false);
        }
    }

    /// A child could not be started: that is a death too, but nothing it has stored is the reason.
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
            Change::Ended(_) => {
                child.die(now);
                child.suspect(now);
            }
        }
    }

    /// How a child will be started again, if it is dead.
    #[must_use]
    pub fn again(&self, at: usize, now: Mono) -> Option<Again> {
        let child = self.children.get(at)?;
        let State::Dead { again } = child.state else { return None };
        let set_aside = child.is_suspect.then_some(child.suspicions);
        Some(Again { after: again.since(now), set_aside })
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
        self.state = State::Dead { again: now.after(self.pause) };
        self.pause = Nanos(self.pause.0.saturating_mul(2)).min(PAUSE_MAX);
    }

    /// Remembers a death. What is stored anew after a suspicion is judged by later deaths only.
    fn suspect(&mut self, now: Mono) {
        let [oldest, last] = self.recent;
        if oldest.is_none_or(|at| now.since(at) > SUSPICION) {
            self.recent = [last, Some(now)];
            return;
        }
        self.recent = [None; SUSPICIOUS_DEATHS - 1];
        self.is_suspect = true;
        self.suspicions = self.suspicions.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    const DEATH: Change = Change::Ended(ExitReason::Killed(5));
    const T: Mono = Mono(1_000_000);

    fn start(at: usize) -> Step {
        Step::Start { at, set_aside: false }
    }

    fn started(children: usize, first: usize) -> Supervisor {
        let mut supervisor = Supervisor::new(children);
        for at in 0..first {
            assert_eq!(supervisor.next(T), start(at));
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
        assert_eq!(supervisor.next(T), start(1));
    }

    #[test]
    fn who_ends_well_lets_the_next_one_begin_and_is_not_started_again() {
        let mut supervisor = started(2, 0);
        supervisor.started(0, T);
        supervisor.changed(0, Change::Ended(ExitReason::Exited(0)), T);
        assert_eq!(supervisor.next(T), start(1));
        supervisor.started(1, T);
        assert_eq!(supervisor.next(T.after(LONG_LIFE)), Step::Wait(None));
    }

    #[test]
    fn nobody_new_begins_while_a_predecessor_is_dead() {
        let mut supervisor = started(3, 2);
        supervisor.changed(0, DEATH, T);
        assert_eq!(supervisor.next(T), Step::Wait(Some(T.after(PAUSE_MIN))));
        assert_eq!(supervisor.next(T.after(PAUSE_MIN)), start(0));
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
        let late = now.after(LONG_LIFE);
        supervisor.changed(0, DEATH, late);
        assert_eq!(supervisor.next(late), Step::Wait(Some(late.after(PAUSE_MIN))));
    }

    #[test]
    fn who_cannot_be_started_is_tried_again_later() {
        let mut supervisor = started(1, 0);
        supervisor.failed(0, T);
        assert_eq!(supervisor.next(T), Step::Wait(Some(T.after(PAUSE_MIN))));
    }

    /// Dies at these times; what is to be done about it each time.
    fn deaths(supervisor: &mut Supervisor, seconds: &[u64]) -> Vec<Option<u32>> {
        let die = |&second: &u64| {
            let now = T.after(Nanos::from_secs(second));
            supervisor.changed(0, DEATH, now);
            let again = supervisor.again(0, now).unwrap();
            let due = now.after(again.after);
            let set_aside = again.set_aside.is_some();
            assert_eq!(supervisor.next(due), Step::Start { at: 0, set_aside });
            supervisor.started(0, due);
            again.set_aside
        };
        seconds.iter().map(die).collect()
    }

    #[test]
    fn a_third_death_within_a_minute_sets_aside_what_is_stored() {
        let supervisor = &mut started(1, 1);
        assert_eq!(deaths(supervisor, &[0, 30, 60]), [None, None, Some(1)]);
    }

    #[test]
    fn deaths_that_are_further_apart_do_not() {
        let supervisor = &mut started(1, 1);
        assert_eq!(deaths(supervisor, &[0, 30, 61, 91, 122]), [None; 5]);
        assert_eq!(deaths(supervisor, &[123]), [Some(1)], "91, 122 and 123");
    }

    #[test]
    fn what_was_stored_since_is_suspect_after_three_more_deaths_only() {
        let supervisor = &mut started(1, 1);
        let all = [None, None, Some(1), None, None, Some(2), None];
        assert_eq!(deaths(supervisor, &[0, 5, 10, 15, 20, 25, 30]), all);
    }

    #[test]
    fn who_cannot_be_started_has_no_stored_state_to_blame_and_forgets_no_suspicion() {
        let mut supervisor = started(1, 1);
        (0..3).for_each(|_| supervisor.failed(0, T));
        assert_eq!(supervisor.again(0, T).unwrap().set_aside, None);
        (0..3).for_each(|_| supervisor.changed(0, DEATH, T));
        supervisor.failed(0, T);
        assert_eq!(supervisor.again(0, T).unwrap().set_aside, Some(1));
    }

    #[test]
    fn of_who_lives_nothing_is_to_be_said() {
        let supervisor = started(1, 1);
        assert_eq!(supervisor.again(0, T), None);
        assert_eq!(supervisor.again(7, T), None);
    }
}
