//! When a child is started: one after another, each when its predecessor has served or has done
//! its work, and again after a death, later each time. Who dies again and again is started without
//! what it has stored, which may be why, and in the end not any more. Who lives and does not begin
//! to serve is not waited for beyond a patience.
//!
//! Plain data that is told the time and what happened, and says what to do next. Invariants: a
//! child that serves, has ended well, or was given up, is never started; nobody holds up those
//! behind it for longer than [`PATIENCE`] at a time.
//!
//! Deliberately absent: names, rights and the order itself, which stand in the image; and ending
//! whoever does not serve: it may be at work.
#![no_std]
#![forbid(unsafe_code)]

mod child;

use child::{Child, State};
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

/// After so many deaths within [`DEATHS_SPAN`] a child is given up. What it has stored has been set
/// aside three times by then.
pub const DEATHS_MAX: usize = 10;
/// See [`DEATHS_MAX`].
pub const DEATHS_SPAN: Nanos = Nanos::from_secs(600);

/// How long those behind a child wait until it serves, from its start or its latest service on.
pub const PATIENCE: Nanos = Nanos::from_secs(30);

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
    /// Say that those behind this child begin without it, then ask again. It is said once until it
    /// has served.
    Late {
        /// Which.
        at: usize,
        /// How often that was so, this time included.
        count: u32,
    },
    /// Wait until something happens, or until this time.
    Wait(Option<Mono>),
}

/// What becomes of a dead child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It will be started again.
    Again {
        /// How long it takes until then.
        after: Nanos,
        /// Whether it will have to set aside what it has stored, and how often it had to, this time
        /// included.
        set_aside: Option<u32>,
    },
    /// It will not: it has died [`DEATHS_MAX`] times within [`DEATHS_SPAN`].
    GivenUp,
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
        Self { children: [Child::UNBORN; CAPABILITIES_MAX], count }
    }

    /// What to do now.
    pub fn next(&mut self, now: Mono) -> Step {
        if let Some((at, child)) = self.to_be_started(now) {
            return Step::Start { at, set_aside: child.is_suspect() };
        }
        match self.awaited().filter(|&(_, until)| until <= now) {
            Some((at, _)) => {
                Step::Late { at, count: self.children.get_mut(at).map_or(0, Child::is_late) }
            }
            None => Step::Wait(self.next_time()),
        }
    }

    /// A child was started.
    pub fn started(&mut self, at: usize, now: Mono) {
        self.children.get_mut(at).into_iter().for_each(|child| child.begin(now));
    }

    /// A child could not be started: that is a death too, but nothing it has stored is the reason.
    pub fn failed(&mut self, at: usize, now: Mono) {
        self.children.get_mut(at).into_iter().for_each(|child| child.fail(now));
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

    /// What becomes of a child, if it is dead, and how many deaths it has had.
    #[must_use]
    pub fn fate(&self, at: usize, now: Mono) -> Option<(Fate, u32)> {
        let child = self.children.get(at)?;
        Some((child.fate(now)?, child.deaths()))
    }

    fn all(&self) -> impl Iterator<Item = (usize, &Child)> {
        self.children.iter().take(self.count).enumerate()
    }

    /// The first child to be started: a dead one whose pause is over, or the next new one if nobody
    /// before it holds it up.
    fn to_be_started(&self, now: Mono) -> Option<(usize, &Child)> {
        let mut again = self.all().filter(|(_, child)| child.again().is_some_and(|at| at <= now));
        again.next().or_else(|| self.held_up_by().filter(|(_, child)| child.is_new()))
    }

    /// The first child that does not let those behind it begin.
    fn held_up_by(&self) -> Option<(usize, &Child)> {
        self.all().find(|(_, child)| child.holds_up())
    }

    /// For whom somebody waits who has not been started, and until when.
    fn awaited(&self) -> Option<(usize, Mono)> {
        let (at, child) = self.held_up_by()?;
        let has_new = self.all().skip(at).any(|(_, child)| child.is_new());
        has_new.then_some((at, child.awaited_until()))
    }

    /// When there is something to do that nothing has to happen for.
    fn next_time(&self) -> Option<Mono> {
        let again = self.all().filter_map(|(_, child)| child.again());
        again.chain(self.awaited().map(|(_, until)| until)).min()
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
        assert_eq!(supervisor.next(T), Step::Wait(Some(T.after(PATIENCE))));
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

    /// When the first child is started again, and what of its state.
    fn again(supervisor: &Supervisor, now: Mono) -> (Nanos, Option<u32>) {
        match supervisor.fate(0, now) {
            Some((Fate::Again { after, set_aside }, _)) => (after, set_aside),
            other => panic!("it is not started again: {other:?}"),
        }
    }

    /// Dies at these times; what is to be done about it each time.
    fn deaths(supervisor: &mut Supervisor, seconds: &[u64]) -> Vec<Option<u32>> {
        let die = |&second: &u64| {
            let now = T.after(Nanos::from_secs(second));
            supervisor.changed(0, DEATH, now);
            let (after, suspicions) = again(supervisor, now);
            let due = now.after(after);
            let set_aside = suspicions.is_some();
            assert_eq!(supervisor.next(due), Step::Start { at: 0, set_aside });
            supervisor.started(0, due);
            suspicions
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
        assert_eq!(again(&supervisor, T).1, None);
        (0..3).for_each(|_| supervisor.changed(0, DEATH, T));
        supervisor.failed(0, T);
        assert_eq!(again(&supervisor, T).1, Some(1));
    }

    /// Dies as soon as it begins, until it is given up: how often, and when.
    fn dies_at_once(supervisor: &mut Supervisor, at: usize, mut now: Mono) -> (u32, Mono) {
        loop {
            supervisor.changed(at, DEATH, now);
            let (fate, deaths) = supervisor.fate(at, now).unwrap();
            let Fate::Again { after, .. } = fate else { return (deaths, now) };
            now = now.after(after);
            supervisor.started(at, now);
        }
    }

    #[test]
    fn who_dies_ten_times_in_a_row_is_given_up_and_those_behind_it_begin() {
        let mut supervisor = started(2, 0);
        supervisor.started(0, T);
        let (deaths, end) = dies_at_once(&mut supervisor, 0, T);
        assert_eq!(deaths, 10);
        assert_eq!(end.since(T), Nanos::from_millis(100 * 0b11_1111 + 3 * 5000));
        assert_eq!(supervisor.next(end), start(1));
        supervisor.started(1, end);
        supervisor.changed(1, Change::Serves, end);
        assert_eq!(supervisor.next(end.after(DEATHS_SPAN)), Step::Wait(None), "never again");
    }

    #[test]
    fn ten_deaths_that_take_longer_than_the_span_are_no_reason_to_give_up() {
        let mut supervisor = started(1, 1);
        let far = DEATHS_SPAN.0 / u64::try_from(DEATHS_MAX - 1).unwrap() + 1;
        for n in 0..40 {
            let now = T.after(Nanos(far * n));
            supervisor.changed(0, DEATH, now);
            let (after, _) = again(&supervisor, now);
            supervisor.started(0, now.after(after));
        }
    }

    #[test]
    fn who_cannot_be_started_is_given_up_too() {
        let mut supervisor = started(1, 0);
        (0..10).for_each(|_| supervisor.failed(0, T));
        assert_eq!(supervisor.fate(0, T), Some((Fate::GivenUp, 10)));
    }

    #[test]
    fn who_does_not_begin_to_serve_is_said_once_and_not_waited_for_any_longer() {
        let mut supervisor = started(3, 1);
        assert_eq!(supervisor.next(T), start(1));
        supervisor.started(1, T);
        let late = T.after(PATIENCE);
        assert_eq!(supervisor.next(T), Step::Wait(Some(late)));
        assert_eq!(supervisor.next(late), Step::Late { at: 1, count: 1 });
        assert_eq!(supervisor.next(late), start(2));
        supervisor.started(2, late);
        assert_eq!(supervisor.next(late.after(PATIENCE)), Step::Wait(None));
    }

    #[test]
    fn nobody_is_late_for_whom_nobody_waits() {
        let mut supervisor = started(2, 1);
        assert_eq!(supervisor.next(T), start(1));
        supervisor.started(1, T);
        assert_eq!(supervisor.next(T.after(PATIENCE)), Step::Wait(None));
    }

    #[test]
    fn lives_that_end_before_they_serve_share_one_patience() {
        let mut supervisor = started(2, 0);
        supervisor.started(0, T);
        let second = T.after(Nanos::from_secs(20));
        supervisor.changed(0, DEATH, second);
        supervisor.started(0, second.after(PAUSE_MIN));
        assert_eq!(supervisor.next(second.after(PAUSE_MIN)), Step::Wait(Some(T.after(PATIENCE))));
        assert_eq!(supervisor.next(T.after(PATIENCE)), Step::Late { at: 0, count: 1 });
    }

    #[test]
    fn who_has_served_is_waited_for_anew_when_it_dies() {
        let mut supervisor = started(2, 0);
        supervisor.started(0, T);
        assert_eq!(supervisor.next(T.after(PATIENCE)), Step::Late { at: 0, count: 1 });
        supervisor.changed(0, Change::Serves, T.after(PATIENCE));
        let death = T.after(PATIENCE).after(PATIENCE);
        supervisor.changed(0, DEATH, death);
        supervisor.started(0, death);
        assert_eq!(supervisor.next(death), Step::Wait(Some(death.after(PATIENCE))));
        assert_eq!(supervisor.next(death.after(PATIENCE)), Step::Late { at: 0, count: 2 });
        assert_eq!(supervisor.next(death.after(PATIENCE)), start(1));
    }

    #[test]
    fn of_who_lives_nothing_is_to_be_said() {
        let supervisor = started(1, 1);
        assert_eq!(supervisor.fate(0, T), None);
        assert_eq!(supervisor.fate(7, T), None);
    }
}
