use nexus_abi::ServiceId;
use nexus_bounded::{Mono, TokenBucket};
use nexus_session::NewSession;
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::telemetry;
use crate::wishes::Wish;

/// Records a second, and at once; whoever asks more often is counted.
const PER_SECOND: u64 = 8;
const BURST: u64 = 32;

/// Tells logd of sessions and of what is refused, within a budget.
pub(crate) struct Records(TokenBucket);

impl Records {
    pub(crate) const fn new() -> Self {
        Self(TokenBucket::new(PER_SECOND, BURST, Mono(0)))
    }

    fn write(&mut self, now: Mono, record: impl FnOnce()) {
        if self.0.take(1, now) { record() } else { telemetry::note_left_out() }
    }

    pub(crate) fn opened(
        &mut self,
        wish: &Wish,
        opened: Result<NewSession, SessionStatus>,
        now: Mono,
    ) {
        let (owner, peer) = (wish.asker.from.service(), wish.peer.as_str());
        self.write(now, || match opened.map_err(SessionStatus::name) {
            Ok(NewSession { id: SessionId(session), .. }) => {
                nexus_log::info!("dsoftbusd", "session {session} with {peer}";
                    event = "session.opened.v1", owner = owner, peer = peer, session = session);
            }
            Err(reason) => {
                nexus_log::warn!("dsoftbusd", "no session with {peer}: {reason}";
                    event = "session.refused.v1", owner = owner, peer = peer, reason = reason);
            }
        });
    }

    pub(crate) fn accepted(&mut self, peer: &str, now: Mono) {
        self.write(now, || {
            nexus_log::info!("dsoftbusd", "session of {peer}";
                event = "session.accepted.v1", peer = peer);
        });
    }

    /// Something of another endpoint, or of whoever says to be one, was not taken.
    pub(crate) fn rejected(&mut self, from: ServiceId, status: SessionStatus, now: Mono) {
        self.write(now, || {
            let reason = status.name();
            nexus_log::warn!("dsoftbusd", "not taken from {from}: {reason}";
                event = "session.rejected.v1", from = from, reason = reason);
        });
    }
}
