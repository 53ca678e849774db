use nexus_wire::BOUNDS_MAX;

/// Upper bounds of a histogram's buckets, inclusive and ascending; above the last is one bucket
/// more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds(Layout);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Layout {
    /// `count` bounds, from 2^`first` up.
    PowersOfTwo {
        first: u32,
        count: u32,
    },
    Listed(&'static [u64]),
}

impl Bounds {
    /// For nanoseconds: 24 powers of two from 1.024 us to 8.6 s.
    pub const TIME: Self = Self::powers_of_two(10, 24);
    /// For bytes and plain numbers: 24 powers of two from 1 to 8,388,608.
    pub const COUNT: Self = Self::powers_of_two(0, 24);

    /// `count` bounds: 2^`first`, 2^(`first` + 1) and so on. Finding a bucket takes one
    /// instruction; a quantile read from them is at most a factor of two too high.
    ///
    /// # Panics
    /// If `count` is not 1 to 24 or the last bound is 2^63 or more.
    #[must_use]
    #[track_caller]
    pub const fn powers_of_two(first: u32, count: u32) -> Self {
        assert!(count >= 1 && count as usize <= BOUNDS_MAX, "a histogram has 1 to 24 bounds");
        assert!(first < 63 && first + count <= 63, "a bound is less than 2^63");
        Self(Layout::PowersOfTwo { first, count })
    }

    /// These bounds.
    ///
    /// # Panics
    /// If they are not 1 to 24, or do not ascend.
    #[must_use]
    #[track_caller]
    pub const fn listed(bounds: &'static [u64]) -> Self {
        assert!(!bounds.is_empty() && bounds.len() <= BOUNDS_MAX, "a histogram has 1 to 24 bounds");
        let mut rest = bounds;
        while let [lower, after @ ..] = rest {
            if let [upper, ..] = after {
                assert!(*lower < *upper, "bounds ascend");
            }
            rest = after;
        }
        Self(Layout::Listed(bounds))
    }

    /// How many bounds there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        match self.0 {
            Layout::PowersOfTwo { count, .. } => count as usize,
            Layout::Listed(bounds) => bounds.len(),
        }
    }

    /// The bounds, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + use<> {
        let layout = self.0;
        (0..self.count()).map(move |at| match layout {
            Layout::PowersOfTwo { first, .. } => 1 << (first as usize + at),
            Layout::Listed(bounds) => bounds.get(at).copied().unwrap_or(u64::MAX),
        })
    }

    /// The bucket of `value`: the first whose bound is not below it, or the one above all.
    #[inline(always)]
    pub(crate) fn bucket(&self, value: u64) -> usize {
        match self.0 {
            Layout::PowersOfTwo { first, count } => {
                let exponent = u64::BITS - value.saturating_sub(1).leading_zeros();
                exponent.saturating_sub(first).min(count) as usize
            }
            // Counting instead of searching: no branch to mispredict among so few.
            Layout::Listed(bounds) => bounds
                .iter()
                .fold(0, |below, bound| usize::from(value > *bound).wrapping_add(below)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn by_definition(bounds: &Bounds, value: u64) -> usize {
        bounds.iter().position(|bound| value <= bound).unwrap_or(bounds.count())
    }

    const LISTED: Bounds = Bounds::listed(&[0, 7, 1_000_000, 5_000_000, u64::MAX - 1]);

    #[test]
    fn a_value_falls_into_the_first_bucket_whose_bound_is_not_below_it() {
        for bounds in [Bounds::TIME, Bounds::COUNT, Bounds::powers_of_two(62, 1), LISTED] {
            let edges: Vec<u64> = bounds
                .iter()
                .flat_map(|bound| [bound.saturating_sub(1), bound, bound.saturating_add(1)])
                .chain([0, 1, 2, 3, u64::MAX])
                .collect();
            for value in edges {
                assert_eq!(bounds.bucket(value), by_definition(&bounds, value), "{value}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "bounds ascend")]
    fn bounds_that_do_not_ascend_are_refused() {
        assert_eq!(Bounds::listed(&[1, 1]).count(), 2);
    }

    #[test]
    #[should_panic(expected = "1 to 24")]
    fn a_twenty_fifth_bound_is_refused() {
        assert_eq!(Bounds::powers_of_two(0, 25).count(), 25);
    }
}
