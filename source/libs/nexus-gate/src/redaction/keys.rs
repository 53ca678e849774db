use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// What a key says of its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing.
    Plain,
    /// It is no secret, whatever its shape.
    Allowed,
    /// It is secret.
    Secret,
}

/// Which keys have secret values.
///
/// A key is read as words: `api_key`, `api.key`, `apiKey`, `API-KEY` and `apikey2` are the same. It
/// is secret if denied words stand in it one behind the other, in the singular or the plural, or if
/// a word of it ends in a long denied one (`dbpassword`).
pub(super) struct Keys {
    /// Letters only.
    denied: Box<[Box<[u8]>]>,
    allowed: Box<[String]>,
}

/// What metricsd puts before keys of labels and attributes when it exports them.
const EXPORTED: [&[u8]; 2] = [b"label.", b"attr."];

/// A denied word of so many letters is also seen at the end of a longer one.
const ENDING: usize = 5;

impl Keys {
    pub(super) fn new(denied: &[String], allowed: &[String]) -> Self {
        Self {
            denied: denied.iter().map(|entry| letters_of(entry)).collect(),
            allowed: allowed.into(),
        }
    }

    /// Bytes of memory that they take.
    pub(super) fn bytes(denied: &[String], allowed: &[String]) -> usize {
        let denied = denied.iter().map(|key| size_of::<Box<[u8]>>() + letters(key).count());
        denied.chain(allowed.iter().map(|key| size_of::<String>() + key.len())).sum()
    }

    /// The verdict on `key`.
    pub(super) fn verdict(&self, key: &[u8]) -> Verdict {
        let bare = EXPORTED.iter().find_map(|front| key.strip_prefix(*front)).unwrap_or(key);
        let is_allowed = |entry: &String| {
            [key, bare].iter().any(|key| entry.as_bytes().eq_ignore_ascii_case(key))
        };
        if self.allowed.iter().any(is_allowed) {
            return Verdict::Allowed;
        }
        if self.denied.iter().any(|denied| has(key, denied)) {
            Verdict::Secret
        } else {
            Verdict::Plain
        }
    }
}

/// Letters of keys; whatever is not ASCII counts as one.
const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

/// The letters of `key`, in no more room than they need.
fn letters_of(key: &str) -> Box<[u8]> {
    let mut all = Vec::with_capacity(letters(key).count());
    all.extend(letters(key));
    all.into_boxed_slice()
}

fn letters(key: &str) -> impl Iterator<Item = u8> {
    key.bytes().filter(|byte| is_letter(*byte))
}

/// Whether `denied` stands in a key.
fn has(key: &[u8], denied: &[u8]) -> bool {
    let mut words = Words { rest: key };
    loop {
        if spells(words.clone(), denied) {
            return true;
        }
        match words.next() {
            Some(word) if denied.len() >= ENDING => {
                let ending = word.len().checked_sub(denied.len()).and_then(|at| word.get(at..));
                if ending.is_some_and(|ending| ending.eq_ignore_ascii_case(denied)) {
                    return true;
                }
            }
            Some(_) => {}
            None => return false,
        }
    }
}

/// Whether `words` begin with such that spell `denied`, the last one maybe in the plural.
fn spells(words: Words<'_>, denied: &[u8]) -> bool {
    let mut rest = denied;
    for word in words {
        let (Some((front, more)), Some((same, left))) = (
            word.split_at_checked(word.len().min(rest.len())),
            rest.split_at_checked(word.len().min(rest.len())),
        ) else {
            return false;
        };
        if !front.eq_ignore_ascii_case(same) {
            return false;
        }
        if left.is_empty() {
            return matches!(more, [] | [b's' | b'S']);
        }
        rest = left;
    }
    false
}

/// The words of a key: letters between other bytes, and between small and capital ones.
#[derive(Clone)]
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|byte| is_letter(*byte))?;
        let text = self.rest.get(start..)?;
        let (word, rest) = text.split_at_checked(word_len(text))?;
        self.rest = rest;
        Some(word)
    }
}

/// Bytes of the word that `text` begins with. `fooBar` has two, and so has `HTTPServer`.
fn word_len(text: &[u8]) -> usize {
    let ends = |triple: &[u8]| match triple {
        [_, next, ..] if !is_letter(*next) => true,
        [before, next, ..] if before.is_ascii_lowercase() && next.is_ascii_uppercase() => true,
        [before, next, behind] => {
            before.is_ascii_uppercase() && next.is_ascii_uppercase() && behind.is_ascii_lowercase()
        }
        _ => false,
    };
    let end = (0..text.len()).find(|at| {
        let until = text.len().min(at + 3);
        text.get(*at..until).is_some_and(ends)
    });
    end.map_or(text.len(), |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn words(key: &str) -> Vec<&str> {
        Words { rest: key.as_bytes() }.map(|word| core::str::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn a_key_is_words_between_joints_digits_and_capitals() {
        assert_eq!(words("api_key"), ["api", "key"]);
        assert_eq!(words("stripeApiKey2"), ["stripe", "Api", "Key"]);
        assert_eq!(words("HTTPServer.URL"), ["HTTP", "Server", "URL"]);
        assert_eq!(words("--x-aws.s3"), ["x", "aws", "s"]);
        assert_eq!(words("_1."), Vec::<&str>::new());
        assert_eq!(words("schl\u{fc}ssel"), ["schl\u{fc}ssel"]);
    }

    fn keys() -> Keys {
        let list = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        Keys::new(
            &list(&["password", "token", "api_key", "pwd", "private-key"]),
            &list(&["token_count", "trace"]),
        )
    }

    #[test]
    fn denied_words_are_seen_in_whatever_way_a_key_is_written() {
        for key in [
            "password",
            "PASSWORD",
            "db.password",
            "passwords",
            "password_hash",
            "userPassword",
            "dbpassword",
            "token2",
            "x-token",
            "accessToken",
            "api_key",
            "apikey",
            "api.key",
            "stripe_api_key",
            "stripeApiKey",
            "STRIPE_API_KEYS",
            "api-key-id",
            "pwd",
            "PWD",
            "privateKey",
            "label.password",
            "attr.x_token",
            "token_counter",
        ] {
            assert_eq!(keys().verdict(key.as_bytes()), Verdict::Secret, "{key}");
        }
    }

    #[test]
    fn other_words_say_nothing_and_allowed_keys_are_allowed_also_when_exported() {
        for key in
            ["", "_", "pass", "keys", "api", "key_api", "tokenizer", "mypwd", "private_x_key"]
        {
            assert_eq!(keys().verdict(key.as_bytes()), Verdict::Plain, "{key}");
        }
        for key in ["token_count", "TOKEN_COUNT", "trace", "label.token_count", "attr.trace"] {
            assert_eq!(keys().verdict(key.as_bytes()), Verdict::Allowed, "{key}");
        }
        assert_eq!(keys().verdict(b"x.token_count"), Verdict::Secret);
    }
}
