//! The selftest as a process of the kernel. It stops the machine with 0 if all cases hold, or ends
//! with 0 where others stop the machine. The argument says what is to be proven, as
//! `selftest_client::Goal` counts it.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    extern crate alloc;

    use alloc::boxed::Box;

    use nexus_abi::kernel::{CapabilityKind, KernelError};
    use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
    use nexus_bounded::{Mono, Nanos};
    use nexus_rt::os::calls::{self, Buffer, Failure, Slot};
    use nexus_rt::os::{Aside, Clock, Telemetry};
    use selftest_client::{Absence, Client, Goal};

    /// How long an answer may take.
    const PATIENCE: Nanos = Nanos::from_secs(5);

    const FAILED: u16 = 1;

    struct Os {
        clock: Clock,
        /// Why the last call had no answer.
        absence: Absence,
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
            let called = calls::call(to, frame, answer, deadline);
            called.map_err(|failure| self.absence = absence(failure)).ok()
        }

        fn absence(&self) -> Absence {
            self.absence
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

    fn absence(failure: Failure) -> Absence {
        match failure {
            Failure::Kernel(KernelError::PeerDied) => Absence::Died,
            Failure::Kernel(KernelError::NotReady) => Absence::NotReady,
            Failure::Kernel(_) => Absence::Unknown,
            Failure::TimedOut => Absence::Silent,
        }
    }

    fn slot(kind: CapabilityKind) -> Option<Slot> {
        calls::find(kind, ServiceId::from_raw(0)).ok()
    }

    pub(crate) fn run(argument: u64) -> i32 {
        let buffer = Box::new([0; FRAME_BYTES_MAX]);
        let Some(console) = slot(CapabilityKind::Console) else { return 1 };
        let telemetry = Telemetry::paced(guest::PACE);
        let (clock, absence) = (Clock::new(), Absence::Unknown);
        let mut os = Os { clock, absence, console, telemetry, buffer };
        let goal = Goal::from_argument(argument);
        let all_hold = goal.is_some_and(|goal| selftest_client::run(&mut os, goal));
        let code = if all_hold { 0 } else { FAILED };
        slot(CapabilityKind::Halt).map_or(i32::from(code), |power| {
            let _never = calls::halt(power, code);
            1
        })
    }
}

nexus_rt::program!(os::run);
