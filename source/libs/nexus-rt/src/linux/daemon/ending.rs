//! How a daemon ends: what was sent before the signal is taken in, then the service has its time.

use nexus_bounded::{Mono, Nanos};

/// How long what was sent before a signal may take to be read.
const DRAIN_PATIENCE: Nanos = Nanos::from_millis(500);
/// How long the service may take to stop.
pub(super) const STOP_PATIENCE: Nanos = Nanos::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// A signal came; what was sent before is taken in.
    Draining {
        until: Mono,
    },
    /// The service was told to stop.
    Stopping {
        until: Mono,
    },
}

/// How far the end is.
pub(super) struct Ending {
    phase: Phase,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// The service said that it is done.
    Done,
    /// It was not done when our patience was over.
    OutOfPatience,
}

impl Ending {
    /// No end is in sight.
    pub(super) const fn none() -> Self {
        Self { phase: Phase::Serving }
    }

    pub(super) fn is_serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// A signal came; `true` if it is the first. Further ones change nothing, patience included.
    pub(super) fn begin(&mut self, now: Mono) -> bool {
        let first = self.is_serving();
        if first {
            self.phase = Phase::Draining { until: now.after(DRAIN_PATIENCE) };
        }
        first
    }

    /// Notes whether anything came in; `true` if the service is to be told to stop, once.
    pub(super) fn tell(&mut self, now: Mono, silent: bool) -> bool {
        let Phase::Draining { until } = self.phase else { return false };
        let tell = silent || now >= until;
        if tell {
            self.phase = Phase::Stopping { until: now.after(STOP_PATIENCE) };
        }
        tell
    }

    /// Whether and how it is over; `done` is asked only after the service was told to stop.
    pub(super) fn over(&self, now: Mono, done: impl FnOnce() -> bool) -> Option<Ended> {
        match self.phase {
            Phase::Stopping { .. } if done() => Some(Ended::Done),
            Phase::Stopping { until } if now >= until => Some(Ended::OutOfPatience),
            _ => None,
        }
    }

    /// When the loop has to look again by itself.
    pub(super) fn deadline(&self, now: Mono) -> Option<Mono> {
        match self.phase {
            Phase::Serving => None,
            Phase::Draining { .. } => Some(now),
            Phase::Stopping { until } => Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Mono {
        Mono(0).after(Nanos::from_millis(millis))
    }

    /// Signalled at 0, told to stop at 100 ms.
    fn stopping() -> Ending {
        let mut ending = Ending::none();
        assert!(ending.begin(at(0)));
        assert!(ending.tell(at(100), true));
        ending
    }

    #[test]
    fn a_daemon_that_nobody_signals_goes_on_whatever_its_service_says() {
        let mut ending = Ending::none();
        assert!(!ending.tell(at(0), true));
        assert_eq!(ending.over(at(1_000_000), || true), None);
        assert_eq!(ending.deadline(at(0)), None);
    }

    #[test]
    fn what_was_sent_before_is_taken_in_for_half_a_second_at_most() {
        let mut ending = Ending::none();
        ending.begin(at(0));
        assert!(!ending.tell(at(499), false), "more keeps coming");
        assert_eq!(ending.over(at(499), || true), None, "the service was not told yet");
        assert!(ending.tell(at(500), false));
        assert!(!ending.tell(at(501), true), "it is told once");
    }

    #[test]
    fn a_service_that_is_done_ends_at_once() {
        assert_eq!(stopping().over(at(100), || true), Some(Ended::Done));
    }

    #[test]
    fn a_service_that_is_never_done_has_five_seconds() {
        let ending = stopping();
        assert_eq!(ending.over(at(5099), || false), None);
        assert_eq!(ending.deadline(at(200)), Some(at(5100)), "the loop wakes up in time");
        assert_eq!(ending.over(at(5100), || false), Some(Ended::OutOfPatience));
        assert_eq!(ending.over(at(5100), || true), Some(Ended::Done));
    }

    #[test]
    fn another_signal_makes_it_neither_longer_nor_shorter() {
        let mut ending = stopping();
        assert!(!ending.begin(at(3000)));
        assert!(!ending.tell(at(3000), true));
        assert_eq!(ending.over(at(5099), || false), None);
        assert_eq!(ending.over(at(5100), || false), Some(Ended::OutOfPatience));
    }
}
