//! Time as the kernel tells it.

use nexus_bounded::{Mono, Wall};
use nexus_port::Now;
use rustix::time::{ClockId, clock_gettime};

/// Monotonic time now, as the daemons count it.
#[must_use]
pub fn monotonic() -> Mono {
    Mono(nanos(ClockId::Monotonic).unwrap_or(0))
}

/// The machine's clocks. The calendar is looked up once a turn, monotonic time for every event.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    /// Calendar minus monotonic time.
    offset: Option<u64>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let mut clock = Self { offset: None };
        clock.turn();
        clock
    }

    /// Looks at the calendar; a date before 1970 is none.
    pub(crate) fn turn(&mut self) {
        let wall = nanos(ClockId::Realtime);
        self.offset = wall.and_then(|wall| wall.checked_sub(monotonic().0));
    }

    pub(crate) fn now(self) -> Now {
        let mono = monotonic();
        Now { mono, wall: self.offset.map(|offset| Wall(mono.0.saturating_add(offset))) }
    }
}

fn nanos(clock: ClockId) -> Option<u64> {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
}
