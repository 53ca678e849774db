//! The manifest: the boot, and which segments there should be.
//!
//! It is replaced as a whole. A segment is sealed first and named here afterwards; it is given up
//! here first and deleted afterwards. So a segment that is older than the oldest one here is to be
//! deleted, one that is newer than the newest is to be taken in, and any other that is not there is
//! lost.

use core::fmt;

use nexus_bounded::Nanos;

use crate::bytes::{CRC_BYTES, Put, Reader, Slot, crc32c};
use crate::name::SegmentName;

/// The version of the format that this code writes and reads.
pub const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"NXKEEPS\n";

/// Tiers there are: raw, and two of longer windows.
pub const TIERS: usize = 3;

const KEPT_BYTES: usize = 2 * 12 + 8;
const TIER_BYTES: usize = 8 + 1 + KEPT_BYTES;

/// Bytes of a manifest.
pub const MANIFEST_BYTES: usize = MAGIC.len() + 4 + 4 + TIERS * TIER_BYTES + CRC_BYTES;

/// The sealed segments of a tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The oldest that is not given up.
    pub oldest: SegmentName,
    /// The newest.
    pub newest: SegmentName,
    /// The window behind the last one of the newest.
    pub end: u64,
}

/// A tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TierState {
    /// Length of its windows.
    pub window: Nanos,
    /// Its segments, if there are any.
    pub kept: Option<Kept>,
}

/// What the manifest says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// The boot that wrote it, counted since the state was made.
    pub boot: u32,
    /// The tiers, raw first.
    pub tiers: [TierState; TIERS],
}

/// Why a file is no manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ManifestError {
    /// It does not begin as manifests do.
    NotAManifest,
    /// A version that this code does not know.
    Unsupported {
        /// What it says.
        version: u32,
    },
    /// Its checksum is wrong, or what it says cannot be.
    Damaged,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAManifest => f.write_str("not a manifest: it begins with something else"),
            Self::Unsupported { version } => write!(
                f,
                "manifest format version {version}, and this program knows {VERSION}: use one that \
                 is as new as whatever wrote it"
            ),
            Self::Damaged => {
                f.write_str("the manifest is damaged: it is made anew from the segments")
            }
        }
    }
}

impl core::error::Error for ManifestError {}

impl Manifest {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; MANIFEST_BYTES] {
        let mut bytes = [0; MANIFEST_BYTES];
        let (body, crc) = bytes.split_at_mut(MANIFEST_BYTES - CRC_BYTES);
        let mut slot = Slot::new(body);
        slot.bytes(MAGIC);
        slot.u32(VERSION);
        slot.u32(self.boot);
        for tier in &self.tiers {
            slot.u64(tier.window.0);
            slot.u8(tier.kept.is_some().into());
            write_kept(tier.kept.unwrap_or(NOTHING), &mut slot);
        }
        Slot::new(crc).u32(crc32c(&[body]));
        bytes
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        if !bytes.starts_with(MAGIC) {
            return Err(ManifestError::NotAManifest);
        }
        let mut body = crate::bytes::checked(bytes, &[]).ok_or(ManifestError::Damaged)?;
        match (body.bytes(MAGIC.len()), body.u32()) {
            (_, Some(VERSION)) => Self::parse(&mut body).ok_or(ManifestError::Damaged),
            (_, version) => {
                Err(ManifestError::Unsupported { version: version.unwrap_or_default() })
            }
        }
    }

    fn parse(body: &mut Reader<'_>) -> Option<Self> {
        let boot = body.u32()?;
        let mut tiers = [TierState { window: Nanos(0), kept: None }; TIERS];
        for tier in &mut tiers {
            let window = Nanos(body.u64().filter(|window| *window > 0)?);
            let (is_kept, kept) = (body.flag()?, read_kept(body)?);
            let is_possible = kept.oldest <= kept.newest && kept.newest.first < kept.end;
            let is_legal = if is_kept { is_possible } else { kept == NOTHING };
            *tier = is_legal.then_some(TierState { window, kept: is_kept.then_some(kept) })?;
        }
        body.is_empty().then_some(Self { boot, tiers })
    }
}

const NOTHING: Kept = Kept {
    oldest: SegmentName { boot: 0, first: 0 },
    newest: SegmentName { boot: 0, first: 0 },
    end: 0,
};

fn write_kept(kept: Kept, slot: &mut Slot<'_>) {
    for name in [kept.oldest, kept.newest] {
        slot.u32(name.boot);
        slot.u64(name.first);
    }
    slot.u64(kept.end);
}

fn read_kept(body: &mut Reader<'_>) -> Option<Kept> {
    let mut name = || Some(SegmentName { boot: body.u32()?, first: body.u64()? });
    let (oldest, newest) = (name()?, name()?);
    Some(Kept { oldest, newest, end: body.u64()? })
}
