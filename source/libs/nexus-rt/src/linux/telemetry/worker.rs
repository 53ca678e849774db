//! The thread that drives the client libraries.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use nexus_bounded::{Mono, Nanos};

use super::Shared;
use crate::clients::Clients;
use crate::linux::clock::monotonic;
use crate::linux::link::{Link, Watch};

/// The longest sleep: whoever logs may have changed what there is to wait for.
const SLEEP_MAX: Nanos = Nanos::from_secs(1);

pub(super) struct Worker {
    pub(super) clients: Clients<Link>,
    pub(super) shared: Arc<Shared>,
    pub(super) asked: UnixStream,
    pub(super) watch: Arc<Watch>,
}

impl Worker {
    pub(super) fn run(mut self) {
        // The flush that is under way, by its number.
        let mut under_way = 0;
        let mut ending = false;
        loop {
            let (asked, end) = self.shared.wishes();
            let now = monotonic();
            if asked > under_way || (end.is_some() && !ending) {
                under_way = asked;
                ending = end.is_some();
                self.clients.metrics.request_flush(now);
            }
            let next = self.clients.poll(now);
            let (over, well) = self.clients.state(now);
            if over {
                self.shared.report(under_way, well);
            }
            if end.is_some_and(|end| over || Instant::now() >= end) {
                return;
            }
            self.sleep(next, end);
        }
    }

    /// Sleeps until `next`, a reply, a wish, or the `end`.
    fn sleep(&self, next: Mono, end: Option<Instant>) {
        let mut left = next.since(monotonic()).min(SLEEP_MAX);
        if let Some(end) = end {
            let end = end.saturating_duration_since(Instant::now());
            left = left.min(Nanos(u64::try_from(end.as_nanos()).unwrap_or(u64::MAX)));
        }
        if self.watch.wait(left) {
            drop((&self.asked).read(&mut [0; 64]));
        }
    }
}
