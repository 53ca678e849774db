//! The selftest as a process of the kernel. It stops the machine with 0 if all cases hold; an
//! argument other than 0 asks for the cases of logd alone.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    extern crate alloc;

    use alloc::boxed::Box;

    use nexus_abi::kernel::CapabilityKind;
    use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
    use nexus_bounded::{Mono, Nanos};
    use nexus_rt::os::calls::{self, Buffer, Slot};
    use nexus_rt::os::{Aside, Clock, Telemetry};
    use selftest_client::Client;

    /// How long an answer may take.
    const PATIENCE: Nanos = Nanos::from_secs(5);

    const FAILED: u16 = 1;

    struct Os {
        clock: Clock,
        console: Slot,
        telemetry: Telemetry,
        /// Where requests to us would lie; nobody sends any.
        buffer: Box<Buffer>,
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
                let deadline = self.clock.deadline(until);
                let _nothing = self.telemetry.receive(self.clock, deadline, calls::wait);
            }
        }

        fn call(&mut self, to: ServiceId, frame: &[u8], answer: &mut [u8]) -> Option<usize> {
            let deadline = self.clock.deadline(self.clock.now().after(PATIENCE));
            let to = calls::find(CapabilityKind::Call, to).ok()?;
            calls::call(to, frame, answer, deadline).ok()
        }

        fn flush(&mut self) {
            self.telemetry.flush(PATIENCE);
        }

        /// Receiving is what `init` waits for before it starts those behind us.
        fn logd_is_proven(&mut self) {
            let receive = |until| calls::receive(&mut self.buffer, until);
            let _nothing = self.telemetry.receive(self.clock, 0, receive);
        }

        fn print(&mut self, line: &str) {
            let _said = calls::print(self.console, format_args!("{line}"));
        }
    }

    fn slot(kind: CapabilityKind) -> Option<Slot> {
        calls::find(kind, ServiceId::from_raw(0)).ok()
    }

    pub(crate) fn run(argument: u64) -> i32 {
        let buffer = Box::new([0; FRAME_BYTES_MAX]);
        let Some(console) = slot(CapabilityKind::Console) else { return 1 };
        let telemetry = Telemetry::install();
        let mut os = Os { clock: Clock::new(), console, telemetry, buffer };
        let all_hold = selftest_client::run(&mut os, argument != 0);
        let code = if all_hold { 0 } else { FAILED };
        slot(CapabilityKind::Halt).map_or(1, |power| i32::from(calls::halt(power, code).is_err()))
    }
}

nexus_rt::program!(os::run);
