use nexus_bounded::{Mono, Nanos, Wall};
use nexus_port::Now;

/// Virtual time. It moves only when the scheduler moves it.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Exact time, which only the world knows.
    now: Mono,
    /// What a service reads is exact time rounded down to a multiple of this; never zero.
    resolution: Nanos,
    /// Calendar time at boot, as it is believed now.
    wall_at_boot: Option<i128>,
}

impl Clock {
    pub(crate) fn new(resolution: Nanos, wall: Option<Wall>) -> Self {
        assert!(resolution.0 > 0, "a clock needs a resolution");
        Self { now: Mono(0), resolution, wall_at_boot: wall.map(|wall| i128::from(wall.0)) }
    }

    pub(crate) const fn exact(&self) -> Mono {
        self.now
    }

    /// Time as services read it.
    pub(crate) fn read(&self) -> Now {
        let mono = Mono(self.now.0 - self.now.0 % self.resolution.0);
        let wall = self.wall_at_boot.and_then(|boot| u64::try_from(boot + i128::from(mono.0)).ok());
        Now { mono, wall: wall.map(Wall) }
    }

    /// Exact time at which a timer set to `deadline` fires: never early on the clock services read.
    pub(crate) const fn fires(&self, deadline: Mono) -> Mono {
        let ticks = deadline.0.div_ceil(self.resolution.0);
        Mono(ticks.saturating_mul(self.resolution.0))
    }

    pub(crate) fn advance_to(&mut self, then: Mono) {
        assert!(then >= self.now, "time never goes back");
        self.now = then;
    }

    /// Sets the calendar clock: it jumps, monotonic time does not. `None`: nothing knows it.
    pub(crate) fn set_wall(&mut self, wall: Option<Wall>) {
        self.wall_at_boot = wall.map(|wall| i128::from(wall.0) - i128::from(self.now.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_clock_reads_late_and_its_timers_fire_at_the_next_tick() {
        let mut clock = Clock::new(Nanos::from_millis(10), None);
        clock.advance_to(Mono(19_999_999));
        assert_eq!(clock.read().mono, Mono(10_000_000));
        assert_eq!(clock.fires(Mono(10_000_001)), Mono(20_000_000));
        assert_eq!(clock.fires(Mono(20_000_000)), Mono(20_000_000));
        assert_eq!(clock.fires(Mono(u64::MAX)), Mono(u64::MAX));
    }

    #[test]
    fn a_wall_clock_jumps_without_monotonic_time() {
        let mut clock = Clock::new(Nanos(1), Some(Wall(1000)));
        clock.advance_to(Mono(5));
        assert_eq!(clock.read(), Now { mono: Mono(5), wall: Some(Wall(1005)) });
        clock.set_wall(Some(Wall(2)));
        clock.advance_to(Mono(6));
        assert_eq!(clock.read(), Now { mono: Mono(6), wall: Some(Wall(3)) });
        clock.set_wall(None);
        assert_eq!(clock.read().wall, None);
    }
}
