use alloc::vec::Vec;

use nexus_abi::Rights;
use nexus_wire::bundles::{
    BUNDLE_NAME_BYTES_MAX, BUNDLE_VERSION_BYTES_MAX, BundleName, BundleVersion, DIGEST_BYTES,
};
use sha2::{Digest as _, Sha256};

use crate::Defect;

const MAGIC: [u8; 3] = *b"NXB";
const VERSION: u8 = 2;

/// Bytes before the names.
pub const HEAD_BYTES: usize = 16;
/// Bytes before the program, at most.
pub const HEADER_BYTES_MAX: usize =
    HEAD_BYTES + 2 * BUNDLE_NAME_BYTES_MAX + BUNDLE_VERSION_BYTES_MAX;
/// Bytes of a bundle, at least: names of one letter, and no program.
pub const BUNDLE_BYTES_MIN: usize = HEAD_BYTES + 3 + DIGEST_BYTES;
/// KiB of memory that a program may take, at most: as much as one has addresses for.
pub const MEMORY_KIB_MAX: u32 = 1 << 20;

/// All rights that a program can ask for.
const RIGHTS: Rights = Rights::QUERY.with(Rights::SCRAPE);

/// All that is to be known of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manifest<'a> {
    /// What the bundle is called.
    pub name: BundleName<'a>,
    /// Which of that name it is.
    pub version: BundleVersion<'a>,
    /// As which entry of the image its program runs.
    pub entry: BundleName<'a>,
    /// KiB of memory that its program may take, 1 to [`MEMORY_KIB_MAX`].
    pub memory_kib: u32,
    /// What its program has to be allowed.
    pub rights: Rights,
    /// Bytes of its program.
    pub program_bytes: u32,
}

impl<'a> Manifest<'a> {
    /// What the front of a bundle says: [`HEADER_BYTES_MAX`] of its bytes, or all.
    ///
    /// # Errors
    /// [`Defect`]; never [`Defect::Length`] nor [`Defect::Digest`]: the front says nothing of them.
    pub fn read(front: &'a [u8]) -> Result<Self, Defect> {
        let (head, names) = front.split_first_chunk::<HEAD_BYTES>().ok_or(Defect::Short)?;
        let [m0, m1, m2, version, sizes @ .., rights, name_len, version_len, entry_len] = *head;
        check_magic([m0, m1, m2], version)?;
        let [p0, p1, p2, p3, k0, k1, k2, k3] = sizes;
        let (name, names) = text(names, name_len)?;
        let (version, names) = text(names, version_len)?;
        let (entry, _) = text(names, entry_len)?;
        let manifest = Self {
            name: BundleName::new(name).ok_or(Defect::Name)?,
            version: BundleVersion::new(version).ok_or(Defect::Name)?,
            entry: BundleName::new(entry).ok_or(Defect::Name)?,
            memory_kib: u32::from_le_bytes([k0, k1, k2, k3]),
            rights: Rights::from_raw(rights),
            program_bytes: u32::from_le_bytes([p0, p1, p2, p3]),
        };
        manifest.check().map(|()| manifest)
    }

    /// What the types do not say.
    fn check(&self) -> Result<(), Defect> {
        if !RIGHTS.has(self.rights) {
            Err(Defect::Rights)
        } else if !(1..=MEMORY_KIB_MAX).contains(&self.memory_kib) {
            Err(Defect::Memory)
        } else {
            Ok(())
        }
    }

    /// Bytes before the program.
    #[must_use]
    pub const fn header_bytes(&self) -> usize {
        let names = self.name.as_str().len() + self.version.as_str().len();
        HEAD_BYTES + names + self.entry.as_str().len()
    }

    /// Bytes of the whole bundle.
    #[must_use]
    pub const fn bundle_bytes(&self) -> u64 {
        self.program_bytes as u64 + (self.header_bytes() + DIGEST_BYTES) as u64
    }
}

fn check_magic(magic: [u8; 3], version: u8) -> Result<(), Defect> {
    if magic != MAGIC {
        return Err(Defect::Magic);
    }
    if version == VERSION { Ok(()) } else { Err(Defect::Version) }
}

fn text(from: &[u8], len: u8) -> Result<(&str, &[u8]), Defect> {
    let (text, rest) = from.split_at_checked(len.into()).ok_or(Defect::Short)?;
    core::str::from_utf8(text).map(|text| (text, rest)).map_err(|_| Defect::Name)
}

/// The bundle of a program. What `manifest` says of its bytes does not count.
///
/// # Errors
/// [`Defect`] if the manifest is one that no bundle may have, or the program has more bytes than 32
/// bits can say.
pub fn pack(manifest: &Manifest<'_>, program: &[u8]) -> Result<Vec<u8>, Defect> {
    manifest.check()?;
    let program_bytes = u32::try_from(program.len()).map_err(|_| Defect::Length)?;
    let names = [manifest.name.as_str(), manifest.version.as_str(), manifest.entry.as_str()];
    let mut bundle = Vec::with_capacity(manifest.header_bytes() + program.len() + DIGEST_BYTES);
    bundle.extend(MAGIC);
    bundle.push(VERSION);
    bundle.extend(program_bytes.to_le_bytes());
    bundle.extend(manifest.memory_kib.to_le_bytes());
    bundle.push(manifest.rights.raw());
    bundle.extend(names.map(|name| name.len() as u8));
    names.iter().for_each(|name| bundle.extend(name.bytes()));
    let digest = digest(&bundle, &Sha256::digest(program).into());
    bundle.extend(program);
    bundle.extend(digest);
    Ok(bundle)
}

/// The digest of a bundle: of its header, and of the digest of its program. So whoever has seen a
/// bundle whole has seen which program it is, and no byte twice.
pub(crate) fn digest(header: &[u8], program: &[u8; DIGEST_BYTES]) -> [u8; DIGEST_BYTES] {
    Sha256::new().chain_update(header).chain_update(program).finalize().into()
}
