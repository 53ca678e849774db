use alloc::vec::Vec;

use nexus_abi::Rights;
use nexus_bundle::Manifest;
use nexus_recipe::BundlemgrdLimits;
use nexus_wire::bundles::{
    BundleName, BundleStatus, DIGEST_BYTES, Info, Listed, Origin, StoredName, StoredVersion,
};

/// Where a bundle is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In the boot image: which of its bundles.
    Boot(usize),
    /// On the state disk, brought by whose id ends with these 32 bits.
    State(u32),
}

/// A bundle that was seen whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bundle {
    pub(crate) name: StoredName,
    version: StoredVersion,
    entry: StoredName,
    pub(crate) size: u32,
    memory_kib: u32,
    rights: Rights,
    digest: [u8; DIGEST_BYTES],
    pub(crate) place: Place,
}

impl Bundle {
    pub(crate) fn new(
        (manifest, digest): (Manifest<'_>, [u8; DIGEST_BYTES]),
        size: u32,
        place: Place,
    ) -> Self {
        let Manifest { name, version, entry, memory_kib, rights, .. } = manifest;
        let (name, version, entry) = (name.stored(), version.stored(), entry.stored());
        Self { name, version, entry, size, memory_kib, rights, digest, place }
    }

    pub(crate) fn is_boot(&self) -> bool {
        matches!(self.place, Place::Boot(_))
    }

    fn origin(&self) -> Origin {
        match self.place {
            Place::Boot(_) => Origin::Boot,
            Place::State(_) => Origin::State,
        }
    }

    pub(crate) fn info(&self) -> Info<'_> {
        let Self { size, memory_kib, rights, digest, .. } = *self;
        let (origin, version, entry) = (self.origin(), self.version.get(), self.entry.get());
        Info { size, memory_kib, rights, origin, version, entry, digest }
    }

    pub(crate) fn listed(&self) -> Listed<'_> {
        let (name, version) = (self.name.get(), self.version.get());
        Listed { name, version, origin: self.origin(), size: self.size }
    }
}

/// All bundles, by name.
pub(crate) struct Catalogue {
    bundles: Vec<Bundle>,
    limits: BundlemgrdLimits,
}

impl Catalogue {
    /// Without any bundle; takes its memory now.
    pub(crate) fn new(limits: &BundlemgrdLimits) -> Self {
        let bundles = Vec::with_capacity(limits.bundles as usize);
        Self { bundles, limits: limits.clone() }
    }

    pub(crate) const fn limits(&self) -> &BundlemgrdLimits {
        &self.limits
    }

    fn place_of(&self, name: BundleName<'_>) -> Result<usize, usize> {
        self.bundles.binary_search_by(|bundle| bundle.name.get().cmp(&name))
    }

    pub(crate) fn find(&self, name: BundleName<'_>) -> Option<&Bundle> {
        self.place_of(name).ok().and_then(|at| self.bundles.get(at))
    }

    /// Those behind `after`.
    pub(crate) fn behind(&self, after: Option<BundleName<'_>>) -> &[Bundle] {
        let from = after.map_or(0, |name| self.place_of(name).map_or_else(|at| at, |at| at + 1));
        self.bundles.get(from..).unwrap_or_default()
    }

    /// Adds a bundle.
    ///
    /// # Errors
    /// `exists` or `over_quota`: nothing was added.
    pub(crate) fn add(&mut self, bundle: Bundle) -> Result<(), BundleStatus> {
        let Err(at) = self.place_of(bundle.name.get()) else { return Err(BundleStatus::Exists) };
        if self.is_full() {
            return Err(BundleStatus::OverQuota);
        }
        self.bundles.insert(at, bundle);
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: BundleName<'_>) {
        if let Ok(at) = self.place_of(name) {
            self.bundles.remove(at);
        }
    }

    /// Forgets what is on the state disk: it is to be looked at anew.
    pub(crate) fn forget_state(&mut self) {
        self.bundles.retain(Bundle::is_boot);
    }

    /// Whether an installer may have a bundle of `size` bytes more.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn may_add(
        &self,
        name: BundleName<'_>,
        size: u32,
        installer: u32,
    ) -> Result<(), BundleStatus> {
        if self.find(name).is_some() {
            return Err(BundleStatus::Exists);
        }
        let size = u64::from(size);
        let fits = self.state_bytes(Some(installer)) + size <= self.limits.installer_bytes.into()
            && self.state_bytes(None) + size <= self.limits.state_bytes.into()
            && !self.is_full();
        if fits { Ok(()) } else { Err(BundleStatus::OverQuota) }
    }

    /// Bytes that one installer's bundles, or all, take on the state disk.
    pub(crate) fn state_bytes(&self, of: Option<u32>) -> u64 {
        let sizes = self.bundles.iter().filter_map(|bundle| match bundle.place {
            Place::State(by) if of.is_none_or(|of| of == by) => Some(u64::from(bundle.size)),
            _ => None,
        });
        sizes.sum()
    }

    fn is_full(&self) -> bool {
        self.bundles.len() == self.limits.bundles as usize
    }

    pub(crate) fn len(&self) -> usize {
        self.bundles.len()
    }

    pub(crate) fn check(&self) {
        let names = || self.bundles.iter().map(|bundle| bundle.name.get());
        assert!(names().zip(names().skip(1)).all(|(one, next)| one < next), "by name, each once");
        assert!(self.bundles.len() <= self.limits.bundles as usize, "bounded");
    }
}
