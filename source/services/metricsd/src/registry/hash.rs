//! The hash that orders chains.
//!
//! It is fast and no more: whoever chooses keys may make them collide, and [`super::index`] bounds
//! what that costs. Two words of eight bytes go into one multiplication, whose halves are folded;
//! the construction is that of wyhash and foldhash.

/// Odd words without a pattern: digits of pi, of e and of the golden ratio.
const PI: u64 = 0x243f_6a88_85a3_08d3;
const E: u64 = 0xb7e1_5162_8aed_2a6b;
const PHI: u64 = 0x9e37_79b9_7f4a_7c15;

const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The state after `bytes`, which differs for strings cut elsewhere.
#[inline]
pub(super) fn add(state: u64, bytes: &[u8]) -> u64 {
    let mut state = state ^ PHI.wrapping_mul(bytes.len() as u64);
    let mut rest = bytes;
    while let Some((pair, behind)) = rest.split_first_chunk() {
        let [a, b] = words(pair);
        state = fold(a ^ state, b ^ PI);
        rest = behind;
    }
    if rest.is_empty() {
        return state;
    }
    // The last sixteen bytes once more, in part, rather than the rest byte by byte.
    let [a, b] = bytes.last_chunk().map_or_else(|| few(bytes), words);
    fold(a ^ state, b ^ E)
}

/// The 32 bits of a state.
pub(super) const fn finish(state: u64) -> u32 {
    (state ^ (state >> 32)) as u32
}

fn words(pair: &[u8; 16]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *pair;
    [u64::from_ne_bytes([a, b, c, d, e, f, g, h]), u64::from_ne_bytes(rest)]
}

/// Less than sixteen bytes as two words.
fn few(bytes: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return [u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return [u32::from_ne_bytes(*first).into(), u32::from_ne_bytes(*last).into()];
    }
    [bytes.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte)), 0]
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    #[test]
    fn keys_of_any_length_spread_over_the_chains() {
        for length in [1usize, 2, 3, 5, 8, 11, 16, 20, 31, 32, 33, 64] {
            let keys = 4096u32;
            let mut chains = vec![0u32; 4096];
            for n in 0..keys {
                let digits = format!("{n:04x}");
                let from = digits.len().saturating_sub(length);
                let key = format!("{:a>length$}", &digits[from..]);
                chains[(finish(add(7, key.as_bytes())) % 4096) as usize] += 1;
            }
            // Keys of one or two hexadecimal digits are the same 16 or 256 over and over.
            let alike =
                if length < 3 { keys >> (4 * length) } else { 1 << (4 * (4 - length.min(4))) };
            let longest = chains.iter().max().unwrap() / alike;
            assert!(longest <= 10, "{longest} keys of length {length} in one chain");
        }
    }

    #[test]
    fn where_strings_are_cut_makes_a_difference() {
        let hash =
            |parts: [&str; 2]| parts.iter().fold(1, |state, part| add(state, part.as_bytes()));
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
        assert_ne!(add(1, b"a"), add(1, b"a\0"));
        assert_ne!(add(1, b"name"), add(2, b"name"));
    }
}
