use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, OneCall, World};
use nexus_wire::bundles::{
    BUNDLE_NAME_BYTES_MAX, BundleStatus, Op, Reply, Request, decode_reply, encode,
};

/// Who has the bundles.
const BUNDLEMGRD: ServiceId = ServiceId::from_name("bundlemgrd");

/// Bytes of the longest request that brings no piece of a bundle.
const REQUEST_BYTES_MAX: usize = 15 + BUNDLE_NAME_BYTES_MAX;

/// Why a request has brought nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// bundlemgrd has refused it.
    Refused(BundleStatus),
    /// bundlemgrd is not there, died, said nothing in time, or nothing that is an answer; or as
    /// many calls of ours as may be are under way.
    Away,
}

/// Asks bundlemgrd for one thing at a time.
#[derive(Clone, Copy, Debug)]
pub struct BundleClient {
    call: OneCall,
    patience: Nanos,
    nonce: u32,
    op: Op,
}

impl BundleClient {
    /// Nothing was asked yet. `first` and the 65535 names behind it are for its calls; an answer is
    /// waited for as long as `patience`.
    #[must_use]
    pub const fn new(first: CallId, patience: Nanos) -> Self {
        Self { call: OneCall::new(BUNDLEMGRD, first), patience, nonce: 0, op: Op::Query }
    }

    /// Asks for something, but brings no bytes. Nothing that was asked may be waited for.
    ///
    /// # Errors
    /// [`NoAnswer::Away`] if it could not be asked; then nothing comes later.
    pub fn ask(
        &mut self,
        request: &Request<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), NoAnswer> {
        (self.nonce, self.op) = (self.nonce.wrapping_add(1), request.op());
        let mut out = [0; REQUEST_BYTES_MAX];
        let frame = encode(request, self.nonce, &mut out);
        assert!(frame.is_ok(), "what brings no bytes fits");
        let begun = self.call.begin(frame.unwrap_or_default(), now.after(self.patience), world);
        begun.map_err(|_| NoAnswer::Away)
    }

    /// A call of the service has ended: what was answered, if it is the one that is waited for.
    pub fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
    ) -> Option<Result<Reply<'a>, NoAnswer>> {
        let result = self.call.ended(call, result)?;
        let answer = result.ok().and_then(|frame| decode_reply(self.op, self.nonce, frame));
        Some(match answer {
            Some((BundleStatus::Ok, reply)) => Ok(reply),
            Some((status, _)) => Err(NoAnswer::Refused(status)),
            None => Err(NoAnswer::Away),
        })
    }

    /// When patience ends.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.call.deadline()
    }

    /// Why there is no answer, if patience has ended by `now`.
    pub fn expired(&mut self, now: Mono) -> Option<NoAnswer> {
        self.call.expired(now).then_some(NoAnswer::Away)
    }
}
