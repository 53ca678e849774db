//! The times people mean, in boots and times since them.

use std::collections::BTreeMap;

use anyhow::bail;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use nexus_wire::logs::ClockAnchor;
use nexus_wire::metrics::{Moment, Range, RangeEntry};

use super::source::Source;
use crate::cli::When;
use crate::clock::{self, Calendar};

/// How often a question is asked again whose answer was replaced while it came.
const ATTEMPTS: u32 = 3;

/// What is known of the calendar of each boot.
pub(crate) struct Times {
    boots: BTreeMap<u32, (Calendar, u64)>,
    zone: TimeZone,
    /// Against which "ago" is meant.
    now: Zoned,
}

impl Times {
    /// Asks for clocks: a question for no series, read in the longest windows.
    pub(super) fn of(source: &mut Source) -> anyhow::Result<Self> {
        let none = Range { is_prefix: false, step_ns: u64::MAX, ..Range::ALL };
        let mut anchors: BTreeMap<u32, Vec<ClockAnchor>> = BTreeMap::new();
        for _ in 0..ATTEMPTS {
            let answered = source.ask(&none, &mut |_, entry| {
                if let RangeEntry::Clock(clock) = entry {
                    let (boot, mono_ns) = (clock.at.boot, clock.at.mono_ns);
                    let anchor = ClockAnchor { boot, mono_ns, wall_ns: clock.wall_ns };
                    anchors.entry(boot).or_default().push(anchor);
                }
            })?;
            if answered {
                break;
            }
        }
        anchors.values_mut().for_each(|all| all.extend(at_boot(all)));
        let zone = TimeZone::system();
        let newest = |all: &Vec<ClockAnchor>| all.iter().map(|anchor| anchor.mono_ns).max();
        let boots: BTreeMap<_, _> = anchors
            .into_iter()
            .map(|(boot, all)| (boot, (newest(&all).unwrap_or_default(), Calendar::new(all))))
            .map(|(boot, (newest, calendar))| (boot, (calendar, newest)))
            .collect();
        let kept = boots.values().filter_map(|(calendar, newest)| calendar.wall(*newest)).max();
        let now = match kept.filter(|_| !source.is_live()) {
            Some(kept) => kept.to_zoned(zone.clone()),
            None => Zoned::now(),
        };
        Ok(Self { boots, zone, now })
    }

    /// From when to when is asked for. Boots of which no calendar is known are all within.
    pub(super) fn between(&self, when: &When) -> anyhow::Result<(Moment, Moment)> {
        let time = |text: &Option<String>| {
            text.as_deref().map(|text| clock::parse_time(text, &self.now)).transpose()
        };
        let (since, until) = (time(&when.since)?, time(&when.until)?);
        if let (Some(since), Some(until)) = (since, until)
            && until < since
        {
            bail!("--until ({until}) is before --since ({since}): nothing could be found");
        }
        if self.boots.is_empty() && (since.is_some() || until.is_some()) {
            eprintln!("obsctl: what is kept does not say when it was: all of it is shown");
        }
        let from = since.map_or(Moment::FIRST, |since| self.from(since));
        let to = until.map_or(Moment::LAST, |until| self.until(until));
        Ok((from, to.max(from)))
    }

    /// The first boot whose newest time is not before it; if there is none, the newest boot.
    fn from(&self, since: Timestamp) -> Moment {
        let reaches = |(_, (calendar, newest)): &(&u32, &(Calendar, u64))| {
            calendar.wall(*newest).is_some_and(|wall| wall >= since)
        };
        let found = self.boots.iter().find(reaches).or(self.boots.iter().next_back());
        found.map_or(Moment::FIRST, |(boot, (calendar, _))| Moment {
            boot: *boot,
            mono_ns: calendar.mono_from(since),
        })
    }

    /// The last boot that had begun by then.
    fn until(&self, until: Timestamp) -> Moment {
        let had_begun = |(_, (calendar, _)): &(&u32, &(Calendar, u64))| {
            calendar.wall(0).is_some_and(|wall| wall <= until)
        };
        let found = self.boots.iter().rev().find(had_begun);
        match (found, self.boots.is_empty()) {
            (Some((boot, (calendar, _))), _) => {
                Moment { boot: *boot, mono_ns: calendar.mono_until(until).saturating_add(1) }
            }
            (None, true) => Moment::LAST,
            (None, false) => Moment::FIRST,
        }
    }

    /// The time for people; where no calendar is known, since the boot.
    pub(crate) fn text(&self, at: Moment) -> String {
        let none = Calendar::default();
        let calendar = self.boots.get(&at.boot).map_or(&none, |(calendar, _)| calendar);
        match calendar.wall(at.mono_ns) {
            Some(wall) => wall.to_zoned(self.zone.clone()).strftime("%b %d %H:%M:%S").to_string(),
            None => format!("[{:.0} s]", at.mono_ns as f64 / 1e9),
        }
    }

    /// The time for programs.
    pub(crate) fn rfc3339(&self, at: Moment) -> Option<String> {
        self.boots.get(&at.boot).and_then(|(calendar, _)| clock::rfc3339(calendar, at.mono_ns))
    }
}

/// When the boot was, by the first clocks that are known of it: they speak for the time before.
fn at_boot(all: &[ClockAnchor]) -> Option<ClockAnchor> {
    let first = all.iter().min_by_key(|anchor| anchor.mono_ns)?;
    let wall_ns = first.wall_ns.checked_sub(first.mono_ns)?;
    Some(ClockAnchor { mono_ns: 0, wall_ns, ..*first })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Boot 1 began at 1000 s and was last heard of at 1100 s, boot 3 at 2000 s and 2500 s.
    fn times() -> Times {
        let boot = |boot: u32, began: u64, newest: u64| {
            let anchor = |mono: u64| ClockAnchor {
                boot,
                mono_ns: mono * SECOND,
                wall_ns: (began + mono) * SECOND,
            };
            let calendar = Calendar::new(vec![anchor(10), anchor(newest)]);
            (boot, (calendar, newest * SECOND))
        };
        let now = Timestamp::from_second(2500).unwrap().to_zoned(TimeZone::UTC);
        let boots = [boot(1, 1000, 100), boot(3, 2000, 500)].into_iter().collect();
        Times { boots, zone: TimeZone::UTC, now }
    }

    fn between(since: &str, until: &str) -> (Moment, Moment) {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let when = When { since: text(since), until: text(until), ..When::default() };
        times().between(&when).unwrap()
    }

    const fn at(boot: u32, seconds: u64) -> Moment {
        Moment { boot, mono_ns: seconds * SECOND }
    }

    #[test]
    fn times_of_the_calendar_are_found_in_the_boot_they_were_in() {
        assert_eq!(between("", ""), (Moment::FIRST, Moment::LAST));
        assert_eq!(between("-100s", "").0, at(3, 400));
        assert_eq!(between("1970-01-01T00:17:30Z", "").0, at(1, 50), "17:30 is 1050 s");
        assert_eq!(between("1970-01-01T00:25:00Z", "").0, at(3, 0), "between the boots");
        let (_, until) = between("", "1970-01-01T00:25:00Z");
        assert!(until > at(1, 100) && until.boot == 1, "{until:?}");
        assert_eq!(between("", "1970-01-01T00:10:00Z").1, Moment::FIRST, "before all");
    }

    #[test]
    fn without_a_calendar_times_since_the_boot_are_shown() {
        assert_eq!(times().text(at(3, 60)), "Jan 01 00:34:20");
        assert_eq!(times().text(at(7, 60)), "[60 s]");
    }
}
