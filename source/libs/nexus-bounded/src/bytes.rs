//! Numbers one behind another, as frames and files have them: little-endian at any offset, or as
//! varints. Neither side can leave its bounds.
//!
//! This is the one place outside of nexus-wire that knows their order.

use core::fmt;

/// Methods that write numbers, of whatever has `bytes`.
macro_rules! numbers {
    ($visibility:vis $($number:ident),*) => {$(
        /// Writes a number, little-endian.
        #[inline]
        $visibility fn $number(&mut self, number: $number) {
            self.bytes(&number.to_le_bytes());
        }
    )*};
}

/// Whatever takes bytes one behind another, and has room for them.
pub trait Put {
    /// Takes bytes.
    fn bytes(&mut self, bytes: &[u8]);

    numbers!(u8, u16, u32, u64, i64, i128);

    /// Seven bits a byte, lowest first; the highest bit of a byte says that another one follows.
    fn varint(&mut self, mut number: u128) {
        while number > 0x7f {
            self.u8((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.u8(number as u8);
    }

    /// A number with a sign, as a varint that is short if the number is small.
    fn signed(&mut self, number: i128) {
        self.varint(zigzag(number));
    }
}

/// 0, -1, 1, -2, .. as 0, 1, 2, 3, ..
#[must_use]
pub const fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}

/// 0, 1, 2, 3, .. as 0, -1, 1, -2, ..
#[must_use]
pub const fn unzigzag(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// Bytes of somebody else's, filled from their beginning by whoever knows that they are enough.
pub struct Slot<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Slot<'a> {
    /// Nothing is written.
    pub const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Bytes written.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks whether nothing was written")]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }
}

impl Put for Slot<'_> {
    /// # Panics
    /// If they do not fit.
    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        let place = self.out.get_mut(self.len..end);
        assert!(place.is_some(), "what is written fits by its own bounds");
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
        self.len = end;
    }
}

/// Reads from the front of a byte string; `None` means that it is too short, or says what cannot
/// be.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

/// Methods that read numbers, of whatever has `array`.
macro_rules! numbers_back {
    ($($number:ident),*) => {$(
        /// Reads a number, little-endian.
        #[inline]
        pub fn $number(&mut self) -> Option<$number> {
            self.array().map($number::from_le_bytes)
        }
    )*};
}

impl<'a> Reader<'a> {
    /// At the beginning.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Bytes that were not read yet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing may be left: lengths match exactly.
    #[inline]
    #[must_use]
    pub const fn end(&self) -> Option<()> {
        if self.0.is_empty() { Some(()) } else { None }
    }

    /// The next bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    /// The next bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    numbers_back!(u8, u16, u32, u64, i64, i128);

    /// A byte that says no (0) or yes (1).
    #[inline]
    pub fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// So many bytes of text.
    pub fn str(&mut self, count: usize) -> Option<&'a str> {
        core::str::from_utf8(self.bytes(count)?).ok()
    }

    /// A number as [`Put::varint`] writes it.
    pub fn varint(&mut self) -> Option<u128> {
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
    pub fn small<T: TryFrom<u128>>(&mut self) -> Option<T> {
        self.varint().and_then(|number| T::try_from(number).ok())
    }

    /// A number as [`Put::signed`] writes it.
    pub fn signed(&mut self) -> Option<i128> {
        self.varint().map(unzigzag)
    }
}

/// Something was not written: it does not fit its buffer, or its value is one that may not stand
/// there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodeError;

/// Writes to the front of a buffer; once something did not fit or was not legal, nothing more is
/// written and [`Writer::finish`] is an error.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
    failed: bool,
}

impl<'a> Writer<'a> {
    /// Nothing is written.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0, failed: false }
    }

    /// Goes on behind the first `len` bytes, which were written before.
    pub const fn behind(buffer: &'a mut [u8], len: usize) -> Self {
        let failed = len > buffer.len();
        Self { buffer, len, failed }
    }

    /// Writes bytes.
    #[expect(clippy::inline_always, reason = "it is all that encoding a frame consists of")]
    #[inline(always)]
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.buffer.get_mut(self.len..end) {
            Some(target) if !self.failed => {
                target.copy_from_slice(bytes);
                self.len = end;
            }
            _ => self.failed = true,
        }
    }

    /// What is being written must not be written unless `legal`.
    pub const fn require(&mut self, legal: bool) {
        self.failed |= !legal;
    }

    /// Writes all that `write` writes, or nothing and says `false`. What failed before stays
    /// failed.
    #[inline]
    pub fn attempt(&mut self, write: impl FnOnce(&mut Self)) -> bool {
        if self.failed {
            return false;
        }
        let start = self.len;
        write(self);
        if self.failed {
            self.len = start;
            self.failed = false;
            return false;
        }
        true
    }

    numbers!(pub u8, u16, u32, u64, i64, i128);

    /// The length of a string whose bound fits a byte.
    pub fn len8(&mut self, bytes: &[u8]) {
        self.count8(bytes.len());
    }

    /// The length of a string whose bound fits two bytes.
    pub fn len16(&mut self, bytes: &[u8]) {
        self.count16(bytes.len());
    }

    /// A number of things whose bound fits a byte.
    pub fn count8(&mut self, count: usize) {
        match u8::try_from(count) {
            Ok(count) => self.u8(count),
            Err(_) => self.failed = true,
        }
    }

    /// A number of things whose bound fits two bytes.
    pub fn count16(&mut self, count: usize) {
        match u16::try_from(count) {
            Ok(count) => self.u16(count),
            Err(_) => self.failed = true,
        }
    }

    /// Bytes written.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks whether nothing was written")]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Overwrites a byte that was written before.
    pub fn patch_u8(&mut self, at: usize, value: u8) {
        self.patch(at, &[value]);
    }

    /// Overwrites two bytes that were written before.
    pub fn patch_u16(&mut self, at: usize, value: u16) {
        self.patch(at, &value.to_le_bytes());
    }

    /// Overwrites four bytes that were written before.
    pub fn patch_u32(&mut self, at: usize, value: u32) {
        self.patch(at, &value.to_le_bytes());
    }

    /// Overwrites eight bytes that were written before.
    pub fn patch_u64(&mut self, at: usize, value: u64) {
        self.patch(at, &value.to_le_bytes());
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        let target = self.buffer.get_mut(at..).and_then(|tail| tail.get_mut(..bytes.len()));
        if let Some(target) = target {
            target.copy_from_slice(bytes);
        }
    }

    /// What was written so far.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// What was written.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn finish(self) -> Result<&'a [u8], EncodeError> {
        let Self { buffer, len, failed } = self;
        if failed {
            return Err(EncodeError);
        }
        buffer.get(..len).ok_or(EncodeError)
    }
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({} of {})", self.len, self.out.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_varint_beyond_128_bits_is_refused() {
        let mut bytes = [0xff; 19];
        bytes[18] = 0x03;
        assert_eq!(Reader::new(&bytes).varint(), Some(u128::MAX));
        bytes[18] = 0x04;
        assert_eq!(Reader::new(&bytes).varint(), None);
        assert_eq!(Reader::new(&[0x80]).varint(), None);
    }

    #[test]
    fn numbers_are_little_endian_on_both_sides() {
        let mut bytes = [0; 15];
        let mut slot = Slot::new(&mut bytes);
        slot.u8(1);
        slot.u16(0x0302);
        slot.u32(0x0706_0504);
        slot.u64(0x0f0e_0d0c_0b0a_0908);
        assert_eq!(slot.len(), 15);
        assert!(bytes.iter().copied().eq(1..=15));
        let mut other = [0; 15];
        let mut writer = Writer::new(&mut other);
        writer.bytes(&bytes[..3]);
        writer.u32(0x0706_0504);
        writer.u64(0x0f0e_0d0c_0b0a_0908);
        assert_eq!(writer.finish(), Ok(&bytes[..]));
    }

    #[test]
    fn what_does_not_fit_leaves_nothing_and_is_an_error() {
        let mut bytes = [0; 5];
        let mut writer = Writer::new(&mut bytes);
        writer.u32(7);
        assert!(!writer.attempt(|writer| writer.u16(1)) && writer.attempt(|writer| writer.u8(1)));
        assert_eq!(writer.written(), [7, 0, 0, 0, 1]);
        writer.u8(1);
        assert_eq!(writer.finish(), Err(EncodeError));
        assert_eq!(Writer::behind(&mut bytes, 6).finish(), Err(EncodeError));
    }

    proptest! {
        #[test]
        fn varints_come_back(number: i128) {
            let mut bytes = [0; 19];
            let mut slot = Slot::new(&mut bytes);
            slot.signed(number);
            let len = slot.len();
            let mut reader = Reader::new(&bytes[..len]);
            prop_assert_eq!(reader.signed(), Some(number));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_too_short(bytes: [u8; 24], len in 0..24_usize) {
            let mut reader = Reader::new(&bytes[..len]);
            prop_assert_eq!(reader.u64().is_some(), len >= 8);
            prop_assert_eq!(reader.i128().is_some(), len == 24);
        }
    }
}
