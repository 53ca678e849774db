use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use nexus_bounded::{Mono, Nanos};
use nexus_port::Transport;

use crate::courier::Courier;
use crate::record::Record;
use crate::threads::{Inside, Sink, nap};

/// How long [`Sink::flush`] tries.
const PATIENCE: Nanos = Nanos::from_millis(250);

/// A [`Courier`] with its transport, shared by the threads of a process: whoever logs sends.
///
/// A port makes one, installs it with [`crate::install`], and calls [`SharedCourier::poll`] from a
/// thread of its own.
pub struct SharedCourier<T> {
    inner: Mutex<(Courier, T)>,
    /// Monotonic time as logd tells it.
    clock: fn() -> Mono,
    /// Records that were logged from inside, where there is no way for them.
    lost_inside: AtomicU64,
}

impl<T: Transport> SharedCourier<T> {
    /// A courier that goes by `transport` and `clock`.
    pub fn new(transport: T, clock: fn() -> Mono) -> Self {
        let inner = Mutex::new((Courier::new(), transport));
        Self { inner, clock, lost_inside: AtomicU64::new(0) }
    }

    /// Goes on with what is under way: see [`Courier::poll`].
    pub fn poll(&self) -> Mono {
        let now = (self.clock)();
        let lost = self.lost_inside.swap(0, Relaxed);
        self.with(|courier, transport| {
            courier.note_lost(lost, now);
            courier.poll(now, transport)
        })
        .unwrap_or(now)
    }

    /// Records that were given up since the last call of this.
    pub fn take_dropped(&self) -> u64 {
        self.with(|courier, _| courier.take_dropped()).unwrap_or(0)
    }

    /// Whether logd has answered everything: see [`Courier::is_settled`].
    pub fn is_settled(&self) -> bool {
        self.with(|courier, _| courier.is_settled()).unwrap_or(false)
    }

    /// Lets `body` see the transport, to wait for replies outside.
    pub fn with_transport<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.with(|_, transport| body(transport))
    }

    /// `None` if this thread is inside already: a panic in there must not wait for itself.
    fn with<R>(&self, body: impl FnOnce(&mut Courier, &mut T) -> R) -> Option<R> {
        let _inside = Inside::enter()?;
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (courier, transport) = &mut *inner;
        Some(body(courier, transport))
    }
}

impl<T: Transport + Send> Sink for SharedCourier<T> {
    fn log(&self, record: &Record<'_>) {
        let now = (self.clock)();
        if self.with(|courier, transport| courier.submit(record, now, transport)).is_none() {
            self.lost_inside.fetch_add(1, Relaxed);
        }
    }

    fn flush(&self) {
        let until = (self.clock)().after(PATIENCE);
        while (self.clock)() < until {
            self.poll();
            if self.with(|courier, _| courier.is_settled()).unwrap_or(true) {
                return;
            }
            nap();
        }
    }
}
