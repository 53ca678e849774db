use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, World};
use nexus_retention::files::{Failure, Files};
use nexus_wire::FileStatus;
use nexus_wire::bundles::BundleStatus;
use nexus_wire::files::{Reply, Request};

/// Calls to statefsd, one at a time and with patience: what was given up holds the way until it
/// has ended.
pub(crate) struct Disk {
    files: Files,
    patience: Nanos,
    /// Until when the call under way is waited for; `None`: it was given up, or there is none.
    until: Option<Mono>,
}

impl Disk {
    pub(crate) fn new(patience: Nanos) -> Self {
        Self { files: Files::new(0), patience, until: None }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// `not_ready`: nothing was asked.
    pub(crate) fn begin(
        &mut self,
        request: &Request<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), BundleStatus> {
        if !self.files.is_idle() {
            return Err(BundleStatus::NotReady);
        }
        self.files.begin(request, now, world).map_err(|_| BundleStatus::NotReady)?;
        self.until = Some(now.after(self.patience));
        Ok(())
    }

    /// A call has ended: what was answered, if somebody waits for it.
    pub(crate) fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
    ) -> Option<Result<Reply<'a>, FileStatus>> {
        let outcome = self.files.ended(call, result)?;
        self.until.take()?;
        Some(outcome.map_err(|failure| match failure {
            Failure::Refused(status) => status,
            Failure::Absent | Failure::Garbled => FileStatus::NotReady,
        }))
    }

    pub(crate) const fn deadline(&self) -> Option<Mono> {
        self.until
    }

    /// Gives the call up if patience has ended by `now`; whether it has.
    pub(crate) fn expired(&mut self, now: Mono) -> bool {
        self.until.take_if(|until| *until <= now).is_some()
    }
}
