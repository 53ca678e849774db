//! What starts programs, as a process of the kernel: they are its children.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use guest::{Calls, Children};
    use nexus_abi::kernel::{CapabilityKind, Change, KernelError};
    use nexus_abi::{Rights, ServiceId};
    use nexus_rt::os::Start;
    use nexus_rt::os::calls::{self, Slot};

    /// The kernel that runs us.
    pub(crate) struct Kernel;

    impl Calls for Kernel {
        fn find(&self, child: ServiceId) -> Option<u64> {
            calls::find(CapabilityKind::Child, child).ok().map(|slot| slot.0)
        }

        fn child(&self, slot: u64) -> (Option<u32>, Option<Change>) {
            calls::child(Slot(slot))
                .map_or((None, None), |child| (child.life.map(|(pid, _)| pid), child.latest))
        }

        fn spawn(&mut self, slot: u64, rights: Rights) -> Result<u32, KernelError> {
            calls::spawn(Slot(slot), rights)
        }

        fn kill(&mut self, slot: u64) {
            // Whoever is dead already needs no more.
            let _killed = calls::kill(Slot(slot));
        }
    }

    pub(crate) fn execd(start: Start) -> execd::Execd<Children<Kernel>> {
        let children = Children::new(Kernel, &start.before);
        execd::Execd::new(&guest::bundles_recipe().execd, children)
    }
}

nexus_rt::service!("execd", os::execd, nexus_rt::os::Telemetry::paced(guest::PACE));
