//! A sector of a file: its bytes and a checksum over them and over where they belong.

use crc::{CRC_32_ISCSI, Crc};
use nexus_port::SECTOR_BYTES;

use nexus_bounded::bytes::{Put as _, Reader, Slot};

/// Bytes of a file in one of its sectors.
pub const PAYLOAD_BYTES: usize = SECTOR_BYTES - 4;

/// One sector.
pub(crate) type Sector = [u8; SECTOR_BYTES];

/// CRC-32C (Castagnoli), as in iSCSI, RFC 3720.
static CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The checksum over several pieces, one after another.
pub(crate) fn crc32c(pieces: &[&[u8]]) -> u32 {
    let mut digest = CRC32C.digest();
    for piece in pieces {
        digest.update(piece);
    }
    digest.finalize()
}

/// Where a sector of a file belongs. It is part of the checksum, so that a sector that was written
/// elsewhere, or to another file, or before the last formatting, does not pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) generation: u32,
    pub(crate) file: u64,
    pub(crate) index: u32,
}

impl Place {
    fn crc(self, payload: &[u8]) -> u32 {
        let mut place = [0; 16];
        let mut writer = Slot::new(&mut place);
        writer.u32(self.generation);
        writer.u64(self.file);
        writer.u32(self.index);
        crc32c(&[payload, &place])
    }

    /// Makes a sector of at most [`PAYLOAD_BYTES`] bytes; what is missing is zeros.
    pub(crate) fn seal(self, payload: &[u8], out: &mut Sector) {
        let (body, _) = out.split_at_mut(PAYLOAD_BYTES);
        let (front, rest) = body.split_at_mut(payload.len());
        front.copy_from_slice(payload);
        rest.fill(0);
        let crc = self.crc(body);
        Slot::new(out.split_at_mut(PAYLOAD_BYTES).1).u32(crc);
    }

    /// The payload of a sector that belongs here and is whole.
    pub(crate) fn open(self, sector: &[u8]) -> Option<&[u8]> {
        let mut reader = Reader::new(sector);
        let payload = reader.bytes(PAYLOAD_BYTES)?;
        (reader.u32()? == self.crc(payload) && reader.is_empty()).then_some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { generation: 1, file: 2, index: 3 };

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(&[b"1234", b"56789"]), 0xe306_9283);
        assert_eq!(crc32c(&[&[0; 32]]), 0x8a91_36aa);
    }

    #[test]
    fn a_sector_opens_where_it_belongs_and_nowhere_else() {
        let mut sector = [0xff; SECTOR_BYTES];
        PLACE.seal(b"abc", &mut sector);
        assert_eq!(PLACE.open(&sector).map(|payload| &payload[..4]), Some(&b"abc\0"[..]));
        for other in [
            Place { generation: 2, ..PLACE },
            Place { file: 3, ..PLACE },
            Place { index: 2, ..PLACE },
        ] {
            assert_eq!(other.open(&sector), None);
        }
    }

    #[test]
    fn no_flipped_bit_passes() {
        let mut sector = [0; SECTOR_BYTES];
        PLACE.seal(b"abc", &mut sector);
        for bit in 0..SECTOR_BYTES * 8 {
            let mut flipped = sector;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(PLACE.open(&flipped), None);
        }
        assert_eq!(PLACE.open(&sector[1..]), None);
    }
}
