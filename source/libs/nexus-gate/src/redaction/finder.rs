use alloc::boxed::Box;
use alloc::string::String;
use core::ops::Range;

use nexus_recipe::Redaction;
use nexus_wire::{FieldBounds, is_identity_key};

use super::REDACTED;
use super::anchors::Anchors;
use super::ends;
use super::keys::{Keys, Verdict};
use super::known::{Judged, Known, Short};
use super::runs::{in_word, next_run};
use super::texts::KnownTexts;
use super::values::{Value, Values};

/// Finds the parts of a text that must go.
pub(super) struct Finder {
    keys: Keys,
    pub(super) known: Known,
    pub(super) values: Values,
    texts: KnownTexts,
    prefixes: Box<[Prefix]>,
    pub(super) anchors: Anchors,
    hex_run: usize,
    base64_run: usize,
    /// The shortest run that may be secret by its shape.
    run_min: Option<usize>,
    /// The same for the quick look, which cannot see them shorter than it does.
    run_seen: usize,
    short_runs: bool,
    /// Shorter texts are looked at more quickly than known, and have no such run.
    quick_bytes: usize,
    /// Whether numbers have nothing secret in them that are no longer than a [`Value`].
    pub(super) numbers_are_clean: bool,
}

/// A denied prefix.
struct Prefix {
    text: String,
    /// The byte by which it is found.
    anchor_at: usize,
    anchor: u8,
    /// It begins an armored key, which goes to its end and not only to that of the word.
    is_armor: bool,
}

/// Shorter texts are not looked at: a key of three letters, a joint and a value take as much.
pub(super) const SHORTEST: usize = 5;

/// Letters of English from frequent to rare (Lewand, *Cryptological Mathematics*, 2000); whatever
/// is no letter is rarer than all, and capitals are rarer than small ones.
const FREQUENT_FIRST: &[u8] = b" etaoinshrdlcumwfgypbvkjxqz";

impl Prefix {
    fn new(text: &str) -> Option<Self> {
        let rarity = |byte: u8| {
            let letter = byte.to_ascii_lowercase();
            let frequent = FREQUENT_FIRST.iter().position(|frequent| *frequent == letter);
            (frequent.is_none(), byte.is_ascii_uppercase(), frequent)
        };
        let (anchor_at, anchor) = text.bytes().enumerate().max_by_key(|(_, byte)| rarity(*byte))?;
        let is_armor = text.starts_with("-----");
        Some(Self { text: String::from(text), anchor_at, anchor, is_armor })
    }

    /// Whether it is the name of a scheme and a blank, and this is that name in whatever case
    /// (RFC 9110, section 11.1).
    fn is_scheme(&self, name: &[u8]) -> bool {
        self.text.strip_suffix(' ').is_some_and(|own| own.as_bytes().eq_ignore_ascii_case(name))
    }
}

impl Finder {
    pub(super) fn new(rules: &Redaction) -> Self {
        let prefixes: Box<[Prefix]> =
            rules.deny_prefixes.iter().filter_map(|text| Prefix::new(text)).collect();
        let (hex_run, base64_run) = (rules.hex_run as usize, rules.base64_run as usize);
        let anchors = Anchors::new(prefixes.iter().map(|prefix| prefix.anchor));
        let run_min = [hex_run, base64_run].into_iter().filter(|run| *run > 0).min();
        Self {
            keys: Keys::new(&rules.deny_keys, &rules.allow_keys),
            known: Known::new(),
            values: Values::new(),
            texts: KnownTexts::new(),
            numbers_are_clean: !anchors.any_in(Value::BYTES_OF_NUMBERS)
                && run_min.is_none_or(|min| min > Value::BYTES_MAX),
            anchors,
            prefixes,
            hex_run,
            base64_run,
            run_min,
            run_seen: run_min.unwrap_or(usize::MAX).max(Anchors::RUN_MIN),
            quick_bytes: KnownTexts::WORTH_BYTES.min(run_min.unwrap_or(usize::MAX)),
            short_runs: run_min.is_some_and(|min| min < Anchors::RUN_MIN),
        }
    }

    /// Bytes of memory that the rules take.
    pub(super) fn bytes(rules: &Redaction) -> usize {
        let prefixes = rules.deny_prefixes.iter().map(|text| size_of::<Prefix>() + text.len());
        let kept = Known::bytes() + Values::bytes() + KnownTexts::bytes();
        Keys::bytes(&rules.deny_keys, &rules.allow_keys) + kept + prefixes.sum::<usize>()
    }

    /// Whether texts and fields may be stored. One call for both: it costs as much as a field.
    #[inline(never)]
    pub(super) fn passes(
        &mut self,
        texts: &[u8],
        first_len: usize,
        fields: &[u8],
        bounds: &FieldBounds,
    ) -> bool {
        self.are_clean(texts, first_len) && self.knows(fields, bounds)
    }

    /// Whether nothing is secret in either of two texts that lie one behind the other.
    #[inline(always)]
    pub(super) fn are_clean(&mut self, texts: &[u8], first_len: usize) -> bool {
        texts.len() < self.quick_bytes && !self.anchors.any_in(texts)
            || self.texts.has(texts, first_len)
            || self.are_found_clean(texts, first_len)
    }

    #[inline(never)]
    fn are_found_clean(&mut self, texts: &[u8], first_len: usize) -> bool {
        let (first, second) = texts.split_at_checked(first_len).unwrap_or((texts, &[]));
        let are_clean = self.is_plain(texts) || self.is_clean(first) && self.is_clean(second);
        if are_clean {
            self.texts.learn(texts, first_len);
        }
        are_clean
    }

    /// Whether `text` has surely nothing secret in it: no byte at which a secret could be found,
    /// and no run that is long enough to be secret by its shape. Texts that lie one behind the
    /// other may be asked of as one.
    #[inline]
    pub(super) fn is_plain(&self, text: &[u8]) -> bool {
        text.len() < SHORTEST
            || self.anchors.is_plain(text, self.run_seen)
                && !(self.short_runs && self.has_run(text))
    }

    #[cold]
    fn has_run(&self, text: &[u8]) -> bool {
        self.run_min.is_some_and(|min| next_run(text, 0, min).is_some())
    }

    /// What there is to say about a key.
    pub(super) fn judge(&mut self, key: &[u8]) -> Judged {
        let short = Short::of(key);
        short.and_then(|short| self.known.get(short)).unwrap_or_else(|| self.judge_anew(key, short))
    }

    #[cold]
    fn judge_anew(&mut self, key: &[u8], short: Option<Short>) -> Judged {
        let begins_secret = (0..key.len()).any(|at| self.prefixed_around(key, 0, at).is_some());
        let is_secret = begins_secret || self.next_shaped(key, 0).is_some();
        let is_legal = is_legal_key(key);
        let judged = Judged { verdict: self.keys.verdict(key), is_secret, is_legal };
        if let Some(short) = short {
            self.known.keep(short, judged);
        }
        judged
    }

    /// Whether a key is itself something secret.
    pub(super) fn key_is_secret(&mut self, key: &[u8]) -> bool {
        self.judge(key).is_secret
    }

    /// Whether neither a key nor its value is or has something secret.
    pub(super) fn pair_is_clean(&mut self, key: &[u8], value: &[u8]) -> bool {
        let judged = self.judge(key);
        self.value_is_clean(judged, value)
    }

    /// Whether a value has nothing secret in it, nor its key, of which this is known.
    #[inline]
    pub(super) fn value_is_clean(&mut self, key: Judged, value: &[u8]) -> bool {
        match key {
            Judged { is_secret: true, .. } => false,
            Judged { verdict: Verdict::Plain, .. } => self.is_clean(value),
            Judged { verdict: Verdict::Allowed, .. } => {
                !self.anchors.any_in(value) || self.next_anchored(value, 0).is_none()
            }
            Judged { verdict: Verdict::Secret, .. } => value == REDACTED.as_bytes(),
        }
    }

    /// Whether nothing in a text is secret.
    #[inline]
    pub(super) fn is_clean(&mut self, text: &[u8]) -> bool {
        self.is_plain(text) || !self.has_secret(text)
    }

    /// Whether something in a text is secret.
    #[cold]
    fn has_secret(&mut self, text: &[u8]) -> bool {
        self.next(text, 0).is_some()
    }

    /// The next part of a text, from `from` on, that must go: a word that looks or begins secret,
    /// or the value behind a secret key.
    pub(super) fn next(&mut self, text: &[u8], from: usize) -> Option<Range<usize>> {
        if text.len() < SHORTEST {
            return None;
        }
        let found = [self.next_shaped(text, from), self.next_anchored(text, from)];
        // Of two that begin together the longer one.
        found.into_iter().flatten().min_by_key(|found| (found.start, usize::MAX - found.end))
    }

    /// The next secret that is found by one of its bytes.
    fn next_anchored(&mut self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let mut at = from;
        loop {
            at = self.anchors.next(text, at)?;
            let found = match text.get(at)? {
                b'=' => self.value_behind(text, from, at),
                b':' => self.value_behind(text, from, at).or_else(|| password_of_user(text, at)),
                b'-' => self.value_of_flag(text, from, at),
                _ => None,
            };
            let found = found.or_else(|| self.prefixed_around(text, from, at));
            if found
                .as_ref()
                .is_some_and(|found| text.get(found.clone()) != Some(REDACTED.as_bytes()))
            {
                return found;
            }
            at += 1;
        }
    }

    /// The value behind the joint of `key=value`, `key: value`, `"key": "value"` or `key["a"] =
    /// ..`, if the key is secret.
    fn value_behind(&mut self, text: &[u8], from: usize, joint: usize) -> Option<Range<usize>> {
        let key_end = ends::behind_last(text.get(..joint)?, from, |byte| {
            !matches!(byte, b' ' | b'"' | b'\'' | b'`' | b'\\' | b']' | b')')
        });
        let before = text.get(..key_end)?;
        let key_start = ends::behind_last(before, from, |byte| !(in_word(byte) || byte == b'.'));
        if self.judge(before.get(key_start..)?).verdict != Verdict::Secret {
            return None;
        }
        let is_list = *text.get(joint)? == b':';
        let start = ends::skip(text, joint, |byte| matches!(byte, b'=' | b':' | b'>' | b' '));
        let value = ends::value(text, start, is_list)?;
        let word = text.get(value.clone())?;
        if text.get(value.end) == Some(&b' ') && self.prefixes.iter().any(|p| p.is_scheme(word)) {
            return Some(value.start..ends::word(text, value.end + 1));
        }
        Some(value)
    }

    /// The value of `--key value`, if the key is secret; `--key=value` has a joint.
    fn value_of_flag(&mut self, text: &[u8], from: usize, dash: usize) -> Option<Range<usize>> {
        let begins = dash <= from || !in_word(*text.get(dash - 1)?);
        let key = ends::skip(text, dash, |byte| byte == b'-');
        let key_end = ends::skip(text, key, |byte| in_word(byte) || byte == b'.');
        let is_flag = begins && *text.get(key_end)? == b' ';
        if !is_flag || self.judge(text.get(key..key_end)?).verdict != Verdict::Secret {
            return None;
        }
        let start = ends::skip(text, key_end, |byte| byte == b' ');
        if *text.get(start)? == b'-' { None } else { ends::value(text, start, false) }
    }

    /// A word with a denied prefix whose anchor is the byte at `at`.
    fn prefixed_around(&self, text: &[u8], from: usize, at: usize) -> Option<Range<usize>> {
        let byte = *text.get(at)?;
        self.prefixes.iter().find_map(|prefix| {
            if byte != prefix.anchor {
                return None;
            }
            let start = at.checked_sub(prefix.anchor_at).filter(|start| *start >= from)?;
            let begins = start == 0 || text.get(start - 1).is_some_and(|byte| !in_word(*byte));
            let end = start + prefix.text.len();
            if !begins || text.get(start..end)? != prefix.text.as_bytes() {
                return None;
            }
            let end = if prefix.is_armor { ends::armor(text, end) } else { ends::word(text, end) };
            Some(start..end)
        })
    }

    /// The next run that looks like hexadecimal or base64 of something long.
    fn next_shaped(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let min = self.run_min?;
        let mut at = from;
        loop {
            let (start, end) = next_run(text, at, min)?;
            let run = text.get(start..end)?;
            if self.is_hex(run) || self.is_base64(run) {
                return Some(start..end);
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

/// Whether fields may have this key.
fn is_legal_key(key: &[u8]) -> bool {
    let legal = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    let text = core::str::from_utf8(key).unwrap_or_default();
    key.iter().all(legal) && !text.is_empty() && !is_identity_key(text)
}

/// What stands between the colon and the `@` of `user:password@host`.
fn password_of_user(text: &[u8], colon: usize) -> Option<Range<usize>> {
    let start = colon + 1;
    let end =
        ends::skip(text, start, |byte| !matches!(byte, b'@' | b'/' | b'"' | b'\'' | 0..=b' '));
    (end > start && *text.get(end)? == b'@').then_some(start..end)
}
