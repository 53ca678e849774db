//! Sectors of deleted files, which nobody may take before the deletion is durable.

use alloc::boxed::Box;
use alloc::vec;

use crate::quota::Mask;
use crate::space::{EXTENTS_MAX, Extent, Extents};

pub(crate) struct Freed {
    list: Box<[(Extent, Mask)]>,
    count: usize,
    /// The first ones, which the sync under way lets go.
    covered: usize,
}

impl Freed {
    /// Room for all extents of `files` files.
    pub(crate) fn new(files: u16) -> Self {
        let places = usize::from(files) * EXTENTS_MAX;
        let none = (Extent::default(), 0);
        Self { list: vec![none; places].into_boxed_slice(), count: 0, covered: 0 }
    }

    pub(crate) const fn bytes(files: u16) -> usize {
        files as usize * EXTENTS_MAX * size_of::<(Extent, Mask)>()
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.covered = 0;
    }

    /// Whether the extents of `files` more files find room.
    pub(crate) fn has_room(&self, files: usize) -> bool {
        self.list.len() - self.count >= files * EXTENTS_MAX
    }

    /// Whether some wait for a sync that has not begun.
    pub(crate) const fn has_news(&self) -> bool {
        self.count > self.covered
    }

    pub(crate) fn push(&mut self, extents: &Extents, quotas: Mask) {
        for extent in extents.as_slice() {
            let place = self.list.get_mut(self.count);
            assert!(place.is_some(), "room was asked for");
            if let Some(place) = place {
                *place = (*extent, quotas);
            }
            self.count += 1;
        }
    }

    /// A sync begins.
    pub(crate) fn cover(&mut self) {
        self.covered = self.count;
    }

    /// The sync is durable: gives its extents back.
    pub(crate) fn release(&mut self, mut free: impl FnMut(Extent, Mask)) {
        let covered = self.list.get(..self.covered).unwrap_or_default();
        covered.iter().for_each(|(extent, quotas)| free(*extent, *quotas));
        self.list.copy_within(self.covered..self.count, 0);
        self.count -= self.covered;
        self.covered = 0;
    }
}
