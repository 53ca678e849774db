//! Numbers on the disk: little-endian, at any offset, or as varints. The only file that knows their
//! order.

use alloc::vec::Vec;

use crc::{CRC_32_ISCSI, Crc};

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

/// Whatever takes bytes one behind another.
pub(crate) trait Put {
    fn bytes(&mut self, bytes: &[u8]);

    fn u8(&mut self, number: u8) {
        self.bytes(&[number]);
    }

    fn u16(&mut self, number: u16) {
        self.bytes(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn i128(&mut self, number: i128) {
        self.bytes(&number.to_le_bytes());
    }

    /// Seven bits a byte, lowest first; the highest bit of a byte says that another one follows.
    fn varint(&mut self, mut number: u128) {
        while number > 0x7f {
            self.u8((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.u8(number as u8);
    }

    fn signed(&mut self, number: i128) {
        self.varint(zigzag(number));
    }
}

/// 0, -1, 1, -2, .. as 0, 1, 2, 3, ..
pub(crate) const fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}

pub(crate) const fn unzigzag(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
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

/// Bytes of somebody else's, to be filled from their beginning.
pub(crate) struct Slot<'a>(pub(crate) &'a mut [u8]);

impl Put for Slot<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let place = core::mem::take(&mut self.0).split_at_mut_checked(bytes.len());
        assert!(place.is_some(), "what is written fits by its own bounds");
        if let Some((place, rest)) = place {
            place.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

/// Reads one thing behind another; `None` where the bytes end too soon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// A byte that is 0 or 1.
    pub(crate) fn flag(&mut self) -> Option<bool> {
        self.u8().filter(|byte| *byte < 2).map(|byte| byte == 1)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i128(&mut self) -> Option<i128> {
        self.array().map(i128::from_le_bytes)
    }

    pub(crate) fn varint(&mut self) -> Option<u128> {
        let mut number = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.u8()?;
            let bits = u128::from(byte & 0x7f);
            let shifted = bits.checked_shl(shift)?;
            if shifted >> shift != bits {
                return None;
            }
            number |= shifted;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A varint that fits, for instance a length.
    pub(crate) fn small<T: TryFrom<u128>>(&mut self) -> Option<T> {
        self.varint().and_then(|number| T::try_from(number).ok())
    }

    pub(crate) fn signed(&mut self) -> Option<i128> {
        self.varint().map(unzigzag)
    }

    /// What is left, if its last four bytes are the checksum of the rest and of `more`.
    pub(crate) fn checked(bytes: &'a [u8], more: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_BYTES)?)?;
        (Reader::new(crc).u32()? == crc32c(&[body, more])).then_some(Self(body))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(&[b"1234", b"56789"]), 0xe306_9283);
        assert_eq!(crc32c(&[&[0; 32]]), 0x8a91_36aa);
    }

    #[test]
    fn a_varint_beyond_128_bits_is_refused() {
        let mut bytes = [0xff; 19];
        bytes[18] = 0x03;
        assert_eq!(Reader::new(&bytes).varint(), Some(u128::MAX));
        bytes[18] = 0x04;
        assert_eq!(Reader::new(&bytes).varint(), None);
        assert_eq!(Reader::new(&[0x80]).varint(), None);
    }

    proptest! {
        #[test]
        fn varints_come_back(number: i128) {
            let mut buffer = Buffer::new(19);
            buffer.signed(number);
            let mut reader = Reader::new(buffer.as_slice());
            prop_assert_eq!(reader.signed(), Some(number));
            prop_assert!(reader.is_empty());
        }
    }
}
