use crate::FILE_NAME_BYTES_MAX;

/// A file's name, below the prefix of the service that has it: 1 to 40 bytes of `[a-z0-9_.-]` and
/// `/`, which stands neither first nor last nor twice in a row. No part is `.` or `..`, so that a
/// name is also a path that leads nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileName<'a>(&'a str);

impl<'a> FileName<'a> {
    /// `text`, if it is a name.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_letter);
        let is_name = text.len() <= FILE_NAME_BYTES_MAX && text.split('/').all(is_part);
        is_name.then_some(Self(text))
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// How names may begin: at most 40 bytes that may stand in them, or none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FilePrefix<'a>(&'a str);

impl<'a> FilePrefix<'a> {
    /// `text`, if names may begin so.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        let is_legal = text.bytes().all(|byte| byte == b'/' || is_letter(byte));
        (text.len() <= FILE_NAME_BYTES_MAX && is_legal).then_some(Self(text))
    }

    /// The beginning.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-')
}
