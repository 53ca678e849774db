//! What the services cost their clients, in instructions of all that run from call to reply.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use core::hint::black_box;

    use nexus_abi::kernel::{CapabilityKind, NEVER};
    use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
    use nexus_metrics::counter;
    use nexus_rt::os::calls::{self, Slot};
    use nexus_rt::os::instructions;
    use nexus_wire::logs::{self, Head, NewRecord, Version};
    use nexus_wire::metrics::{self, Update};
    use nexus_wire::{LabelBytes, Level, NameBytes};

    /// Fewer than the budgets have.
    const ROUNDS: u64 = 100;

    const RECORDINGS: u64 = 1000;

    /// Where the status stands in an answer.
    const STATUS: usize = 4;

    fn slot(kind: CapabilityKind, key: ServiceId) -> Option<Slot> {
        calls::find(kind, key).ok()
    }

    /// Instructions of one call that succeeds, the service's and the kernel's own included.
    fn cost(to: &str, frame: &[u8]) -> Option<u64> {
        let to = slot(CapabilityKind::Call, ServiceId::from_name(to))?;
        let mut answer = [0; FRAME_BYTES_MAX];
        let mut call = || {
            calls::call(to, frame, &mut answer, NEVER).ok()?;
            (answer[STATUS] == 0).then_some(())
        };
        // The first call makes the series, the second one finds it.
        call().and_then(|_| call())?;
        let start = instructions();
        (0..ROUNDS).try_for_each(|_| call())?;
        Some((instructions() - start) / ROUNDS)
    }

    /// Instructions of recording once, and of going round a loop.
    fn cost_of_recording(mut record: impl FnMut()) -> u64 {
        // The first time takes the series and its page.
        record();
        let start = instructions();
        (0..RECORDINGS).for_each(|_| record());
        (instructions() - start) / RECORDINGS
    }

    fn by_handle() -> u64 {
        let counter = counter!("bench_handle_total");
        cost_of_recording(|| black_box(counter).inc())
    }

    fn by_site() -> u64 {
        cost_of_recording(|| counter!("bench_site_total").inc())
    }

    fn update(out: &mut [u8]) -> Option<&[u8]> {
        let name = NameBytes::new(b"bench_events_total")?;
        let update = Update { name, labels: LabelBytes::new(b"part=a\n")?, value: 1 };
        metrics::encode(&metrics::Request::CounterInc(update), 1, out).ok()
    }

    fn append(out: &mut [u8]) -> Option<&[u8]> {
        let fields = b"a=1\nb=2\nc=3\nd=4\n";
        let record = NewRecord { level: Level::Info, scope: "bench", message: "cost", fields };
        let head = Head { version: Version::V2, nonce: 1 };
        let mut text = [0; size_of::<logs::RecordText>()];
        let record = record.join(&mut text).ok()?;
        logs::encode(&logs::Request::Append(record), head, out).ok()
    }

    fn costs() -> Option<[(&'static str, u64); 4]> {
        let mut out = [0; FRAME_BYTES_MAX];
        let update = cost("metricsd", update(&mut out)?)?;
        let append = cost("logd", append(&mut out)?)?;
        let recording = [("counter_by_handle", by_handle()), ("counter_by_site", by_site())];
        let [handle, site] = recording;
        Some([handle, site, ("update_by_name", update), ("append", append)])
    }

    pub(crate) fn run(_argument: u64) -> i32 {
        let none = ServiceId::from_raw(0);
        let Some(console) = slot(CapabilityKind::Console, none) else { return 1 };
        let costs = costs();
        for (name, cost) in costs.into_iter().flatten() {
            let _said = calls::print(console, format_args!("cost {name} {cost}"));
        }
        let code = u16::from(costs.is_none());
        slot(CapabilityKind::Halt, none)
            .map_or(1, |power| i32::from(calls::halt(power, code).is_err()))
    }
}

nexus_rt::program!(os::run);
