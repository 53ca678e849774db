//! The entropy device as entropyd takes from it.

use entropyd::{Entropyd, Source};
use nexus_rt::os::{Entropy, say};

/// The device, if there is one; without it nobody is given anything.
pub(crate) struct Device(Option<Entropy>);

impl Source for Device {
    fn take(&mut self, into: &mut [u8]) -> bool {
        self.0.as_mut().is_some_and(|device| device.take(into))
    }
}

pub(crate) fn entropyd() -> Entropyd<Device> {
    let device = Entropy::find();
    if let Err(unfit) = &device {
        say(format_args!("entropyd: no entropy: {unfit}"));
    }
    Entropyd::new(Device(device.ok()))
}
