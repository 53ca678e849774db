//! The first process: starts the others in the order of the image.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use init::{Step, Supervisor};
    use nexus_abi::kernel::{CAPABILITIES_MAX, CapabilityKind, KernelError, NEVER, Received};
    use nexus_abi::{Rights, ServiceId};
    use nexus_bounded::Mono;
    use nexus_rt::os::Clock;
    use nexus_rt::os::calls::{self, Slot};

    /// The image gives us nothing but children and a console: children have the first slots.
    fn children() -> usize {
        let is_child = |slot: &usize| calls::child(Slot(*slot as u64)).is_ok();
        (0..CAPABILITIES_MAX).take_while(is_child).count()
    }

    /// Starts a child with all the rights that the image gives it.
    fn spawn(child: Slot) -> bool {
        let both = Rights::QUERY.with(Rights::SCRAPE);
        let sets = [both, Rights::QUERY, Rights::SCRAPE, Rights::NONE];
        let mut tries = sets.into_iter().map(|rights| calls::spawn(child, rights));
        tries
            .find(|spawned| !matches!(spawned, Err(KernelError::Denied)))
            .is_some_and(|s| s.is_ok())
    }

    fn start(supervisor: &mut Supervisor, at: usize, now: Mono) {
        if spawn(Slot(at as u64)) {
            supervisor.started(at, now);
        } else {
            supervisor.failed(at, now);
        }
    }

    fn wait(supervisor: &mut Supervisor, until: Option<Mono>, clock: Clock) {
        let deadline = until.map_or(NEVER, |until| clock.deadline(until));
        if let Ok(Received::Child { service, change }) = calls::wait(deadline)
            && let Ok(Slot(at)) = calls::find(CapabilityKind::Child, service)
        {
            let before = supervisor.deaths(at as usize);
            supervisor.changed(at as usize, change, clock.now());
            if supervisor.deaths(at as usize) > before {
                say(format_args!("init: {service} ended, {change:?}"));
            }
        }
    }

    fn say(line: core::fmt::Arguments<'_>) {
        if let Ok(console) = calls::find(CapabilityKind::Console, ServiceId::from_raw(0)) {
            let _said = calls::print(console, line);
        }
    }

    pub(crate) fn run(_argument: u64) -> i32 {
        let clock = Clock::new();
        let mut supervisor = Supervisor::new(children());
        loop {
            match supervisor.next(clock.now()) {
                Step::Start(at) => start(&mut supervisor, at, clock.now()),
                Step::Wait(until) => wait(&mut supervisor, until, clock),
            }
        }
    }
}

nexus_rt::program!(os::run);
