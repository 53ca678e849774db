//! All that this crate knows of threads, processes and their clock.
//!
//! With the feature `std` each thread keeps references to the pages and the span lane that it
//! leases in thread-local storage that needs neither construction nor a check of it on the fast
//! path; what a thread leased passes on when it ends. Without `std` a process has one thread.

use crate::client::Client;

use crate::limits::COLUMNS;

pub(crate) use imp::{Lock, add, local_now, on_lane, panicking, process};

#[cfg(not(feature = "std"))]
pub use imp::install_clock;

static GLOBAL: Client = Client::with_clock(Some(local_now));

/// What this process records.
#[must_use]
pub const fn global() -> &'static Client {
    &GLOBAL
}

/// What belongs to a column of cells.
#[inline]
#[expect(clippy::indexing_slicing, reason = "own index: a remainder by the columns")]
fn of<T>(columns: &[T; COLUMNS], column: usize) -> &T {
    &columns[column % COLUMNS]
}

#[cfg(feature = "std")]
mod imp {
    extern crate std;

    use super::of;

    use core::cell::{Cell, RefCell};
    use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};
    use std::thread_local;
    use std::time::Instant;

    use crate::cells::{CellId, Page, PageLease};
    use crate::global;
    use crate::lane::{Lane, LaneLease};
    use crate::limits::COLUMNS;

    /// A lock for what is cold.
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        /// Nothing behind these locks is left half done by a panic, so a poisoned one serves on.
        pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
            body(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }

        /// As [`Self::with`], or `None` if somebody else is inside.
        pub(crate) fn try_with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
            match self.0.try_lock() {
                Ok(mut value) => Some(body(&mut value)),
                Err(TryLockError::Poisoned(poisoned)) => Some(body(&mut poisoned.into_inner())),
                Err(TryLockError::WouldBlock) => None,
            }
        }
    }

    thread_local! {
        static PAGES: [Cell<Option<&'static Page>>; COLUMNS] =
            const { [const { Cell::new(None) }; COLUMNS] };
        static LANE: Cell<Option<&'static Lane>> = const { Cell::new(None) };
        /// What has to be given back. Touched only when something is leased, and at the end.
        static HELD: Held = const { Held::nothing() };
    }

    struct Held {
        pages: [RefCell<Option<PageLease>>; COLUMNS],
        lane: RefCell<Option<LaneLease>>,
    }

    impl Held {
        const fn nothing() -> Self {
            Self { pages: [const { RefCell::new(None) }; COLUMNS], lane: RefCell::new(None) }
        }
    }

    impl Drop for Held {
        /// From here on the thread counts in the shared pages; its leases are dropped next.
        fn drop(&mut self) {
            PAGES.with(|pages| pages.iter().for_each(|page| page.set(None)));
            LANE.set(None);
        }
    }

    /// Adds to a cell of the process.
    #[inline]
    pub(crate) fn add(cell: CellId, count: u64) {
        match PAGES.with(|pages| of(pages, cell.column()).get()) {
            Some(page) => page.add_owned(cell, count),
            None => add_first(cell, count),
        }
    }

    #[cold]
    fn add_first(cell: CellId, count: u64) {
        match lease_page(cell.column()) {
            Some(page) => page.add_owned(cell, count),
            None => global().pages().add_shared(cell, count),
        }
    }

    /// `None` also for a thread that is ending: it leases nothing any more.
    fn lease_page(column: usize) -> Option<&'static Page> {
        let take = |held: &Held| {
            let lease = global().pages().lease(column)?;
            let page = lease.page();
            of(&held.pages, column).replace(Some(lease));
            PAGES.with(|pages| of(pages, column).set(Some(page)));
            Some(page)
        };
        HELD.try_with(take).ok().flatten()
    }

    /// Does something on the thread's lane of spans; `None` if there is none left for it.
    #[inline]
    pub(crate) fn on_lane<R>(body: impl FnOnce(&'static Lane) -> R) -> Option<R> {
        LANE.get().or_else(lease_lane).map(body)
    }

    #[cold]
    fn lease_lane() -> Option<&'static Lane> {
        let take = |held: &Held| {
            let lease = global().lease_lane()?;
            let lane = lease.lane();
            held.lane.replace(Some(lease));
            LANE.set(Some(lane));
            Some(lane)
        };
        HELD.try_with(take).ok().flatten()
    }

    /// Nanoseconds since this was first called.
    #[inline]
    pub(crate) fn local_now() -> u64 {
        static ANCHOR: OnceLock<Instant> = OnceLock::new();
        let now = Instant::now();
        let since = now.saturating_duration_since(*ANCHOR.get_or_init(|| now));
        since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
    }

    pub(crate) fn panicking() -> bool {
        std::thread::panicking()
    }

    /// Number of the process: a forked child has another one.
    pub(crate) fn process() -> u32 {
        std::process::id()
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    use spin::{Mutex, Once};

    use super::of;

    use crate::cells::{CellId, PageLease};
    use crate::global;
    use crate::lane::{Lane, LaneLease};
    use crate::limits::COLUMNS;

    static CLOCK: Once<fn() -> u64> = Once::new();
    static PAGES: [Once<Option<PageLease>>; COLUMNS] = [const { Once::new() }; COLUMNS];
    static LANE: Once<Option<LaneLease>> = Once::new();

    /// Tells this crate how to read the monotonic clock, in nanoseconds. The first one stays;
    /// spans begun before have no duration.
    pub fn install_clock(clock: fn() -> u64) {
        CLOCK.call_once(|| clock);
    }

    /// A lock for what is cold.
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
            body(&mut self.0.lock())
        }

        pub(crate) fn try_with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
            self.0.try_lock().map(|mut value| body(&mut value))
        }
    }

    pub(crate) fn add(cell: CellId, count: u64) {
        let column = cell.column();
        match of(&PAGES, column).call_once(|| global().pages().lease(column)) {
            Some(lease) => lease.page().add_owned(cell, count),
            None => global().pages().add_shared(cell, count),
        }
    }

    pub(crate) fn on_lane<R>(body: impl FnOnce(&'static Lane) -> R) -> Option<R> {
        LANE.call_once(|| global().lease_lane()).as_ref().map(|lease| body(lease.lane()))
    }

    pub(crate) fn local_now() -> u64 {
        CLOCK.get().map_or(0, |clock| clock())
    }

    pub(crate) const fn panicking() -> bool {
        false
    }

    pub(crate) const fn process() -> u32 {
        0
    }
}
