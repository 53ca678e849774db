//! What timed tells metricsd of its work.

use nexus_bounded::Mono;
use nexus_metrics::{counter, gauge, histogram};
use nexus_wire::timers::TimerStatus;

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// A timer was set.
    Set { deadline: Mono, coalesced: Mono },
    /// A timer was taken back.
    Cancelled,
    /// Nothing was done.
    Refused(TimerStatus),
}

pub(crate) fn note(outcome: Outcome) {
    match outcome {
        Outcome::Set { deadline, coalesced } => {
            let delta = coalesced.since(deadline).0;
            histogram!("timed_coalesce_delta_ns", unit = Nanoseconds).observe(delta);
        }
        Outcome::Cancelled => counter!("timed_cancelled_total").inc(),
        Outcome::Refused(TimerStatus::OverLimit) => {
            counter!("timed_refusals_total", "reason" => "over_limit").inc();
        }
        Outcome::Refused(TimerStatus::NotFound) => {
            counter!("timed_refusals_total", "reason" => "not_found").inc();
        }
        Outcome::Refused(TimerStatus::InvalidArgs | TimerStatus::Ok) => {
            counter!("timed_refusals_total", "reason" => "invalid_args").inc();
        }
    }
}

/// Timers that ended in one wake-up; each but the first has saved one.
pub(crate) fn note_ended(timers: u64) {
    if timers > 0 {
        counter!("timed_ended_total").add(timers);
        counter!("timed_wakeups_saved_total").add(timers - 1);
    }
}

pub(crate) fn note_live(timers: usize) {
    gauge!("timed_timers_live").set(timers as i64);
}
