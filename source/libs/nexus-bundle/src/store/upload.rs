use nexus_abi::Life;
use nexus_bounded::Mono;
use nexus_wire::bundles::BundleStatus;

use super::{Bundle, Path, Refused};
use crate::{Checker, Defect};

/// Who brings a bundle.
pub type Owner = Life;

/// A bundle that is being brought.
pub(super) struct Upload {
    pub(super) owner: Owner,
    pub(super) path: Path,
    checker: Checker,
    /// Until when the next piece is waited for.
    pub(super) until: Mono,
}

impl Upload {
    pub(super) fn new(owner: Owner, path: Path, size: u32) -> Self {
        Self { owner, path, checker: Checker::new(size), until: Mono(0) }
    }

    /// Bytes of the bundle.
    pub(super) const fn size(&self) -> u32 {
        self.checker.size()
    }

    /// Looks at the bytes from `at` on.
    pub(super) fn take(&mut self, at: u32, bytes: &[u8]) -> Result<(), Defect> {
        if at == self.checker.seen() { self.checker.take(bytes) } else { Err(Defect::Length) }
    }

    /// What was brought, if it is the bundle that was begun.
    pub(super) fn bundle(&self) -> Result<Bundle, Refused> {
        let is_whole = self.checker.seen() == self.checker.size();
        let bundle = Bundle::at(&self.path, &self.checker).filter(|_| is_whole);
        bundle.unwrap_or_else(|| Err(BundleStatus::OutOfOrder.into()))
    }
}
