//! The thread that drives the client libraries.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use nexus_bounded::{Mono, Nanos};
use nexus_log::SharedCourier;
use nexus_metrics::{Client, Flusher, LossReason};

use super::Shared;
use crate::linux::clock::monotonic;
use crate::linux::link::{Link, Watch};

/// The longest sleep: whoever logs may have changed what there is to wait for.
const SLEEP_MAX: Nanos = Nanos::from_secs(1);

pub(super) struct Worker {
    pub(super) metrics: Flusher<&'static Client>,
    pub(super) metricsd: Link,
    pub(super) logs: &'static SharedCourier<Link>,
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
                self.metrics.request_flush(now);
            }
            let logs_next = self.logs.poll();
            nexus_metrics::global().lost(LossReason::LogQueueFull, self.logs.take_dropped());
            let next = self.metrics.poll(now, &mut self.metricsd).min(logs_next);
            let (over, well) = self.state(now);
            if over {
                self.shared.report(under_way, well);
            }
            if end.is_some_and(|end| over || Instant::now() >= end) {
                return;
            }
            self.sleep(next, end);
        }
    }

    /// Whether there is nothing to wait for any more, and whether the daemons have everything. One
    /// that is not there now is not waited for.
    fn state(&self, now: Mono) -> (bool, bool) {
        let metrics = self.metrics.is_settled(now);
        let logs = self.logs.is_settled();
        let logd_is_there = self.logs.with_transport(|link| link.is_connected()).unwrap_or(false);
        let over = (metrics || !self.metricsd.is_connected()) && (logs || !logd_is_there);
        (over, metrics && logs)
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
