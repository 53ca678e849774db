use core::fmt;

use nexus_abi::{ExitReason, Incarnation, ServiceId};
use nexus_wire::{SpanId, SpanStatus, WideTraceId};

/// Why metricsd closed a span that its sender did not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EndReason {
    /// It was older than spans may be.
    Ttl,
    /// Its sender lost its place in the table.
    Evicted,
    /// The life that began it has ended.
    Gone(ExitReason),
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ttl => f.write_str("ttl"),
            Self::Evicted => f.write_str("evicted"),
            Self::Gone(ExitReason::Disconnected) => f.write_str("disconnected"),
            Self::Gone(ExitReason::Exited(code)) => write!(f, "exit:{code}"),
            Self::Gone(ExitReason::Killed(signal)) => write!(f, "signal:{signal}"),
        }
    }
}

/// A span with everything that its record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EndedSpan<'a> {
    /// Whose it is.
    pub(crate) service: ServiceId,
    /// The life that began it; a resumed life keeps its first number here.
    pub(crate) incarnation: Incarnation,
    /// Its trace, unique on this machine.
    pub(crate) trace: WideTraceId,
    /// The span, unique within its trace.
    pub(crate) span: SpanId,
    /// The span it is part of, or [`SpanId::NONE`].
    pub(crate) parent: SpanId,
    /// When it began, as its sender says, monotonic ns.
    pub(crate) start_ns: u64,
    /// When it ended, monotonic ns.
    pub(crate) end_ns: u64,
    /// How it ended.
    pub(crate) status: SpanStatus,
    /// Why it was abandoned, if it was.
    pub(crate) reason: Option<EndReason>,
    /// What it is called.
    pub(crate) name: &'a str,
    /// Its attributes, canonical.
    pub(crate) attrs: &'a str,
}

impl EndedSpan<'_> {
    /// Its duration in ns; 0 if its end lies before its start.
    #[must_use]
    pub(crate) const fn duration_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }
}
