//! Canonical fields: `key=value\n`, keys `[a-z0-9_.-]+`, sorted, none twice, no newline in a value.

use core::cmp::Ordering;

use crate::EncodeError;
use crate::bytes::Writer;
use crate::eights::{equal, front, lowest, not_of_a_key};

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
    /// Beyond one of the bounds that were given.
    OverBound,
}

/// How much fields may be, beyond what frames bound anyway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldBounds {
    /// Fields.
    pub count: usize,
    /// Bytes of a key.
    pub key_bytes: usize,
    /// Bytes of a value.
    pub value_bytes: usize,
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
        check_pairs(bytes, |_, _| Ok(()))?;
        Ok(Self(text))
    }

    /// The fields in `bytes`, none of which claims an identity.
    ///
    /// # Errors
    /// [`FieldError`], the first one met.
    pub fn parse_claimless(bytes: &'a [u8]) -> Result<Self, FieldError> {
        let text = core::str::from_utf8(bytes).map_err(|_| FieldError::NotText)?;
        check_pairs(bytes, |key, _| check_claim(key))?;
        Ok(Self(text))
    }

    /// The fields in `bytes`, none of which claims an identity, within `bounds`.
    ///
    /// # Errors
    /// [`FieldError`], the first one met.
    pub fn parse_bounded(bytes: &'a [u8], bounds: &FieldBounds) -> Result<Self, FieldError> {
        let text = core::str::from_utf8(bytes).map_err(|_| FieldError::NotText)?;
        let mut count = 0;
        check_pairs(bytes, |key, value_len| {
            count += 1;
            let within = key.len() <= bounds.key_bytes && value_len <= bounds.value_bytes;
            if within && count <= bounds.count {
                check_claim(key)
            } else {
                Err(FieldError::OverBound)
            }
        })?;
        Ok(Self(text))
    }

    /// The fields as they stand in frames.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Keys and values in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let lens = Lens::of(rest.as_bytes()).ok()?;
            let (key, behind) = rest.split_at_checked(lens.key)?;
            let (value, behind) = behind.get(1..)?.split_at_checked(lens.value)?;
            rest = behind.get(1..)?;
            Some((key, value))
        })
    }

    /// The value of a key.
    #[must_use]
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

/// Checks that `rest` is pairs whose keys are in order; `accept` judges each by its key and the
/// length of its value.
#[inline]
fn check_pairs(
    mut rest: &[u8],
    mut accept: impl FnMut(&[u8], usize) -> Result<(), FieldError>,
) -> Result<(), FieldError> {
    let (mut before, mut before_front): (&[u8], u64) = (&[], 0);
    while !rest.is_empty() {
        let lens = Lens::of(rest)?;
        let (key, behind) = rest.split_at_checked(lens.key).ok_or(FieldError::NotAPair)?;
        if lens.key_front <= before_front {
            check_order(key, before)?;
        }
        accept(key, lens.value)?;
        (before, before_front) = (key, lens.key_front);
        rest = behind.get(lens.value + 2..).ok_or(FieldError::NotAPair)?;
    }
    Ok(())
}

#[inline]
fn check_claim(key: &[u8]) -> Result<(), FieldError> {
    // Most keys begin otherwise.
    let suspect = matches!(key, [b'r' | b's', ..]);
    let claims = suspect && IDENTITY_KEYS.iter().any(|claim| claim.as_bytes() == key);
    if claims { Err(FieldError::ClaimsIdentity) } else { Ok(()) }
}

/// Whether `key` may stand behind `before`; asked only where their fronts do not say so.
#[inline(never)]
fn check_order(key: &[u8], before: &[u8]) -> Result<(), FieldError> {
    match key.cmp(before) {
        Ordering::Greater => Ok(()),
        Ordering::Equal => Err(FieldError::Duplicate),
        Ordering::Less => Err(FieldError::Unsorted),
    }
}

/// Measures of the pair at the front of some bytes.
struct Lens {
    /// Bytes of its key.
    key: usize,
    /// The first eight of them, filled with zeros, the first one highest: such numbers are ordered
    /// as the keys are, but for keys that differ later.
    key_front: u64,
    /// Bytes of its value.
    value: usize,
}

impl Lens {
    #[inline(always)]
    fn of(bytes: &[u8]) -> Result<Self, FieldError> {
        let first = front(bytes);
        let mut key = lowest(not_of_a_key(first));
        if key == 8 {
            key += find(bytes.get(8..).unwrap_or_default(), not_of_a_key);
        }
        let behind = match bytes.split_at_checked(key) {
            Some((_, [b'=', behind @ ..])) if key > 0 => behind,
            Some((_, [b'\n', ..] | [])) | None => return Err(FieldError::NotAPair),
            Some(_) => return Err(FieldError::BadKey),
        };
        let value = find(behind, |word| equal(word, b'\n'));
        let unused = 64 - 8 * key.min(8);
        Ok(Self { key, key_front: first.swap_bytes() >> unused << unused, value })
    }
}

/// Index of the first byte meant by `meant`; beyond the end if none is.
#[inline(always)]
fn find(bytes: &[u8], meant: impl Fn(u64) -> u64) -> usize {
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let found = meant(u64::from_le_bytes(*word));
        if found != 0 {
            return bytes.len() - rest.len() + lowest(found);
        }
        rest = behind;
    }
    // Zeros behind the end are no newlines, but they may end a key.
    bytes.len() - rest.len() + lowest(meant(front(rest)))
}

/// Whether `key` is one and greater than `previous`.
fn is_next_key(key: &[u8], previous: &[u8]) -> bool {
    let legal = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    !key.is_empty() && key.iter().all(legal) && key > previous
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
            to.require(matches!(keys, (Some(key), Some(last)) if is_next_key(key, last)));
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
