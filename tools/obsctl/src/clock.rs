//! Calendar time from monotonic time and back, by logd's anchors, and the times people write.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use nexus_wire::logs::ClockAnchor;

/// What is known of the calendar in one boot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calendar {
    /// Ascending by monotonic time.
    anchors: Vec<ClockAnchor>,
}

impl Calendar {
    pub(crate) fn new(mut anchors: Vec<ClockAnchor>) -> Self {
        anchors.sort_by_key(|anchor| anchor.mono_ns);
        Self { anchors }
    }

    /// Calendar time of a monotonic one, by the last anchor before it (else the first one).
    pub(crate) fn wall(&self, mono_ns: u64) -> Option<Timestamp> {
        let behind = self.anchors.partition_point(|anchor| anchor.mono_ns <= mono_ns);
        let anchor = self.anchors.get(behind.saturating_sub(1))?;
        let wall = i128::from(anchor.wall_ns) + i128::from(mono_ns) - i128::from(anchor.mono_ns);
        Timestamp::from_nanosecond(wall).ok()
    }

    /// The earliest monotonic time at which the calendar showed `wall` or later. After a step back
    /// a calendar time comes twice; the earlier one counts, so that nothing is missed.
    pub(crate) fn mono_from(&self, wall: Timestamp) -> u64 {
        let candidates = (0..self.anchors.len()).filter_map(|at| self.mono_within(at, wall));
        candidates.min().unwrap_or(if self.anchors.is_empty() { 0 } else { u64::MAX })
    }

    /// The latest monotonic time at which the calendar showed `wall` or earlier.
    pub(crate) fn mono_until(&self, wall: Timestamp) -> u64 {
        let last = self.anchors.iter().rev().find_map(|anchor| {
            let mono = shifted(anchor, wall)?;
            (mono >= anchor.mono_ns).then_some(mono)
        });
        last.unwrap_or(if self.anchors.is_empty() { u64::MAX } else { 0 })
    }

    fn mono_within(&self, at: usize, wall: Timestamp) -> Option<u64> {
        let anchor = self.anchors.get(at)?;
        let end = self.anchors.get(at + 1).map_or(u64::MAX, |next| next.mono_ns);
        // The first anchor also speaks for the time before it.
        let start = if at == 0 { 0 } else { anchor.mono_ns };
        let mono = shifted(anchor, wall).unwrap_or(0).max(start);
        (mono < end).then_some(mono)
    }
}

/// What is known of the calendar in each boot of logd's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calendars {
    boots: BTreeMap<u32, Calendar>,
    /// The boot that is meant where none is named.
    newest: u32,
    unknown: Calendar,
}

impl Calendars {
    pub(crate) fn new(anchors: Vec<ClockAnchor>, newest: u32) -> Self {
        let mut boots: BTreeMap<u32, Vec<ClockAnchor>> = BTreeMap::new();
        for anchor in anchors {
            boots.entry(anchor.boot).or_default().push(anchor);
        }
        let boots = boots.into_iter().map(|(boot, all)| (boot, Calendar::new(all))).collect();
        Self { boots, newest, unknown: Calendar::default() }
    }

    /// The boot that is meant where none is named.
    pub(crate) const fn newest(&self) -> u32 {
        self.newest
    }

    /// Of one boot; 0: of the newest.
    pub(crate) fn of(&self, boot: u32) -> &Calendar {
        let boot = if boot == 0 { self.newest } else { boot };
        self.boots.get(&boot).unwrap_or(&self.unknown)
    }
}

fn shifted(anchor: &ClockAnchor, wall: Timestamp) -> Option<u64> {
    let mono = wall.as_nanosecond() - i128::from(anchor.wall_ns) + i128::from(anchor.mono_ns);
    u64::try_from(mono).ok()
}

/// The time a person means: `now`, `today`, `yesterday`, `10 min ago`, `-5m`, a date, a date and a
/// time of day, a time of day, or RFC 3339.
pub(crate) fn parse_time(text: &str, now: &Zoned) -> anyhow::Result<Timestamp> {
    let text = text.trim();
    match text {
        "now" => return Ok(now.timestamp()),
        "today" => return Ok(now.start_of_day()?.timestamp()),
        "yesterday" => return Ok(now.yesterday()?.start_of_day()?.timestamp()),
        _ => {}
    }
    if let Some(ago) = text.strip_suffix("ago").or_else(|| text.strip_prefix('-')) {
        return before(now, ago);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let zone: &TimeZone = now.time_zone();
    let civil = text.parse::<DateTime>().ok();
    let today = || text.parse::<jiff::civil::Time>().ok().map(|time| now.date().to_datetime(time));
    match civil.or_else(today) {
        Some(time) => Ok(zone.to_zoned(time)?.timestamp()),
        None => bail!(
            "{text:?} is no time; write \"10 min ago\", \"-5m\", \"today\", \"12:30\", \
             \"2026-01-31 12:30\" or RFC 3339"
        ),
    }
}

fn before(now: &Zoned, span: &str) -> anyhow::Result<Timestamp> {
    let span: Span = span.trim().parse().with_context(|| {
        format!("{span:?} is no length of time; write \"10 min\" or \"2h 30m\"")
    })?;
    Ok(now.checked_sub(span)?.timestamp())
}

/// `Jan 31 12:30:00.123456`, in the zone of `now`; `[   12.345678]` since boot where no calendar
/// is known.
pub(crate) fn short_time(calendar: &Calendar, mono_ns: u64, zone: &TimeZone) -> String {
    match calendar.wall(mono_ns) {
        Some(wall) => wall.to_zoned(zone.clone()).strftime("%b %d %H:%M:%S%.6f").to_string(),
        None => format!("[{:12.6}]", mono_ns as f64 / 1e9),
    }
}

/// `12:30:00.123`, in the zone of `now`; seconds since boot where no calendar is known.
pub(crate) fn time_of_day(calendar: &Calendar, mono_ns: u64, zone: &TimeZone) -> String {
    match calendar.wall(mono_ns) {
        Some(wall) => wall.to_zoned(zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
        None => format!("{:12.3}", mono_ns as f64 / 1e9),
    }
}

/// RFC 3339 in UTC, or nothing.
pub(crate) fn rfc3339(calendar: &Calendar, mono_ns: u64) -> Option<String> {
    calendar.wall(mono_ns).map(|wall| wall.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-01-31T12:30:00+00:00[UTC]".parse().unwrap()
    }

    fn at(text: &str) -> String {
        parse_time(text, &now()).map_or_else(|e| e.to_string(), |time| time.to_string())
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, time) in [
            ("now", "2026-01-31T12:30:00Z"),
            ("10 min ago", "2026-01-31T12:20:00Z"),
            ("-5m", "2026-01-31T12:25:00Z"),
            ("2h 30m ago", "2026-01-31T10:00:00Z"),
            ("today", "2026-01-31T00:00:00Z"),
            ("yesterday", "2026-01-30T00:00:00Z"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
            ("2026-01-02 03:04", "2026-01-02T03:04:00Z"),
            ("03:04:05", "2026-01-31T03:04:05Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ] {
            assert_eq!(at(text), time, "{text}");
        }
        assert!(at("soon").contains("is no time"));
        assert!(at("many moons ago").contains("no length of time"));
    }

    fn anchor(mono_s: u64, wall_s: u64) -> ClockAnchor {
        let ns = 1_000_000_000;
        ClockAnchor { boot: 1, mono_ns: mono_s * ns, wall_ns: wall_s * ns }
    }

    fn wall(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_clock_set_late_is_right_from_then_on() {
        // Booted at 1970, set to 1000 s at 10 s.
        let calendar = Calendar::new(vec![anchor(0, 0), anchor(10, 1000)]);
        assert_eq!(calendar.wall(5_000_000_000), Some(wall(5)));
        assert_eq!(calendar.wall(11_000_000_000), Some(wall(1001)));
        assert_eq!(calendar.mono_from(wall(1001)), 11_000_000_000);
        assert_eq!(calendar.mono_from(wall(500)), 10_000_000_000);
    }

    #[test]
    fn after_a_step_back_since_begins_at_the_earlier_and_until_ends_at_the_later_time() {
        // At 10 s the clock stepped from 110 back to 105.
        let calendar = Calendar::new(vec![anchor(0, 100), anchor(10, 105)]);
        assert_eq!(calendar.mono_from(wall(107)), 7_000_000_000);
        assert_eq!(calendar.mono_until(wall(107)), 12_000_000_000);
    }

    #[test]
    fn each_boot_has_its_own_calendar() {
        let later = ClockAnchor { boot: 2, ..anchor(0, 5000) };
        let calendars = Calendars::new(vec![later, anchor(0, 100)], 2);
        assert_eq!(calendars.of(1).wall(1_000_000_000), Some(wall(101)));
        assert_eq!(calendars.of(2).wall(1_000_000_000), Some(wall(5001)));
        assert_eq!(calendars.of(0).wall(0), Some(wall(5000)), "the newest, if none is named");
        assert_eq!(calendars.of(3).wall(0), None);
    }

    #[test]
    fn without_anchors_nothing_is_filtered() {
        let calendar = Calendar::default();
        assert_eq!(calendar.mono_from(wall(107)), 0);
        assert_eq!(calendar.mono_until(wall(107)), u64::MAX);
        assert_eq!(short_time(&calendar, 1_500_000_000, &TimeZone::UTC), "[    1.500000]");
    }
}
