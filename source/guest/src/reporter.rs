//! A service that records: more than a console shows before logd is there, and how often it is
//! woken.

use nexus_bounded::{Mono, Nanos};
use nexus_log::warn;
use nexus_metrics::counter;
use nexus_port::{Event, Now, Service, World};

/// Its name, and the scope of its records.
pub const REPORTER: &str = "reporter";
/// Records that it logs when it begins.
pub const RECORDS: u64 = 20;
/// How often it is woken.
pub const WAKES: u64 = 5;

/// Between two wakes.
const PAUSE: Nanos = Nanos::from_millis(10);

/// See the module. It serves nobody.
pub struct Reporter {
    woken: u64,
    next: Mono,
}

impl Reporter {
    /// Logs its records. Before it serves nobody behind it is started.
    #[must_use]
    pub fn new() -> Self {
        (1..=RECORDS).for_each(|n| warn!("reporter", "record {n}"; n = n));
        Self { woken: 0, next: Mono(0) }
    }
}

impl Default for Reporter {
    fn default() -> Self {
        Self::new()
    }
}

impl Service for Reporter {
    fn handle(&mut self, now: Now, event: Event<'_>, _world: &mut impl World) {
        if matches!(event, Event::Wake) && self.deadline().is_some_and(|at| at <= now.mono) {
            counter!("reporter_wakes_total").inc();
            self.woken += 1;
            self.next = now.mono.after(PAUSE);
        }
    }

    fn deadline(&self) -> Option<Mono> {
        (self.woken < WAKES).then_some(self.next)
    }

    fn stopped(&self) -> bool {
        true
    }
}
