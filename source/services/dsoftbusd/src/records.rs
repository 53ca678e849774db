use nexus_abi::ServiceId;
use nexus_bounded::{Mono, TokenBucket};
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::telemetry;

/// Records a second, and at once; whoever asks more often is counted.
const PER_SECOND: u64 = 8;
const BURST: u64 = 32;

/// Tells logd of sessions and of what is refused, within a budget.
pub(crate) struct Records(TokenBucket);

impl Records {
    pub(crate) const fn new() -> Self {
        Self(TokenBucket::new(PER_SECOND, BURST, Mono(0)))
    }

    fn may(&mut self, now: Mono) -> bool {
        let may = self.0.take(1, now);
        if !may {
            telemetry::note_left_out();
        }
        may
    }

    pub(crate) fn opened(&mut self, session: SessionId, owner: ServiceId, peer: &str, now: Mono) {
        if self.may(now) {
            let session = session.0;
            nexus_log::info!("dsoftbusd", "session {session} with {peer}";
                event = "session.opened.v1", owner = owner, peer = peer, session = session);
        }
    }

    pub(crate) fn refused(
        &mut self,
        owner: ServiceId,
        peer: &str,
        status: SessionStatus,
        now: Mono,
    ) {
        if self.may(now) {
            let reason = status.name();
            nexus_log::warn!("dsoftbusd", "no session with {peer}: {reason}";
                event = "session.refused.v1", owner = owner, peer = peer, reason = reason);
        }
    }

    pub(crate) fn accepted(&mut self, peer: &str, now: Mono) {
        if self.may(now) {
            nexus_log::info!("dsoftbusd", "session of {peer}";
                event = "session.accepted.v1", peer = peer);
        }
    }

    /// Something of another endpoint, or of whoever says to be one, was not taken.
    pub(crate) fn rejected(&mut self, from: ServiceId, status: SessionStatus, now: Mono) {
        if self.may(now) {
            let reason = status.name();
            nexus_log::warn!("dsoftbusd", "not taken from {from}: {reason}";
                event = "session.rejected.v1", from = from, reason = reason);
        }
    }
}
