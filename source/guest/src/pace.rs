//! How often the programs of the image bring to metricsd what they record.

use nexus_bounded::Nanos;
use nexus_metrics::Pace;

/// How often metricsd exports, by the recipe.
const EXPORT: Nanos = include!(concat!(env!("OUT_DIR"), "/interval.rs"));

/// As often as metricsd exports: what it is told more often nobody sees. Whoever was started long
/// before metricsd finds it as soon, as to ask for somebody who is away takes a call of the kernel
/// and nothing else.
pub const PACE: Pace =
    Pace { interval: EXPORT, retry_min: EXPORT, retry_max: EXPORT, ..Pace::DEFAULT };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_recipe() {
        assert_eq!(PACE.interval, crate::recipe().metricsd.export.interval);
    }
}
