//! Reading and writing of little-endian bytes that cannot leave their bounds.

/// A frame does not fit the buffer it was to be written to.
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
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
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

    pub(crate) fn str(&mut self, count: usize) -> Option<&'a str> {
        core::str::from_utf8(self.bytes(count)?).ok()
    }

    /// Nothing may be left: lengths match exactly.
    #[inline]
    pub(crate) fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

/// Writes to the front of a buffer; once something did not fit, nothing more is written and
/// [`Writer::finish`] is an error.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
    overflown: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0, overflown: false }
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let target = self.buffer.get_mut(self.len..).and_then(|tail| tail.get_mut(..bytes.len()));
        match target {
            Some(target) if !self.overflown => {
                target.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            _ => self.overflown = true,
        }
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
        match u8::try_from(bytes.len()) {
            Ok(len) => self.u8(len),
            Err(_) => self.overflown = true,
        }
    }

    /// The length of a string whose bound fits two bytes.
    pub(crate) fn len16(&mut self, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(len) => self.u16(len),
            Err(_) => self.overflown = true,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Forgets everything behind `len`, also that something did not fit.
    pub(crate) fn rewind(&mut self, len: usize) {
        self.len = len.min(self.len);
        self.overflown = false;
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

    pub(crate) const fn overflown(&self) -> bool {
        self.overflown
    }

    pub(crate) fn finish(self) -> Result<&'a [u8], EncodeError> {
        let Self { buffer, len, overflown } = self;
        if overflown {
            return Err(EncodeError);
        }
        buffer.get(..len).ok_or(EncodeError)
    }
}
