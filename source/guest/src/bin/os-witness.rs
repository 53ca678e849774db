//! Sees in the journal what the reporter has recorded, and stops the machine: with 0 if that is
//! all of it, in order, and nothing twice.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use guest::{Pages, RECORDS, REPORTER, WAKES};
    use nexus_abi::kernel::CapabilityKind;
    use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
    use nexus_rt::os::{Clock, calls, say};
    use nexus_wire::logs::Record;

    const MORTAL: &str = "mortal";

    /// How long it may take until all of it is there.
    const PATIENCE_MILLIS: u64 = 10_000;
    /// Between two looks.
    const PAUSE_MILLIS: u64 = 100;
    /// How long it looks on for what must not come any more.
    const LINGER_MILLIS: u64 = 1000;

    /// What was seen so far.
    #[derive(Default)]
    struct Seen {
        /// The last of the reporter's records; all before it were seen.
        records: u64,
        out_of_order: u64,
        wakes: u64,
        /// Whether the mortal's panic is there.
        panicked: bool,
    }

    fn is_panic(record: &Record<'_>) -> bool {
        let is_mortals = record.service == ServiceId::from_name(MORTAL) && record.scope == "panic";
        is_mortals && record.message == "mortal as ever" && record.fields.get("line").is_some()
    }

    impl Seen {
        fn see(&mut self, record: &Record<'_>) {
            let number = |key| record.fields.get(key).and_then(|text| text.parse().ok());
            if record.service == ServiceId::from_name(REPORTER) {
                let is_next = record.scope == REPORTER && number("n") == Some(self.records + 1);
                self.records += u64::from(is_next);
                self.out_of_order += u64::from(!is_next);
            } else if record.message == "reporter_wakes_total" {
                self.wakes = number("value").unwrap_or(0);
            }
            self.panicked |= is_panic(record);
        }

        fn is_all(&self) -> bool {
            let recorded = (self.records, self.out_of_order, self.wakes) == (RECORDS, 0, WAKES);
            recorded && self.panicked
        }
    }

    fn ask(frame: &[u8], answer: &mut [u8]) -> Option<usize> {
        let logd = calls::find(CapabilityKind::Call, ServiceId::from_name("logd")).ok()?;
        calls::call(logd, frame, answer, Clock::new().in_millis(PATIENCE_MILLIS)).ok()
    }

    fn pause(millis: u64) {
        let _nothing = calls::wait(Clock::new().in_millis(millis));
    }

    fn witness() -> Seen {
        let clock = Clock::new();
        let (until, mut seen) = (clock.in_millis(PATIENCE_MILLIS), Seen::default());
        let mut pages = Pages::default();
        while !seen.is_all() && clock.ticks() < until {
            if pages.next(ask, |record| seen.see(record)) != Some(true) {
                pause(PAUSE_MILLIS);
            }
        }
        pause(LINGER_MILLIS);
        while pages.next(ask, |record| seen.see(record)) == Some(true) {}
        seen
    }

    pub(crate) fn run(_argument: u64) -> i32 {
        // Whoever is behind us begins now.
        let _nothing = calls::receive(&mut [0; FRAME_BYTES_MAX], 0);
        let seen = witness();
        let Seen { records, out_of_order, wakes, panicked, .. } = seen;
        say(format_args!("witness: {records} records, {out_of_order} out of order, {wakes} wakes"));
        say(format_args!("witness: a panic {panicked}"));
        let power = calls::find(CapabilityKind::Halt, ServiceId::from_raw(0));
        power.map_or(1, |power| i32::from(calls::halt(power, u16::from(!seen.is_all())).is_err()))
    }
}

nexus_rt::program!(os::run);
