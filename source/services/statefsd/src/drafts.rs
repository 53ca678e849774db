//! Drafts: files that grow unseen. The store names them by handles, their owners by the names that
//! they will have.

use alloc::boxed::Box;
use alloc::vec;

use nexus_abi::Incarnation;
use statefs::File;

use crate::shares::{Full, ShareId};

#[derive(Clone, Copy)]
pub(crate) struct Draft {
    pub(crate) share: ShareId,
    /// Whose it is: it does not outlive its maker.
    pub(crate) life: Incarnation,
    pub(crate) name: Full,
    pub(crate) file: File,
}

/// As many as the store lets grow.
pub(crate) struct Drafts(Box<[Option<Draft>]>);

impl Drafts {
    pub(crate) fn new(open: u16) -> Self {
        Self(vec![None; usize::from(open)].into_boxed_slice())
    }

    /// Bytes of the heap.
    pub(crate) const fn bytes(open: u16) -> usize {
        open as usize * size_of::<Option<Draft>>()
    }

    pub(crate) fn find(&self, name: &Full) -> Option<File> {
        self.iter().find(|draft| draft.name == *name).map(|draft| draft.file)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Draft> {
        self.0.iter().flatten()
    }

    pub(crate) fn count(&self, share: ShareId) -> usize {
        self.iter().filter(|draft| draft.share == share).count()
    }

    pub(crate) fn add(&mut self, draft: Draft) {
        let free = self.0.iter_mut().find(|place| place.is_none());
        assert!(free.is_some(), "the store has let it grow");
        if let Some(free) = free {
            *free = Some(draft);
        }
    }

    /// Forgets a draft that is none any more.
    pub(crate) fn remove(&mut self, file: File) {
        self.retain(|draft| draft.file != file);
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Draft) -> bool) {
        self.0.iter_mut().for_each(|place| {
            place.take_if(|draft| !keep(draft));
        });
    }
}
