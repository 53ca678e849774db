//! What the judge does with its children.

use nexus_abi::kernel::{CapabilityKind, Change};
use nexus_abi::{ExitReason, Rights, ServiceId};
use nexus_rt::os::Clock;
use nexus_rt::os::calls;

use crate::judge::change;
use crate::role::slot;

/// Starts servers, each when its predecessor serves.
pub(crate) fn start(names: &[&str]) -> bool {
    names.iter().all(|name| {
        let started = calls::spawn(slot(CapabilityKind::Child, name), Rights::NONE).is_ok();
        started && serves(ServiceId::from_name(name))
    })
}

/// Starts servers anew.
pub(crate) fn restart(names: &[&str]) -> bool {
    names.iter().all(|name| {
        let child = slot(CapabilityKind::Child, name);
        if calls::kill(child).is_ok() {
            end_of(ServiceId::from_name(name));
        }
        start(&[name])
    })
}

fn serves(name: ServiceId) -> bool {
    loop {
        match change() {
            Some((service, Change::Serves)) if service == name => return true,
            Some((service, Change::Ended(_))) if service == name => return false,
            _ => {}
        }
    }
}

/// Waits until a child has ended.
pub(crate) fn end_of(name: ServiceId) -> ExitReason {
    loop {
        if let Some((service, Change::Ended(reason))) = change()
            && service == name
        {
            return reason;
        }
    }
}

/// Lets others run for a while.
pub(crate) fn wait_millis(millis: u64) {
    let _deadline = calls::wait(Clock::new().in_millis(millis));
}
