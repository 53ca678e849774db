//! A first process that ends its children when it is told to, by whoever the image lets call it:
//! where it is tried what the end of a service comes to.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod supervising;

#[cfg(target_os = "none")]
mod os {
    extern crate alloc;

    use alloc::boxed::Box;

    use nexus_abi::kernel::{CapabilityKind, Change, KernelError, NEVER, Received};
    use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
    use nexus_rt::os::Clock;
    use nexus_rt::os::calls::{self, Buffer, Slot};
    use selftest_client::Order;

    use super::supervising;

    struct Executioner {
        buffer: Box<Buffer>,
        clock: Clock,
        /// Who is to be ended next, and when, in ticks.
        next: Option<(Slot, u64)>,
    }

    impl Executioner {
        /// Waits, and hears and does meanwhile what it is told.
        fn wait(&mut self, deadline: u64) -> Result<Received, KernelError> {
            let due = self.next.map_or(NEVER, |(_, due)| due);
            let received = calls::receive(&mut self.buffer, deadline.min(due))?;
            if let Some((victim, _)) = self.next.take_if(|(_, due)| self.clock.ticks() >= *due) {
                // Whoever has ended by itself needs no more.
                let _ended = calls::kill(victim);
            }
            let Received::Request { token, bytes, .. } = received else { return Ok(received) };
            let answer = self.hear(bytes);
            // Nobody needs an answer who is gone.
            let _told = calls::reply(token, &[u8::from(answer)]);
            Ok(Received::Deadline)
        }

        /// Whether what was asked is so, or will be done.
        fn hear(&mut self, bytes: usize) -> bool {
            match self.buffer.get(..bytes).and_then(Order::from_bytes) {
                Some(Order::End { service, after }) => child(service).is_some_and(|victim| {
                    let due = self.clock.deadline(self.clock.now().after(after));
                    self.next = Some((victim, due));
                    true
                }),
                Some(Order::Serves { service }) => child(service).is_some_and(serves),
                None => false,
            }
        }
    }

    fn child(service: ServiceId) -> Option<Slot> {
        calls::find(CapabilityKind::Child, service).ok()
    }

    fn serves(child: Slot) -> bool {
        calls::child(child).is_ok_and(|child| child.latest == Some(Change::Serves))
    }

    pub(crate) fn run(_argument: u64) -> i32 {
        let buffer = Box::new([0; FRAME_BYTES_MAX]);
        let mut executioner = Executioner { buffer, clock: Clock::new(), next: None };
        supervising::run(|deadline| executioner.wait(deadline))
    }
}

nexus_rt::program!(os::run);
