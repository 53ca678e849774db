//! The intruder as a process of the simulated world.

use nexus_abi::ServiceId;
use nexus_bounded::{Mono, Nanos};
use selftest_client::Client;
use simkit::World;

use crate::world::CALLED;

/// See the module.
pub(crate) struct Intruder<'w> {
    pub(crate) world: &'w mut World,
    pub(crate) client: simkit::Client,
}

impl Client for Intruder<'_> {
    fn id(&self) -> ServiceId {
        self.world.sender(self.client).service()
    }

    fn now(&mut self) -> Mono {
        self.world.now().mono
    }

    fn pause(&mut self, length: Nanos) {
        self.world.run_for(length);
    }

    fn call(&mut self, to: ServiceId, frame: &[u8], answer: &mut [u8]) -> Option<usize> {
        let name = CALLED.into_iter().find(|name| ServiceId::from_name(name) == to)?;
        let got = self.world.call(self.client, name, frame).ok()?;
        answer.get_mut(..got.len())?.copy_from_slice(&got);
        Some(got.len())
    }

    fn flush(&mut self) {}

    fn logd_is_proven(&mut self) {}

    fn print(&mut self, _line: &str) {}
}
