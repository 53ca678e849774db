//! Log records of this process.

#![expect(unsafe_code, reason = "a pointer to what was leaked, to be replaced in a forked child")]

use std::process;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use nexus_log::{Record, SharedCourier, Sink};

use crate::clients::current_span;
use crate::linux::clock::monotonic;
use crate::linux::link::Link;

/// The courier of the process that installed telemetry last, in this line of processes.
struct Logs {
    courier: SharedCourier<Link>,
    process: u32,
}

/// Where records go; a null pointer before the first [`install`].
struct ProcessSink {
    logs: AtomicPtr<Logs>,
}

static SINK: ProcessSink = ProcessSink { logs: AtomicPtr::new(std::ptr::null_mut()) };
static INSTALLED: Once = Once::new();

/// Makes `link` the way of this process's records. What it takes is never given back: threads may
/// be logging whenever the process ends.
pub(super) fn install(link: Link) -> &'static SharedCourier<Link> {
    let courier = SharedCourier::new(link, monotonic);
    let logs = Box::leak(Box::new(Logs { courier, process: process::id() }));
    SINK.logs.store(logs, Ordering::Release);
    INSTALLED.call_once(|| {
        nexus_log::install(&SINK);
        nexus_log::install_span_source(current_span);
    });
    SINK.current().map_or(&logs.courier, |logs| &logs.courier)
}

impl ProcessSink {
    /// `None` also in a forked child: the connection is its parent's, and the lock may be held by a
    /// thread that is not there.
    fn current(&self) -> Option<&'static Logs> {
        let logs = self.logs.load(Ordering::Acquire);
        // SAFETY: the pointer is null or comes from `Box::leak` in `install`, which gave the memory
        // up for ever and made no exclusive use of it since; `Acquire` pairs with `Release` there.
        let logs: &'static Logs = unsafe { logs.as_ref() }?;
        (logs.process == process::id()).then_some(logs)
    }
}

impl Sink for ProcessSink {
    fn log(&self, record: &Record<'_>) {
        if let Some(logs) = self.current() {
            logs.courier.log(record);
        }
    }

    fn flush(&self) {
        if let Some(logs) = self.current() {
            logs.courier.flush();
        }
    }
}
