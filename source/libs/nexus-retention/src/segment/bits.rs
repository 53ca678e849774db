//! Rice codes: a number as a quotient in ones and a remainder of `k` bits, lowest bit first. What
//! would need too many ones is written as it is.

use crate::bytes::{Buffer, Put, Reader};

/// So many ones say that 64 bits follow.
const ESCAPE: u32 = 24;

/// Greatest `k`: any number then takes 65 bits at most.
pub(super) const K_MAX: u32 = 63;

/// Bits of one number.
fn cost(number: u64, k: u32) -> u64 {
    match number >> k {
        quotient if quotient < u64::from(ESCAPE) => quotient + 1 + u64::from(k),
        _ => u64::from(ESCAPE) + 64,
    }
}

/// The `k` with which the numbers take fewest bits; of several the lowest.
pub(super) fn best_k(numbers: &[u64]) -> u32 {
    let longest = numbers.iter().map(|number| 64 - number.leading_zeros()).max();
    let total = |k: &u32| numbers.iter().map(|number| cost(*number, *k)).sum::<u64>();
    (0..=longest.unwrap_or(0).min(K_MAX)).min_by_key(total).unwrap_or(0)
}

/// Writes the numbers; the last byte is filled up with zeros.
pub(super) fn write(numbers: &[u64], k: u32, out: &mut Buffer) {
    let mut bits = Bits { held: 0, count: 0 };
    for number in numbers {
        match number >> k {
            quotient if quotient < u64::from(ESCAPE) => {
                bits.put((1 << quotient) - 1, quotient as u32 + 1, out);
                bits.put(number & ((1 << k) - 1), k, out);
            }
            _ => {
                bits.put((1 << ESCAPE) - 1, ESCAPE, out);
                bits.put(*number, 64, out);
            }
        }
    }
    if bits.count > 0 {
        out.u8(bits.held as u8);
    }
}

/// Reads as many numbers as there are places; `None` if the bytes end before, or what fills them up
/// is not zeros.
pub(super) fn read(bytes: &mut Reader<'_>, k: u32, out: &mut [u64]) -> Option<()> {
    let mut bits = Bits { held: 0, count: 0 };
    for place in out {
        let ones = bits.ones(bytes)?;
        *place = match ones {
            ESCAPE => bits.take(64, bytes)?,
            quotient => {
                let high = u64::from(quotient);
                let shifted = high.checked_shl(k).filter(|shifted| shifted >> k == high)?;
                shifted | bits.take(k, bytes)?
            }
        };
    }
    (bits.held == 0).then_some(())
}

/// Bits on their way, fewer than a byte between two calls when writing.
struct Bits {
    held: u128,
    count: u32,
}

impl Bits {
    fn put(&mut self, bits: u64, count: u32, out: &mut Buffer) {
        self.held |= u128::from(bits) << self.count;
        self.count += count;
        while self.count >= 8 {
            out.u8(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    fn fill(&mut self, count: u32, bytes: &mut Reader<'_>) -> Option<()> {
        while self.count < count {
            self.held |= u128::from(bytes.u8()?) << self.count;
            self.count += 8;
        }
        Some(())
    }

    fn take(&mut self, count: u32, bytes: &mut Reader<'_>) -> Option<u64> {
        self.fill(count, bytes)?;
        let taken = self.held & ((1 << count) - 1);
        self.drop(count);
        Some(taken as u64)
    }

    /// Ones up to a zero, which is taken too, or to the escape.
    fn ones(&mut self, bytes: &mut Reader<'_>) -> Option<u32> {
        loop {
            let ones = self.held.trailing_ones();
            if ones >= ESCAPE {
                self.drop(ESCAPE);
                return Some(ESCAPE);
            }
            if ones < self.count {
                self.drop(ones + 1);
                return Some(ones);
            }
            self.fill(self.count + 1, bytes)?;
        }
    }

    fn drop(&mut self, count: u32) {
        self.held >>= count;
        self.count -= count;
    }
}
