//! Bytes looked at eight at a time: what stands in the way of every record has to be quick.
//!
//! A word holds eight bytes, the first one lowest. A function that means some of them sets the top
//! bit of each of those in its answer, and no other bit.

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = ONES << 7;

/// The eight bytes at `at`, the first one lowest; zeros behind the end.
#[inline]
#[must_use]
pub fn word_at(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(bytes, at),
    }
}

/// As above where fewer than eight bytes are left: the last eight of all, moved down.
#[inline]
fn last_word(bytes: &[u8], at: usize) -> u64 {
    let behind = 8_usize.saturating_sub(bytes.len().saturating_sub(at));
    match bytes.last_chunk::<8>() {
        Some(word) if behind < 8 => u64::from_le_bytes(*word) >> (8 * behind),
        Some(_) => 0,
        None => bytes
            .get(at..)
            .unwrap_or_default()
            .iter()
            .rev()
            .fold(0, |word, byte| (word << 8) | u64::from(*byte)),
    }
}

/// The eight bytes at `at` of a text of known length, the first one lowest; 0 if they are not all
/// there.
#[inline(always)]
#[must_use]
pub fn word_in<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    let word = bytes.get(at..at.saturating_add(8)).and_then(|word| word.first_chunk::<8>());
    word.map_or(0, |word| u64::from_le_bytes(*word))
}

/// A text, eight bytes after eight; zeros behind its end.
#[inline]
pub fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (whole, rest) = bytes.as_chunks::<8>();
    let last = (!rest.is_empty()).then(|| word_at(bytes, bytes.len() - rest.len()));
    whole.iter().map(|word| u64::from_le_bytes(*word)).chain(last)
}

/// Index, 0 to 7, of the lowest byte meant; 8 if none is.
#[inline]
#[must_use]
pub const fn lowest(meant: u64) -> usize {
    (meant.trailing_zeros() / 8) as usize
}

/// All bits of the bytes below the lowest one meant; of all if none is.
#[inline]
#[must_use]
pub const fn below(meant: u64) -> u64 {
    ((meant & meant.wrapping_neg()) >> 7).wrapping_sub(1)
}

/// All bits of the bytes up to the lowest one meant, with it; of all if none is.
#[inline]
#[must_use]
pub const fn through(meant: u64) -> u64 {
    meant ^ meant.wrapping_sub(1)
}

/// The first `count` bytes meant; `count` is at most 8.
#[inline]
#[must_use]
pub const fn first(count: usize) -> u64 {
    if count < 8 { TOPS & ((1 << (8 * count)) - 1) } else { TOPS }
}

/// Whether all bytes of a text are ASCII. Of short texts it asks with fewer instructions than
/// [`slice::is_ascii`].
#[inline]
#[must_use]
pub fn text_is_ascii(text: &[u8]) -> bool {
    let (words, _) = text.as_chunks::<8>();
    let end =
        text.last_chunk::<8>().map_or_else(|| word_at(text, 0), |end| u64::from_le_bytes(*end));
    is_ascii(words.iter().fold(end, |all, word| all | u64::from_le_bytes(*word)))
}

/// Whether all bytes are ASCII.
#[inline]
#[must_use]
pub const fn is_ascii(word: u64) -> bool {
    word & TOPS == 0
}

/// Bytes that are `byte`. Those above the lowest one may be meant wrongly.
#[inline(always)]
#[must_use]
pub const fn equal(word: u64, byte: u8) -> u64 {
    let zeros = word ^ (ONES * byte as u64);
    zeros.wrapping_sub(ONES) & !zeros & TOPS
}

/// Bytes that no key may have: all but `[a-z0-9_.-]`.
#[inline]
#[must_use]
pub const fn not_of_a_key(word: u64) -> u64 {
    let low = word & !TOPS;
    // From `-` to `9` without `/`, and from `_` to `z` without the back quote.
    let digits = at_least(low, b'-') & !at_least(low, b'9' + 1) & other_than(low, b'/');
    let letters = at_least(low, b'_') & !at_least(low, b'z' + 1) & other_than(low, b'`');
    !((digits | letters) & !word) & TOPS
}

/// Bytes that no number, version or address may have: all but `[./0-9]`.
#[inline]
#[must_use]
pub const fn not_of_a_number(word: u64) -> u64 {
    let low = word & !TOPS;
    !(at_least(low, b'.') & !at_least(low, b'9' + 1) & !word) & TOPS
}

/// Top bit of each byte that is at least `byte`. No byte of `low` is above 127, so that nothing
/// carries from one to the next.
#[inline]
const fn at_least(low: u64, byte: u8) -> u64 {
    low.wrapping_add(ONES * (0x80 - byte as u64))
}

/// Top bit of each byte that is not `byte`, as above.
#[inline]
const fn other_than(low: u64, byte: u8) -> u64 {
    (low ^ (ONES * byte as u64)).wrapping_add(ONES * 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte, alone and beside every other.
    #[test]
    fn bytes_of_keys_are_told_from_others_at_every_place() {
        let legal =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        for (byte, beside) in (0..=255).flat_map(|byte| (0..=255).map(move |beside| (byte, beside)))
        {
            let mut bytes = [beside; 8];
            bytes[usize::from(byte) % 8] = byte;
            let expected = bytes.map(|byte| if legal(byte) { 0 } else { 0x80 });
            assert_eq!(not_of_a_key(u64::from_le_bytes(bytes)).to_le_bytes(), expected);
        }
    }

    #[test]
    fn bytes_of_numbers_are_told_from_others_at_every_place() {
        for (byte, beside) in (0..=255).flat_map(|byte| (0..=255).map(move |beside| (byte, beside)))
        {
            let mut bytes = [beside; 8];
            bytes[usize::from(byte) % 8] = byte;
            let expected = bytes.map(|byte| if b"./0123456789".contains(&byte) { 0 } else { 0x80 });
            assert_eq!(not_of_a_number(u64::from_le_bytes(bytes)).to_le_bytes(), expected);
        }
    }

    #[test]
    fn the_lowest_equal_byte_is_found_at_every_place() {
        for (at, beside) in (0..8).flat_map(|at| (0..=255).map(move |beside| (at, beside))) {
            let mut bytes = [beside; 8];
            bytes[at] = b'\n';
            let expected = if beside == b'\n' { 0 } else { at };
            assert_eq!(lowest(equal(u64::from_le_bytes(bytes), b'\n')), expected);
        }
        assert_eq!(lowest(equal(0, b'\n')), 8);
    }

    #[test]
    fn what_is_below_the_lowest_byte_meant_is_all_of_it_and_nothing_else() {
        let word = u64::from_le_bytes(*b"abc=v=w\n");
        assert_eq!((word & below(not_of_a_key(word))).to_le_bytes(), *b"abc\0\0\0\0\0");
        assert_eq!(below(0), u64::MAX);
        assert_eq!(below(0x80), 0);
        assert_eq!((word & through(not_of_a_key(word))).to_le_bytes(), *b"abc=\0\0\0\0");
        assert_eq!((through(0), through(0x80)), (u64::MAX, 0xff));
        assert_eq!((first(0), first(2), first(8)), (0, 0x8080, TOPS));
        assert!(is_ascii(word) && !is_ascii(word | TOPS));
    }

    #[test]
    fn a_word_at_the_end_is_filled_with_zeros() {
        let bytes = *b"123456789";
        assert_eq!(word_at(&bytes, 1).to_le_bytes(), *b"23456789");
        assert_eq!(word_at(&bytes, 7).to_le_bytes(), *b"89\0\0\0\0\0\0");
        assert_eq!(word_at(&bytes, 9), 0);
        assert_eq!(word_at(&bytes, 10), 0);
        assert_eq!(word_at(b"12", 0).to_le_bytes(), *b"12\0\0\0\0\0\0");
        assert_eq!(word_at(b"12", 1), u64::from(b'2'));
        assert_eq!(word_at(b"12", 2), 0);
    }

    #[test]
    fn a_word_of_a_text_of_known_length_is_there_whole_or_not_at_all() {
        let bytes = *b"123456789";
        assert_eq!(word_in(&bytes, 0), word_at(&bytes, 0));
        assert_eq!(word_in(&bytes, 1), word_at(&bytes, 1));
        assert_eq!((word_in(&bytes, 2), word_in(&bytes, usize::MAX)), (0, 0));
    }

    #[test]
    fn the_words_of_a_text_are_all_of_it() {
        let bytes = *b"0123456789abcdef01";
        for text in (0..=bytes.len()).map(|len| &bytes[..len]) {
            let at_each = (0..text.len()).step_by(8).map(|at| word_at(text, at));
            assert!(words(text).eq(at_each), "{text:?}");
        }
    }
}
