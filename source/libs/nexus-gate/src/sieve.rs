//! A quick look that lets nearly all texts pass: what passes has surely nothing secret in it.
//!
//! Everything that the rules know by how it begins (prefixes of values, words of keys) begins
//! with a letter behind a byte that is none, or with the text; or it has its first letter there. So
//! only three bytes from each such letter on are looked at, and compared by hash with those of the
//! rules' own words; long runs are left to the rules about shape.

use alloc::string::String;

use crate::words::next_run;

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = ONES << 7;
/// Set in small letters; setting it makes capitals small.
const SMALL: u64 = ONES << 5;
/// Bytes of a word's beginning that are looked at.
const START: usize = 3;
/// Bytes in which words are looked for at a time, as those that are looked at then.
const STEP: usize = 8;
const WINDOW: usize = STEP + 4;
/// No letter.
const GAP: u64 = 0x80;
const PLACES: usize = 4096;

/// See the module.
pub(crate) struct Sieve {
    /// By hash of their folded beginnings: whether a word of the rules begins so.
    starts: [bool; PLACES],
    /// Runs of word bytes as long as this may be secret by their shape, if any.
    run_min: Option<usize>,
    /// Whether some rule is beyond the sieve, so that nothing passes.
    blocked: bool,
}

impl Sieve {
    /// Lets no text pass with a word that begins as one of `words`, or with a run of `run_min`.
    pub(crate) fn new<'a>(words: impl Iterator<Item = &'a String>, run_min: Option<usize>) -> Self {
        let mut sieve = Self { starts: [false; PLACES], run_min, blocked: false };
        for word in words {
            let word = word.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
            sieve.blocked |= word.len() < START;
            if let Some(place) = sieve.starts.get_mut(place(short(word.as_bytes()) as u32)) {
                *place = true;
            }
        }
        sieve
    }

    /// Whether `text` has surely nothing secret in it.
    #[inline]
    pub(crate) fn passes(&self, text: &[u8]) -> bool {
        self.begins_nothing(text) && self.next_run(text, 0).is_none()
    }

    /// The next run of word bytes from `from` on that may be secret by its shape.
    #[inline]
    pub(crate) fn next_run(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let min = self.run_min.filter(|min| *min <= text.len())?;
        next_run(text, from, min)
    }

    /// Whether surely no word of the rules begins anywhere in `text`.
    pub(crate) fn begins_nothing(&self, text: &[u8]) -> bool {
        let (mut rest, mut gap_before) = (text, GAP);
        while let Some(window) = rest.first_chunk::<WINDOW>() {
            if self.may_begin(window, &mut gap_before) {
                return false;
            }
            rest = rest.get(STEP..).unwrap_or_default();
        }
        let mut last = [0; WINDOW + STEP];
        if let Some(front) = last.get_mut(..rest.len()) {
            front.copy_from_slice(rest);
        }
        let [front @ .., _, _, _, _, _, _, _, _] = &last;
        let [_, _, _, _, _, _, _, _, back @ ..] = &last;
        !self.may_begin(front, &mut gap_before)
            && (rest.len() <= STEP || !self.may_begin(back, &mut gap_before))
            && !self.blocked
    }

    /// Whether a word of the rules may begin within the first step of `window`. The top bit of
    /// `gap_before` says that no letter stands before it, and afterwards that none ends the step.
    #[inline(always)]
    fn may_begin(&self, window: &[u8; WINDOW], gap_before: &mut u64) -> bool {
        let [b0, b1, b2, b3, b4, b5, b6, b7, ..] = *window;
        let gaps = not_letters(u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]));
        let mut begins = ((gaps << 8) | *gap_before) & !gaps;
        *gap_before = gaps >> 56;
        while begins != 0 {
            let at = (begins.trailing_zeros() / 8) as usize;
            let start = window.get(at..).and_then(<[u8]>::first_chunk::<4>);
            let place = start.map_or(0, |start| place(u32::from_le_bytes(*start)));
            if self.starts.get(place).copied().unwrap_or(true) {
                return true;
            }
            begins &= begins.wrapping_sub(1);
        }
        false
    }
}

/// Where the beginning in the lowest three bytes of `word` has its place, in whatever case.
#[inline]
const fn place(word: u32) -> usize {
    let folded = (word | SMALL as u32) & 0x00ff_ffff;
    (folded.wrapping_mul(0x9e37_79b1) >> (u32::BITS - PLACES.trailing_zeros())) as usize
}

/// The top bit of each byte that is no ASCII letter.
#[inline]
const fn not_letters(word: u64) -> u64 {
    let small = (word | SMALL) & !TOPS;
    // No byte is above 127, so that nothing carries from one to the next.
    let from_a = small.wrapping_add(ONES * (0x80 - b'a' as u64));
    let beyond_z = small.wrapping_add(ONES * (0x7f - b'z' as u64));
    (!from_a | beyond_z | word) & TOPS
}

/// The first eight bytes as a word, the very first one lowest, zeros behind the end.
#[inline]
fn short(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_told_from_all_other_bytes_at_every_place() {
        for (byte, beside) in
            (0..=255_u8).flat_map(|byte| (0..=255_u8).map(move |beside| (byte, beside)))
        {
            let mut bytes = [beside; 8];
            bytes[usize::from(byte) % 8] = byte;
            let expected = bytes.map(|byte| u8::from(!byte.is_ascii_alphabetic()) << 7);
            assert_eq!(not_letters(u64::from_le_bytes(bytes)).to_le_bytes(), expected);
        }
    }

    #[test]
    fn a_word_of_the_rules_is_seen_at_every_place() {
        let words = ["token".to_owned(), "--BEG".to_owned()];
        let sieve = Sieve::new(words.iter(), Some(20));
        for before in 0..30 {
            for behind in 0..10 {
                let text =
                    |word: &str| format!("{}{word}{}", "x ".repeat(before), "y".repeat(behind));
                assert!(!sieve.passes(text("ToKen").as_bytes()), "{before} {behind}");
                assert!(!sieve.passes(text("--beg").as_bytes()), "{before} {behind}");
                assert!(sieve.passes(text("tako").as_bytes()), "{before} {behind}");
                assert!(sieve.passes(text("ztoken").as_bytes()), "{before} {behind}");
            }
        }
    }

    #[test]
    fn a_long_run_is_seen_at_every_place_and_a_shorter_one_is_not() {
        let sieve = Sieve::new([].iter(), Some(20));
        for before in 0..20 {
            for behind in 0..20 {
                let text = |run| {
                    let run = "aB3_-/+".chars().cycle().take(run).collect::<String>();
                    format!("{}{run}{}", ". ".repeat(before), " .".repeat(behind))
                };
                assert!(!sieve.passes(text(20).as_bytes()), "{before} {behind}");
                assert!(sieve.passes(text(19).as_bytes()), "{before} {behind}");
            }
        }
    }

    #[test]
    fn rules_beyond_the_sieve_let_nothing_pass() {
        assert!(!Sieve::new(["pw".to_owned()].iter(), Some(20)).passes(b"x"));
        assert!(Sieve::new([].iter(), None).passes("x".repeat(99).as_bytes()));
    }
}
