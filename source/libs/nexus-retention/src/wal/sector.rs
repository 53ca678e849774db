//! One sector of the ring: a header, bytes of records, zeros.

use crate::bytes::{CRC_BYTES, Put, Reader, Slot, crc32c};

/// Bytes of a sector.
pub const SECTOR_BYTES: usize = 512;

/// Bytes of records in a sector, at most.
pub const PAYLOAD_BYTES: usize = SECTOR_BYTES - HEADER_BYTES;

/// The version of the log's format that this code writes and reads.
pub const VERSION: u16 = 1;

/// One sector.
pub type Sector = [u8; SECTOR_BYTES];

pub(super) const HEADER_BYTES: usize = 48;

const MAGIC: &[u8; 2] = b"NW";

/// No record begins in the sector.
const NONE: u16 = u16::MAX;

/// What a sector says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Counts the openings of the log.
    pub(super) epoch: u32,
    /// Sectors of the ring.
    pub(super) sectors: u32,
    /// Counts sectors since the log was made; it lies at `position % sectors`.
    pub(super) position: u64,
    /// Sectors before this one that are still needed.
    pub(super) kept_sectors: u32,
    /// Number of the oldest record that is still needed.
    pub(super) kept_sequence: u64,
    /// Number of the first record that begins here or later.
    pub(super) sequence: u64,
    /// Where in the payload the first record begins.
    pub(super) begins: Option<u16>,
    /// Bytes of the payload in use.
    pub(super) used: u16,
}

/// The number of the first record that begins in a sector.
pub(crate) fn first_record(sector: &Sector) -> Option<u64> {
    let (header, _) = Header::open(sector).ok()?;
    header.begins.map(|_| header.sequence)
}

/// Why a sector says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flaw {
    /// Only zeros: it was never written.
    Blank,
    Damaged,
    /// Whole, and of another version.
    Version(u16),
}

impl Header {
    /// Seals a sector whose payload is in place.
    pub(super) fn seal(&self, sector: &mut Sector) {
        let mut slot = Slot::new(sector.split_at_mut(CRC_BYTES).1);
        slot.bytes(MAGIC);
        slot.u16(VERSION);
        slot.u32(self.epoch);
        slot.u32(self.sectors);
        slot.u64(self.position);
        slot.u32(self.kept_sectors);
        slot.u64(self.kept_sequence);
        slot.u64(self.sequence);
        slot.u16(self.begins.unwrap_or(NONE));
        slot.u16(self.used);
        let (_, payload) = sector.split_at_mut(HEADER_BYTES);
        payload.split_at_mut(self.used.into()).1.fill(0);
        let (crc, body) = sector.split_at_mut(CRC_BYTES);
        Slot::new(crc).u32(crc32c(&[body]));
    }

    /// The header and the used payload of a whole sector.
    pub(super) fn open(sector: &Sector) -> Result<(Self, &[u8]), Flaw> {
        let (crc, body) = sector.split_at(CRC_BYTES);
        if Reader::new(crc).u32() != Some(crc32c(&[body])) {
            let is_blank = sector.iter().all(|byte| *byte == 0);
            return Err(if is_blank { Flaw::Blank } else { Flaw::Damaged });
        }
        let mut reader = Reader::new(body);
        match (reader.bytes(MAGIC.len()), reader.u16()) {
            (Some(magic), Some(VERSION)) if magic == MAGIC => {
                Self::decode(&mut reader).ok_or(Flaw::Damaged)
            }
            (Some(magic), Some(version)) if magic == MAGIC => Err(Flaw::Version(version)),
            _ => Err(Flaw::Damaged),
        }
    }

    fn decode<'a>(reader: &mut Reader<'a>) -> Option<(Self, &'a [u8])> {
        let header = Self {
            epoch: reader.u32()?,
            sectors: reader.u32()?,
            position: reader.u64()?,
            kept_sectors: reader.u32()?,
            kept_sequence: reader.u64()?,
            sequence: reader.u64()?,
            begins: Some(reader.u16()?).filter(|begins| *begins != NONE),
            used: reader.u16()?,
        };
        let begins_in_use = header.begins.is_none_or(|begins| begins < header.used);
        let keeps = u64::from(header.kept_sectors) <= header.position
            && u64::from(header.kept_sectors) + 1 < header.sectors.into();
        let sequences = [header.position, header.sequence, header.kept_sequence];
        let counts = sequences.iter().all(|count| *count < u64::MAX / 2);
        let payload = reader.bytes(header.used.into())?;
        (begins_in_use && keeps && counts).then_some((header, payload))
    }

    /// The oldest sector that is still needed.
    pub(super) const fn tail(&self) -> u64 {
        self.position - self.kept_sectors as u64
    }
}

/// Where in which ring a sector lies, by its own word: its index, and how many sectors there are;
/// `None` if it is not whole, or of another version. For whoever has not made the log.
#[must_use]
pub fn own_place(sector: &Sector) -> Option<(u32, u32)> {
    let (header, _) = Header::open(sector).ok()?;
    let index = header.position.checked_rem(header.sectors.into())?;
    Some((u32::try_from(index).ok()?, header.sectors))
}
