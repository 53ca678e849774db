//! A logd that checks records, acknowledges them, and keeps none where anybody could find it.

use logd::{Keep, Logd};
use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_recipe::Recipe;

/// APPEND, and where the operation stands in a request.
const APPEND: u8 = 1;
const OPERATION: usize = 3;

/// Two journals: what is appended goes to one, what is read comes from the other.
pub struct Forgetful {
    appended: Logd,
    read: Logd,
}

impl Forgetful {
    /// Both of them empty.
    #[must_use]
    pub fn new(recipe: &Recipe, boot: u32) -> Self {
        let logd = || Logd::new(recipe, boot, Keep::Nothing);
        Self { appended: logd(), read: logd() }
    }
}

/// The other journal says nothing of its own.
struct Silent<'w, W>(&'w mut W);

impl<W: World> World for Silent<'_, W> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.0.reply(token, frame);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.0.submit(to, call, frame)
    }

    fn print(&mut self, _line: &str) {}
}

impl Service for Forgetful {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        match event {
            Event::Request { frame, .. } if frame.get(OPERATION) != Some(&APPEND) => {
                self.read.handle(now, event, &mut Silent(world));
            }
            _ => self.appended.handle(now, event, world),
        }
    }

    fn deadline(&self) -> Option<Mono> {
        self.appended.deadline()
    }

    fn stopped(&self) -> bool {
        self.appended.stopped()
    }
}
