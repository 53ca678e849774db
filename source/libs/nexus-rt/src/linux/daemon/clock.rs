//! Time as the kernel tells it.

use nexus_bounded::{Mono, Wall};
use nexus_port::Now;
use rustix::time::{ClockId, clock_gettime};

/// The machine's clocks. The calendar is looked up once a turn, monotonic time for every event.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    /// Calendar minus monotonic time.
    offset: Option<u64>,
}

impl Clock {
    pub(super) fn new() -> Self {
        let mut clock = Self { offset: None };
        clock.turn();
        clock
    }

    /// Looks at the calendar; a date before 1970 is none.
    pub(super) fn turn(&mut self) {
        self.offset = nanos(ClockId::Realtime).and_then(|wall| wall.checked_sub(self.mono().0));
    }

    pub(super) fn mono(self) -> Mono {
        Mono(nanos(ClockId::Monotonic).unwrap_or(0))
    }

    pub(super) fn now(self) -> Now {
        let mono = self.mono();
        Now { mono, wall: self.offset.map(|offset| Wall(mono.0.saturating_add(offset))) }
    }
}

fn nanos(clock: ClockId) -> Option<u64> {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
}
