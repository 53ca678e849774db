//! Canonical fields: `key=value\n`, keys `[a-z0-9_.-]+`, sorted, none twice, no newline in a value.

use crate::EncodeError;
use crate::bytes::Writer;

/// Keys that would claim an identity. Who sent a record is the stamp's to say.
const IDENTITY_KEYS: [&str; 4] = ["requester_id", "sender_service_id", "service", "service_id"];

/// Whether a key claims an identity.
#[must_use]
pub fn is_identity_key(key: &str) -> bool {
    IDENTITY_KEYS.contains(&key)
}

/// What is wrong with fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldError {
    /// Not UTF-8.
    NotText,
    /// A line without `=` or without its newline.
    NotAPair,
    /// An empty key or a character that keys do not have.
    BadKey,
    /// Keys out of order.
    Unsorted,
    /// A key twice.
    Duplicate,
    /// A key that claims an identity.
    ClaimsIdentity,
}

/// Fields known to be canonical.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    /// No fields.
    pub const EMPTY: Self = Self("");

    /// The fields in `bytes`; whoever they claim to be.
    ///
    /// # Errors
    /// [`FieldError`], the first one met.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FieldError> {
        let text = core::str::from_utf8(bytes).map_err(|_| FieldError::NotText)?;
        let mut previous = "";
        let mut rest = text;
        while !rest.is_empty() {
            let (line, tail) = rest.split_once('\n').ok_or(FieldError::NotAPair)?;
            let (key, _) = line.split_once('=').ok_or(FieldError::NotAPair)?;
            check_key(key.as_bytes(), previous.as_bytes())?;
            previous = key;
            rest = tail;
        }
        Ok(Self(text))
    }

    /// The fields in `bytes`, none of which claims an identity.
    ///
    /// # Errors
    /// [`FieldError`], the first one met.
    pub fn parse_claimless(bytes: &'a [u8]) -> Result<Self, FieldError> {
        let fields = Self::parse(bytes)?;
        if fields.iter().any(|(key, _)| is_identity_key(key)) {
            return Err(FieldError::ClaimsIdentity);
        }
        Ok(fields)
    }

    /// The fields as they stand in frames.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Keys and values in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.split_terminator('\n').filter_map(|line| line.split_once('='))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

fn check_key(key: &[u8], previous: &[u8]) -> Result<(), FieldError> {
    let legal = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    if key.is_empty() || !key.iter().all(legal) {
        return Err(FieldError::BadKey);
    }
    match key.cmp(previous) {
        core::cmp::Ordering::Greater => Ok(()),
        core::cmp::Ordering::Equal => Err(FieldError::Duplicate),
        core::cmp::Ordering::Less => Err(FieldError::Unsorted),
    }
}

/// Writes canonical fields; keys must come in order.
#[derive(Debug)]
pub struct FieldsWriter<'a> {
    writer: Writer<'a>,
    last_key: (usize, usize),
}

impl<'a> FieldsWriter<'a> {
    /// A writer to the front of `buffer`.
    #[must_use]
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { writer: Writer::new(buffer), last_key: (0, 0) }
    }

    /// Appends a field, or says `false` and appends nothing when it does not fit, its key is not
    /// greater than the one before, or key or value have characters that they must not have.
    #[must_use]
    pub fn field(&mut self, key: &str, value: impl core::fmt::Display) -> bool {
        self.joined(&[key], value)
    }

    /// As [`Self::field`] for a key in pieces (`label.` and `cpu`).
    #[must_use]
    pub fn joined(&mut self, key: &[&str], value: impl core::fmt::Display) -> bool {
        let start = self.writer.len();
        let (last_start, last_end) = self.last_key;
        let mut key_end = start;
        let written = self.writer.attempt(|to| {
            for piece in key {
                to.bytes(piece.as_bytes());
            }
            key_end = to.len();
            let keys = (to.written().get(start..), to.written().get(last_start..last_end));
            let follows = matches!(keys, (Some(key), Some(last)) if check_key(key, last).is_ok());
            to.require(follows);
            to.bytes(b"=");
            let value = core::fmt::write(&mut ValueText(to), format_args!("{value}"));
            to.require(value.is_ok());
            to.bytes(b"\n");
        });
        if written {
            self.last_key = (start, key_end);
        }
        written
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.writer.len()
    }

    /// Whether nothing has been written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.writer.len() == 0
    }

    /// The fields.
    ///
    /// # Errors
    /// Never in practice: what did not fit was not written.
    pub fn finish(self) -> Result<Fields<'a>, EncodeError> {
        let bytes = self.writer.finish()?;
        core::str::from_utf8(bytes).map(Fields).map_err(|_| EncodeError)
    }
}

/// Takes a value's text; a newline in it is an error.
struct ValueText<'w, 'a>(&'w mut Writer<'a>);

impl core::fmt::Write for ValueText<'_, '_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        if text.contains('\n') {
            return Err(core::fmt::Error);
        }
        self.0.bytes(text.as_bytes());
        Ok(())
    }
}
