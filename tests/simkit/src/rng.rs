/// A tiny deterministic source of choices (SplitMix64): the same seed makes the same choices
/// everywhere. For varying schedules, not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Choices that follow from `seed` alone.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub const fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut out = self.0;
        out = (out ^ (out >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        out = (out ^ (out >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        out ^ (out >> 31)
    }

    /// A number from 0 to `most`, `most` included.
    pub const fn up_to(&mut self, most: u64) -> u64 {
        let wide = self.any() as u128 * (most as u128 + 1);
        (wide >> 64) as u64
    }

    /// `true` once in `times` on average; `times` is at least 1.
    pub const fn one_in(&mut self, times: u64) -> bool {
        self.up_to(times - 1) == 0
    }

    /// Arbitrary bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let any = self.any().to_le_bytes();
            chunk.copy_from_slice(&any[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_choices_and_another_makes_others() {
        let choices = |seed| {
            let mut rng = Rng::new(seed);
            [rng.any(), rng.any(), rng.up_to(9)]
        };
        assert_eq!(choices(1), choices(1));
        assert_ne!(choices(1), choices(2));
    }

    #[test]
    fn choices_stay_within_their_bounds_and_reach_them() {
        let mut rng = Rng::new(3);
        let mut seen = [false; 4];
        for _ in 0..1000 {
            seen[usize::try_from(rng.up_to(3)).unwrap_or(usize::MAX)] = true;
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(rng.up_to(0), 0);
        rng.up_to(u64::MAX);
    }
}
