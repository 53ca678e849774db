use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nexus_bounded::{Mono, Nanos};
use nexus_port::Transport;

use crate::courier::Courier;
use crate::fallback::Fallback;
use crate::record::Record;
use crate::threads::{Sink, Turns, nap};

/// How long [`Sink::flush`] tries.
const PATIENCE: Nanos = Nanos::from_millis(250);

/// A [`Courier`] with its transport, shared by the threads of a process: whoever logs sends.
///
/// A port makes one, installs it with [`crate::install`], and calls [`SharedCourier::poll`] when a
/// reply has come or the time that it returned has.
pub struct SharedCourier<T> {
    inner: Turns<Inner<T>>,
    /// Monotonic time as logd tells it.
    clock: fn() -> Mono,
    /// Records that were logged from inside, where there is no way for them.
    lost_inside: AtomicU64,
}

struct Inner<T> {
    courier: Courier,
    transport: T,
    console: Option<Fallback>,
}

impl<T: Transport> SharedCourier<T> {
    /// A courier that goes by `transport` and `clock`.
    pub fn new(transport: T, clock: fn() -> Mono) -> Self {
        Self::build(transport, clock, None)
    }

    /// As [`Self::new`]; while logd is away lines stand on a console, as far as `console` lets
    /// them.
    pub fn with_console(transport: T, clock: fn() -> Mono, console: Fallback) -> Self {
        Self::build(transport, clock, Some(console))
    }

    fn build(transport: T, clock: fn() -> Mono, console: Option<Fallback>) -> Self {
        let inner = Turns::new(Inner { courier: Courier::new(), transport, console });
        Self { inner, clock, lost_inside: AtomicU64::new(0) }
    }

    /// Goes on with what is under way: see [`Courier::poll`].
    pub fn poll(&self) -> Mono {
        let now = (self.clock)();
        let lost = self.lost_inside.swap(0, Relaxed);
        let next = self.inner.with(|inner| {
            inner.courier.note_lost(lost, now);
            inner.poll(now)
        });
        next.unwrap_or(now)
    }

    /// Records that were given up since the last call of this.
    pub fn take_dropped(&self) -> u64 {
        self.inner.with(|inner| inner.courier.take_dropped()).unwrap_or(0)
    }

    /// Whether logd has answered everything: see [`Courier::is_settled`].
    pub fn is_settled(&self) -> bool {
        self.inner.with(|inner| inner.courier.is_settled()).unwrap_or(false)
    }

    /// Lets `body` see the transport, to wait for replies outside. `None` from inside.
    pub fn with_transport<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.inner.with(|inner| body(&mut inner.transport))
    }
}

impl<T: Transport> Inner<T> {
    fn log(&mut self, record: &Record<'_>, now: Mono) {
        self.courier.submit(record, now, &mut self.transport);
        if self.courier.is_away()
            && let Some(console) = &mut self.console
        {
            console.record(record, now);
        }
    }

    fn poll(&mut self, now: Mono) -> Mono {
        let next = self.courier.poll(now, &mut self.transport);
        let console = self.console.as_mut().filter(|_| self.courier.is_up());
        let again = console.and_then(|console| console.is_back(now));
        again.map_or(next, |again| again.min(next))
    }
}

impl<T: Transport + Send> Sink for SharedCourier<T> {
    fn log(&self, record: &Record<'_>) {
        let now = (self.clock)();
        if self.inner.with(|inner| inner.log(record, now)).is_none() {
            self.lost_inside.fetch_add(1, Relaxed);
        }
    }

    fn flush(&self) {
        let until = (self.clock)().after(PATIENCE);
        while (self.clock)() < until {
            self.poll();
            let settled = self.inner.with(|inner| inner.courier.is_settled()).unwrap_or(true);
            if settled || !nap() {
                return;
            }
        }
    }
}
