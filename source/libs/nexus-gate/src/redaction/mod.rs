//! What must not be stored: secrets in messages, fields, labels, attributes and names.
//!
//! A value is secret by its key, by how it begins, by its place (`user:password@host`), or by its
//! shape: long hexadecimal, or long base64 that mixes upper case, lower case and digits. No rule
//! can know every secret; what a program knows to be one it wraps in `Secret`.
//!
//! Texts are searched for the few bytes at which a secret can be found, eight at a time; what keys
//! say is kept, and so are values and messages that were found clean and come again. So a text
//! without secrets costs little, and a text with some is looked at by rules that may take their
//! time.

mod anchors;
mod ends;
mod fields;
mod finder;
mod keys;
mod known;
mod runs;
#[cfg(test)]
mod tests;
mod texts;
mod values;

use core::fmt::Write as _;

use nexus_recipe::{OnSecret, Redaction};
use nexus_wire::{FieldBounds, Fields, FieldsWriter};

use finder::Finder;

/// What stands where something secret stood.
pub const REDACTED: &str = "[redacted]";

/// What became of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Redacted<T> {
    /// It has nothing secret in it; use it as it is.
    Clean,
    /// It has, and the recipe says to refuse it (or what remains does not fit).
    Refused,
    /// It has, and here it is without.
    Replaced {
        /// The text without the secrets.
        value: T,
        /// How many were replaced.
        count: u32,
    },
}

impl<T> Redacted<T> {
    /// The same of what `map` makes of a text that was written anew.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Redacted<U> {
        match self {
            Self::Clean => Redacted::Clean,
            Self::Refused => Redacted::Refused,
            Self::Replaced { value, count } => Redacted::Replaced { value: map(value), count },
        }
    }
}

/// The rules of a recipe about secrets, ready for use.
pub struct Redactor {
    on_secret: OnSecret,
    finder: Finder,
}

impl Redactor {
    /// The rules of `rules`.
    #[must_use]
    pub fn new(rules: &Redaction) -> Self {
        Self { on_secret: rules.on_secret, finder: Finder::new(rules) }
    }

    /// Bytes of memory that the rules take.
    #[must_use]
    pub fn bytes(rules: &Redaction) -> usize {
        Finder::bytes(rules)
    }

    /// What a hit does.
    #[must_use]
    pub const fn on_secret(&self) -> OnSecret {
        self.on_secret
    }

    /// Whether nothing is secret in either of two texts that lie one behind the other, of which the
    /// first one has `first_len` bytes, and `fields` are canonical, claim no identity, are within
    /// `bounds` and have nothing secret in them, as far as all that can be said quickly. If not, it
    /// may be so none the less.
    #[inline]
    pub fn passes(
        &mut self,
        texts: &[u8],
        first_len: usize,
        fields: &[u8],
        bounds: &FieldBounds,
    ) -> bool {
        self.finder.passes(texts, first_len, fields, bounds)
    }

    /// Whether nothing in a text is secret.
    #[inline]
    pub fn is_clean(&mut self, text: &[u8]) -> bool {
        self.finder.is_clean(text)
    }

    /// Whether a field neither is nor has something secret, by its key or by its value. Under an
    /// allowed key the shape of a value says nothing: a trace id is 32 hexadecimal digits and no
    /// secret.
    fn pair_is_clean(&mut self, (key, value): (&str, &str)) -> bool {
        self.finder.pair_is_clean(key.as_bytes(), value.as_bytes())
    }

    /// Whether a name is or carries a secret: a name is a value that everybody sees.
    pub fn name_is_secret(&mut self, name: &str) -> bool {
        !self.is_clean(name.as_bytes())
    }

    /// Looks at labels, attributes or fields and writes them anew to `out` if values must go.
    pub fn fields<'b>(&mut self, fields: Fields<'_>, out: &'b mut [u8]) -> Redacted<Fields<'b>> {
        if fields.iter().all(|field| self.pair_is_clean(field)) {
            return Redacted::Clean;
        }
        // A key cannot be replaced: two of them might become one.
        let in_a_key = fields.iter().any(|(key, _)| self.finder.key_is_secret(key.as_bytes()));
        if in_a_key || self.on_secret == OnSecret::Refuse {
            return Redacted::Refused;
        }
        self.cleaned(fields, out)
    }

    fn cleaned<'b>(&mut self, fields: Fields<'_>, out: &'b mut [u8]) -> Redacted<Fields<'b>> {
        let mut writer = FieldsWriter::new(out);
        let mut count = 0;
        for (key, value) in fields.iter() {
            let secret = !self.pair_is_clean((key, value));
            count += u32::from(secret);
            if !writer.field(key, if secret { REDACTED } else { value }) {
                return Redacted::Refused;
            }
        }
        match writer.finish() {
            Ok(value) => Redacted::Replaced { value, count },
            Err(_) => Redacted::Refused,
        }
    }

    /// Looks at a message and writes it anew to `out` if parts of it must go.
    pub fn message<'b>(&mut self, message: &str, out: &'b mut [u8]) -> Redacted<&'b str> {
        let bytes = message.as_bytes();
        let mut next = self.finder.next(bytes, 0);
        if next.is_none() {
            return Redacted::Clean;
        }
        if self.on_secret == OnSecret::Refuse {
            return Redacted::Refused;
        }
        let mut text = Buffer { out, len: 0 };
        let (mut at, mut count) = (0, 0);
        while let Some(secret) = next {
            let clean = message.get(at..secret.start).unwrap_or_default();
            if write!(text, "{clean}{REDACTED}").is_err() {
                return Redacted::Refused;
            }
            count += 1;
            at = secret.end;
            next = self.finder.next(bytes, at);
        }
        if text.write_str(message.get(at..).unwrap_or_default()).is_err() {
            return Redacted::Refused;
        }
        text.finish().map_or(Redacted::Refused, |value| Redacted::Replaced { value, count })
    }
}

/// Text in a borrowed buffer.
struct Buffer<'b> {
    out: &'b mut [u8],
    len: usize,
}

impl<'b> Buffer<'b> {
    fn finish(self) -> Option<&'b str> {
        core::str::from_utf8(self.out.get(..self.len)?).ok()
    }
}

impl core::fmt::Write for Buffer<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.len + text.len();
        let target = self.out.get_mut(self.len..end).ok_or(core::fmt::Error)?;
        target.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
