//! Which images are booted to prove something, and what has to stand on their consoles.

use anyhow::Result;
use selftest_client::{Goal, expected};

use super::Lines;
use crate::guest::Time;
use crate::image;

/// Instructions of 8 ns: a small device, and few of them while the selftest waits.
const COUNTED: u8 = 3;

/// What is booted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// All services, of which both keep what they have on a disk.
    Everything,
    /// The next boot on that disk.
    Kept,
    /// As everything, until a long window is over.
    Long,
    /// The next boot on that disk.
    Rollups,
    /// As everything, and then metricsd dies until what it has kept is set aside.
    Aside,
    /// logd and the selftest alone.
    LogdAlone,
    /// Both services without a disk, beside hostile processes.
    Hostile,
    /// Both services without a disk, policyd and execd, and then they die.
    Outage,
    /// As everything, but for logd and metricsd each service is ended while it is used.
    Deaths,
}

impl Variant {
    /// Those of every test.
    pub(super) const ALL: [Self; 6] =
        [Self::Everything, Self::LogdAlone, Self::Hostile, Self::Outage, Self::Deaths, Self::Aside];

    pub(super) fn recipe(self) -> &'static str {
        match self {
            Self::Everything => "image",
            Self::Kept => "image-kept",
            Self::Long => "image-long",
            Self::Rollups => "image-rollups",
            Self::Aside => "image-aside",
            Self::LogdAlone => "image-logd",
            Self::Hostile => "image-hostile",
            Self::Outage => "image-outage",
            Self::Deaths => "image-deaths",
        }
    }

    /// A busy host must not make hostile processes slower than the services' patience, nor pauses
    /// shorter than it takes to see that somebody is away.
    pub(super) fn time(self) -> Time {
        match self {
            Self::Hostile | Self::Outage | Self::Deaths => Time::Counted(COUNTED),
            _ => Time::Host,
        }
    }

    /// What has to stand on its console.
    pub(super) fn lines(self) -> Result<Lines> {
        let any_time = match self {
            Self::Hostile => hostile_trials()?,
            Self::Outage => deaths(),
            Self::Deaths => ended(),
            Self::Aside => deaths_of_metricsd(),
            _ => Vec::new(),
        };
        let in_order = expected(self.goal()).map(str::to_owned).collect();
        Ok(Lines { in_order, any_time })
    }

    /// What its selftest is to prove.
    pub(super) const fn goal(self) -> Goal {
        match self {
            Self::Everything => Goal::System,
            Self::Kept => Goal::SystemKept,
            Self::Long => Goal::Boundaries,
            Self::Rollups => Goal::Rollups,
            Self::Aside => Goal::SetAside,
            Self::LogdAlone => Goal::Logd,
            Self::Hostile => Goal::Services,
            Self::Outage => Goal::Outages,
            Self::Deaths => Goal::Deaths,
        }
    }

    /// What is booted behind it, on the same disk.
    pub(super) const fn next(self) -> Option<Self> {
        match self {
            Self::Everything => Some(Self::Kept),
            Self::Long => Some(Self::Rollups),
            _ => None,
        }
    }

    /// Whether it is booted on the disk of the boot before.
    pub(super) const fn is_next(self) -> bool {
        matches!(self, Self::Kept | Self::Rollups)
    }

    /// The disk, if there is one: a new one, or that of the boot before.
    pub(super) const fn disk(self) -> Option<&'static str> {
        match self {
            Self::Everything | Self::Kept => Some("everything"),
            Self::Long | Self::Rollups => Some("long"),
            Self::Aside => Some("aside"),
            Self::Deaths => Some("deaths"),
            Self::LogdAlone | Self::Hostile | Self::Outage => None,
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
    let others = ["metricsd", "policyd"].map(|name| ended(name, 100));
    others.into_iter().chain([first, second, suspect, third, told]).collect()
}

/// The same where each is ended once by its parent.
fn ended() -> Vec<String> {
    let deaths = selftest_client::victims();
    deaths.map(|name| format!("init: {name} ended, Ended(Killed(64)); again in 100 ms")).collect()
}

/// The same where metricsd dies three times.
fn deaths_of_metricsd() -> Vec<String> {
    let again = [100, 200, 400]
        .map(|pause| format!("init: metricsd ended, Ended(Exited(7)); again in {pause} ms"));
    let told = "metricsd: was told to set its stored state aside".to_owned();
    let suspect = "init: metricsd: stored state is suspect and set aside, no. 1".to_owned();
    again.into_iter().chain([suspect, told]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_expected_twice_and_the_part_is_in_the_whole_in_its_order() {
        let [all, part] =
            [Variant::Everything, Variant::LogdAlone].map(|v| v.lines().unwrap().in_order);
        assert!(all.iter().filter(|line| part.contains(line)).eq(&part) && part.len() < all.len());
        let distinct = all.iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn the_selftest_of_each_image_is_told_its_goal() {
        let variants = [Variant::Kept, Variant::Long, Variant::Rollups];
        for variant in Variant::ALL.into_iter().chain(variants) {
            let text = image::text(variant.recipe()).unwrap();
            let told = image::argument(&text, "selftest-client").unwrap();
            assert_eq!(Goal::from_argument(told), Some(variant.goal()), "{}", variant.recipe());
        }
    }

    #[test]
    fn every_hostile_process_of_the_image_has_to_have_a_verdict() {
        let Lines { in_order, any_time } = Variant::Hostile.lines().unwrap();
        assert!(expected(Goal::Services).eq(in_order.iter().map(String::as_str)));
        for name in ["reads_the_kernel", "asks_a_million_things", "floods_a_service"] {
            assert!(any_time.contains(&format!("trial {name}: ok")), "{name}");
        }
        assert!(!any_time.iter().any(|line| line.contains("echo") || line.contains("judge")));
    }
}
