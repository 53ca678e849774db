use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, OneCall, World};
use nexus_wire::logs::{self, Head, Op, Reply, Request, Search, SearchReply, Version};
use nexus_wire::{LABELS_BYTES_MAX, LogStatus, SCOPE_BYTES_MAX};

/// Who has the journal.
const LOGD: ServiceId = ServiceId::from_name("logd");

/// Bytes of the longest search.
const SEARCH_BYTES_MAX: usize = 55 + SCOPE_BYTES_MAX + LABELS_BYTES_MAX;

/// Why a search has found nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotFound {
    /// logd has refused it.
    Refused(LogStatus),
    /// logd is not there, died, said nothing in time, or nothing that is an answer; or as many
    /// calls of ours as may be are under way.
    Away,
}

/// How a service looks into the journal: by one search at a time. It needs the right to.
#[derive(Clone, Copy, Debug)]
pub struct SearchClient {
    call: OneCall,
    patience: Nanos,
    nonce: u64,
}

impl SearchClient {
    /// Nothing was searched for yet. `first` and the 65535 names behind it are for its calls; an
    /// answer is waited for as long as `patience`.
    #[must_use]
    pub const fn new(first: CallId, patience: Nanos) -> Self {
        Self { call: OneCall::new(LOGD, first), patience, nonce: 0 }
    }

    /// Whether an answer is waited for.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.call.is_open()
    }

    /// Begins a search. None may be waited for.
    ///
    /// # Errors
    /// [`NotFound::Away`] if it could not be begun; then nothing comes later.
    pub fn ask(
        &mut self,
        search: &Search<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), NotFound> {
        self.nonce = self.nonce.wrapping_add(1);
        let mut out = [0; SEARCH_BYTES_MAX];
        let frame = logs::encode(&Request::Search(*search), self.head(), &mut out);
        assert!(frame.is_ok(), "every legal search fits");
        let begun = self.call.begin(frame.unwrap_or_default(), now.after(self.patience), world);
        begun.map_err(|_| NotFound::Away)
    }

    const fn head(&self) -> Head {
        Head { version: Version::V2, nonce: self.nonce }
    }

    /// A call of the service has ended: what was found, if it is the one that is waited for.
    pub fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
    ) -> Option<Result<SearchReply<'a>, NotFound>> {
        let result = self.call.ended(call, result)?;
        let answer =
            result.ok().and_then(|frame| logs::decode_reply(Op::Search, self.head(), frame));
        Some(match answer {
            Some((LogStatus::Ok, Reply::Search(found))) => Ok(found),
            Some((status, _)) => Err(NotFound::Refused(status)),
            None => Err(NotFound::Away),
        })
    }

    /// When patience ends.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.call.deadline()
    }

    /// Why nothing is found, if patience has ended by `now`.
    pub fn expired(&mut self, now: Mono) -> Option<NotFound> {
        self.call.expired(now).then_some(NotFound::Away)
    }
}
