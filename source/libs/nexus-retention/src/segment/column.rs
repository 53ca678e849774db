//! A column: up to 64 integers, in whichever mode takes fewest bytes.

use super::ROWS;
use super::bits;
use crate::bytes::{Buffer, Put, Reader, unzigzag, zigzag};

/// All are zero.
const ZERO: u8 = 0;
/// All are the one that follows.
const CONSTANT: u8 = 1;
/// Each in 16 bytes.
const WIDE: u8 = 2;
/// Rice codes of numbers that are not negative, with `k` added.
const UNSIGNED: u8 = 64;
/// Rice codes of numbers folded by zigzag, with `k` added.
const ZIGZAG: u8 = 128;

/// Bytes of a column of numbers of 64 bits, at most.
pub(super) const BYTES_MAX: usize = 1 + ROWS * 65 / 8;
/// Bytes of a column of any numbers, at most.
pub(super) const WIDE_BYTES_MAX: usize = 1 + ROWS * 16;

/// Writes a column; nothing for no numbers.
pub(super) fn write(numbers: &[i128], out: &mut Buffer) {
    let Some(first) = numbers.first() else { return };
    if numbers.iter().all(|number| number == first) {
        return write_constant(*first, out);
    }
    let mut words = [0; ROWS];
    let (words, _) = words.split_at_mut(numbers.len());
    let mode = if fold(numbers, words, |number| u64::try_from(number).ok()) {
        UNSIGNED
    } else if fold(numbers, words, |number| u64::try_from(zigzag(number)).ok()) {
        ZIGZAG
    } else {
        out.u8(WIDE);
        return numbers.iter().for_each(|number| out.i128(*number));
    };
    let k = bits::best_k(words);
    out.u8(mode | k as u8);
    bits::write(words, k, out);
}

fn write_constant(number: i128, out: &mut Buffer) {
    if number == 0 {
        return out.u8(ZERO);
    }
    out.u8(CONSTANT);
    out.signed(number);
}

/// Whether all numbers have a word.
fn fold(numbers: &[i128], words: &mut [u64], word: impl Fn(i128) -> Option<u64>) -> bool {
    numbers
        .iter()
        .zip(words)
        .all(|(number, place)| word(*number).map(|word| *place = word).is_some())
}

/// Reads a column of as many numbers as there are places.
pub(super) fn read(bytes: &mut Reader<'_>, out: &mut [i128]) -> Option<()> {
    if out.is_empty() {
        return Some(());
    }
    match bytes.u8()? {
        ZERO => out.fill(0),
        CONSTANT => out.fill(bytes.signed()?),
        WIDE => {
            for place in out {
                *place = bytes.i128()?;
            }
        }
        mode if mode >= ZIGZAG => {
            read_rice(bytes, mode - ZIGZAG, out, |word| unzigzag(u128::from(word)))?;
        }
        mode => read_rice(bytes, mode.checked_sub(UNSIGNED)?, out, i128::from)?,
    }
    Some(())
}

fn read_rice(
    bytes: &mut Reader<'_>,
    k: u8,
    out: &mut [i128],
    number: impl Fn(u64) -> i128,
) -> Option<()> {
    if u32::from(k) > bits::K_MAX {
        return None;
    }
    let mut words = [0; ROWS];
    let (words, _) = words.split_at_mut_checked(out.len())?;
    bits::read(bytes, k.into(), words)?;
    out.iter_mut().zip(words).for_each(|(place, word)| *place = number(*word));
    Some(())
}

/// Writes numbers that go on from one to the next: the first, and a column of differences.
/// All have 64 bits.
pub(super) fn write_trend(numbers: &[i128], out: &mut Buffer) {
    let Some((first, rest)) = numbers.split_first() else { return };
    out.signed(*first);
    let mut differences = [0; ROWS];
    let (differences, _) = differences.split_at_mut(rest.len());
    for ((place, before), number) in differences.iter_mut().zip(numbers).zip(rest) {
        *place = number - before;
    }
    write(differences, out);
}

/// Reads what [`write_trend`] has written.
pub(super) fn read_trend(bytes: &mut Reader<'_>, out: &mut [i128]) -> Option<()> {
    let Some((first, rest)) = out.split_first_mut() else { return Some(()) };
    *first = bytes.signed()?;
    read(bytes, rest)?;
    let mut before = *first;
    for place in rest {
        *place = before.checked_add(*place)?;
        before = *place;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn written(numbers: &[i128], write: fn(&[i128], &mut Buffer)) -> Buffer {
        let mut buffer = Buffer::new(WIDE_BYTES_MAX + 19);
        write(numbers, &mut buffer);
        buffer
    }

    fn read_back(bytes: &[u8], count: usize) -> Option<Vec<i128>> {
        let mut out = vec![0; count];
        let mut reader = Reader::new(bytes);
        read(&mut reader, &mut out)?;
        reader.is_empty().then_some(out)
    }

    #[test]
    fn each_mode_is_taken_where_it_is_shortest() {
        for (numbers, mode, bytes) in [
            (vec![], None, 0),
            (vec![0; 64], Some(ZERO), 1),
            (vec![-3; 64], Some(CONSTANT), 2),
            (vec![0, 1, 0, 0, 0, 0, 0], Some(UNSIGNED), 2),
            (vec![100, 101, 99, 127], Some(UNSIGNED + 6), 5),
            (vec![1, -1, 0, 0], Some(ZIGZAG), 2),
            (vec![0, 0, 0, i64::MAX.into()], Some(UNSIGNED), 13),
            (vec![0, i128::MAX], Some(WIDE), 33),
        ] {
            let buffer = written(&numbers, write);
            assert_eq!(buffer.as_slice().first().copied(), mode, "{numbers:?}");
            assert_eq!(buffer.len(), bytes, "{numbers:?}");
        }
    }

    #[test]
    fn the_page_has_the_same_modes() {
        let page = include_str!("../../../../../docs/retention-format.md");
        let (_, table) = page.split_once("<!-- table: modes -->\n").unwrap();
        let rows = table.lines().skip(2).take_while(|row| row.starts_with('|'));
        let modes: Vec<_> = rows.filter_map(|row| row.split('|').nth(1)).map(str::trim).collect();
        let rice = |mode: u8| alloc::format!("{mode} + k");
        let plain = [ZERO, CONSTANT, WIDE].map(|mode| alloc::format!("{mode}"));
        let expected: Vec<_> = plain.into_iter().chain([UNSIGNED, ZIGZAG].map(rice)).collect();
        assert_eq!(modes, expected);
    }

    #[test]
    fn what_is_no_column_is_refused() {
        assert_eq!(read_back(&[ZERO], 3), Some(vec![0; 3]));
        for bytes in [
            &[][..],
            &[CONSTANT],
            &[3],
            &[63],
            &[WIDE, 1],
            &[UNSIGNED],
            &[UNSIGNED, 0b1111_1111],
            &[UNSIGNED, 0b1000_0000],
            &[ZERO, 0],
        ] {
            assert_eq!(read_back(bytes, 3), None, "{bytes:?}");
        }
    }

    fn numbers() -> impl Strategy<Value = Vec<i128>> {
        let number = prop_oneof![
            Just(0),
            -100_i128..100,
            any::<u32>().prop_map(i128::from),
            any::<u64>().prop_map(i128::from),
            any::<i64>().prop_map(i128::from),
        ];
        let wide = prop_oneof![number.clone(), any::<i128>()];
        prop_oneof![
            proptest::collection::vec(number, 0..=ROWS),
            proptest::collection::vec(wide, 0..=ROWS)
        ]
    }

    proptest! {
        #[test]
        fn any_numbers_come_back_within_the_bound(numbers in numbers()) {
            let buffer = written(&numbers, write);
            let fit = numbers.iter().all(|n| u64::try_from(*n).is_ok());
            let most = if fit { BYTES_MAX } else { WIDE_BYTES_MAX };
            prop_assert!(buffer.len() <= most);
            prop_assert_eq!(read_back(buffer.as_slice(), numbers.len()), Some(numbers));
        }

        #[test]
        fn any_trend_comes_back(numbers in proptest::collection::vec(any::<i64>(), 0..=ROWS)) {
            let numbers: Vec<i128> = numbers.into_iter().map(i128::from).collect();
            let buffer = written(&numbers, write_trend);
            let mut out = vec![0; numbers.len()];
            let mut reader = Reader::new(buffer.as_slice());
            prop_assert_eq!(read_trend(&mut reader, &mut out), Some(()));
            prop_assert!(reader.is_empty());
            prop_assert_eq!(out, numbers);
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..40), count in 0..=ROWS,
        ) {
            if let Some(numbers) = read_back(&bytes, count) {
                let again = written(&numbers, write);
                prop_assert_eq!(read_back(again.as_slice(), count), Some(numbers));
            }
        }
    }
}
