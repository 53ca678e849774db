use nexus_abi::Rights;
use nexus_wire::bundles::{
    BundleName, BundleStatus, DIGEST_BYTES, Info, Listed, Origin, StoredName, StoredVersion,
};

use super::{Path, Refused};
use crate::{Checker, Manifest, Whole};

/// Where a bundle is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the boot image: its bytes.
    Boot(&'static [u8]),
    /// On the disk, brought by whose id ends with these 32 bits.
    State(u32),
}

/// A bundle that was seen whole.
#[derive(Clone, Copy, Debug)]
pub struct Bundle {
    name: StoredName,
    version: StoredVersion,
    entry: StoredName,
    size: u32,
    memory_kib: u32,
    rights: Rights,
    digest: [u8; DIGEST_BYTES],
    place: Place,
}

impl Bundle {
    /// The one that `checker` has seen.
    fn seen(checker: &Checker, place: Place) -> Result<Self, Refused> {
        let Whole { manifest, digest, .. } = checker.finish()?;
        let Manifest { name, version, entry, memory_kib, rights, .. } = manifest;
        let (name, version, entry) = (name.stored(), version.stored(), entry.stored());
        Ok(Self { name, version, entry, size: checker.size(), memory_kib, rights, digest, place })
    }

    /// The one that these bytes of the boot image are.
    pub(crate) fn of_boot(bytes: &'static [u8]) -> Result<Self, Refused> {
        let size = u32::try_from(bytes.len()).map_err(|_| BundleStatus::OverLimit)?;
        let mut checker = Checker::new(size);
        checker.take(bytes)?;
        Self::seen(&checker, Place::Boot(bytes))
    }

    /// The one that was seen at a path, whose name it has to have. `None`: no bundle lies there.
    pub(crate) fn at(path: &Path, checker: &Checker) -> Option<Result<Self, Refused>> {
        let (installer, name) = path.parts()?;
        let seen = Self::seen(checker, Place::State(installer));
        Some(seen.and_then(|bundle| {
            let is_its = bundle.name() == name;
            if is_its { Ok(bundle) } else { Err(BundleStatus::Corrupt.into()) }
        }))
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> BundleName<'_> {
        self.name.get()
    }

    /// Bytes of all of it.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// Where it is.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Its bytes, if it is in the boot image.
    #[must_use]
    pub const fn boot_bytes(&self) -> Option<&'static [u8]> {
        match self.place {
            Place::Boot(bytes) => Some(bytes),
            Place::State(_) => None,
        }
    }

    const fn origin(&self) -> Origin {
        match self.place {
            Place::Boot(_) => Origin::Boot,
            Place::State(_) => Origin::State,
        }
    }

    /// All that is known of it.
    #[must_use]
    pub fn info(&self) -> Info<'_> {
        let Self { size, memory_kib, rights, digest, .. } = *self;
        let (origin, version, entry) = (self.origin(), self.version.get(), self.entry.get());
        Info { size, memory_kib, rights, origin, version, entry, digest }
    }

    /// What a list says of it.
    #[must_use]
    pub fn listed(&self) -> Listed<'_> {
        let (name, version) = (self.name.get(), self.version.get());
        Listed { name, version, origin: self.origin(), size: self.size }
    }
}
