//! What timed tells metricsd of its work.

use nexus_bounded::Mono;
use nexus_metrics::{Bounds, CounterFamily, counter, counter_family, gauge, histogram};
use nexus_wire::timers::TimerStatus;

static REFUSALS: CounterFamily<1> =
    counter_family!("timed_refusals_total", ["reason"], help = "requests refused, by reason");

/// Not late at all, and fractions of the windows of the classes, which are 1, 4 and 8 ms long.
const DELTAS: Bounds =
    Bounds::listed(&[0, 250_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000]);

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
            histogram!(
                "timed_coalesce_delta_ns",
                unit = Nanoseconds,
                bounds = DELTAS,
                help = "how much later than asked timers run out"
            )
            .observe(coalesced.since(deadline).0);
        }
        Outcome::Cancelled => counter!("timed_cancelled_total", help = "timers taken back").inc(),
        Outcome::Refused(status) => REFUSALS.with([status.name()]).inc(),
    }
}

/// Timers that ended in one wake-up; each but the first has saved one.
pub(crate) fn note_ended(timers: u64) {
    if timers > 0 {
        counter!("timed_ended_total", help = "timers that ran out").add(timers);
        counter!("timed_wakeups_saved_total", help = "timers that ended in the wake-up of another")
            .add(timers - 1);
    }
}

pub(crate) fn note_live(timers: usize) {
    gauge!("timed_timers_live", help = "timers that have not run out").set(timers as i64);
}
