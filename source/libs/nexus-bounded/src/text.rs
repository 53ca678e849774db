use core::fmt;

/// A UTF-8 string of at most `N` bytes, stored in place. `N` is at most 65535.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    len: u16,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Self = Self { len: 0, bytes: [0; N] };

    /// A copy of `text`, or `None` if it is longer than `N` bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut out = Self::EMPTY;
        out.bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        out.len = u16::try_from(text.len()).ok()?;
        Some(out)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    /// Appends whole pieces or nothing: a piece that does not fit is an error.
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let start = usize::from(self.len);
        let end = start + piece.len();
        self.bytes.get_mut(start..end).ok_or(fmt::Error)?.copy_from_slice(piece.as_bytes());
        self.len = u16::try_from(end).map_err(|_| fmt::Error)?;
        Ok(())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<const N: usize> Eq for Text<N> {}
