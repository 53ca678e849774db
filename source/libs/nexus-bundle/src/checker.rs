use core::ops::Range;

use nexus_wire::bundles::DIGEST_BYTES;
use sha2::{Digest as _, Sha256};

use crate::format::HEADER_BYTES_MAX;
use crate::{Defect, Manifest};

/// Looks at a bundle piece by piece.
#[derive(Clone, Debug)]
pub struct Checker {
    sha: Sha256,
    size: u32,
    seen: u32,
    front: [u8; HEADER_BYTES_MAX],
    digest: [u8; DIGEST_BYTES],
}

impl Checker {
    /// Of a bundle of `size` bytes nothing was seen yet.
    #[must_use]
    pub fn new(size: u32) -> Self {
        Self {
            sha: Sha256::new(),
            size,
            seen: 0,
            front: [0; HEADER_BYTES_MAX],
            digest: [0; DIGEST_BYTES],
        }
    }

    /// Bytes of the bundle.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// How many of them were seen.
    #[must_use]
    pub const fn seen(&self) -> u32 {
        self.seen
    }

    /// Which of the bundle's bytes are the program's, by its header; none while that is not whole.
    #[must_use]
    pub fn program(&self) -> Range<u32> {
        self.manifest().map_or(0..0, |manifest| {
            let start = manifest.header_bytes() as u32;
            start..start.saturating_add(manifest.program_bytes)
        })
    }

    fn manifest(&self) -> Result<Manifest<'_>, Defect> {
        Manifest::read(self.front.get(..self.seen as usize).unwrap_or(&self.front))
    }

    /// Looks at the next bytes.
    ///
    /// # Errors
    /// [`Defect::Length`] if they are more than there can be; then they were not looked at.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Defect> {
        let len = u32::try_from(bytes.len()).map_err(|_| Defect::Length)?;
        let end = self.seen.checked_add(len).filter(|end| *end <= self.size);
        let end = end.ok_or(Defect::Length)?;
        let at = self.seen as usize;
        copy(bytes, at, 0, &mut self.front);
        let body = (self.size as usize).saturating_sub(DIGEST_BYTES);
        copy(bytes, at, body, &mut self.digest);
        let hashed = body.saturating_sub(at).min(bytes.len());
        self.sha.update(bytes.get(..hashed).unwrap_or_default());
        self.seen = end;
        Ok(())
    }

    /// What was seen, if it is a bundle: its manifest and its digest.
    ///
    /// # Errors
    /// [`Defect`]: why it is none.
    pub fn finish(&self) -> Result<(Manifest<'_>, [u8; DIGEST_BYTES]), Defect> {
        let manifest = self.manifest()?;
        if self.seen != self.size || manifest.bundle_bytes() != u64::from(self.size) {
            return Err(Defect::Length);
        }
        let digest: [u8; DIGEST_BYTES] = self.sha.clone().finalize().into();
        if digest == self.digest { Ok((manifest, self.digest)) } else { Err(Defect::Digest) }
    }
}

/// Copies what of `bytes`, which stand at `at`, belongs into `to`, which stands at `begin`.
fn copy(bytes: &[u8], at: usize, begin: usize, to: &mut [u8]) {
    let skipped = begin.saturating_sub(at);
    let target = to.get_mut(at.saturating_sub(begin)..).unwrap_or_default();
    let source = bytes.get(skipped..).unwrap_or_default();
    for (target, byte) in target.iter_mut().zip(source) {
        *target = *byte;
    }
}
