//! Call sites: each asks for its series once and keeps the handle.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nexus_wire::LossReason;
use spin::Once;

use crate::OFF;
use crate::cells::CellId;
use crate::global;
use crate::handles::{Counter, Handle};
use crate::registry::{Place, Spec};

/// A place in the source that records into one series; see [`crate::gauge!`] and
/// [`crate::histogram!`].
pub struct Site<H> {
    spec: Spec,
    handle: Once<H>,
}

impl<H: Handle> Site<H> {
    /// A place for this metric.
    #[must_use]
    pub const fn new(spec: Spec) -> Self {
        Self { spec, handle: Once::new() }
    }

    /// Its handle, asked for at the first call.
    #[inline]
    pub fn get(&self) -> H
    where
        H: Handle,
    {
        if OFF {
            return H::OVERFLOW;
        }
        match self.handle.get() {
            Some(handle) => *handle,
            None => *self.handle.call_once(|| resolve(&self.spec)),
        }
    }
}

/// A place in the source that counts; see [`crate::counter!`]. Apart from [`Site`] because a
/// counter is one word, and then nothing is faster.
pub struct CounterSite {
    spec: Spec,
    /// Number of the cell plus one; 0 until the first call.
    cell: AtomicU32,
}

impl CounterSite {
    /// A place for this metric.
    #[must_use]
    pub const fn new(spec: Spec) -> Self {
        Self { spec, cell: AtomicU32::new(0) }
    }

    /// Its handle, asked for at the first call.
    #[inline]
    pub fn get(&self) -> Counter {
        if OFF {
            return Counter::OVERFLOW;
        }
        match self.cell.load(Relaxed) {
            0 => self.resolve(),
            cell => Counter::from_cell(CellId::new(cell - 1)),
        }
    }

    #[cold]
    fn resolve(&self) -> Counter {
        let counter: Counter = resolve(&self.spec);
        self.cell.store(counter.cell().raw() + 1, Relaxed);
        counter
    }
}

/// The handle for a metric with labels besides its static ones; that of the overflow series,
/// counted, if there is no room.
fn resolve<H: Handle>(spec: &Spec) -> H {
    try_resolve(spec, &[]).unwrap_or_else(|| {
        count_overflow();
        overflow()
    })
}

/// The handle for a metric with labels besides its static ones; `None` if there is no room, or
/// the labels are not legal.
pub(crate) fn try_resolve<H: Handle>(spec: &Spec, labels: &[(&str, &str)]) -> Option<H> {
    let mut all = spec.static_labels().to_vec();
    all.extend_from_slice(labels);
    global().registry().resolve(spec.request(), &all).ok().map(|place| handle(Some(place)))
}

/// Notes that something is recorded in an overflow series.
pub(crate) fn count_overflow() {
    global().losses().add(LossReason::SeriesTableFull, 1);
}

/// The handle of the process's overflow series.
pub(crate) fn overflow<H: Handle>() -> H {
    handle(global().registry().overflow(H::KIND))
}

fn handle<H: Handle>(place: Option<Place>) -> H {
    let handle = H::at(place);
    assert!(handle.is_some(), "a series of one kind has no place of another");
    handle.unwrap_or(H::OVERFLOW)
}
