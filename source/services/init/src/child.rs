//! One child: how it is, and what its deaths come to.

use nexus_bounded::{Mono, Nanos};

use crate::{
    DEATHS_MAX, DEATHS_SPAN, Fate, LONG_LIFE, PATIENCE, PAUSE_MAX, PAUSE_MIN, SUSPICION,
    SUSPICIOUS_DEATHS,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
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
    /// Ended badly, too often.
    GivenUp,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    pub(crate) state: State,
    since: Mono,
    pause: Nanos,
    deaths: u32,
    deaths_of_late: Latest<{ DEATHS_MAX - 1 }>,
    suspicious: Latest<{ SUSPICIOUS_DEATHS - 1 }>,
    is_suspect: bool,
    /// How often that was so.
    suspicions: u32,
    awaited_until: Mono,
    /// Whether it was not waited for any longer.
    is_late: bool,
    /// How often that was so.
    times_late: u32,
}

impl Child {
    pub(crate) const UNBORN: Self = Self {
        state: State::New,
        since: Mono(0),
        pause: PAUSE_MIN,
        deaths: 0,
        deaths_of_late: Latest::NONE,
        suspicious: Latest::NONE,
        is_suspect: false,
        suspicions: 0,
        awaited_until: Mono(0),
        is_late: false,
        times_late: 0,
    };

    pub(crate) fn is_new(&self) -> bool {
        self.state == State::New
    }

    /// Whether those behind it wait for it.
    pub(crate) fn holds_up(&self) -> bool {
        match self.state {
            State::New => true,
            State::Begun | State::Dead { .. } => !self.is_late,
            State::Serves | State::Done | State::GivenUp => false,
        }
    }

    pub(crate) const fn awaited_until(&self) -> Mono {
        self.awaited_until
    }

    pub(crate) const fn is_suspect(&self) -> bool {
        self.is_suspect
    }

    pub(crate) const fn deaths(&self) -> u32 {
        self.deaths
    }

    /// When it is to be started again, if it is dead.
    pub(crate) const fn again(&self) -> Option<Mono> {
        if let State::Dead { again } = self.state { Some(again) } else { None }
    }

    pub(crate) fn fate(&self, now: Mono) -> Option<Fate> {
        let set_aside = self.is_suspect.then_some(self.suspicions);
        match self.state {
            State::Dead { again } => Some(Fate::Again { after: again.since(now), set_aside }),
            State::GivenUp => Some(Fate::GivenUp),
            _ => None,
        }
    }

    pub(crate) fn begin(&mut self, now: Mono) {
        self.await_anew(now);
        (self.state, self.since, self.is_suspect) = (State::Begun, now, false);
    }

    pub(crate) fn fail(&mut self, now: Mono) {
        self.since = now;
        self.die(now);
    }

    pub(crate) fn die(&mut self, now: Mono) {
        self.await_anew(now);
        if now.since(self.since) >= LONG_LIFE {
            self.pause = PAUSE_MIN;
        }
        self.deaths = self.deaths.saturating_add(1);
        let is_too_often = self.deaths_of_late.is_within(DEATHS_SPAN, now);
        self.state = if is_too_often {
            State::GivenUp
        } else {
            State::Dead { again: now.after(self.pause) }
        };
        self.pause = Nanos(self.pause.0.saturating_mul(2)).min(PAUSE_MAX);
    }

    /// Remembers a death. What is stored anew after a suspicion is judged by later deaths only.
    pub(crate) fn suspect(&mut self, now: Mono) {
        if self.suspicious.is_within(SUSPICION, now) {
            self.suspicious = Latest::NONE;
            self.is_suspect = true;
            self.suspicions = self.suspicions.saturating_add(1);
        }
    }

    /// It is not waited for any longer: how often that was so.
    pub(crate) fn is_late(&mut self) -> u32 {
        self.is_late = true;
        self.times_late = self.times_late.saturating_add(1);
        self.times_late
    }

    /// Patience begins with a first start, or where a service ends; deaths meanwhile give no more.
    fn await_anew(&mut self, now: Mono) {
        if matches!(self.state, State::New | State::Serves) {
            (self.awaited_until, self.is_late) = (now.after(PATIENCE), false);
        }
    }
}

/// The times of the latest events, oldest first.
#[derive(Clone, Copy, Debug)]
struct Latest<const N: usize> {
    times: [Mono; N],
    /// How many of them, from the last one back, were.
    count: usize,
}

impl<const N: usize> Latest<N> {
    const NONE: Self = Self { times: [Mono(0); N], count: 0 };

    /// Remembers one more: whether it and the `N` before it lie within `span`.
    fn is_within(&mut self, span: Nanos, now: Mono) -> bool {
        let oldest = self.times.first().filter(|_| self.count == N).copied();
        self.times.rotate_left(1);
        self.times.last_mut().into_iter().for_each(|last| *last = now);
        self.count = (self.count + 1).min(N);
        oldest.is_some_and(|at| now.since(at) <= span)
    }
}
