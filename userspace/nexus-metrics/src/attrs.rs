//! Attributes of spans: lines of text, written straight into the words of a span's slot.

use alloc::string::String;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nexus_wire::LABELS_BYTES_MAX;

use crate::limits::{ATTRS_MAX, VALUE_BYTES_MAX};
use crate::record::{ATTR_WORDS, AttrText};

/// What may be an attribute's value: text, numbers and truth. A [`crate::Secret`] may not.
///
/// A newline in a text is written as `\n`, two characters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an attribute of a span",
    note = "attributes are text, integers and `bool`; format other values yourself, secrets never"
)]
pub trait AttrValue {
    /// Writes the value and the end of its line.
    #[doc(hidden)]
    fn write_line(&self, out: &mut AttrWriter<'_>);
}

/// How far a span's attributes are written.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Written {
    pub(crate) bytes: u16,
    lines: u16,
}

/// Writes one line: `key=value\n`. Bytes gather in a word, and whole words are stored: reading
/// them back word by word right after is then as fast as it can be.
#[doc(hidden)]
pub struct AttrWriter<'a> {
    words: &'a [AtomicU64; ATTR_WORDS],
    len: usize,
    /// The bytes behind the last whole word.
    word: u64,
    fits: bool,
}

/// Appends a line behind what is `written`, or nothing and `false` if it does not fit.
#[inline]
pub(crate) fn append(
    words: &[AtomicU64; ATTR_WORDS],
    written: &mut Written,
    key: &str,
    value: &(impl AttrValue + ?Sized),
) -> bool {
    let mut writer = AttrWriter::after(words, usize::from(written.bytes));
    writer.bytes_and(key.as_bytes(), b'=');
    let value_at = writer.len;
    value.write_line(&mut writer);
    writer.fits &= writer.len - value_at <= VALUE_BYTES_MAX + 1;
    let fits = writer.fits && usize::from(written.lines) < ATTRS_MAX;
    if fits {
        writer.store_rest();
        *written = Written { bytes: writer.len as u16, lines: written.lines + 1 };
    }
    fits
}

impl<'a> AttrWriter<'a> {
    #[inline]
    fn after(words: &'a [AtomicU64; ATTR_WORDS], len: usize) -> Self {
        let kept = (1 << (len % 8 * 8)) - 1;
        let word = words.get(len / 8).map_or(0, |word| word.load(Relaxed)) & kept;
        Self { words, len, word, fits: true }
    }

    /// Appends the `count` low bytes of `bytes`, 1 to 8; the others are 0.
    #[inline]
    fn put(&mut self, bytes: u64, count: usize) {
        let used = self.len % 8;
        if self.len + count > LABELS_BYTES_MAX {
            self.fits = false;
            return;
        }
        self.word |= bytes << (used * 8);
        if used + count >= 8 {
            self.store_rest();
            self.word = if used == 0 { 0 } else { bytes >> (64 - used * 8) };
        }
        self.len += count;
    }

    /// Stores the word that is being filled.
    #[inline]
    fn store_rest(&self) {
        if let Some(word) = self.words.get(self.len / 8) {
            word.store(self.word, Relaxed);
        }
    }

    /// Appends bytes and one more.
    #[inline]
    fn bytes_and(&mut self, bytes: &[u8], last: u8) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.put(u64::from_ne_bytes(*chunk).to_le(), 8);
        }
        let last = u64::from(last);
        let word = rest.iter().rev().fold(last, |word, byte| word << 8 | u64::from(*byte));
        self.put(word, rest.len() + 1);
    }

    #[inline]
    fn text_line(&mut self, text: &str) {
        if text.as_bytes().contains(&b'\n') {
            return self.escaped_line(text);
        }
        self.bytes_and(text.as_bytes(), b'\n');
    }

    #[cold]
    fn escaped_line(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.put(u64::from(b'\\') | u64::from(b'n') << 8, 2);
            } else {
                self.put(u64::from(byte), 1);
            }
        }
        self.put(u64::from(b'\n'), 1);
    }

    #[inline]
    fn decimal_line(&mut self, value: u64) {
        if value < TEN_MILLION {
            let (word, count) = digits(value, 1);
            return self.put(word | u64::from(b'\n') << (count * 8), count + 1);
        }
        self.long_decimal(value / TEN_MILLION);
        let (word, count) = digits(value % TEN_MILLION, 7);
        self.put(word | u64::from(b'\n') << (count * 8), count + 1);
    }

    #[cold]
    fn long_decimal(&mut self, value: u64) {
        if value >= TEN_MILLION {
            self.long_decimal(value / TEN_MILLION);
        }
        let least = if value >= TEN_MILLION { 7 } else { 1 };
        let (word, count) = digits(value % TEN_MILLION, least);
        self.put(word, count);
    }
}

/// Seven digits and a newline fill a word.
const TEN_MILLION: u64 = 10_000_000;

/// At least `least` digits of a number below ten million, and how many they are.
#[inline]
fn digits(mut value: u64, least: usize) -> (u64, usize) {
    let (mut word, mut count) = (0, 0);
    while value > 0 || count < least {
        word = word << 8 | (u64::from(b'0') + value % 10);
        value /= 10;
        count += 1;
    }
    (word, count)
}

/// Whether a line of this key is in the text.
pub(crate) fn has(text: &str, key: &str) -> bool {
    lines(text).any(|line| line.split_once('=').is_some_and(|(name, _)| name == key))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

/// The lines sorted, as frames want them, at the front of `out`.
pub(crate) fn sorted<'b>(text: &str, out: &'b mut AttrText) -> &'b [u8] {
    let mut sorted = [""; ATTRS_MAX];
    let mut count = 0;
    for (line, place) in lines(text).zip(&mut sorted) {
        *place = line;
        count += 1;
    }
    let sorted = sorted.get_mut(..count).unwrap_or_default();
    sorted.sort_unstable_by_key(|line| line.split('=').next());
    *out = AttrText::EMPTY;
    for line in sorted {
        // They fitted before.
        out.push(line.as_bytes());
    }
    out.as_bytes()
}

impl AttrValue for str {
    #[inline]
    fn write_line(&self, out: &mut AttrWriter<'_>) {
        out.text_line(self);
    }
}

impl AttrValue for String {
    #[inline]
    fn write_line(&self, out: &mut AttrWriter<'_>) {
        out.text_line(self);
    }
}

impl AttrValue for bool {
    #[inline]
    fn write_line(&self, out: &mut AttrWriter<'_>) {
        out.text_line(if *self { "true" } else { "false" });
    }
}

impl<T: AttrValue + ?Sized> AttrValue for &T {
    #[inline]
    fn write_line(&self, out: &mut AttrWriter<'_>) {
        (**self).write_line(out);
    }
}

macro_rules! integers {
    ($($unsigned:ty, $signed:ty;)*) => {$(
        impl AttrValue for $unsigned {
            #[inline]
            fn write_line(&self, out: &mut AttrWriter<'_>) {
                out.decimal_line(*self as u64);
            }
        }

        impl AttrValue for $signed {
            #[inline]
            fn write_line(&self, out: &mut AttrWriter<'_>) {
                if *self < 0 {
                    out.put(u64::from(b'-'), 1);
                }
                out.decimal_line(self.unsigned_abs() as u64);
            }
        }
    )*};
}

integers! {
    u8, i8;
    u16, i16;
    u32, i32;
    u64, i64;
    usize, isize;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    struct Lines {
        words: [AtomicU64; ATTR_WORDS],
        written: Written,
    }

    impl Lines {
        fn new() -> Self {
            let words = [const { AtomicU64::new(u64::MAX) }; ATTR_WORDS];
            Self { words, written: Written::default() }
        }

        fn append(&mut self, key: &str, value: &(impl AttrValue + ?Sized)) -> bool {
            append(&self.words, &mut self.written, key, value)
        }

        fn text(&self) -> AttrText {
            AttrText::from_words(self.written.bytes, |at| self.words[at].load(Relaxed))
        }
    }

    #[test]
    fn values_are_written_as_one_line_each() {
        let mut lines = Lines::new();
        assert!(lines.append("s", "a\nb"));
        assert!(lines.append("min", &i64::MIN));
        assert!(lines.append("max", &u64::MAX));
        assert!(lines.append("zero", &0u8));
        assert!(lines.append("yes", &true));
        let expected =
            "s=a\\nb\nmin=-9223372036854775808\nmax=18446744073709551615\nzero=0\nyes=true\n";
        assert_eq!(lines.text().as_str(), expected);
    }

    proptest! {
        #[test]
        fn lines_that_fit_are_there_and_others_leave_nothing(
            values in prop::collection::vec(
                prop_oneof!["[a-zäß]{0,40}", any::<u64>().prop_map(|n| n.to_string())],
                0..9,
            )
        ) {
            let mut lines = Lines::new();
            let mut expected = String::new();
            for (at, value) in values.iter().enumerate() {
                let line = alloc::format!("k{at}={value}\n");
                let fits = expected.len() + line.len() <= LABELS_BYTES_MAX;
                let number = value.parse::<u64>().ok().filter(|n| n.to_string() == *value);
                let key = alloc::format!("k{at}");
                let appended = match number {
                    Some(number) => lines.append(&key, &number),
                    None => lines.append(&key, value),
                };
                prop_assert_eq!(appended, fits);
                expected.push_str(if fits { &line } else { "" });
                let text = lines.text();
                prop_assert_eq!(text.as_str(), &*expected);
            }
        }
    }

    #[test]
    fn a_value_that_is_too_long_is_left_out() {
        let mut lines = Lines::new();
        assert!(!lines.append("a", &*"x".repeat(VALUE_BYTES_MAX + 1)));
        assert!(lines.append("a", &*"x".repeat(VALUE_BYTES_MAX)));
    }

    #[test]
    fn lines_are_sorted_by_key() {
        let mut out = AttrText::EMPTY;
        assert_eq!(sorted("b=1\na.b=2\na=3\n", &mut out), b"a=3\na.b=2\nb=1\n");
        assert!(nexus_wire::Fields::parse(out.as_bytes()).is_ok());
    }

    #[test]
    fn a_span_has_no_seventeenth_attribute() {
        let mut lines = Lines::new();
        let keys: Vec<_> = (0..ATTRS_MAX).map(|at| alloc::format!("k{at}")).collect();
        assert!(keys.iter().all(|key| lines.append(key, &1)));
        assert!(!lines.append("more", &1));
    }
}
