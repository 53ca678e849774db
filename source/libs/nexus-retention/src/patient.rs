use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallError, CallId, World};
use nexus_wire::FileStatus;
use nexus_wire::files::{Reply, Request};

use crate::files::{Failure, Files, Trouble};

/// Calls to statefsd, one at a time and with patience: what was given up holds the way until it
/// has ended. What comes too fast for the disk is repeated a little later.
pub struct PatientFiles {
    files: Files,
    patience: Nanos,
    busy_pause: Nanos,
    /// Until when an answer is waited for; `None`: it was given up, or nothing was asked.
    until: Option<Mono>,
    /// When what was refused as too fast is asked again.
    again: Option<Mono>,
}

impl PatientFiles {
    /// Nothing was asked yet; the calls are those of lane 0. An answer is waited for as long as
    /// `patience`, and what came too fast is repeated after `busy_pause`. Takes its memory now.
    #[must_use]
    pub fn new(patience: Nanos, busy_pause: Nanos) -> Self {
        Self { files: Files::new(0), patience, busy_pause, until: None, again: None }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// [`Failure`]: nothing was asked. `Refused(Busy)` while what was given up has not ended, too.
    pub fn begin(
        &mut self,
        request: &Request<'_>,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), Failure> {
        if !self.files.is_idle() {
            return Err(Failure::Refused(FileStatus::Busy));
        }
        self.files.begin(request, now, world)?;
        self.until = Some(now.after(self.patience));
        Ok(())
    }

    /// A call has ended: what was answered, if somebody waits for it. An answer that is none, and
    /// none because nobody serves, are `not_ready`.
    pub fn ended<'a>(
        &mut self,
        call: CallId,
        result: Result<&'a [u8], CallError>,
        now: Mono,
    ) -> Option<Result<Reply<'a>, FileStatus>> {
        let outcome = self.files.ended(call, result)?;
        let until = self.until.take()?;
        if outcome.is_err_and(|failure| failure.trouble() == Trouble::Slow) {
            (self.until, self.again) = (Some(until), Some(now.after(self.busy_pause)));
            return None;
        }
        Some(outcome.map_err(|failure| match failure {
            Failure::Refused(status) => status,
            Failure::Absent | Failure::Garbled => FileStatus::NotReady,
        }))
    }

    /// When patience ends, or something is to be repeated.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.until.into_iter().chain(self.again).min()
    }

    /// Asks again what is to be repeated. Gives up if that cannot be, or patience has ended by
    /// `now`; whether it has given up.
    pub fn expired(&mut self, now: Mono, world: &mut impl World) -> bool {
        let is_due = self.again.take_if(|again| *again <= now).is_some();
        let is_lost = is_due && self.files.repeat(now, world).is_err();
        let gives_up = self.until.take_if(|until| is_lost || *until <= now).is_some();
        self.again.take_if(|_| gives_up);
        gives_up
    }
}
