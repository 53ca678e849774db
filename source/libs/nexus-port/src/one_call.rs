use nexus_abi::ServiceId;
use nexus_bounded::Mono;

use crate::{CallError, CallId, SubmitError, World};

/// How many calls of a [`OneCall`] have names of their own before the first name comes again.
const NAMES: u32 = 1 << 16;

/// Calls of a service to one other, one at a time and with patience: one that is given up may end
/// later, and is not mistaken for the next.
#[derive(Clone, Copy, Debug)]
pub struct OneCall {
    to: ServiceId,
    /// The name of the first call.
    first: CallId,
    turn: u32,
    /// What is under way, and until when it is waited for.
    open: Option<(CallId, Mono)>,
}

impl OneCall {
    /// Calls to `to`; nothing is under way. `first` and the 65535 names behind it are theirs.
    #[must_use]
    pub const fn new(to: ServiceId, first: CallId) -> Self {
        Self { to, first, turn: 0, open: None }
    }

    /// Whether a call is under way that is waited for.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Calls to somebody else from now on. Nothing may be under way that is waited for; what was
    /// given up before is not mistaken for what comes.
    pub fn redirect(&mut self, to: ServiceId) {
        assert!(!self.is_open(), "nothing is under way");
        self.to = to;
    }

    /// Hands over `frame`, to be waited for until `until`. Nothing may be under way.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    pub fn begin(
        &mut self,
        frame: &[u8],
        until: Mono,
        world: &mut impl World,
    ) -> Result<(), SubmitError> {
        assert!(!self.is_open(), "one call at a time");
        let call = CallId(self.first.0.wrapping_add(self.turn));
        world.submit(self.to, call, frame)?;
        self.turn = (self.turn + 1) % NAMES;
        self.open = Some((call, until));
        Ok(())
    }

    /// A call of the service has ended: how, if it is the one that is waited for.
    pub fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
    ) -> Option<Result<&'a [u8], CallError>> {
        self.open.take_if(|(open, _)| *open == call).map(|_| result)
    }

    /// When patience ends.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.open.map(|(_, until)| until)
    }

    /// Gives the call up if patience has ended by `now`; whether it has.
    pub fn expired(&mut self, now: Mono) -> bool {
        self.open.take_if(|(_, until)| *until <= now).is_some()
    }
}
