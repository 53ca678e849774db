//! Canonical fields: `key=value\n`, keys `[a-z0-9_.-]+`, sorted, none twice, no newline in a value.

use core::cmp::Ordering;

use nexus_bounded::eights::{below, equal, is_ascii, lowest, not_of_a_key, word_at};

use crate::EncodeError;
use crate::bytes::Writer;

/// Keys that would claim an identity. Who sent a record is the stamp's to say.
const IDENTITY_KEYS: [&str; 4] = ["requester_id", "sender_service_id", "service", "service_id"];

/// Whether a key claims an identity.
#[must_use]
pub const fn is_identity_key(key: &str) -> bool {
    let mut claims: &[&str] = &IDENTITY_KEYS;
    while let [claim, others @ ..] = claims {
        if same_text(key, claim) {
            return true;
        }
        claims = others;
    }
    false
}

/// Whether a text is a key: at least one character, all of `a-z`, `0-9`, `_`, `.` and `-`.
#[must_use]
pub const fn is_key(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        if !is_of_a_key(*byte) {
            return false;
        }
        rest = after;
    }
    !text.is_empty()
}

const fn is_of_a_key(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-')
}

/// Whether two texts are the same, also while a program is compiled.
#[must_use]
pub const fn same_text(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let ([x, after_x @ ..], [y, after_y @ ..]) = (a, b) {
        if *x != *y {
            return false;
        }
        (a, b) = (after_x, after_y);
    }
    a.is_empty() && b.is_empty()
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

/// Fields known to be canonical, and so to be UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// No fields.
    pub const EMPTY: Self = Self(&[]);

    /// The fields in `bytes`; whoever they claim to be.
    ///
    /// # Errors
    /// [`FieldError`], the first one met.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FieldError> {
        check_pairs(bytes, |_, _| Ok(()))?;
        Ok(Self(bytes))
    }

    /// The fields in `bytes`, none of which claims an identity.
    ///
    /// # Errors
    /// [`FieldError`], the first one met.
    pub fn parse_claimless(bytes: &'a [u8]) -> Result<Self, FieldError> {
        check_pairs(bytes, |key, _| check_claim(key))?;
        Ok(Self(bytes))
    }

    /// The fields in `bytes`, none of which claims an identity, within `bounds`.
    ///
    /// # Errors
    /// [`FieldError`], the first one met.
    pub fn parse_bounded(bytes: &'a [u8], bounds: &FieldBounds) -> Result<Self, FieldError> {
        let mut count = 0;
        check_pairs(bytes, |key, value| {
            count += 1;
            let within = key.len() <= bounds.key_bytes && value.len() <= bounds.value_bytes;
            if within && count <= bounds.count {
                check_claim(key)
            } else {
                Err(FieldError::OverBound)
            }
        })?;
        Ok(Self(bytes))
    }

    /// The fields as they stand in frames.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The fields as text. It costs a look at every byte; where bytes will do, they cost nothing.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        match core::str::from_utf8(self.0) {
            Ok(text) => text,
            // Whatever made these fields has seen that they are text.
            Err(_) => "",
        }
    }

    /// Keys and values in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let (text, mut start) = (self.as_str(), 0);
        core::iter::from_fn(move || {
            let pair = Place::at(text.as_bytes(), start, &mut 0).ok()?;
            let both = text.get(start..pair.equals).zip(text.get(pair.equals + 1..pair.end));
            start = pair.end + 1;
            both
        })
    }

    /// The value of a key.
    #[must_use]
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

impl core::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Fields").field(&self.as_str()).finish()
    }
}

/// Checks that `bytes` is pairs whose keys are in order; `accept` judges each key and value.
#[inline]
fn check_pairs(
    bytes: &[u8],
    mut accept: impl FnMut(&[u8], &[u8]) -> Result<(), FieldError>,
) -> Result<(), FieldError> {
    let (mut before, mut before_front): (&[u8], u64) = (&[], 0);
    let (mut start, mut seen) = (0, 0);
    while start < bytes.len() {
        let place = Place::at(bytes, start, &mut seen)?;
        let (key, value) = place.of(bytes, start);
        if place.key_front <= before_front {
            check_order(key, before)?;
        }
        accept(key, value)?;
        (before, before_front) = (key, place.key_front);
        start = place.end + 1;
    }
    if is_ascii(seen) { Ok(()) } else { check_text(bytes) }
}

#[cold]
fn check_text(bytes: &[u8]) -> Result<(), FieldError> {
    core::str::from_utf8(bytes).map(|_| ()).map_err(|_| FieldError::NotText)
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

/// Where a pair lies in a text.
struct Place {
    /// Where its `=` stands.
    equals: usize,
    /// Where its newline stands.
    end: usize,
    /// The first eight bytes of its key, filled with zeros, the first one highest: such numbers are
    /// ordered as the keys are, but for keys that differ later.
    key_front: u64,
}

impl Place {
    /// The pair that begins at `start`. Adds the bits of all bytes of its value, and of some behind
    /// it, to `seen`.
    #[inline(always)]
    fn at(bytes: &[u8], start: usize, seen: &mut u64) -> Result<Self, FieldError> {
        let first = word_at(bytes, start);
        let stop = not_of_a_key(first);
        let equals = if stop == 0 { end_of_key(bytes, start + 8) } else { start + lowest(stop) };
        match bytes.get(equals) {
            Some(b'=') if equals > start => {}
            Some(b'\n') | None => return Err(FieldError::NotAPair),
            Some(_) => return Err(FieldError::BadKey),
        }
        let mut at = equals + 1;
        while at < bytes.len() {
            let word = word_at(bytes, at);
            *seen |= word;
            let newline = equal(word, b'\n');
            if newline != 0 {
                let end = at + lowest(newline);
                let key_front = (first & below(stop)).swap_bytes();
                return Ok(Self { equals, end, key_front });
            }
            at += 8;
        }
        Err(FieldError::NotAPair)
    }

    /// Its key and value.
    #[inline(always)]
    fn of<'a>(&self, bytes: &'a [u8], start: usize) -> (&'a [u8], &'a [u8]) {
        let key = bytes.get(start..self.equals).unwrap_or_default();
        (key, bytes.get(self.equals + 1..self.end).unwrap_or_default())
    }
}

/// Where a key ends of which the bytes before `at` are known.
fn end_of_key(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        let stop = not_of_a_key(word_at(bytes, at));
        if stop != 0 {
            return at + lowest(stop);
        }
        at += 8;
    }
    at
}

/// Whether `key` is one and greater than `previous`.
fn is_next_key(key: &[u8], previous: &[u8]) -> bool {
    !key.is_empty() && key.iter().all(|byte| is_of_a_key(*byte)) && key > previous
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
        self.writer.finish().map(Fields)
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
