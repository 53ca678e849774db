//! Quantiles from buckets, with the error that buckets leave.

/// Where a quantile lies: above `low`, at most `high` (`None`: above all bounds).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Quantile {
    pub(crate) low: u64,
    pub(crate) high: Option<u64>,
}

/// The bucket in which the observation of rank `ceil(permille * count / 1000)` lies. `None` when
/// nothing was observed.
pub(crate) fn quantile(buckets: &[(Option<u64>, u64)], permille: u64) -> Option<Quantile> {
    let count: u128 = buckets.iter().map(|(_, n)| u128::from(*n)).sum();
    let rank = (count * u128::from(permille)).div_ceil(1000).max(1);
    let (mut low, mut seen) = (0, 0);
    for (high, n) in buckets {
        seen += u128::from(*n);
        if seen >= rank && *n > 0 {
            return Some(Quantile { low, high: *high });
        }
        low = high.unwrap_or(low);
    }
    None
}

impl Quantile {
    /// The middle of the bucket and how far the truth may be from it at most.
    pub(crate) fn middle(&self) -> Option<(u64, u64)> {
        let high = self.high?;
        let error = (high - self.low).div_ceil(2);
        Some((high - error, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKETS: [(Option<u64>, u64); 4] =
        [(Some(10), 50), (Some(20), 0), (Some(40), 49), (None, 1)];

    #[test]
    fn a_quantile_lies_in_the_bucket_of_its_rank() {
        assert_eq!(quantile(&BUCKETS, 500), Some(Quantile { low: 0, high: Some(10) }));
        assert_eq!(quantile(&BUCKETS, 510), Some(Quantile { low: 20, high: Some(40) }));
        assert_eq!(quantile(&BUCKETS, 990), Some(Quantile { low: 20, high: Some(40) }));
        assert_eq!(quantile(&BUCKETS, 1000), Some(Quantile { low: 40, high: None }));
        assert_eq!(quantile(&[(None, 0)], 500), None);
    }

    #[test]
    fn the_truth_is_within_the_stated_error() {
        let (middle, error) = Quantile { low: 20, high: Some(41) }.middle().unwrap();
        assert!(middle - error <= 21 && middle + error >= 41, "{middle} +- {error}");
        assert_eq!(Quantile { low: 40, high: None }.middle(), None);
    }
}
