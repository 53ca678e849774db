use nexus_abi::kernel::{LEVELS, PROCESSES_MAX};

use crate::set::PerProcess;
use crate::{ProcessId, Set};

/// Slices of time that fit a second.
pub const SLICES_PER_SECOND: u64 = 100;

/// Who runs: the highest level that has somebody, and in it one after another, a slice each.
///
/// Whoever serves a caller spends the caller's slice, however high it stands itself. So a process
/// that keeps servers busy comes to its end as if it did the work itself, and those of its own
/// level have their turns.
#[derive(Debug)]
pub struct Schedule {
    ready: [Set; LEVELS],
    /// Levels that have somebody who is ready, one bit each.
    levels: u64,
    /// From whom on a level looks for the next.
    turn: [ProcessId; LEVELS],
    level: PerProcess<u8>,
    /// Ticks that each has left of its slice.
    left: PerProcess<u64>,
    /// Whose slice each spends.
    payer: PerProcess<ProcessId>,
    slice: u64,
    /// Whose turn it is, if nobody has to be looked for.
    chosen: Option<ProcessId>,
    /// Whose slice is spent, and since when.
    paying: Option<ProcessId>,
    since: u64,
}

const _: () = assert!(LEVELS <= u64::BITS as usize);

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
            chosen: None,
            paying: None,
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

    /// `id` can run. It comes before whoever runs if it stands higher.
    #[inline(always)]
    pub fn wake(&mut self, id: ProcessId) {
        let level = self.level(id);
        self.ready[level].insert(id);
        self.levels |= 1 << level;
        if let Some(chosen) = self.chosen
            && level < self.level(chosen)
        {
            self.chosen = Some(id);
        }
    }

    /// `id` cannot run.
    #[inline(always)]
    pub fn block(&mut self, id: ProcessId) {
        let level = self.level(id);
        self.ready[level].remove(id);
        if self.ready[level].is_empty() {
            self.levels &= !(1 << level);
        }
        if self.chosen == Some(id) {
            self.chosen = None;
        }
    }

    /// Whether `id` can run.
    #[must_use]
    pub fn is_ready(&self, id: ProcessId) -> bool {
        self.ready[self.level(id)].has(id)
    }

    /// From now on `id` spends the slice that `caller` spends.
    #[inline]
    pub fn serve(&mut self, id: ProcessId, caller: ProcessId) {
        self.payer[id] = self.payer[caller];
    }

    /// Whose slice `id` spends.
    #[must_use]
    pub fn payer(&self, id: ProcessId) -> ProcessId {
        self.payer[id]
    }

    /// From now on `id` spends its own slice.
    #[inline]
    pub fn serve_nobody(&mut self, id: ProcessId) {
        self.payer[id] = id;
    }

    /// Who runs next, as far as that is so without a look at the clock: whoever it is spends the
    /// slice that is being spent.
    #[must_use]
    #[inline(always)]
    pub fn next_at_same_cost(&mut self) -> Option<ProcessId> {
        if self.chosen.is_none() {
            self.chosen = self.first();
        }
        self.chosen.filter(|&chosen| self.paying == Some(self.payer[chosen]))
    }

    /// Charges the time since the last charge, then says who runs from `now` on, in ticks, and
    /// when the slice ends that they spend.
    pub fn choose(&mut self, now: u64) -> Option<(ProcessId, u64)> {
        if let Some(payer) = self.paying {
            self.charge(payer, now.saturating_sub(self.since));
        }
        self.since = now;
        self.chosen = self.chosen.or_else(|| self.first());
        self.paying = self.chosen.map(|chosen| self.payer[chosen]);
        let end = self.paying.map(|payer| now.saturating_add(self.left[payer]));
        self.chosen.zip(end)
    }

    fn charge(&mut self, payer: ProcessId, ticks: u64) {
        let left = &mut self.left[payer];
        if *left > ticks {
            *left -= ticks;
            return;
        }
        *left = self.slice;
        let next = ProcessId::new(payer.index() + 1).unwrap_or(ProcessId::FIRST);
        self.turn[self.level(payer)] = next;
        self.chosen = None;
    }

    #[inline]
    fn first(&self) -> Option<ProcessId> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize % LEVELS;
        self.ready[level].first_from(self.turn[level])
    }
}
