use nexus_bounded::Mono;
use nexus_wire::sessions::SessionStatus;

use crate::noise::{Opening, Pair};
use crate::seeds::Seeds;
use crate::session::Session;
use crate::slot::Slot;

/// Where a session with another endpoint may stand: there is one, and there are not too many
/// sessions.
pub struct Place<'e, O, A> {
    pub(crate) slot: &'e mut Slot<O, A>,
    pub(crate) session: Session,
    pub(crate) pair: Pair<'e>,
    pub(crate) seeds: &'e mut Seeds,
    /// When our latest hello was made.
    pub(crate) said: &'e mut Mono,
}

impl<O, A> Place<'_, O, A> {
    /// Begins the session, for `waiter`.
    ///
    /// # Errors
    /// The waiter, and why it could not begin: `not_ready` without entropy.
    pub fn open(self, waiter: O, now: Mono) -> Result<(), (O, SessionStatus)> {
        // No two are made at the same time, so that the other side can tell old from new.
        let at = now.max(Mono(self.said.0 + 1));
        match self.seeds.spend(|seed| Opening::begin(self.pair, seed, at)) {
            Ok((opening, hello)) => {
                *self.said = at;
                self.slot.open(self.session, (waiter, opening), &hello, now);
                Ok(())
            }
            Err(status) => Err((waiter, status)),
        }
    }
}
