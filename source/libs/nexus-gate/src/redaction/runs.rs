//! Runs of word bytes, found with few looks at each byte.

/// Bytes that words of secrets are made of: base64 in both alphabets, hexadecimal, and the joints
/// of tokens.
const fn is_word_byte(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'_' | b'-')
}

#[expect(clippy::indexing_slicing, reason = "the compiler runs it: a byte is within 256")]
const WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_word_byte(byte as u8);
        byte += 1;
    }
    table
};

/// Whether the byte belongs to words.
#[inline]
pub(crate) fn in_word(byte: u8) -> bool {
    WORD.get(usize::from(byte)).copied().unwrap_or_default()
}

/// The next run of at least `min` word bytes in `text` from `from` on, as start and end.
///
/// Looks at every `min`-th byte only and walks back from there, as a run of that length must cover
/// one: ordinary prose costs a few looks a word.
pub(crate) fn next_run(text: &[u8], from: usize, min: usize) -> Option<(usize, usize)> {
    let mut start = from;
    loop {
        let probe = start + min.max(1) - 1;
        let window = text.get(start..=probe)?;
        match window.iter().rposition(|byte| !in_word(*byte)) {
            Some(gap) => start += gap + 1,
            None => {
                let tail = text.get(probe..)?;
                let len = tail.iter().position(|byte| !in_word(*byte)).unwrap_or(tail.len());
                return Some((start, probe + len));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(text: &[u8], min: usize) -> Vec<(usize, usize)> {
        let mut runs = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let end = (at..text.len()).find(|i| !in_word(text[*i])).unwrap_or(text.len());
            if end - at >= min {
                runs.push((at, end));
            }
            at = end + 1;
        }
        runs
    }

    fn all_runs(text: &[u8], min: usize) -> Vec<(usize, usize)> {
        let mut from = 0;
        core::iter::from_fn(|| {
            let run = next_run(text, from, min)?;
            from = run.1;
            Some(run)
        })
        .collect()
    }

    proptest::proptest! {
        #[test]
        fn runs_are_found_as_by_looking_at_every_byte(
            text in "[ab+z*,~ =.\u{e4}]{0,80}",
            min in 1usize..20,
        ) {
            proptest::prop_assert_eq!(all_runs(text.as_bytes(), min), naive(text.as_bytes(), min));
        }
    }
}
