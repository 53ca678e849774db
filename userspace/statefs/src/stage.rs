//! Sectors of files on their way to the disk, first in, first out.

use alloc::boxed::Box;
use alloc::vec;

use nexus_port::SECTOR_BYTES;

use crate::sector::{Place, Sector};
use crate::space::Extent;

/// Sectors that can be on their way; an append completes at most as many.
pub const STAGE_SECTORS: usize = 64;

pub(crate) struct Stage {
    sectors: Box<[Sector]>,
    targets: Box<[u32]>,
    first: usize,
    len: usize,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            sectors: vec![[0; SECTOR_BYTES]; STAGE_SECTORS].into_boxed_slice(),
            targets: vec![0; STAGE_SECTORS].into_boxed_slice(),
            first: 0,
            len: 0,
        }
    }

    pub(crate) const fn bytes() -> usize {
        STAGE_SECTORS * (SECTOR_BYTES + size_of::<u32>())
    }

    pub(crate) fn clear(&mut self) {
        self.first = 0;
        self.len = 0;
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn free(&self) -> usize {
        STAGE_SECTORS - self.len
    }

    pub(crate) fn push(&mut self, target: u32, place: Place, payload: &[u8]) {
        assert!(self.len < STAGE_SECTORS, "room was asked for");
        let at = (self.first + self.len) % STAGE_SECTORS;
        if let (Some(sector), Some(to)) = (self.sectors.get_mut(at), self.targets.get_mut(at)) {
            place.seal(payload, sector);
            *to = target;
        }
        self.len += 1;
    }

    /// The first sectors that lie one behind another, here and on the disk.
    pub(crate) fn next_run(&self) -> Option<(Extent, &[u8])> {
        let end = (self.first + self.len).min(STAGE_SECTORS);
        let targets = self.targets.get(self.first..end)?;
        let start = *targets.first()?;
        let count = targets.iter().zip(start..).take_while(|(target, at)| *target == at).count();
        let bytes = self.sectors.get(self.first..self.first + count)?.as_flattened();
        Some((Extent { start, sectors: count as u32 }, bytes))
    }

    /// The first `count` sectors are written.
    pub(crate) fn written(&mut self, count: usize) {
        self.first = (self.first + count) % STAGE_SECTORS;
        self.len -= count;
    }

    /// What is on its way to a sector.
    pub(crate) fn on_the_way(&self, target: u32) -> Option<&Sector> {
        let places = (0..self.len).map(|at| (self.first + at) % STAGE_SECTORS);
        let mut found = places.filter(|at| self.targets.get(*at) == Some(&target));
        found.next_back().and_then(|at| self.sectors.get(at))
    }
}
