//! Programs that lie: a service as it is, in a world that changes what it says.
//!
//! They stand in the place of a service in images that must fail, and show that its proof is one.

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};

/// How a twin lies.
pub trait Lie {
    /// What becomes of a request.
    fn request(_frame: &mut [u8]) {}

    /// What becomes of an answer.
    fn reply(world: &mut impl World, token: Token, frame: &[u8]) {
        world.reply(token, frame);
    }

    /// What becomes of a call.
    ///
    /// # Errors
    /// As [`World::submit`].
    fn submit(
        world: &mut impl World,
        to: ServiceId,
        call: CallId,
        frame: &[u8],
    ) -> Result<(), SubmitError> {
        world.submit(to, call, frame)
    }
}

/// A service behind a lie.
pub struct Twin<S, L> {
    /// The service.
    pub service: S,
    /// The lie.
    pub lie: L,
}

struct Lying<'w, W, L> {
    world: &'w mut W,
    _lie: &'w L,
}

impl<W: World, L: Lie> World for Lying<'_, W, L> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        L::reply(self.world, token, frame);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        L::submit(self.world, to, call, frame)
    }

    fn print(&mut self, line: &str) {
        self.world.print(line);
    }
}

impl<S: Service, L: Lie> Service for Twin<S, L> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let world = &mut Lying { world, _lie: &self.lie };
        let Event::Request { from, token, frame } = event else {
            return self.service.handle(now, event, world);
        };
        let mut heard = [0; FRAME_BYTES_MAX];
        let heard = heard.get_mut(..frame.len()).unwrap_or_default();
        heard.copy_from_slice(frame);
        L::request(heard);
        self.service.handle(now, Event::Request { from, token, frame: heard }, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.service.deadline()
    }

    fn stopped(&self) -> bool {
        self.service.stopped()
    }
}
