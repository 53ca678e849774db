//! What starts programs, as a process of the kernel: they are its children.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    extern crate alloc;

    use alloc::rc::Rc;
    use core::cell::RefCell;

    use execd::Execd;
    use guest::{Calls, Children, Receipts};
    use nexus_abi::kernel::{CapabilityKind, ChildStatus, KernelError};
    use nexus_abi::{Rights, ServiceId};
    use nexus_rt::os::calls::{self, Slot};
    use nexus_rt::os::{Receipt, Receipted, run_with};

    /// The kernel that runs us.
    struct Kernel;

    impl Calls for Kernel {
        fn find(&self, child: ServiceId) -> Option<u64> {
            calls::find(CapabilityKind::Child, child).ok().map(|slot| slot.0)
        }

        fn child(&self, slot: u64) -> ChildStatus {
            calls::child(Slot(slot)).unwrap_or(ChildStatus::UNBORN)
        }

        fn spawn(&mut self, slot: u64, rights: Rights) -> Result<u32, KernelError> {
            calls::spawn(Slot(slot), rights)
        }

        fn kill(&mut self, slot: u64) {
            // Whoever is dead already needs no more.
            let _killed = calls::kill(Slot(slot));
        }
    }

    /// Ends that the kernel is told of once they are told to the daemons.
    struct Ends(Rc<RefCell<Receipts>>);

    impl Receipt for Ends {
        fn begin(&mut self) -> bool {
            self.0.borrow_mut().begin()
        }

        fn brought(&mut self) {
            for (slot, ends) in self.0.borrow_mut().brought() {
                let acknowledged = calls::acknowledge(Slot(slot), ends);
                assert!(acknowledged.is_ok(), "it is our child");
            }
        }
    }

    pub(crate) fn serve(_argument: u64) -> i32 {
        let receipts = Rc::new(RefCell::new(Receipts::default()));
        let aside = Receipted::paced(guest::PACE, Ends(Rc::clone(&receipts)));
        run_with("execd", aside, |_| {
            Execd::new(&guest::bundles_recipe().execd, Children::new(Kernel, receipts))
        })
    }
}

nexus_rt::program!(os::serve);
