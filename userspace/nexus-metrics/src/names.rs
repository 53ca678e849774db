//! Names that are checked while the program is compiled.

use nexus_wire::{LABELS_BYTES_MAX, NAME_BYTES_MAX, is_identity_key, is_key, same_text};

use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// Name of a metric or of a span, written in the source: a lower-case letter, then lower-case
/// letters, digits, `_`, `.` and `-`, 48 bytes at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StaticName(&'static str);

impl StaticName {
    /// The name in a literal.
    ///
    /// # Panics
    /// If it is not a name. In the macros that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn literal(text: &'static str) -> Self {
        assert!(!text.is_empty() && text.len() <= NAME_BYTES_MAX, "a name has 1 to 48 bytes");
        let begins = matches!(text.as_bytes(), [b'a'..=b'z', ..]);
        assert!(begins, "a name begins with a lower-case letter");
        assert!(is_key(text), "a name has only a-z, 0-9, `_`, `.` and `-`");
        Self(text)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Key of a label or of an attribute, written in the source: 1 to 32 of `a-z`, `0-9`, `_`, `.` and
/// `-`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StaticKey(&'static str);

impl StaticKey {
    /// The key in a literal.
    ///
    /// # Panics
    /// If it is not a key, or claims an identity. In the macros that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn literal(text: &'static str) -> Self {
        check_key(text);
        Self(text)
    }

    /// The key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Labels written in the source: keys and values, none twice.
#[derive(Clone, Copy, Debug)]
pub struct StaticLabels(&'static [(&'static str, &'static str)]);

impl StaticLabels {
    /// The labels in literals.
    ///
    /// # Panics
    /// If a key is none or comes twice, a value has control characters, or all together are
    /// longer than 192 bytes. In the macros that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn literal(pairs: &'static [(&'static str, &'static str)]) -> Self {
        let mut bytes = 0;
        let mut rest = pairs;
        while let [(key, value), after @ ..] = rest {
            check_key(key);
            assert!(is_one_line(value), "a label's value has no control characters");
            assert!(value.len() <= VALUE_BYTES_MAX, "a label's value has at most 128 bytes");
            assert!(!has_key(after, key), "a label comes once");
            bytes += key.len() + value.len() + 2;
            rest = after;
        }
        assert!(bytes <= LABELS_BYTES_MAX, "labels have at most 192 bytes");
        Self(pairs)
    }

    /// Keys and values as written.
    #[must_use]
    pub const fn pairs(self) -> &'static [(&'static str, &'static str)] {
        self.0
    }
}

#[track_caller]
const fn check_key(text: &str) {
    assert!(!text.is_empty() && text.len() <= KEY_BYTES_MAX, "a key has 1 to 32 bytes");
    assert!(is_key(text), "a key has only a-z, 0-9, `_`, `.` and `-`");
    assert!(!is_identity_key(text), "who records is stamped by the system, not said in a key");
}

/// Whether one of the pairs has this key.
const fn has_key(pairs: &[(&str, &str)], key: &str) -> bool {
    let mut rest = pairs;
    while let [(other, _), after @ ..] = rest {
        if same_text(other, key) {
            return true;
        }
        rest = after;
    }
    false
}

/// Checks that no key comes twice; for the keys of one call.
///
/// # Panics
/// If one does. In the macros that is a compile error.
#[doc(hidden)]
#[track_caller]
pub const fn distinct(keys: &[StaticKey]) {
    let mut keys = keys;
    while let [key, after @ ..] = keys {
        let mut others = after;
        while let [other, more @ ..] = others {
            assert!(!same_text(key.0, other.0), "a key comes once");
            others = more;
        }
        keys = after;
    }
}

const fn is_one_line(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        if byte.is_ascii_control() {
            return false;
        }
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a label comes once")]
    fn a_label_that_comes_twice_is_refused() {
        assert!(!StaticLabels::literal(&[("a", "1"), ("b", "2"), ("a", "3")]).pairs().is_empty());
    }

    #[test]
    #[should_panic(expected = "control characters")]
    fn a_newline_in_a_label_is_refused() {
        assert!(!StaticLabels::literal(&[("a", "1\n")]).pairs().is_empty());
    }

    #[test]
    #[should_panic(expected = "begins with a lower-case letter")]
    fn a_name_that_begins_with_a_digit_is_refused() {
        assert_eq!(StaticName::literal("9lives").as_str(), "9lives");
    }
}
