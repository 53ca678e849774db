//! The first process: starts the others in the order of the image.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use init::{Again, Step, Supervisor};
    use nexus_abi::kernel::{
        CAPABILITIES_MAX, CapabilityKind, Change, KernelError, NEVER, Received,
    };
    use nexus_abi::{Rights, ServiceId};
    use nexus_bounded::Mono;
    use nexus_rt::os::calls::{self, Slot};
    use nexus_rt::os::{Clock, SET_ASIDE};

    const MILLISECOND: u64 = 1_000_000;

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

    /// Nobody that we start comes before us: it knows what we ask before it does anything.
    fn start(supervisor: &mut Supervisor, at: usize, set_aside: bool, now: Mono) {
        let child = Slot(at as u64);
        if !spawn(child) {
            return supervisor.failed(at, now);
        }
        if set_aside {
            let asked = calls::signal(child, SET_ASIDE);
            assert!(asked.is_ok(), "a child that has not run has not ended");
        }
        supervisor.started(at, now);
    }

    fn wait(supervisor: &mut Supervisor, until: Option<Mono>, clock: Clock) {
        let deadline = until.map_or(NEVER, |until| clock.deadline(until));
        if let Ok(Received::Child { service, change }) = calls::wait(deadline)
            && let Ok(Slot(at)) = calls::find(CapabilityKind::Child, service)
        {
            let now = clock.now();
            supervisor.changed(at as usize, change, now);
            if let Some(again) = supervisor.again(at as usize, now) {
                tell(service, change, again);
            }
        }
    }

    fn tell(service: ServiceId, change: Change, again: Again) {
        let pause = again.after.0 / MILLISECOND;
        if let Some(count) = again.set_aside {
            say(format_args!(
                "init: {service}: stored state is suspect and set aside, no. {count}"
            ));
        }
        say(format_args!("init: {service} ended, {change:?}; again in {pause} ms"));
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
                Step::Start { at, set_aside } => {
                    start(&mut supervisor, at, set_aside, clock.now());
                }
                Step::Wait(until) => wait(&mut supervisor, until, clock),
            }
        }
    }
}

nexus_rt::program!(os::run);
