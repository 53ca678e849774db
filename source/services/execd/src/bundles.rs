use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, OneCall, World};
use nexus_wire::bundles::{
    BUNDLE_NAME_BYTES_MAX, BundleStatus, Op, Reply, Request, decode_reply, encode,
};
use nexus_wire::exec::ExecStatus;

/// Bytes of the longest request of ours.
const REQUEST_BYTES_MAX: usize = 15 + BUNDLE_NAME_BYTES_MAX;

/// Calls to bundlemgrd, one at a time.
pub(crate) struct Bundles {
    call: OneCall,
    patience: Nanos,
    nonce: u32,
    op: Op,
}

impl Bundles {
    pub(crate) const fn new(first: CallId, patience: Nanos) -> Self {
        let call = OneCall::new(ServiceId::from_name("bundlemgrd"), first);
        Self { call, patience, nonce: 0, op: Op::Query }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// `fetch_failed`: nothing was asked.
    pub(crate) fn ask(
        &mut self,
        request: &Request<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), ExecStatus> {
        (self.nonce, self.op) = (self.nonce.wrapping_add(1), request.op());
        let mut out = [0; REQUEST_BYTES_MAX];
        let frame = encode(request, self.nonce, &mut out);
        assert!(frame.is_ok(), "every request of ours fits");
        let begun = self.call.begin(frame.unwrap_or_default(), now.after(self.patience), world);
        begun.map_err(|_| ExecStatus::FetchFailed)
    }

    /// A call has ended: what was answered, if it is ours.
    pub(crate) fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
    ) -> Option<Result<Reply<'a>, ExecStatus>> {
        let result = self.call.ended(call, result)?;
        let answer = result.ok().and_then(|frame| decode_reply(self.op, self.nonce, frame));
        Some(match answer {
            Some((BundleStatus::Ok, reply)) => Ok(reply),
            Some((BundleStatus::NotFound, _)) => Err(ExecStatus::NotFound),
            Some((BundleStatus::Corrupt, _)) => Err(ExecStatus::Corrupt),
            Some((BundleStatus::Busy, _)) => Err(ExecStatus::Busy),
            Some(_) | None => Err(ExecStatus::FetchFailed),
        })
    }

    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.call.deadline()
    }

    pub(crate) fn expired(&mut self, now: Mono) -> bool {
        self.call.expired(now)
    }
}
