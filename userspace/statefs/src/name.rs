use core::fmt;

/// Most bytes of a name.
pub const NAME_BYTES_MAX: usize = 64;

/// A file's name: 1 to 64 bytes of `[a-z0-9_.-]` and `/`, which stands neither first nor last nor
/// twice in a row. There are no folders; who lists by prefix may read them into it.
#[derive(Clone, Copy)]
pub struct Name {
    len: u8,
    bytes: [u8; NAME_BYTES_MAX],
}

impl Name {
    /// `text` as a name, or `None` if it is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    pub(crate) fn from_bytes(text: &[u8]) -> Option<Self> {
        let parts = || text.split(|byte| *byte == b'/');
        if !parts().all(|part| !part.is_empty() && part.iter().all(|byte| is_letter(*byte))) {
            return None;
        }
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { len: u8::try_from(text.len()).ok()?, bytes })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(crate) const EMPTY: Self = Self { len: 0, bytes: [0; NAME_BYTES_MAX] };
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-')
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Name {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_say() {
        let longest = "a".repeat(NAME_BYTES_MAX);
        for name in ["a", "metricsd/raw/0-9_.seg", "..", &longest] {
            assert_eq!(Name::new(name).map(|name| name.as_str().len()), Some(name.len()));
        }
        let too_long = "a".repeat(NAME_BYTES_MAX + 1);
        for name in ["", "/", "/a", "a/", "a//b", "A", "a b", "ä", "a\0", &too_long] {
            assert_eq!(Name::new(name), None, "{name}");
        }
    }
}
