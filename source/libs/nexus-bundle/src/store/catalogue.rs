use alloc::vec::Vec;

use nexus_wire::bundles::{BundleName, BundleStatus};

use super::{Bundle, Place};

/// Bundles by name, a bounded number of them.
pub(super) struct Catalogue {
    bundles: Vec<Bundle>,
    most: usize,
}

impl Catalogue {
    /// Without any bundle; takes its memory now.
    pub(super) fn new(most: u32) -> Self {
        let most = most as usize;
        Self { bundles: Vec::with_capacity(most), most }
    }

    fn place_of(&self, name: BundleName<'_>) -> Result<usize, usize> {
        self.bundles.binary_search_by(|bundle| bundle.name().cmp(&name))
    }

    pub(super) fn find(&self, name: BundleName<'_>) -> Option<&Bundle> {
        self.place_of(name).ok().and_then(|at| self.bundles.get(at))
    }

    /// Those behind `after`.
    pub(super) fn behind(&self, after: Option<BundleName<'_>>) -> &[Bundle] {
        let from = after.map_or(0, |name| self.place_of(name).map_or_else(|at| at, |at| at + 1));
        self.bundles.get(from..).unwrap_or_default()
    }

    /// Where a bundle of that name belongs.
    fn room_for(&self, name: BundleName<'_>) -> Result<usize, BundleStatus> {
        let Err(at) = self.place_of(name) else { return Err(BundleStatus::Exists) };
        if self.bundles.len() < self.most { Ok(at) } else { Err(BundleStatus::OverQuota) }
    }

    /// Whether a bundle of that name can be added.
    ///
    /// # Errors
    /// `exists` or `over_quota`.
    pub(super) fn may_add(&self, name: BundleName<'_>) -> Result<(), BundleStatus> {
        self.room_for(name).map(|_| ())
    }

    /// Adds a bundle.
    ///
    /// # Errors
    /// As [`Self::may_add`]: nothing was added.
    pub(super) fn add(&mut self, bundle: Bundle) -> Result<(), BundleStatus> {
        let at = self.room_for(bundle.name())?;
        self.bundles.insert(at, bundle);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: BundleName<'_>) {
        if let Ok(at) = self.place_of(name) {
            self.bundles.remove(at);
        }
    }

    /// Forgets what is on the disk: it is to be looked at anew.
    pub(super) fn forget_state(&mut self) {
        self.bundles.retain(|bundle| matches!(bundle.place(), Place::Boot(_)));
    }

    pub(super) fn check(&self) {
        let names = || self.bundles.iter().map(Bundle::name);
        assert!(names().zip(names().skip(1)).all(|(one, next)| one < next), "by name, each once");
        assert!(self.bundles.len() <= self.most, "bounded");
    }
}
