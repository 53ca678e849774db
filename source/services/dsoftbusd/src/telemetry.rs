//! What dsoftbusd tells metricsd of its work.

use nexus_bounded::{Mono, Nanos};
use nexus_metrics::{
    CounterFamily, StaticName, Steps, counter, counter_family, gauge, histogram, key,
};
use nexus_session::End;
use nexus_wire::sessions::SessionStatus;

static REQUESTS: CounterFamily<2> = counter_family!(
    "dsoftbusd_requests_total",
    ["op", "outcome"],
    help = "requests of local programs, by what came of them"
);
static LINE: CounterFamily<2> = counter_family!(
    "dsoftbusd_line_requests_total",
    ["op", "outcome"],
    help = "requests of other endpoints, by what came of them"
);
static ENDED: CounterFamily<1> = counter_family!(
    "dsoftbusd_sessions_ended_total",
    ["how"],
    help = "sessions of local programs that ended, by how"
);

/// What a local program has asked for.
pub(crate) fn note_request(op: Option<nexus_wire::sessions::Op>, status: SessionStatus) {
    use nexus_wire::sessions::Op;
    let op = match op {
        Some(Op::Open) => "open",
        Some(Op::Ask) => "ask",
        Some(Op::Close) => "close",
        None => "none",
    };
    REQUESTS.with([op, status.name()]).inc();
}

/// What another endpoint has asked for.
pub(crate) fn note_line(op: Option<nexus_wire::sessions::line::Op>, status: SessionStatus) {
    use nexus_wire::sessions::line::Op;
    let op = match op {
        Some(Op::Handshake) => "handshake",
        Some(Op::Carry) => "carry",
        None => "none",
    };
    LINE.with([op, status.name()]).inc();
}

/// Why a session of a local program ends.
pub(crate) fn note_end(how: End) {
    let how = match how {
        End::Closed => "closed",
        End::Idle => "idle",
        End::OwnerGone => "owner_gone",
        End::Failed => "failed",
    };
    ENDED.with([how]).inc();
}

pub(crate) fn note_handshake(took: Nanos) {
    histogram!(
        "dsoftbusd_handshake_ns",
        unit = Nanoseconds,
        help = "how long handshakes took that ended well"
    )
    .observe(took.0);
}

pub(crate) fn note_live(opened: usize, accepted: usize) {
    gauge!("dsoftbusd_sessions", help = "sessions of local programs").set(opened as i64);
    gauge!("dsoftbusd_sessions_accepted", help = "sessions that other endpoints have with us")
        .set(accepted as i64);
}

/// What there was no budget to record.
pub(crate) fn note_left_out() {
    counter!("dsoftbusd_records_left_out_total", help = "sessions and refusals without a record")
        .inc();
}

/// The steps of a session that is being opened.
pub(crate) mod steps {
    use nexus_metrics::StaticName;

    pub(crate) const POLICY: StaticName = StaticName::literal("policy");
    pub(crate) const HANDSHAKE: StaticName = StaticName::literal("handshake");
}

/// A session begins to be opened.
pub(crate) fn path(peer: &str, now: Mono) -> Steps {
    Steps::begin(StaticName::literal("session.open"), (key!("peer"), peer), now)
}
