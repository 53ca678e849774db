//! Bytes on the disk and in memory, and their checksums.

use alloc::vec::Vec;

use crc::{CRC_32_ISCSI, Crc};
pub(crate) use nexus_bounded::bytes::{Put, Reader, Slot, unzigzag, zigzag};

/// CRC-32C (Castagnoli), as in iSCSI, RFC 3720.
static CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Bytes of a checksum.
pub(crate) const CRC_BYTES: usize = 4;

/// The checksum over several pieces, one after another.
pub(crate) fn crc32c(pieces: &[&[u8]]) -> u32 {
    let mut digest = CRC32C.digest();
    for piece in pieces {
        digest.update(piece);
    }
    digest.finalize()
}

/// Bytes in memory that was taken once.
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Bytes that still fit.
    pub(crate) const fn room(&self) -> usize {
        self.0.capacity() - self.0.len()
    }

    /// A byte that was put before.
    pub(crate) fn at_mut(&mut self, at: usize) -> Option<&mut u8> {
        self.0.get_mut(at)
    }

    /// Takes bytes out of it; those behind them move up.
    pub(crate) fn cut(&mut self, gone: core::ops::Range<usize>) {
        self.0.drain(gone);
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Put for Buffer {
    fn bytes(&mut self, bytes: &[u8]) {
        assert!(self.0.len() + bytes.len() <= self.0.capacity(), "buffers are made large enough");
        self.0.extend_from_slice(bytes);
    }
}

/// What is left of bytes whose last four are the checksum of the rest and of `more`.
pub(crate) fn checked<'a>(bytes: &'a [u8], more: &[u8]) -> Option<Reader<'a>> {
    let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_BYTES)?)?;
    (Reader::new(crc).u32()? == crc32c(&[body, more])).then_some(Reader::new(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(&[b"1234", b"56789"]), 0xe306_9283);
        assert_eq!(crc32c(&[&[0; 32]]), 0x8a91_36aa);
    }
}
