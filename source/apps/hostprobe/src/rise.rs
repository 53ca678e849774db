//! What the machine counts, as counters of ours.

use std::collections::BTreeMap;

use nexus_metrics::Counter;

/// Follows totals that the kernel keeps and passes on by how much they rose.
///
/// What had been counted before the first look is not ours to claim, so the first look only takes
/// the level. A total that has fallen was reset (a device came anew) and counts from 0.
#[derive(Debug, Default)]
pub(crate) struct Rises {
    levels: BTreeMap<String, u64>,
}

impl Rises {
    /// Passes the rise of the total called `key` on to `counter`.
    pub(crate) fn follow(&mut self, key: &str, total: u64, counter: Counter) {
        if let Some(rise) = self.rise(key, total) {
            counter.add(rise);
        }
    }

    fn rise(&mut self, key: &str, total: u64) -> Option<u64> {
        let Some(level) = self.levels.get_mut(key) else {
            self.levels.insert(key.to_owned(), total);
            return None;
        };
        let before = core::mem::replace(level, total);
        Some(total.checked_sub(before).unwrap_or(total))
    }

    /// Forgets totals whose keys begin so and do not satisfy `is_there`: their devices are gone.
    pub(crate) fn retain(&mut self, prefix: &str, is_there: impl Fn(&str) -> bool) {
        self.levels.retain(|key, _| key.strip_prefix(prefix).is_none_or(&is_there));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_takes_the_level_and_later_ones_the_rise() {
        let mut rises = Rises::default();
        assert_eq!(rises.rise("a", 100), None);
        assert_eq!(rises.rise("a", 130), Some(30));
        assert_eq!(rises.rise("b", 7), None);
        assert_eq!(rises.rise("a", 130), Some(0));
    }

    #[test]
    fn a_total_that_fell_counts_from_nothing() {
        let mut rises = Rises::default();
        rises.rise("a", 100);
        assert_eq!(rises.rise("a", 3), Some(3));
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut rises = Rises::default();
        rises.rise("disk/a/read", 1);
        rises.rise("disk/b/read", 1);
        rises.rise("cpu", 1);
        rises.retain("disk/", |key| key.starts_with("b/"));
        assert_eq!(rises.levels.keys().collect::<Vec<_>>(), ["cpu", "disk/b/read"]);
    }
}
