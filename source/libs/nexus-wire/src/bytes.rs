//! Reading and writing of little-endian bytes that cannot leave their bounds.

use nexus_abi::Incarnation;

/// A frame was not written: it does not fit its buffer, or its value is one that no frame may
/// carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodeError;

/// Reads from the front of a byte string; `None` means that it is too short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(front)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*front)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn i128(&mut self) -> Option<i128> {
        self.array().map(i128::from_le_bytes)
    }

    /// A byte that says no (0) or yes (1).
    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// A life: four bytes, of which the highest is 0.
    pub(crate) fn incarnation(&mut self) -> Option<Incarnation> {
        let raw = self.u32()?;
        (raw <= Incarnation::MAX.raw()).then(|| Incarnation::new(raw))
    }

    pub(crate) fn str(&mut self, count: usize) -> Option<&'a str> {
        core::str::from_utf8(self.bytes(count)?).ok()
    }

    /// Nothing may be left: lengths match exactly.
    #[inline]
    pub(crate) fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

/// Writes to the front of a buffer; once something did not fit or was not legal, nothing more is
/// written and [`Writer::finish`] is an error.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
    failed: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0, failed: false }
    }

    /// Goes on behind the first `len` bytes, which were written before.
    pub(crate) fn behind(buffer: &'a mut [u8], len: usize) -> Self {
        let failed = len > buffer.len();
        Self { buffer, len, failed }
    }

    #[inline(always)]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.buffer.get_mut(self.len..end) {
            Some(target) if !self.failed => {
                target.copy_from_slice(bytes);
                self.len = end;
            }
            _ => self.failed = true,
        }
    }

    /// What is being written must not be in a frame unless `legal`.
    pub(crate) const fn require(&mut self, legal: bool) {
        self.failed |= !legal;
    }

    /// Writes all that `write` writes, or nothing and says `false`. What failed before stays
    /// failed.
    #[inline]
    pub(crate) fn attempt(&mut self, write: impl FnOnce(&mut Self)) -> bool {
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

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    #[inline]
    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn i128(&mut self, value: i128) {
        self.bytes(&value.to_le_bytes());
    }

    /// The length of a string whose bound fits a byte.
    pub(crate) fn len8(&mut self, bytes: &[u8]) {
        self.count8(bytes.len());
    }

    /// The length of a string whose bound fits two bytes.
    pub(crate) fn len16(&mut self, bytes: &[u8]) {
        self.count16(bytes.len());
    }

    /// A number of things whose bound fits a byte.
    pub(crate) fn count8(&mut self, count: usize) {
        match u8::try_from(count) {
            Ok(count) => self.u8(count),
            Err(_) => self.failed = true,
        }
    }

    /// A number of things whose bound fits two bytes.
    pub(crate) fn count16(&mut self, count: usize) {
        match u16::try_from(count) {
            Ok(count) => self.u16(count),
            Err(_) => self.failed = true,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Overwrites two bytes that were written before.
    pub(crate) fn patch_u16(&mut self, at: usize, value: u16) {
        self.patch(at, &value.to_le_bytes());
    }

    /// Overwrites four bytes that were written before.
    pub(crate) fn patch_u32(&mut self, at: usize, value: u32) {
        self.patch(at, &value.to_le_bytes());
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        let target = self.buffer.get_mut(at..).and_then(|tail| tail.get_mut(..bytes.len()));
        if let Some(target) = target {
            target.copy_from_slice(bytes);
        }
    }

    /// Overwrites a word that was written before.
    pub(crate) fn patch_u64(&mut self, at: usize, value: u64) {
        self.patch(at, &value.to_le_bytes());
    }

    /// Overwrites a byte that was written before.
    pub(crate) fn patch_u8(&mut self, at: usize, value: u8) {
        self.patch(at, &[value]);
    }

    pub(crate) fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn finish(self) -> Result<&'a [u8], EncodeError> {
        let Self { buffer, len, failed } = self;
        if failed {
            return Err(EncodeError);
        }
        buffer.get(..len).ok_or(EncodeError)
    }
}
