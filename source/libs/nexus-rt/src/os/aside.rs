//! What a program does besides its work: bring what it records to the daemons.
//!
//! It happens in the loop that a program has anyway, before each wait, and at its end. Calls of the
//! client libraries have tags of their own, behind those of a service's calls; each library has one
//! call under way at a time, so that a service always has the others.
//!
//! A panic is logged, and brought before the program ends.
//!
//! Deliberately absent: threads, and waiting for a daemon that is away.

extern crate alloc;

use alloc::boxed::Box;
use core::panic::PanicInfo;

use nexus_abi::Incarnation;
use nexus_abi::kernel::{CALLS_MAX, KernelError, NEVER, Received};
use nexus_bounded::{Mono, Nanos};
use nexus_log::{Fallback, SharedCourier, error};
use nexus_metrics::{Flusher, Pace};
use nexus_port::CallError;
use spin::Once;

use super::link::{Link, link};
use super::start::install_panic_hook;
use super::{Clock, calls, console, monotonic};
use crate::clients::{Clients, current_span, is_over};

const LOGD_TAG: u64 = CALLS_MAX as u64;
const METRICSD_TAG: u64 = LOGD_TAG + 1;

/// How long a program that ends may wait for a daemon that is there but slow.
pub(super) const LAST_PATIENCE: Nanos = Nanos::from_secs(1);

/// The end of a call: the bytes of its answer and whose they are, or why there are none.
type Ended = Result<(usize, Incarnation), CallError>;

/// Something that goes on besides a program's work.
pub trait Aside {
    /// Does what can be done now without waiting; when to call again at the latest.
    fn poll(&mut self) -> Option<Mono>;

    /// Takes the end of a call; `false` if it is none of its own.
    fn ended(&mut self, tag: u64, result: Ended) -> bool;

    /// Asks for everything to be brought now.
    fn request_flush(&mut self);

    /// Whether there is nothing to wait for: all was brought, or nobody takes it.
    fn is_over(&self) -> bool;

    /// Goes on with it while it waits by `wait`, which is given a deadline, for what is not its
    /// own, until `deadline` in ticks.
    ///
    /// # Errors
    /// Those of `wait`.
    fn receive(
        &mut self,
        clock: Clock,
        deadline: u64,
        mut wait: impl FnMut(u64) -> Result<Received, KernelError>,
    ) -> Result<Received, KernelError> {
        loop {
            let next = self.poll().map_or(NEVER, |at| clock.deadline(at));
            let received = wait(deadline.min(next))?;
            if !self.takes(&received) && !matches!(received, Received::Deadline) {
                return Ok(received);
            }
            if clock.ticks() >= deadline {
                return Ok(Received::Deadline);
            }
        }
    }

    /// Brings everything, for at most `patience`; whether that is over. What else comes meanwhile
    /// is lost: for programs that end, or wait for nothing else.
    fn flush(&mut self, patience: Nanos) -> bool {
        let clock = Clock::new();
        let until = clock.now().after(patience);
        self.request_flush();
        loop {
            let next = self.poll().map_or(until, |at| at.min(until));
            if self.is_over() || clock.now() >= until {
                return self.is_over();
            }
            if let Ok(received) = calls::wait(clock.deadline(next)) {
                self.takes(&received);
            }
        }
    }

    /// Whether it was the end of a call of its own.
    fn takes(&mut self, received: &Received) -> bool {
        let &Received::Completion { tag, result, incarnation } = received else { return false };
        let result = result.map(|bytes| (bytes, incarnation)).map_err(|_| CallError::PeerDied);
        self.ended(tag, result)
    }
}

/// Nothing.
impl Aside for () {
    fn poll(&mut self) -> Option<Mono> {
        None
    }

    fn ended(&mut self, _tag: u64, _result: Ended) -> bool {
        false
    }

    fn request_flush(&mut self) {}

    fn is_over(&self) -> bool {
        true
    }
}

/// Log records, for programs that know nothing of metrics.
pub struct Logs(&'static SharedCourier<Link>);

impl Logs {
    /// Begins to bring what this process logs to logd, which need not be there yet: until it is,
    /// some of it stands on the console, if we hold that. Call it once. What it takes is never
    /// given back.
    #[must_use]
    pub fn install() -> Self {
        let console = Fallback::new(console::print);
        Self::bring(SharedCourier::with_console(link("logd", LOGD_TAG), monotonic, console))
    }

    /// As [`Self::install`], for whoever prints all that it logs itself.
    #[must_use]
    pub fn install_without_console() -> Self {
        Self::bring(SharedCourier::new(link("logd", LOGD_TAG), monotonic))
    }

    fn bring(courier: SharedCourier<Link>) -> Self {
        let courier: &'static _ = Box::leak(Box::new(courier));
        nexus_log::install(courier);
        COURIER.call_once(|| courier);
        install_panic_hook(log_panic);
        Self(courier)
    }
}

/// What a panic flushes.
static COURIER: Once<&SharedCourier<Link>> = Once::new();

fn log_panic(info: &PanicInfo<'_>) {
    let message = info.message();
    match info.location() {
        Some(at) => error!("panic", "{message}"; file = at.file(), line = at.line()),
        None => error!("panic", "{message}"),
    }
    if let Some(courier) = COURIER.get() {
        Logs(courier).flush(LAST_PATIENCE);
    }
}

impl Aside for Logs {
    fn poll(&mut self) -> Option<Mono> {
        Some(self.0.poll())
    }

    fn ended(&mut self, tag: u64, result: Ended) -> bool {
        let is_ours = tag == LOGD_TAG;
        if is_ours {
            let taken = self.0.with_transport(|way| way.ended(result));
            assert!(taken.is_some(), "nobody waits from inside of the courier");
        }
        is_ours
    }

    fn request_flush(&mut self) {}

    fn is_over(&self) -> bool {
        is_over(self.0)
    }
}

/// Log records, metrics and spans.
pub struct Telemetry {
    logs: Logs,
    clients: Clients<Link>,
}

impl Telemetry {
    /// As [`Logs::install`], and brings to metricsd what this process records, once a second.
    #[must_use]
    pub fn install() -> Self {
        Self::paced(Pace::DEFAULT)
    }

    /// The same at another pace.
    #[must_use]
    pub fn paced(pace: Pace) -> Self {
        nexus_metrics::install_clock(|| monotonic().0);
        nexus_log::install_span_source(current_span);
        let logs = Logs::install();
        let clients = Clients {
            metrics: Flusher::new(nexus_metrics::global(), pace),
            metricsd: link("metricsd", METRICSD_TAG),
            logs: logs.0,
        };
        Self { logs, clients }
    }
}

/// What waits until the daemons have what was recorded before it began to wait.
pub trait Receipt {
    /// Whether something waits. What begins to later is not meant by the next [`Self::brought`].
    fn begin(&mut self) -> bool;

    /// The daemons have all that was recorded before.
    fn brought(&mut self);
}

/// Log records, metrics and spans, and a receipt for them.
pub struct Receipted<R> {
    telemetry: Telemetry,
    receipt: R,
    is_awaited: bool,
}

impl<R> Receipted<R> {
    /// As [`Telemetry::paced`]. Whatever waits for its receipt is brought at once.
    #[must_use]
    pub fn paced(pace: Pace, receipt: R) -> Self {
        Self { telemetry: Telemetry::paced(pace), receipt, is_awaited: false }
    }
}

impl<R: Receipt> Aside for Receipted<R> {
    fn poll(&mut self) -> Option<Mono> {
        if !self.is_awaited && self.receipt.begin() {
            self.is_awaited = true;
            self.request_flush();
        }
        let next = self.telemetry.poll();
        if self.is_awaited && self.telemetry.clients.state(monotonic()).1 {
            self.is_awaited = false;
            self.receipt.brought();
        }
        next
    }

    fn ended(&mut self, tag: u64, result: Ended) -> bool {
        self.telemetry.ended(tag, result)
    }

    fn request_flush(&mut self) {
        self.telemetry.request_flush();
    }

    fn is_over(&self) -> bool {
        self.telemetry.is_over()
    }
}

impl Aside for Telemetry {
    fn poll(&mut self) -> Option<Mono> {
        Some(self.clients.poll(monotonic()))
    }

    fn ended(&mut self, tag: u64, result: Ended) -> bool {
        if tag == METRICSD_TAG {
            self.clients.metricsd.ended(result);
            return true;
        }
        self.logs.ended(tag, result)
    }

    fn request_flush(&mut self) {
        self.clients.metrics.request_flush(monotonic());
    }

    fn is_over(&self) -> bool {
        self.clients.state(monotonic()).0
    }
}
