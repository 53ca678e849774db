use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::Write as _;

use nexus_recipe::{OnSecret, Redaction};
use nexus_wire::{Fields, FieldsWriter};

use crate::sieve::Sieve;
use crate::words::{in_word, next_run};

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

/// The rules of a recipe about secrets, ready for use.
///
/// A value is secret by its key, by how it begins, or by its shape: long hexadecimal, or long
/// base64 that mixes upper case, lower case and digits. No rule can know every secret; what a
/// program knows to be one it wraps in `Secret`.
pub struct Redactor {
    on_secret: OnSecret,
    deny_keys: Box<[String]>,
    allow_keys: Box<[String]>,
    prefixes: Box<[Prefix]>,
    hex_run: usize,
    base64_run: usize,
    /// Bytes worth a second look: joints of `key=value`, and one byte of each prefix.
    anchors: [bool; 256],
    /// What passes it has nothing secret and needs no look at the rules.
    sieve: Sieve,
}

/// A denied prefix and the byte of it that is rarest in prose, by which it is found.
struct Prefix {
    text: String,
    anchor_at: usize,
    anchor: u8,
}

/// Letters of English from frequent to rare (Lewand, *Cryptological Mathematics*, 2000); whatever
/// is no letter is rarer than all.
const FREQUENT_FIRST: &[u8] = b" etaoinshrdlcumwfgypbvkjxqz";

impl Prefix {
    fn new(text: &str) -> Option<Self> {
        let rarity = |byte: u8| {
            let letter = byte.to_ascii_lowercase();
            FREQUENT_FIRST.iter().position(|frequent| *frequent == letter).unwrap_or(usize::MAX)
        };
        let (anchor_at, anchor) = text.bytes().enumerate().max_by_key(|(_, b)| rarity(*b))?;
        Some(Self { text: String::from(text), anchor_at, anchor })
    }
}

impl Redactor {
    /// The rules of `rules`.
    #[must_use]
    pub fn new(rules: &Redaction) -> Self {
        let prefixes: Box<[Prefix]> =
            rules.deny_prefixes.iter().filter_map(|text| Prefix::new(text)).collect();
        let mut anchors = [false; 256];
        for byte in prefixes.iter().map(|prefix| prefix.anchor).chain(*b"=:") {
            for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                if let Some(anchor) = anchors.get_mut(usize::from(byte)) {
                    *anchor = true;
                }
            }
        }
        let run_min = shortest_run(rules.hex_run as usize, rules.base64_run as usize);
        Self {
            on_secret: rules.on_secret,
            deny_keys: rules.deny_keys.clone(),
            allow_keys: rules.allow_keys.clone(),
            prefixes,
            hex_run: rules.hex_run as usize,
            base64_run: rules.base64_run as usize,
            anchors,
            sieve: Sieve::new(rules.deny_keys.iter().chain(&rules.deny_prefixes), run_min),
        }
    }

    /// Bytes of memory that the rules take.
    #[must_use]
    pub fn bytes(rules: &Redaction) -> usize {
        let keys = rules.deny_keys.iter().chain(&rules.allow_keys);
        let keys = keys.map(|key| size_of::<String>() + key.len());
        let prefixes = rules.deny_prefixes.iter().map(|text| size_of::<Prefix>() + text.len());
        keys.chain(prefixes).sum()
    }

    /// What a hit does.
    #[must_use]
    pub const fn on_secret(&self) -> OnSecret {
        self.on_secret
    }

    /// Whether a key says that its value is secret: the key, or one of its words between `_`, `.`
    /// and `-`, is denied and the whole key is not allowed. Letter case does not matter.
    #[must_use]
    pub fn key_is_secret(&self, key: &str) -> bool {
        let denied = listed(&self.deny_keys, key.as_bytes())
            || key.split(['_', '.', '-']).any(|word| listed(&self.deny_keys, word.as_bytes()));
        denied && !listed(&self.allow_keys, key.as_bytes())
    }

    /// Whether a field is secret, by its key or by its value. Under an allowed key the shape of a
    /// value says nothing: a trace id is 32 hexadecimal digits and no secret.
    fn field_is_secret(&self, (key, value): (&str, &str)) -> bool {
        let hit = self.key_is_secret(key) || self.value_is_secret(value);
        hit && (!listed(&self.allow_keys, key.as_bytes()) || self.next_anchored(value, 0).is_some())
    }

    /// Whether a value is secret by how it begins or looks, or carries something that is.
    #[must_use]
    pub fn value_is_secret(&self, value: &str) -> bool {
        !self.sieve.passes(value.as_bytes()) && self.next_secret(value, 0).is_some()
    }

    /// Whether a name is or carries a secret: a name is a value that everybody sees.
    #[must_use]
    pub fn name_is_secret(&self, name: &str) -> bool {
        self.value_is_secret(name)
    }

    /// Looks at labels, attributes or fields and writes them anew to `out` if values must go.
    pub fn fields<'b>(&self, fields: Fields<'_>, out: &'b mut [u8]) -> Redacted<Fields<'b>> {
        if self.passes_fields(fields.as_bytes()) {
            return Redacted::Clean;
        }
        self.sifted_fields(fields, out)
    }

    /// Whether fields have surely nothing secret in them.
    fn passes_fields(&self, fields: &[u8]) -> bool {
        self.sieve.begins_nothing(fields) && self.runs_are_allowed(fields)
    }

    /// Whether all long runs stand in values under allowed keys, as the trace of every span does.
    fn runs_are_allowed(&self, fields: &[u8]) -> bool {
        let mut at = 0;
        while let Some((start, end)) = self.sieve.next_run(fields, at) {
            let before = fields.get(..start).unwrap_or_default();
            let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            // Before a run in a key there is no `=`.
            let joint = line.iter().position(|byte| *byte == b'=');
            let key = joint.and_then(|joint| line.get(..joint));
            if !key.is_some_and(|key| listed(&self.allow_keys, key)) {
                return false;
            }
            at = end;
        }
        true
    }

    fn sifted_fields<'b>(&self, fields: Fields<'_>, out: &'b mut [u8]) -> Redacted<Fields<'b>> {
        let hit = |field| self.field_is_secret(field);
        if !fields.iter().any(|field| hit(field) || self.value_is_secret(field.0)) {
            return Redacted::Clean;
        }
        // A key cannot be replaced: two of them might become one.
        let in_a_key = fields.iter().any(|(key, _)| self.value_is_secret(key));
        if self.on_secret == OnSecret::Refuse || in_a_key {
            return Redacted::Refused;
        }
        let mut writer = FieldsWriter::new(out);
        let mut count = 0;
        for (key, value) in fields.iter() {
            let secret = hit((key, value));
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
    pub fn message<'b>(&self, message: &str, out: &'b mut [u8]) -> Redacted<&'b str> {
        if self.sieve.passes(message.as_bytes()) {
            return Redacted::Clean;
        }
        self.sifted_message(message, out)
    }

    fn sifted_message<'b>(&self, message: &str, out: &'b mut [u8]) -> Redacted<&'b str> {
        let Some(first) = self.next_secret(message, 0) else { return Redacted::Clean };
        if self.on_secret == OnSecret::Refuse {
            return Redacted::Refused;
        }
        let mut text = Buffer { out, len: 0 };
        let (mut at, mut count, mut next) = (0, 0, Some(first));
        while let Some((start, end)) = next {
            let clean = message.get(at..start).unwrap_or_default();
            if write!(text, "{clean}{REDACTED}").is_err() {
                return Redacted::Refused;
            }
            count += 1;
            at = end;
            next = self.next_secret(message, end);
        }
        if text.write_str(message.get(at..).unwrap_or_default()).is_err() {
            return Redacted::Refused;
        }
        text.finish().map_or(Redacted::Refused, |value| Redacted::Replaced { value, count })
    }

    /// The next part of a text that must go: a word that looks or begins secret, or the value
    /// behind a secret key.
    fn next_secret(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let shaped = self.next_shaped(text.as_bytes(), from);
        match (shaped, self.next_anchored(text, from)) {
            (Some(shaped), Some(anchored)) => Some(shaped.min(anchored)),
            (found, None) | (None, found) => found,
        }
    }

    /// The next secret that is found by one of its bytes.
    fn next_anchored(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        let mut at = from;
        loop {
            let tail = bytes.get(at..)?;
            at += tail.iter().position(|byte| self.is_anchor(*byte))?;
            let byte = *bytes.get(at)?;
            let found = if matches!(byte, b'=' | b':') {
                self.value_behind(text, from, at)
            } else {
                self.prefixed_around(bytes, from, at, byte)
            };
            if found.is_some() {
                return found;
            }
            at += 1;
        }
    }

    #[inline]
    fn is_anchor(&self, byte: u8) -> bool {
        self.anchors.get(usize::from(byte)).copied().unwrap_or_default()
    }

    /// The value behind the joint of `key=value`, `key: value` or `"key": "value"`, if the key is
    /// secret. In quotes it goes to the next quote, behind a colon to the end of the line or list,
    /// behind `=` to the next white space.
    fn value_behind(&self, text: &str, from: usize, joint: usize) -> Option<(usize, usize)> {
        let before = text.get(from..joint)?.trim_end_matches(['"', '\'', ' ']);
        let key_start = before
            .bytes()
            .rposition(|byte| !(in_word(byte) || byte == b'.'))
            .map_or(0, |gap| gap + 1);
        if !self.key_is_secret(before.get(key_start..)?) {
            return None;
        }
        let value = text.get(joint + 1..)?;
        let value = value.trim_start_matches(' ');
        let unquoted = value.strip_prefix(['"', '\'']);
        let start = text.len() - unquoted.unwrap_or(value).len();
        let end = match (unquoted, text.as_bytes().get(joint)?) {
            (Some(_), _) => end_before(text, start, &['"', '\'']),
            (None, b':') => end_before(text, start, &['"', '\'', ',', ';', '&', ')', '}', '\n']),
            (None, _) => end_before(text, start, VALUE_ENDS),
        };
        (end > start && text.get(start..end) != Some(REDACTED)).then_some((start, end))
    }

    /// A word with a denied prefix whose anchor is the byte at `at`.
    fn prefixed_around(
        &self,
        bytes: &[u8],
        from: usize,
        at: usize,
        byte: u8,
    ) -> Option<(usize, usize)> {
        let text = core::str::from_utf8(bytes).ok()?;
        self.prefixes.iter().find_map(|prefix| {
            if !byte.eq_ignore_ascii_case(&prefix.anchor) {
                return None;
            }
            let start = at.checked_sub(prefix.anchor_at).filter(|start| *start >= from)?;
            let at_word = start == 0 || bytes.get(start - 1).is_some_and(|byte| !in_word(*byte));
            let end = start + prefix.text.len();
            let same = bytes.get(start..end)?.eq_ignore_ascii_case(prefix.text.as_bytes());
            (at_word && same).then(|| (start, end_before(text, end, VALUE_ENDS)))
        })
    }

    /// The next run that looks like hexadecimal or base64 of something long.
    fn next_shaped(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let min = shortest_run(self.hex_run, self.base64_run)?;
        let mut at = from;
        loop {
            let (start, end) = next_run(text, at, min)?;
            let run = text.get(start..end)?;
            if self.is_hex(run) || self.is_base64(run) {
                return Some((start, end));
            }
            at = end;
        }
    }

    fn is_hex(&self, run: &[u8]) -> bool {
        self.hex_run > 0
            && run.split(|byte| !byte.is_ascii_hexdigit()).any(|part| part.len() >= self.hex_run)
    }

    fn is_base64(&self, run: &[u8]) -> bool {
        self.base64_run > 0
            && run.len() >= self.base64_run
            && run.iter().any(u8::is_ascii_uppercase)
            && run.iter().any(u8::is_ascii_lowercase)
            && run.iter().any(u8::is_ascii_digit)
    }
}

/// The shortest run that may be secret by its shape.
fn shortest_run(hex_run: usize, base64_run: usize) -> Option<usize> {
    [hex_run, base64_run].into_iter().filter(|run| *run > 0).min()
}

/// What ends a bare value.
const VALUE_ENDS: &[char] = &[' ', '\t', '\n', '\r', '"', '\'', ',', ';', '&', ')', '}'];

/// Where a value that begins at `start` ends: before the first of `ends`, or with the text.
fn end_before(text: &str, start: usize, ends: &[char]) -> usize {
    let value = text.get(start..).unwrap_or_default();
    start + value.find(ends).unwrap_or(value.len())
}

/// Whether `word` is in `list`, in whatever letter case.
fn listed(list: &[String], word: &[u8]) -> bool {
    list.iter()
        .any(|entry| entry.len() == word.len() && entry.as_bytes().eq_ignore_ascii_case(word))
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

#[cfg(test)]
#[path = "redactor_tests.rs"]
mod tests;
