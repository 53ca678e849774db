//! Names that are checked while the program is compiled.

use nexus_wire::{SCOPE_BYTES_MAX, is_identity_key, is_key, same_text};

/// Keys that this crate adds itself.
const OWN_KEYS: [&str; 5] = ["at_ns", "cut", "fields_cut", "span_id", "trace_id"];
const KEY_BYTES_MAX: usize = 32;

/// Where a record comes from, written in the source: 1 to 64 characters of ASCII, none of them a
/// control character. By custom the program's name, and behind dots its part: `execd.spawn`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StaticScope(&'static str);

impl StaticScope {
    /// The scope in a literal.
    ///
    /// # Panics
    /// If it is none. In the macros that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn literal(text: &'static str) -> Self {
        assert!(!text.is_empty() && text.len() <= SCOPE_BYTES_MAX, "a scope has 1 to 64 bytes");
        let mut rest = text.as_bytes();
        while let [byte, after @ ..] = rest {
            assert!(byte.is_ascii_graphic(), "a scope has only visible ASCII characters");
            rest = after;
        }
        Self(text)
    }

    /// The scope.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Key of a field, written in the source: 1 to 32 of `a-z`, `0-9`, `_`, `.` and `-`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StaticKey(&'static str);

impl StaticKey {
    /// The key in a literal.
    ///
    /// # Panics
    /// If it is none, claims an identity, or is one that this crate adds itself. In the macros
    /// that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn literal(text: &'static str) -> Self {
        assert!(!text.is_empty() && text.len() <= KEY_BYTES_MAX, "a key has 1 to 32 bytes");
        assert!(is_key(text), "a key has only a-z, 0-9, `_`, `.` and `-`");
        assert!(!is_identity_key(text), "who logs is stamped by the system, not said in a field");
        let mut own: &[&str] = &OWN_KEYS;
        while let [key, others @ ..] = own {
            assert!(!same_text(text, key), "this key is added by the library itself");
            own = others;
        }
        Self(text)
    }

    /// The key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Checks the keys of one record.
///
/// # Panics
/// If there are more than 16, or one comes twice. In the macros that is a compile error.
#[doc(hidden)]
#[track_caller]
pub const fn check_keys(keys: &[StaticKey]) {
    assert!(keys.len() <= crate::limits::FIELDS_MAX, "a record has at most 16 fields");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "added by the library")]
    fn a_key_of_the_library_is_refused() {
        assert_eq!(StaticKey::literal("span_id").as_str(), "span_id");
    }

    #[test]
    #[should_panic(expected = "visible ASCII")]
    fn a_scope_with_a_newline_is_refused() {
        assert_eq!(StaticScope::literal("a\nb").as_str(), "");
    }
}
