//! Where keys and values begin and end within a text.

use core::ops::Range;

use super::runs::in_word;

/// Index of the first byte at or behind `at` that is not `meant`, or the end.
pub(super) fn skip(text: &[u8], at: usize, meant: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !meant(*byte)).unwrap_or(rest.len())
}

/// Index behind the last byte that is `meant`, at least `from`.
pub(super) fn behind_last(text: &[u8], from: usize, meant: impl Fn(u8) -> bool) -> usize {
    let tail = text.get(from..).unwrap_or_default();
    from + tail.iter().rposition(|byte| meant(*byte)).map_or(0, |at| at + 1)
}

/// The value that begins at `start`, with brackets, without quotes; `None` if it is empty.
///
/// In quotes it goes to the next one that is not escaped, in brackets to those that close them,
/// else to the end of the word or, if words may follow (`key: two words`), of the line or list.
/// What is not closed goes to the end of the text.
pub(super) fn value(text: &[u8], start: usize, words_may_follow: bool) -> Option<Range<usize>> {
    let value = match *text.get(start)? {
        quote @ (b'"' | b'\'' | b'`') => start + 1..quoted(text, start + 1, quote),
        b'\\' => {
            let inner = skip(text, start, |byte| matches!(byte, b'\\' | b'"' | b'\''));
            inner..skip(text, inner, |byte| !matches!(byte, b'\\' | b'"' | b'\''))
        }
        b'[' | b'{' | b'(' => start..brackets(text, start),
        _ if words_may_follow => start..line(text, start),
        _ => start..word(text, start),
    };
    (!value.is_empty()).then_some(value)
}

/// Where a text in quotes ends.
fn quoted(text: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start;
    loop {
        match text.get(at) {
            None => return text.len(),
            Some(byte) if *byte == quote => return at,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// Where what opens at `start` is closed; brackets in quotes do not count.
fn brackets(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match text.get(at) {
            None => return text.len(),
            Some(quote @ (b'"' | b'\'')) => at = quoted(text, at + 1, *quote),
            Some(b'[' | b'{' | b'(') => depth += 1,
            Some(b']' | b'}' | b')') => depth -= 1,
            Some(_) => {}
        }
        if depth == 0 {
            return at + 1;
        }
        at += 1;
    }
}

/// Where a bare value of several words ends: with its line or its place in a list.
fn line(text: &[u8], start: usize) -> usize {
    until(text, start, |byte| matches!(byte, b'\n' | b'"' | b'\'' | b'&' | b')' | b'}' | b']'))
}

/// Where a bare value of one word ends.
pub(super) fn word(text: &[u8], start: usize) -> usize {
    until(text, start, |byte| {
        matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'&' | b')' | b'}' | b']')
    })
}

/// Where a value ends that ends before what is `meant`, or where a list goes on: a secret may have
/// a comma or a semicolon in it.
fn until(text: &[u8], start: usize, meant: impl Fn(u8) -> bool) -> usize {
    let mut at = start;
    loop {
        at = skip(text, at, |byte| !meant(byte) && !matches!(byte, b',' | b';'));
        match text.get(at) {
            Some(b',' | b';') if !goes_on(text, at + 1) => at += 1,
            _ => return at,
        }
    }
}

/// Whether a list goes on behind a comma: with a blank or another key, or not at all.
fn goes_on(text: &[u8], behind: usize) -> bool {
    let key_end = skip(text, behind, |byte| in_word(byte) || matches!(byte, b'.' | b'"' | b'\''));
    let key_is_there = key_end > behind && matches!(text.get(key_end), Some(b'=' | b':'));
    key_is_there || text.get(behind).is_none_or(|byte| *byte <= b' ')
}

/// Where an armored key ends whose first line begins before `from`: behind the line that ends it,
/// or with the text.
pub(super) fn armor(text: &[u8], from: usize) -> usize {
    let find = |what: &[u8], from: usize| {
        let rest = text.get(from..)?;
        rest.windows(what.len()).position(|window| window == what).map(|at| from + at + what.len())
    };
    let end = find(b"-----END", from).and_then(|end| find(b"-----", end));
    end.unwrap_or(text.len())
}
