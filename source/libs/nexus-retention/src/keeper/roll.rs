//! Rolling one sealed segment up to a group of longer windows, in steps: each reads a block or
//! folds one series in one group, and never waits.

use alloc::vec::Vec;

use super::draft::{Draft, Overflow};
use super::reader::Reader;
use crate::rollup::{Coarse, Keys, fold};
use crate::segment::{
    Form, Kind, LocalId, Missing, Samples, SegmentError, Shape, Windows, each_definition,
};

/// What a step has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// There is more to do.
    Again,
    /// The reader wants something, or the draft has to be written out first.
    Wait,
    /// The segment is rolled up.
    Done,
    /// The draft has no room for it: seal it, and begin another.
    Full(Overflow),
    /// The segment cannot be read; what was begun of it is given up.
    Lost(SegmentError),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing is rolled up.
    Idle,
    /// Looking at the windows of a group.
    Windows { group: usize },
    /// The keys in a block of a group.
    Keys { group: usize, block: usize, skip: usize },
    /// What a series did in a group, the first one included in `coarse` already.
    Fold { at: usize, group: usize },
}

/// A series: what it is called in the segment that is read, and in the one that is written.
#[derive(Clone, Copy)]
struct Series {
    from: LocalId,
    kind: Kind,
    to: LocalId,
}

/// See the module. Everything in it belongs to one target tier.
pub(super) struct Roll {
    /// Windows that make a longer one.
    ratio: u64,
    phase: Phase,
    /// Series of the segment that is written.
    keys: Keys,
    series: Vec<Series>,
    coarse_windows: Windows,
    coarse_open: Option<Coarse>,
}

/// What all tiers roll up with, one after another.
pub(super) struct Scratch {
    fine: Samples,
    coarse: Samples,
}

impl Scratch {
    /// Bytes of memory.
    pub(super) const MEMORY: usize = 2 * (size_of::<Samples>() + Samples::HEAP_BYTES);

    pub(super) fn new() -> Self {
        Self { fine: Samples::new(), coarse: Samples::new() }
    }
}

impl Roll {
    pub(super) fn new(ratio: u64, series: u32, key_bytes: u32) -> Self {
        Self {
            ratio,
            phase: Phase::Idle,
            keys: Keys::new(series, key_bytes),
            series: Vec::with_capacity(series as usize),
            coarse_windows: Windows::new(),
            coarse_open: None,
        }
    }

    pub(super) const fn memory(series: u32, key_bytes: u32) -> usize {
        Keys::memory(series, key_bytes) + series as usize * size_of::<Series>()
    }

    pub(super) const fn ratio(&self) -> u64 {
        self.ratio
    }

    /// The target has begun anew.
    pub(super) fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// A segment is rolled up from its beginning on.
    pub(super) fn begin(&mut self) {
        self.phase = Phase::Windows { group: 0 };
        self.coarse_open = Some(Coarse::new(self.ratio));
        self.series.clear();
    }

    /// What was begun is given up.
    pub(super) fn give_up(&mut self, to: &mut Draft) {
        self.phase = Phase::Idle;
        to.give_up_group();
    }

    /// Does a bounded part of the work.
    pub(super) fn step(&mut self, from: &mut Reader, to: &mut Draft, with: &mut Scratch) -> Step {
        if !to.has_room() {
            return Step::Wait;
        }
        let stepped = match self.phase {
            Phase::Idle => Ok(Step::Done),
            Phase::Windows { group } => self.windows(group, from, to),
            Phase::Keys { group, block, skip } => self.define((group, block, skip), from, to),
            Phase::Fold { at, group } => self.fold(at, group, from, to, with),
        };
        match stepped {
            Ok(Step::Again) => Step::Again,
            Ok(step) => {
                self.phase = Phase::Idle;
                step
            }
            Err(Missing::Fetch) => Step::Wait,
            Err(Missing::Lost(why)) => {
                self.give_up(to);
                Step::Lost(why)
            }
        }
    }

    fn windows(
        &mut self,
        group: usize,
        from: &mut Reader,
        to: &mut Draft,
    ) -> Result<Step, Missing> {
        let groups = from.footer()?.groups().len();
        if group < groups {
            let index = from.index(group)?;
            let fits = self.coarse_open.as_mut().and_then(|coarse| coarse.push(index.windows()));
            fits.ok_or(Missing::Lost(SegmentError::Unsealed))?;
            self.phase = Phase::Windows { group: group + 1 };
            return Ok(Step::Again);
        }
        let windows = self.coarse_open.take().and_then(Coarse::finish);
        self.coarse_windows = windows.ok_or(Missing::Lost(SegmentError::Unsealed))?;
        let Some(first) = self.coarse_windows.first() else { return Ok(Step::Done) };
        // A segment that ended early within a longer window left the rest of it to the next one.
        if to.end().is_some_and(|end| first + 1 < end) {
            return Err(Missing::Lost(SegmentError::Unsealed));
        }
        if let Err(overflow) = to.begin_group(&self.coarse_windows) {
            return Ok(Step::Full(overflow));
        }
        self.phase = Phase::Keys { group: 0, block: 0, skip: 0 };
        Ok(Step::Again)
    }

    /// Finds or defines the series of a block of keys, until the draft has a piece to write.
    fn define(
        &mut self,
        (group, block, skip): (usize, usize, usize),
        from: &mut Reader,
        to: &mut Draft,
    ) -> Result<Step, Missing> {
        if group == from.groups() {
            self.series.sort_unstable_by_key(|series| series.to);
            self.phase = Phase::Fold { at: 0, group: 0 };
            return Ok(Step::Again);
        }
        let Some(location) = from.index(group)?.keys().nth(block) else {
            self.phase = Phase::Keys { group: group + 1, block: 0, skip: 0 };
            return Ok(Step::Again);
        };
        let payload = from.block(location.block)?;
        let Self { keys, series, .. } = self;
        let mut wanted = Wanted { keys, series, to, seen: 0, skip, full: None, waits: false };
        each_definition(location, payload, &mut |id, form, key| wanted.take(id, form, key))?;
        let Wanted { seen, full, waits, .. } = wanted;
        if let Some(overflow) = full {
            to.give_up_group();
            return Ok(Step::Full(overflow));
        }
        self.phase = if waits {
            Phase::Keys { group, block, skip: seen }
        } else {
            Phase::Keys { group, block: block + 1, skip: 0 }
        };
        Ok(Step::Again)
    }

    fn fold(
        &mut self,
        at: usize,
        group: usize,
        from: &mut Reader,
        to: &mut Draft,
        with: &mut Scratch,
    ) -> Result<Step, Missing> {
        let Some(series) = self.series.get(at).copied() else {
            return Ok(to.end_group().map_or_else(Step::Full, |()| Step::Done));
        };
        let Scratch { fine, coarse } = with;
        if group == 0 {
            coarse.clear(Shape { kind: series.kind, is_rollup: true });
        }
        if group == from.groups() {
            if let Err(overflow) = to.add(series.to, coarse) {
                return Ok(Step::Full(overflow));
            }
            self.phase = Phase::Fold { at: at + 1, group: 0 };
            return Ok(Step::Again);
        }
        let is_rollup = from.footer()?.meta.tier.is_rollup;
        let shape = Shape { kind: series.kind, is_rollup };
        if let Some(windows) = from.samples(group, series.from, shape, fine)? {
            fold((&windows, fine), self.ratio, (&self.coarse_windows, coarse));
        }
        self.phase = Phase::Fold { at, group: group + 1 };
        Ok(Step::Again)
    }
}

/// Series of a block of keys on their way into another segment.
struct Wanted<'a> {
    keys: &'a mut Keys,
    series: &'a mut Vec<Series>,
    to: &'a mut Draft,
    /// Series that have had their turn, and how many had it before.
    seen: usize,
    skip: usize,
    /// There is no place for one.
    full: Option<Overflow>,
    /// The draft has to be written out before the next one.
    waits: bool,
}

impl Wanted<'_> {
    fn take(&mut self, from: LocalId, form: &Form<'_>, key: &[u8]) {
        if self.full.is_some() || self.waits {
            return;
        }
        if self.seen >= self.skip {
            if !self.to.has_room() {
                self.waits = true;
                return;
            }
            self.full = self.find_or_define(from, form, key).err();
        }
        self.seen += 1;
    }

    fn find_or_define(
        &mut self,
        from: LocalId,
        form: &Form<'_>,
        key: &[u8],
    ) -> Result<(), Overflow> {
        let to = match self.keys.find(key, form) {
            Ok(to) => to,
            Err(place) => {
                let to = self.to.define(key, form)?;
                self.keys.insert(place).ok_or(Overflow::Keys)?;
                to
            }
        };
        if self.series.len() == self.series.capacity() {
            return Err(Overflow::Keys);
        }
        self.series.push(Series { from, kind: form.kind(), to });
        Ok(())
    }
}
