use nexus_wire::bundles::DIGEST_BYTES;
use sha2::{Digest as _, Sha256};

use crate::format::{self, HEADER_BYTES_MAX};
use crate::{Defect, Manifest};

/// A bundle that was seen whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Whole<'a> {
    /// What it says of itself.
    pub manifest: Manifest<'a>,
    /// Its digest.
    pub digest: [u8; DIGEST_BYTES],
    /// That of its program alone: [`Program::digest_of`](crate::Program::digest_of).
    pub program: [u8; DIGEST_BYTES],
}

/// Looks at a bundle piece by piece.
#[derive(Clone, Debug)]
pub struct Checker {
    /// Of the program's bytes so far.
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
        self.seen = end;
        self.look_at_program(bytes, at);
        Ok(())
    }

    /// The program begins where the header ends. As soon as that has come the header says where,
    /// so nothing of the program came before.
    fn look_at_program(&mut self, bytes: &[u8], at: usize) {
        let Ok(manifest) = self.manifest() else { return };
        let start = manifest.header_bytes();
        let end = start.saturating_add(manifest.program_bytes as usize);
        let [from, to] = [start, end].map(|place| place.saturating_sub(at).min(bytes.len()));
        self.sha.update(bytes.get(from..to).unwrap_or_default());
    }

    /// What was seen, if it is a bundle.
    ///
    /// # Errors
    /// [`Defect`]: why it is none.
    pub fn finish(&self) -> Result<Whole<'_>, Defect> {
        let manifest = self.manifest()?;
        if self.seen != self.size || manifest.bundle_bytes() != u64::from(self.size) {
            return Err(Defect::Length);
        }
        let header = self.front.get(..manifest.header_bytes()).ok_or(Defect::Short)?;
        let program = self.sha.clone().finalize().into();
        let digest = format::digest(header, &program);
        if digest == self.digest {
            Ok(Whole { manifest, digest, program })
        } else {
            Err(Defect::Digest)
        }
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
