use nexus_port::SECTOR_BYTES;

use crate::sector::{Sector, crc32c};
use nexus_bounded::bytes::{Put as _, Reader, Slot};

const HEAD_BYTES: usize = 24;

/// Bytes of a record in one page.
pub(super) const PAYLOAD_BYTES: usize = SECTOR_BYTES - HEAD_BYTES;

/// Beyond what any store counts to, so that one can always count on: pages that say so are none.
const EPOCH_END: u32 = 1 << 31;
const SYNC_END: u64 = 1 << 63;

/// What a page says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PageHead {
    /// Rises with each area that is begun: what an area held before cannot be taken for it.
    pub(crate) epoch: u32,
    /// Where in its area it lies.
    pub(crate) position: u32,
    /// The number of the sync it belongs to.
    pub(crate) sync: u64,
    pub(crate) is_snapshot: bool,
    /// Whether the record ends here.
    pub(crate) is_last: bool,
}

impl PageHead {
    pub(crate) fn seal(self, generation: u32, payload: &[u8], out: &mut Sector) {
        out.fill(0);
        let mut writer = Slot::new(out);
        writer.u32(0);
        writer.u32(self.epoch);
        writer.u32(self.position);
        writer.u64(self.sync);
        writer.u16(payload.len() as u16);
        writer.u8(u8::from(self.is_snapshot));
        writer.u8(u8::from(self.is_last));
        writer.bytes(payload);
        let (place, body) = out.split_at_mut(4);
        let crc = crc(generation, body);
        Slot::new(place).u32(crc);
    }
}

fn crc(generation: u32, body: &[u8]) -> u32 {
    let mut salt = [0; 4];
    Slot::new(&mut salt).u32(generation);
    crc32c(&[body, &salt])
}

/// The page that lies at `position`, if it is whole and belongs there.
pub(crate) fn page_at(generation: u32, position: u32, sector: &[u8]) -> Option<(PageHead, &[u8])> {
    let mut reader = Reader::new(sector);
    let stored = reader.u32()?;
    let mut body = reader;
    let body = body.bytes(SECTOR_BYTES - 4)?;
    let (epoch, at, sync) = (reader.u32()?, reader.u32()?, reader.u64()?);
    let is_legal = (1..EPOCH_END).contains(&epoch) && sync < SYNC_END && at == position;
    if !is_legal || stored != crc(generation, body) {
        return None;
    }
    let used = reader.u16()?;
    let (is_snapshot, is_last) = (reader.u8()? == 1, reader.u8()? == 1);
    let head = PageHead { epoch, position, sync, is_snapshot, is_last };
    Some((head, reader.bytes(usize::from(used))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: PageHead =
        PageHead { epoch: 1, position: 2, sync: 3, is_snapshot: true, is_last: false };

    #[test]
    fn a_page_is_found_where_it_belongs_and_nowhere_else() {
        let mut sector = [0; SECTOR_BYTES];
        HEAD.seal(9, b"abc", &mut sector);
        assert_eq!(page_at(9, 2, &sector), Some((HEAD, &b"abc"[..])));
        assert_eq!(page_at(9, 1, &sector), None);
        assert_eq!(page_at(8, 2, &sector), None);
        assert_eq!(page_at(9, 2, &sector[..511]), None);
        assert_eq!(page_at(0, 0, &[0; SECTOR_BYTES]), None);
    }

    #[test]
    fn no_flipped_bit_passes() {
        let mut sector = [0; SECTOR_BYTES];
        HEAD.seal(9, &[7; PAYLOAD_BYTES], &mut sector);
        for bit in 0..SECTOR_BYTES * 8 {
            let mut flipped = sector;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(page_at(9, 2, &flipped), None);
        }
    }
}
