//! The client libraries of a process with their ways to the daemons: what every port drives.

use nexus_bounded::Mono;
use nexus_log::{SharedCourier, SpanLife, SpanRef};
use nexus_metrics::{Client, Flusher, LossReason, SpanContext};
use nexus_port::Transport;

/// A way that knows whether it leads anywhere now.
pub(crate) trait Way: Transport {
    /// Whether there is a connection, as far as is known.
    fn is_connected(&self) -> bool;
}

/// Metrics, spans and log records, and who brings them.
pub(crate) struct Clients<W: 'static> {
    pub(crate) metrics: Flusher<&'static Client>,
    pub(crate) metricsd: W,
    pub(crate) logs: &'static SharedCourier<W>,
}

impl<W: Way> Clients<W> {
    /// Does what can be done now without waiting; when to call again at the latest.
    pub(crate) fn poll(&mut self, now: Mono) -> Mono {
        let logs_next = self.logs.poll();
        nexus_metrics::global().lost(LossReason::LogQueueFull, self.logs.take_dropped());
        self.metrics.poll(now, &mut self.metricsd).min(logs_next)
    }

    /// Whether there is nothing to wait for any more, and whether the daemons have everything. One
    /// that is not there now is not waited for.
    pub(crate) fn state(&self, now: Mono) -> (bool, bool) {
        let metrics = self.metrics.is_settled(now);
        let logs = self.logs.is_settled();
        let over = (metrics || !self.metricsd.is_connected()) && is_over(self.logs);
        (over, metrics && logs)
    }
}

/// Whether nothing is to be waited for: logd has everything, or is away.
pub(crate) fn is_over<W: Way>(logs: &SharedCourier<W>) -> bool {
    logs.is_settled() || !logs.with_transport(|way| way.is_connected()).unwrap_or(false)
}

/// The span that is open on this thread, for records that are logged in it.
pub(crate) fn current_span() -> Option<SpanRef> {
    let span = SpanContext::current()?;
    let life = nexus_metrics::global().life();
    let life = life.map(|(boot, life)| SpanLife { boot, life: life.raw() });
    Some(SpanRef { span: span.span(), trace: span.trace(), life })
}
