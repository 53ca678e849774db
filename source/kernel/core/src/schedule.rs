use nexus_abi::kernel::{LEVELS, PROCESSES_MAX};

use crate::set::PerProcess;
use crate::{ProcessId, Set};

/// Slices of time that fit a second.
pub const SLICES_PER_SECOND: u64 = 100;

const _: () = assert!(LEVELS <= u8::BITS as usize);

/// Who runs: the highest level that has somebody, and in it one after another, a slice each.
///
/// Whoever serves a caller spends the caller's slice, however high it stands itself. So a process
/// that keeps servers busy comes to its end as if it did the work itself, and those of its own
/// level have their turns.
#[derive(Debug)]
pub struct Schedule {
    ready: [Set; LEVELS],
    /// Levels that have somebody who is ready, one bit each.
    levels: u8,
    /// From whom on a level looks for the next.
    turn: [ProcessId; LEVELS],
    level: PerProcess<u8>,
    /// Ticks that each has left of its slice.
    left: PerProcess<u64>,
    /// Whose slice each spends.
    payer: PerProcess<ProcessId>,
    slice: u64,
    running: Option<ProcessId>,
    since: u64,
}

impl Schedule {
    /// Nobody is ready; slices have `slice` ticks.
    #[must_use]
    pub const fn new(slice: u64) -> Self {
        Self {
            ready: [Set::EMPTY; LEVELS],
            levels: 0,
            turn: [ProcessId::FIRST; LEVELS],
            level: PerProcess([0; PROCESSES_MAX]),
            left: PerProcess([slice; PROCESSES_MAX]),
            payer: PerProcess([ProcessId::FIRST; PROCESSES_MAX]),
            slice,
            running: None,
            since: 0,
        }
    }

    /// From now on slices have `slice` ticks.
    pub const fn set_slice(&mut self, slice: u64) {
        self.slice = slice;
    }

    /// Lets `id` run at `level`, lowest number first.
    pub fn admit(&mut self, id: ProcessId, level: u8) {
        self.level[id] = level;
        self.left[id] = self.slice;
        self.payer[id] = id;
        self.wake(id);
    }

    #[inline]
    fn level(&self, id: ProcessId) -> usize {
        usize::from(self.level[id]) % LEVELS
    }

    /// `id` can run.
    #[inline]
    pub fn wake(&mut self, id: ProcessId) {
        let level = self.level(id);
        self.ready[level].insert(id);
        self.levels |= 1 << level;
    }

    /// `id` cannot run.
    #[inline]
    pub fn block(&mut self, id: ProcessId) {
        let level = self.level(id);
        self.ready[level].remove(id);
        if self.ready[level].is_empty() {
            self.levels &= !(1 << level);
        }
    }

    /// Whether `id` can run.
    #[must_use]
    pub fn is_ready(&self, id: ProcessId) -> bool {
        self.ready[self.level(id)].has(id)
    }

    /// Who runs now.
    #[must_use]
    pub const fn running(&self) -> Option<ProcessId> {
        self.running
    }

    /// From now on `id` spends the slice that `caller` spends.
    #[inline]
    pub fn serve(&mut self, id: ProcessId, caller: ProcessId) {
        self.payer[id] = self.payer[caller];
    }

    /// From now on `id` spends its own slice.
    #[inline]
    pub fn serve_nobody(&mut self, id: ProcessId) {
        self.payer[id] = id;
    }

    /// Charges the time since the last choice, then chooses who runs from `now` on, in ticks.
    #[inline]
    pub fn choose(&mut self, now: u64) -> Option<ProcessId> {
        if let Some(running) = self.running {
            self.charge(self.payer[running], now.saturating_sub(self.since));
        }
        self.since = now;
        self.running = self.first();
        self.running
    }

    #[inline]
    fn charge(&mut self, payer: ProcessId, ticks: u64) {
        let left = &mut self.left[payer];
        if *left > ticks {
            *left -= ticks;
            return;
        }
        *left = self.slice;
        self.turn[self.level(payer)] =
            ProcessId::new(payer.index() + 1).unwrap_or(ProcessId::FIRST);
    }

    #[inline]
    fn first(&self) -> Option<ProcessId> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize % LEVELS;
        self.ready[level].first_from(self.turn[level])
    }

    /// When the slice ends that is spent now, in ticks.
    #[must_use]
    #[inline]
    pub fn slice_end(&self) -> Option<u64> {
        self.running.map(|running| self.since.saturating_add(self.left[self.payer[running]]))
    }
}
