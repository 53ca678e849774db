//! Reading back what was logged, for unit tests.
//!
//! ```
//! use nexus_log::{info, memory};
//!
//! let captured = memory::capture();
//! info!("execd", "spawned {}", "demo.hello"; pid = 7);
//! let records = captured.records();
//! assert_eq!(records[0].message, "spawned demo.hello");
//! assert_eq!(records[0].fields, "pid=7\n");
//! ```
//!
//! While one [`Captured`] lives other threads that ask for one wait, so tests do not see each
//! other's records; those of threads that did not ask are seen.

use std::string::String;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use nexus_wire::Level;

use crate::record::{Record, SpanRef};
use crate::threads::{self, Sink};

/// A record that was logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Logged {
    /// How grave it is.
    pub level: Level,
    /// Where it comes from.
    pub scope: String,
    /// What happened.
    pub message: String,
    /// Its fields: `key=value\n` lines, sorted.
    pub fields: String,
    /// Bytes of the message and of values that were cut.
    pub cut: u16,
    /// Fields that were left out.
    pub fields_cut: u16,
    /// The span that was open.
    pub span: Option<SpanRef>,
}

/// Records from [`capture`] on.
pub struct Captured {
    _turn: MutexGuard<'static, ()>,
}

struct Memory(Mutex<Vec<Logged>>);

static MEMORY: Memory = Memory(Mutex::new(Vec::new()));
static TURN: Mutex<()> = Mutex::new(());

/// Begins to keep records, none yet. Waits while somebody else does. Nothing is kept in a process
/// that has another sink already.
#[must_use]
pub fn capture() -> Captured {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    threads::install(&MEMORY);
    MEMORY.with(Vec::clear);
    Captured { _turn: turn }
}

impl Captured {
    /// The records so far.
    #[must_use]
    pub fn records(&self) -> Vec<Logged> {
        MEMORY.with(|records| records.clone())
    }
}

impl Memory {
    fn with<R>(&self, body: impl FnOnce(&mut Vec<Logged>) -> R) -> R {
        body(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Memory {
    fn log(&self, record: &Record<'_>) {
        let &Record { level, scope, message, fields, cut, fields_cut, span } = record;
        let (scope, message, fields) = (scope.into(), message.into(), fields.into());
        let logged = Logged { level, scope, message, fields, cut, fields_cut, span };
        self.with(|records| records.push(logged));
    }

    fn flush(&self) {}
}
