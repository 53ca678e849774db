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
pub(crate) use with_std::{Inside, nap, with_thread_name};

#[cfg(feature = "std")]
mod with_std {
    use core::cell::Cell;
    use std::thread;
    use std::time::Duration;

    std::thread_local! {
        static INSIDE: Cell<bool> = const { Cell::new(false) };
    }

    /// Says that this thread is inside of the sink, until it is dropped.
    pub(crate) struct Inside;

    impl Inside {
        /// `None` if the thread is inside already.
        pub(crate) fn enter() -> Option<Self> {
            (!INSIDE.replace(true)).then_some(Self)
        }
    }

    impl Drop for Inside {
        fn drop(&mut self) {
            INSIDE.set(false);
        }
    }

    /// Lets others work for a millisecond.
    pub(crate) fn nap() {
        thread::sleep(Duration::from_millis(1));
    }

    pub(crate) fn with_thread_name(body: impl FnOnce(&str)) {
        body(thread::current().name().unwrap_or("unnamed"));
    }
}
