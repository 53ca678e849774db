//! Somebody who may do nothing and tries everything, as a process of the kernel: it ends with 0 if
//! all was refused.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use nexus_abi::ServiceId;
    use nexus_abi::kernel::CapabilityKind;
    use nexus_bounded::{Mono, Nanos};
    use nexus_rt::os::{Clock, calls};
    use selftest_client::{Client, intrude};

    /// How long an answer may take.
    const PATIENCE: Nanos = Nanos::from_secs(5);

    struct Os {
        clock: Clock,
    }

    impl Client for Os {
        fn id(&self) -> ServiceId {
            calls::info().service
        }

        fn now(&mut self) -> Mono {
            self.clock.now()
        }

        fn pause(&mut self, length: Nanos) {
            let until = self.clock.now().after(length);
            while self.clock.now() < until {
                let _nothing = calls::wait(self.clock.deadline(until));
            }
        }

        fn call(&mut self, to: ServiceId, frame: &[u8], answer: &mut [u8]) -> Option<usize> {
            let deadline = self.clock.deadline(self.clock.now().after(PATIENCE));
            let to = calls::find(CapabilityKind::Call, to).ok()?;
            calls::call(to, frame, answer, deadline).ok()
        }

        /// It records nothing.
        fn flush(&mut self) {}

        /// Nobody waits for it.
        fn logd_is_proven(&mut self) {}

        /// It has no console.
        fn print(&mut self, _line: &str) {}
    }

    pub(crate) fn run(_argument: u64) -> i32 {
        intrude(&mut Os { clock: Clock::new() })
    }
}

nexus_rt::program!(os::run);
