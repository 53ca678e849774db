//! What a process has one of: its sink, its level, its way to know the current span; and all that
//! this crate knows of threads.

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use nexus_wire::Level;
use spin::Once;

use crate::record::{Record, SpanRef};

/// Takes records. Must not log itself.
pub trait Sink: Sync {
    /// Takes a record. Must not block on logd.
    fn log(&self, record: &Record<'_>);

    /// Tries to have everything sent, for a moment at most.
    fn flush(&self);
}

static SINK: Once<&'static dyn Sink> = Once::new();
static SPAN: Once<fn() -> Option<SpanRef>> = Once::new();
/// The number of the least grave level that is logged, plus one; 0: none.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Info.raw() + 1);

/// Makes `sink` the process's sink. The first one stays; until then records go nowhere.
pub fn install(sink: &'static dyn Sink) {
    SINK.call_once(|| sink);
}

/// Tells this crate how to find the span that is open on the calling thread.
pub fn install_span_source(current: fn() -> Option<SpanRef>) {
    SPAN.call_once(|| current);
}

/// Lets records up to `level` through; `None`: none at all. Information and graver unless set.
pub fn set_level(level: Option<Level>) {
    LEVEL.store(level.map_or(0, |level| level.raw() + 1), Relaxed);
}

/// Whether records of this level are let through.
#[inline]
#[must_use]
pub fn enabled(level: Level) -> bool {
    level.raw() < LEVEL.load(Relaxed)
}

/// Tries to have everything sent that was logged, for a moment at most.
pub fn flush() {
    if let Some(sink) = sink() {
        sink.flush();
    }
}

pub(crate) fn sink() -> Option<&'static dyn Sink> {
    SINK.get().copied()
}

pub(crate) fn current_span() -> Option<SpanRef> {
    SPAN.get().and_then(|current| current())
}

#[cfg(feature = "std")]
pub(crate) use imp::with_thread_name;
pub(crate) use imp::{Turns, nap};

#[cfg(feature = "std")]
mod imp {
    use core::cell::Cell;
    use std::sync::{Mutex, PoisonError};
    use std::thread;
    use std::time::Duration;

    std::thread_local! {
        static INSIDE: Cell<bool> = const { Cell::new(false) };
    }

    /// Something that threads use in turns.
    pub(crate) struct Turns<T>(Mutex<T>);

    impl<T> Turns<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        /// `None` if this thread is inside already: a panic in there must not wait for itself.
        pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
            let _inside = Inside::enter()?;
            Some(body(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
        }
    }

    /// Says that this thread is inside, until it is dropped.
    struct Inside;

    impl Inside {
        fn enter() -> Option<Self> {
            (!INSIDE.replace(true)).then_some(Self)
        }
    }

    impl Drop for Inside {
        fn drop(&mut self) {
            INSIDE.set(false);
        }
    }

    /// Lets others work for a millisecond; `false` if there are none.
    pub(crate) fn nap() -> bool {
        thread::sleep(Duration::from_millis(1));
        true
    }

    pub(crate) fn with_thread_name(body: impl FnOnce(&str)) {
        body(thread::current().name().unwrap_or("unnamed"));
    }
}

/// A process has one thread.
#[cfg(not(feature = "std"))]
mod imp {
    use spin::Mutex;

    /// Something that is used in turns.
    pub(crate) struct Turns<T>(Mutex<T>);

    impl<T> Turns<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        /// `None` if we are inside already.
        pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
            self.0.try_lock().map(|mut value| body(&mut value))
        }
    }

    /// What there is to wait for only the port can wait for.
    pub(crate) const fn nap() -> bool {
        false
    }
}
