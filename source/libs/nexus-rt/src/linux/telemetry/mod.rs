//! Brings what this process records to the daemons, in a thread of its own.
//!
//! ```no_run
//! fn main() -> std::io::Result<()> {
//!     let _telemetry = nexus_rt::linux::telemetry::install("/run/nexus")?;
//!     nexus_metrics::counter!("visits_total").inc();
//!     Ok(()) // The guard flushes when it goes.
//! }
//! ```
//!
//! Recording never waits for this thread, and this thread never waits for a daemon: while one is
//! away the program goes on, and totals are told when it is back. Log records go at once, by the
//! thread that logs, if logd takes them. A panic is logged and flushed. What ends a
//! process without its destructors (`std::process::exit`, a signal) leaves unsaid what was recorded
//! since the last flush, a second at most.
//!
//! A forked child has no such thread and is inert until it calls [`install`] itself; then it tells
//! what it recorded since, and nothing of its parent's.

mod logs;
mod worker;

use std::io::{self, Write as _};
use std::mem;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nexus_metrics::{Flusher, Pace};

use super::link::{Link, Watch};
use crate::clients::Clients;
use worker::Worker;

/// How long a process that ends may wait for a daemon that is there but slow.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// The process that has installed telemetry, 0 if none has.
static OWNER: AtomicU32 = AtomicU32::new(0);
/// What a panic flushes.
static CURRENT: Mutex<Option<Arc<Shared>>> = Mutex::new(None);
static HOOKED: Once = Once::new();

/// Keeps the background thread; when it is dropped what was recorded is flushed, for a second at
/// most, and the thread ends.
#[must_use = "when this is dropped nothing is brought to the daemons any more"]
pub struct Telemetry {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Begins to bring what this process records to the daemons of `run_dir`, which need not run yet.
///
/// # Errors
/// `AlreadyExists` if this process has done so before, even if that is over: totals would be told
/// twice. Else what hinders a thread or a socket pair.
pub fn install(run_dir: impl Into<PathBuf>) -> io::Result<Telemetry> {
    let (own, before) = (process::id(), OWNER.load(Ordering::Relaxed));
    let claimed = before != own
        && OWNER.compare_exchange(before, own, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    if !claimed {
        let why = "telemetry was installed in this process before";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    begin(run_dir.into(), before != 0).inspect_err(|_| OWNER.store(0, Ordering::Relaxed))
}

fn begin(run_dir: PathBuf, forked: bool) -> io::Result<Telemetry> {
    let (asks, asked) = UnixStream::pair()?;
    asks.set_nonblocking(true)?;
    asked.set_nonblocking(true)?;
    let watch = Arc::new(Watch::new()?);
    watch.add(&asked)?;
    let shared = Arc::new(Shared {
        wishes: Mutex::new(Wishes { asked: 0, over: 0, done: 0, end: None }),
        over: Condvar::new(),
        asks,
        process: process::id(),
    });
    let make = if forked { Flusher::for_forked_child } else { Flusher::new };
    let worker = Worker {
        clients: Clients {
            metrics: make(nexus_metrics::global(), Pace::DEFAULT),
            metricsd: Link::watched(run_dir.clone(), "metricsd", Arc::clone(&watch)),
            logs: logs::install(Link::watched(run_dir, "logd", Arc::clone(&watch))),
        },
        shared: Arc::clone(&shared),
        asked,
        watch,
    };
    let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(|| worker.run())?;
    *lock(&CURRENT) = Some(Arc::clone(&shared));
    HOOKED.call_once(|| nexus_log::install_panic_hook(flush_in_panic));
    Ok(Telemetry { shared, thread: Some(thread) })
}

const THREAD: &str = "nexus-telemetry";

impl Telemetry {
    /// Brings everything recorded so far to the daemons, waiting for at most `patience`. `false` if
    /// a daemon is away or too slow; what it has not got is told later.
    pub fn flush(&self, patience: Duration) -> bool {
        self.shared.flush(patience)
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let thread = self.thread.take();
        if process::id() != self.shared.process {
            // The thread is our parent's; there is nothing to wait for and nothing to give back.
            mem::forget(thread);
            return;
        }
        lock(&self.shared.wishes).end = Some(Instant::now() + LAST_PATIENCE);
        self.shared.wake();
        // Should it have panicked, the panic was reported, and there is nobody to tell again.
        drop(thread.map(JoinHandle::join));
        *lock(&CURRENT) = None;
    }
}

/// What the program wants of the thread, and what it has done about it.
struct Wishes {
    /// Flushes asked for.
    asked: u64,
    /// Flushes that are over, well or not.
    over: u64,
    /// Flushes that brought everything to the daemons.
    done: u64,
    /// When the thread ends at the latest.
    end: Option<Instant>,
}

struct Shared {
    wishes: Mutex<Wishes>,
    over: Condvar,
    asks: UnixStream,
    process: u32,
}

/// Nothing behind these locks is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn flush(&self, patience: Duration) -> bool {
        if process::id() != self.process || thread::current().name() == Some(THREAD) {
            return false;
        }
        let mut wishes = lock(&self.wishes);
        wishes.asked += 1;
        let wish = wishes.asked;
        self.wake();
        let waited = self.over.wait_timeout_while(wishes, patience, |wishes| wishes.over < wish);
        waited.unwrap_or_else(PoisonError::into_inner).0.done >= wish
    }

    fn wake(&self) {
        // A full pipe wakes as well.
        drop((&self.asks).write(&[0]));
    }

    /// Flushes asked for, and when the thread ends at the latest.
    fn wishes(&self) -> (u64, Option<Instant>) {
        let wishes = lock(&self.wishes);
        (wishes.asked, wishes.end)
    }

    /// Says that the flush of this number is over, and whether it went well.
    fn report(&self, flush: u64, well: bool) {
        let mut wishes = lock(&self.wishes);
        if well {
            wishes.done = flush;
        }
        if wishes.over < flush {
            wishes.over = flush;
            self.over.notify_all();
        }
    }
}

/// Brings to the daemons what a thread recorded before it panicked.
fn flush_in_panic() {
    // Whoever holds the lock is about to flush, or is the one that panics.
    let current = CURRENT.try_lock().ok().and_then(|current| current.clone());
    if let Some(current) = current {
        current.flush(LAST_PATIENCE);
    }
}
