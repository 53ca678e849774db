//! Which images are booted to prove something, and what has to stand on their consoles.

use anyhow::Result;
use selftest_client::{Case, LOGD, METRICSD, OUTAGES, expected};

use super::Lines;
use crate::guest::Time;
use crate::image;

/// Instructions of 8 ns: a small device, and few of them while the selftest waits.
const COUNTED: u8 = 3;

/// What is booted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Everything,
    /// logd and the selftest alone.
    LogdAlone,
    /// Everything, beside hostile processes.
    Hostile,
    /// Everything, and then services die.
    Outage,
}

impl Variant {
    pub(super) const ALL: [Self; 4] =
        [Self::Everything, Self::LogdAlone, Self::Hostile, Self::Outage];

    pub(super) fn recipe(self) -> &'static str {
        match self {
            Self::Everything => "image",
            Self::LogdAlone => "image-logd",
            Self::Hostile => "image-hostile",
            Self::Outage => "image-outage",
        }
    }

    /// A busy host must not make hostile processes slower than the services' patience, nor pauses
    /// shorter than it takes to see that somebody is away.
    pub(super) fn time(self) -> Time {
        match self {
            Self::Everything | Self::LogdAlone => Time::Host,
            Self::Hostile | Self::Outage => Time::Counted(COUNTED),
        }
    }

    /// What has to stand on its console.
    pub(super) fn lines(self) -> Result<Lines> {
        let in_order = self.cases().iter().flat_map(|cases| expected(cases));
        let any_time = match self {
            Self::Everything | Self::LogdAlone => Vec::new(),
            Self::Hostile => hostile_trials()?,
            Self::Outage => deaths(),
        };
        Ok(Lines { in_order: in_order.map(str::to_owned).collect(), any_time })
    }

    fn cases(self) -> &'static [&'static [Case]] {
        match self {
            Self::LogdAlone => &[LOGD],
            Self::Everything | Self::Hostile => &[LOGD, METRICSD],
            Self::Outage => &[LOGD, METRICSD, OUTAGES],
        }
    }
}

/// A verdict on every hostile process of the image.
fn hostile_trials() -> Result<Vec<String>> {
    let text = image::text(Variant::Hostile.recipe())?;
    let names = image::bystanders(&text, "trials")?;
    let others = ["servers_start", "a_round_while_the_system_works"].map(str::to_owned);
    Ok(names.into_iter().chain(others).map(|name| format!("trial {name}: ok")).collect())
}

/// What init says of the deaths that the cases bring about: pauses double, and a third death within
/// a minute casts suspicion on what is stored.
fn deaths() -> Vec<String> {
    let ended = |name, pause| format!("init: {name} ended, Ended(Exited(7)); again in {pause} ms");
    let told = "logd: was told to set its stored state aside".to_owned();
    let suspect = "init: logd: stored state is suspect and set aside, no. 1".to_owned();
    let [first, second, third] = [100, 200, 400].map(|pause| ended("logd", pause));
    vec![first, ended("metricsd", 100), second, suspect, third, told]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_expected_twice_and_the_part_is_the_beginning_of_the_whole() {
        let [all, part] =
            [Variant::Everything, Variant::LogdAlone].map(|v| v.lines().unwrap().in_order);
        assert!(all.starts_with(&part) && part.len() < all.len());
        let distinct = all.iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn every_hostile_process_of_the_image_has_to_have_a_verdict() {
        let Lines { in_order, any_time } = Variant::Hostile.lines().unwrap();
        assert_eq!(in_order, Variant::Everything.lines().unwrap().in_order);
        for name in ["reads_the_kernel", "asks_a_million_things", "floods_a_service"] {
            assert!(any_time.contains(&format!("trial {name}: ok")), "{name}");
        }
        assert!(!any_time.iter().any(|line| line.contains("echo") || line.contains("judge")));
    }
}
