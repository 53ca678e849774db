use alloc::string::String;

use crate::limits::ATTRS_MAX;
use crate::names::StaticKey;
use crate::record::AttrText;

/// What may be an attribute's value: text, numbers and truth. A [`crate::Secret`] may not.
///
/// A newline in a text is written as `\n`, two characters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an attribute of a span",
    note = "attributes are text, integers and `bool`; format other values yourself, secrets never"
)]
pub trait AttrValue {
    /// Writes the value.
    #[doc(hidden)]
    fn write(&self, out: &mut AttrWriter<'_>);
}

/// Takes the text of one value.
#[doc(hidden)]
pub struct AttrWriter<'a> {
    text: &'a mut AttrText,
    fits: bool,
}

impl AttrWriter<'_> {
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.fits &= self.text.push(bytes);
    }

    #[inline]
    fn escaped(&mut self, text: &str) {
        if !text.as_bytes().contains(&b'\n') {
            return self.bytes(text.as_bytes());
        }
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.bytes(b"\\n");
            }
            self.bytes(line.as_bytes());
        }
    }

    fn decimal(&mut self, negative: bool, mut value: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        if negative {
            self.bytes(b"-");
        }
        self.bytes(&digits[first..]);
    }
}

/// Appends the line `key=value\n`, or nothing and `false` if it does not fit.
#[inline]
pub(crate) fn append(text: &mut AttrText, key: &str, value: &(impl AttrValue + ?Sized)) -> bool {
    let before = text.len();
    let mut writer = AttrWriter { text, fits: true };
    writer.bytes(key.as_bytes());
    writer.bytes(b"=");
    value.write(&mut writer);
    writer.bytes(b"\n");
    let fits = writer.fits && text.count_line();
    if !fits {
        text.truncate(before);
    }
    fits
}

/// Whether a line of this key is there.
pub(crate) fn has(text: &AttrText, key: StaticKey) -> bool {
    lines(text.as_str()).any(|line| line.split_once('=').is_some_and(|(k, _)| k == key.as_str()))
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
    let sorted = &mut sorted[..count];
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
    fn write(&self, out: &mut AttrWriter<'_>) {
        out.escaped(self);
    }
}

impl AttrValue for String {
    #[inline]
    fn write(&self, out: &mut AttrWriter<'_>) {
        out.escaped(self);
    }
}

impl AttrValue for bool {
    fn write(&self, out: &mut AttrWriter<'_>) {
        out.bytes(if *self { b"true" } else { b"false" });
    }
}

impl<T: AttrValue + ?Sized> AttrValue for &T {
    #[inline]
    fn write(&self, out: &mut AttrWriter<'_>) {
        (**self).write(out);
    }
}

macro_rules! integers {
    ($($unsigned:ty, $signed:ty;)*) => {$(
        impl AttrValue for $unsigned {
            #[inline]
            fn write(&self, out: &mut AttrWriter<'_>) {
                out.decimal(false, *self as u64);
            }
        }

        impl AttrValue for $signed {
            #[inline]
            fn write(&self, out: &mut AttrWriter<'_>) {
                out.decimal(*self < 0, self.unsigned_abs() as u64);
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

    fn text(lines: &[(&str, &dyn AttrValue)]) -> AttrText {
        let mut text = AttrText::EMPTY;
        for (key, value) in lines {
            assert!(append(&mut text, key, *value));
        }
        text
    }

    #[test]
    fn values_are_written_as_one_line_each() {
        let text = text(&[
            ("s", &"a\nb"),
            ("min", &i64::MIN),
            ("max", &u64::MAX),
            ("zero", &0u8),
            ("yes", &true),
        ]);
        let expected =
            "s=a\\nb\nmin=-9223372036854775808\nmax=18446744073709551615\nzero=0\nyes=true\n";
        assert_eq!(text.as_str(), expected);
    }

    #[test]
    fn a_line_that_does_not_fit_leaves_nothing_behind() {
        let mut text = text(&[("a", &"x".repeat(180))]);
        assert!(!append(&mut text, "b", "0123456789"));
        assert!(append(&mut text, "b", "012345"));
        assert_eq!(text.len(), 192);
    }

    #[test]
    fn lines_are_sorted_by_key() {
        let mut out = AttrText::EMPTY;
        assert_eq!(sorted("b=1\na.b=2\na=3\n", &mut out), b"a=3\na.b=2\nb=1\n");
        assert!(nexus_wire::Fields::parse(out.as_bytes()).is_ok());
    }

    #[test]
    fn a_span_has_no_seventeenth_attribute() {
        let mut text = AttrText::EMPTY;
        for at in 0..ATTRS_MAX {
            assert!(append(&mut text, &alloc::format!("k{at}"), &at));
        }
        let before = text.len();
        assert!(!append(&mut text, "more", &1));
        assert_eq!(text.len(), before);
    }
}
