//! What is decided when a disk is formatted: its limits, and where everything lies.

use core::fmt;

use nexus_port::SECTOR_BYTES;

use crate::journal::{ITEM_BYTES_MAX, PAGE_PAYLOAD_BYTES};
use crate::sector::{PAYLOAD_BYTES, Sector, crc32c};
use crate::space::{EXTENTS_MAX, Extent};
use crate::{FILES_MAX, NAME_BYTES_MAX};
use nexus_bounded::bytes::{Put as _, Reader, Slot};

const MAGIC: &[u8; 8] = b"NXSTATE\n";

/// The version of the format that this code writes and reads.
pub const VERSION: u32 = 1;

/// Where the checksum of a superblock lies, in every version.
const CRC_AT: usize = SECTOR_BYTES - 4;

/// Sectors of a journal area for each sector of the largest snapshot: how much changes between
/// two snapshots.
const AREA_PER_SNAPSHOT: u32 = 4;

const AREA_SECTORS_MIN: u32 = 32;

/// What a person chooses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Sectors of 512 bytes to use, from the beginning of the device.
    pub sectors: u32,
    /// Most files, 1 to 8192.
    pub files: u16,
    /// Of them, most that can grow at a time, at least 1.
    pub open: u16,
}

/// A formatted disk: limits and layout, as its superblock says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    limits: Limits,
    generation: u32,
    area_sectors: u32,
}

/// Why a disk cannot be formatted so, or is none of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FormatError {
    /// `files` or `open` is 0 or too large.
    Limits,
    /// The journal would take more than half of the sectors; this many are needed.
    TooSmall {
        /// Fewest sectors that would do.
        needed: u32,
    },
    /// Neither copy of the superblock begins as ours does.
    NotAStore,
    /// Both copies of the superblock are damaged, or what they say cannot be.
    Damaged,
    /// A version of the format that this code does not know.
    Unsupported {
        /// What the superblock says.
        version: u32,
    },
    /// The device ends before the store does: sectors of the store.
    CutShort {
        /// As many as the superblock says.
        sectors: u32,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limits => write!(f, "files must be 1 to {FILES_MAX}, open 1 to files"),
            Self::TooSmall { needed } => {
                write!(f, "too small for so many files: allow fewer, or take {needed} sectors")
            }
            Self::NotAStore => write!(
                f,
                "not a state disk: no superblock; format it, or look \
                                          whether this is the right device"
            ),
            Self::Damaged => write!(f, "both superblocks are damaged: nothing can be found"),
            Self::Unsupported { version } => {
                write!(
                    f,
                    "format version {version}, and this program knows {VERSION}: use one \
                           that is as new as whatever wrote it"
                )
            }
            Self::CutShort { sectors } => {
                write!(f, "the store has {sectors} sectors, the device fewer: it was cut short")
            }
        }
    }
}

impl core::error::Error for FormatError {}

/// One of the two journal areas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Area {
    A,
    B,
}

impl Area {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// One of the two copies of everything but the files' own bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Twin {
    /// The one at the beginning.
    Front,
    /// The one at the end.
    Back,
}

impl Format {
    /// Lays a disk out. `generation` is another than that of any earlier store on the device, so
    /// that what is left of those cannot be taken for this one's: one more than the last, or 1.
    ///
    /// # Errors
    /// [`FormatError::Limits`], [`FormatError::TooSmall`].
    pub fn new(limits: Limits, generation: u32) -> Result<Self, FormatError> {
        if limits.files == 0 || limits.files > FILES_MAX {
            return Err(FormatError::Limits);
        }
        if limits.open == 0 || limits.open > limits.files {
            return Err(FormatError::Limits);
        }
        let wanted = snapshot_sectors(limits) * AREA_PER_SNAPSHOT;
        let area_sectors = wanted.max(AREA_SECTORS_MIN);
        let needed = 2 * (4 * area_sectors + 2);
        if limits.sectors < needed {
            return Err(FormatError::TooSmall { needed });
        }
        Ok(Self { limits, generation, area_sectors })
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Counts how often the device was formatted.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Sectors of one copy of one journal area.
    #[must_use]
    pub const fn area_sectors(&self) -> u32 {
        self.area_sectors
    }

    /// Most sectors that a snapshot takes.
    #[must_use]
    pub fn snapshot_sectors(&self) -> u32 {
        snapshot_sectors(self.limits)
    }

    /// Where files lie.
    #[must_use]
    pub const fn data(&self) -> Extent {
        let journals = 2 * self.area_sectors + 1;
        Extent { start: journals, sectors: self.limits.sectors - 2 * journals }
    }

    /// Where a copy of the superblock lies.
    #[must_use]
    pub const fn superblock(&self, twin: Twin) -> u32 {
        match twin {
            Twin::Front => 0,
            Twin::Back => self.limits.sectors - 1,
        }
    }

    /// Where a copy of a journal area begins.
    pub(crate) const fn area(&self, area: Area, twin: Twin) -> u32 {
        let start = match twin {
            Twin::Front => 1,
            Twin::Back => self.limits.sectors - 1 - 2 * self.area_sectors,
        };
        match area {
            Area::A => start,
            Area::B => start + self.area_sectors,
        }
    }

    pub(crate) fn encode(&self, out: &mut Sector) {
        out.fill(0);
        let mut writer = Slot::new(out);
        writer.bytes(MAGIC);
        writer.u32(VERSION);
        writer.u32(self.generation);
        writer.u32(self.limits.sectors);
        writer.u32(self.area_sectors);
        writer.u16(self.limits.files);
        writer.u16(self.limits.open);
        writer.u16(NAME_BYTES_MAX as u16);
        writer.u16(PAYLOAD_BYTES as u16);
        writer.u16(EXTENTS_MAX as u16);
        let (body, crc) = out.split_at_mut(CRC_AT);
        Slot::new(crc).u32(crc32c(&[body]));
    }

    /// Reads one copy of a superblock.
    ///
    /// # Errors
    /// [`FormatError::NotAStore`], [`FormatError::Damaged`], [`FormatError::Unsupported`].
    pub fn decode(sector: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(sector);
        let body = reader.bytes(CRC_AT).ok_or(FormatError::NotAStore)?;
        if !body.starts_with(MAGIC) {
            return Err(FormatError::NotAStore);
        }
        if reader.u32() != Some(crc32c(&[body])) {
            return Err(FormatError::Damaged);
        }
        let mut reader = Reader::new(body);
        match (reader.bytes(MAGIC.len()), reader.u32()) {
            (_, Some(VERSION)) => Self::decode_limits(reader).ok_or(FormatError::Damaged),
            (_, version) => Err(FormatError::Unsupported { version: version.unwrap_or_default() }),
        }
    }

    fn decode_limits(mut reader: Reader<'_>) -> Option<Self> {
        let generation = reader.u32()?;
        let (sectors, area_sectors) = (reader.u32()?, reader.u32()?);
        let (files, open) = (reader.u16()?, reader.u16()?);
        let fixed = [NAME_BYTES_MAX, PAYLOAD_BYTES, EXTENTS_MAX];
        for constant in fixed {
            if usize::from(reader.u16()?) != constant {
                return None;
            }
        }
        let format = Self::new(Limits { sectors, files, open }, generation).ok()?;
        (format.area_sectors == area_sectors).then_some(format)
    }

    /// What the two copies together say. The higher generation counts, should both be whole and
    /// differ.
    ///
    /// # Errors
    /// Those of [`Self::decode`]; a foreign version in either copy is named.
    pub fn of_copies(front: &[u8], back: &[u8]) -> Result<Self, FormatError> {
        match (Self::decode(front), Self::decode(back)) {
            (Err(error @ FormatError::Unsupported { .. }), _)
            | (_, Err(error @ FormatError::Unsupported { .. })) => Err(error),
            (Ok(front), Ok(back)) if back.generation > front.generation => Ok(back),
            (Ok(format), _) | (_, Ok(format)) => Ok(format),
            (Err(FormatError::NotAStore), Err(error)) | (Err(error), Err(_)) => Err(error),
        }
    }
}

const fn snapshot_sectors(limits: Limits) -> u32 {
    let items = limits.files as usize * ITEM_BYTES_MAX;
    let tails = limits.open as usize * PAYLOAD_BYTES;
    let sectors = (items + tails).div_ceil(PAGE_PAYLOAD_BYTES) as u32;
    if sectors == 0 { 1 } else { sectors }
}
