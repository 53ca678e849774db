//! Sees in the journal what init has said of two children, of which one never serves and the other
//! never lives, and stops the machine: with 0 if that is all of it.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use guest::Pages;
    use nexus_abi::kernel::CapabilityKind;
    use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
    use nexus_rt::os::{Clock, calls, say};
    use nexus_wire::Level;
    use nexus_wire::logs::Record;

    const INIT: ServiceId = ServiceId::from_name("init");

    /// How long an answer may take.
    const PATIENCE_MILLIS: u64 = 5000;
    /// How long it takes until a child is given up, and more.
    const ALL_MILLIS: u64 = 60_000;
    /// Between two looks.
    const PAUSE_MILLIS: u64 = 500;

    /// What init has said, of whom.
    #[derive(Default, PartialEq, Eq, Debug)]
    struct Said {
        ended: u32,
        set_aside: u32,
        given_up: u32,
        late: u32,
        other: u32,
    }

    const ALL: Said = Said { ended: 9, set_aside: 3, given_up: 1, late: 1, other: 0 };

    impl Said {
        fn see(&mut self, record: &Record<'_>) {
            if record.service != INIT {
                return;
            }
            let Record { level, scope, message, fields, .. } = *record;
            let number = |key| fields.get(key).and_then(|text| text.parse().ok());
            let place = match (level, message, fields.get("child")) {
                (Level::Warn, "stillborn ended, Ended(Exited(7))", Some("stillborn"))
                    if number("deaths") == Some(self.ended + 1) =>
                {
                    &mut self.ended
                }
                (Level::Warn, "stored state is suspect and set aside", Some("stillborn"))
                    if number("count") == Some(self.set_aside + 1) =>
                {
                    &mut self.set_aside
                }
                (
                    Level::Error,
                    "stillborn ended, Ended(Exited(7)); given up",
                    Some("stillborn"),
                ) if number("deaths") == Some(10) => &mut self.given_up,
                (Level::Error, "sleeper does not serve", Some("sleeper"))
                    if number("after_s") == Some(30) =>
                {
                    &mut self.late
                }
                _ => &mut self.other,
            };
            *if scope == "init" { place } else { &mut self.other } += 1;
        }
    }

    fn ask(frame: &[u8], answer: &mut [u8]) -> Option<usize> {
        let logd = calls::find(CapabilityKind::Call, ServiceId::from_name("logd")).ok()?;
        calls::call(logd, frame, answer, Clock::new().in_millis(PATIENCE_MILLIS)).ok()
    }

    pub(crate) fn run(_argument: u64) -> i32 {
        // Whoever is behind us begins now.
        let _nothing = calls::receive(&mut [0; FRAME_BYTES_MAX], 0);
        let clock = Clock::new();
        let (until, mut pages, mut said) =
            (clock.in_millis(ALL_MILLIS), Pages::default(), Said::default());
        while clock.ticks() < until {
            if pages.next(ask, |record| said.see(record)) != Some(true) {
                let _nothing = calls::wait(clock.in_millis(PAUSE_MILLIS));
            }
        }
        say(format_args!("overseer: {said:?}"));
        let power = calls::find(CapabilityKind::Halt, ServiceId::from_raw(0));
        power.map_or(1, |power| i32::from(calls::halt(power, u16::from(said != ALL)).is_err()))
    }
}

nexus_rt::program!(os::run);
