use nexus_abi::{Rights, ServiceId};
use nexus_wire::bundles::{DIGEST_BYTES, StoredName};
use sha2::{Digest as _, Sha256};

/// What a bundle starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Program {
    /// As which entry of the boot image.
    pub entry: StoredName,
    /// KiB of memory that it may take.
    pub memory_kib: u32,
    /// What it has to be allowed.
    pub rights: Rights,
    /// Which bytes it is, by [`Program::digest_of`].
    pub digest: [u8; DIGEST_BYTES],
}

impl Program {
    /// SHA-256 of a program's bytes: of these alone, not of a bundle.
    #[must_use]
    pub fn digest_of(bytes: &[u8]) -> [u8; DIGEST_BYTES] {
        Sha256::digest(bytes).into()
    }

    /// Who it will be.
    #[must_use]
    pub fn service(&self) -> ServiceId {
        ServiceId::from_name(self.entry.get().as_str())
    }
}
