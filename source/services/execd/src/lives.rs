use alloc::vec::Vec;

use nexus_abi::{SenderId, ServiceId};
use nexus_bounded::Mono;
use nexus_wire::bundles::StoredName;

/// A process that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) name: StoredName,
    pub(crate) service: ServiceId,
    /// Who had it started; `None`: a former life of ours knew.
    pub(crate) owner: Option<SenderId>,
    /// When; 0 if only a former life of ours knew.
    pub(crate) since: Mono,
    /// Whether somebody has asked for its end.
    pub(crate) is_killed: bool,
}

impl Life {
    /// What a former life of ours has started as that entry.
    pub(crate) fn left(entry: StoredName) -> Self {
        let service = ServiceId::from_name(entry.get().as_str());
        Self { name: entry, service, owner: None, since: Mono(0), is_killed: false }
    }
}

/// What runs under which number, in the order in which it was started.
pub(crate) struct Lives {
    all: Vec<(u32, Life)>,
    most: usize,
}

impl Lives {
    /// At most so many; takes its memory now.
    pub(crate) fn new(most: usize) -> Self {
        Self { all: Vec::with_capacity(most), most }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.all.len() == self.most
    }

    pub(crate) fn add(&mut self, pid: u32, life: Life) {
        assert!(!self.is_full(), "no life of ours starts more than may run");
        self.all.push((pid, life));
    }

    /// Takes out whoever has ended.
    pub(crate) fn take(&mut self, pid: u32) -> Option<Life> {
        let at = self.all.iter().position(|(of, _)| *of == pid)?;
        Some(self.all.remove(at).1)
    }

    pub(crate) fn find_mut(&mut self, pid: u32) -> Option<&mut Life> {
        self.all.iter_mut().find(|(of, _)| *of == pid).map(|(_, life)| life)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(u32, Life)> {
        self.all.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}
