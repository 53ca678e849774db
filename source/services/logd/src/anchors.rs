use alloc::boxed::Box;
use alloc::vec;

use nexus_bounded::Nanos;
use nexus_port::Now;
use nexus_wire::logs::ClockAnchor;

/// Points at which monotonic and calendar time were read together. Between two of them calendar
/// time went along with monotonic time, but for less than the drift that a recipe allows; so a
/// record's calendar time can be told from the anchor before it, or corrected by a later one.
///
/// A full table keeps its first anchor and loses the oldest of the others.
pub(crate) struct Anchors {
    boot: u32,
    drift: Nanos,
    anchors: Box<[ClockAnchor]>,
    len: usize,
    lost: u64,
    /// Of former lives, oldest first.
    past: Box<[ClockAnchor]>,
    past_len: usize,
}

impl Anchors {
    /// No anchor yet; there will be `capacity` at most, but 1 at least, and no more than one reply
    /// takes.
    /// `keeps_past`: as many of former lives besides.
    pub(crate) fn new(boot: u32, capacity: u32, drift: Nanos, keeps_past: bool) -> Self {
        let vacant = ClockAnchor { boot, mono_ns: 0, wall_ns: 0 };
        let anchors = vec![vacant; Self::room(capacity)].into_boxed_slice();
        let past = vec![vacant; if keeps_past { Self::room(capacity) } else { 0 }];
        let past = past.into_boxed_slice();
        Self { boot, drift, anchors, len: 0, lost: 0, past, past_len: 0 }
    }

    /// Bytes of memory that `capacity` anchors take.
    pub(crate) fn bytes(capacity: u32) -> usize {
        Self::room(capacity) * size_of::<ClockAnchor>()
    }

    fn room(capacity: u32) -> usize {
        (capacity as usize).clamp(1, ClockAnchor::REPLY_MAX)
    }

    /// Looks at both clocks, and keeps what they say if it is news.
    #[inline]
    pub(crate) fn observe(&mut self, now: Now) {
        let Some(wall) = now.wall else { return };
        let anchor = ClockAnchor { boot: self.boot, mono_ns: now.mono.0, wall_ns: wall.0 };
        let is_news = match self.all().last() {
            Some(last) => self.drift < Nanos(apart(last, &anchor)),
            None => true,
        };
        if is_news {
            self.keep(anchor);
        }
    }

    #[cold]
    fn keep(&mut self, anchor: ClockAnchor) {
        if self.len == self.anchors.len() {
            self.lost += 1;
            self.len -= 1;
            self.anchors.copy_within(2.min(self.len + 1).., 1.min(self.len));
        }
        if let Some(place) = self.anchors.get_mut(self.len) {
            *place = anchor;
            self.len += 1;
        }
    }

    /// Takes an anchor of a former life, if it is news.
    pub(crate) fn recall(&mut self, anchor: ClockAnchor) {
        let last = self.past.get(..self.past_len).and_then(|past| past.last());
        let is_known = last.is_some_and(|last| {
            last.boot == anchor.boot && Nanos(apart(last, &anchor)) <= self.drift
        });
        if is_known || self.past.is_empty() {
            return;
        }
        if self.past_len == self.past.len() {
            self.past_len -= 1;
            self.past.copy_within(1.., 0);
        }
        if let Some(place) = self.past.get_mut(self.past_len) {
            *place = anchor;
            self.past_len += 1;
        }
    }

    /// The boot has another number.
    pub(crate) fn rename(&mut self, boot: u32) {
        self.boot = boot;
        self.anchors.iter_mut().for_each(|anchor| anchor.boot = boot);
    }

    /// Those of former lives, as many of the newest as find room in a reply, then [`Self::all`].
    pub(crate) fn of_all_lives(&self) -> impl Iterator<Item = ClockAnchor> {
        let room = ClockAnchor::REPLY_MAX - self.len;
        let first = self.past_len.saturating_sub(room);
        let past = self.past.get(first..self.past_len).unwrap_or_default();
        past.iter().chain(self.all()).copied()
    }

    /// The anchors of this life, oldest first.
    pub(crate) fn all(&self) -> &[ClockAnchor] {
        self.anchors.get(..self.len).unwrap_or_default()
    }

    /// Anchors that had to go for newer ones.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }
}

/// By how much the calendar clock has moved against the monotonic one between two anchors, in ns.
fn apart(earlier: &ClockAnchor, later: &ClockAnchor) -> u64 {
    let passed = later.mono_ns.saturating_sub(earlier.mono_ns);
    later.wall_ns.abs_diff(earlier.wall_ns.saturating_add(passed))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use nexus_bounded::{Mono, Wall};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn observed(capacity: u32, clocks: &[(u64, Option<u64>)]) -> Vec<(u64, u64)> {
        let mut anchors = Anchors::new(7, capacity, Nanos::from_millis(500), false);
        for (mono, wall) in clocks {
            anchors.observe(Now { mono: Mono(*mono), wall: wall.map(Wall) });
        }
        assert!(anchors.all().iter().all(|anchor| anchor.boot == 7));
        anchors.all().iter().map(|anchor| (anchor.mono_ns, anchor.wall_ns)).collect()
    }

    #[test]
    fn clocks_that_agree_need_one_anchor() {
        let clocks = [(5, Some(1_000)), (6, Some(1_001)), (5 + SECOND, Some(1_000 + SECOND))];
        assert_eq!(observed(4, &clocks), [(5, 1_000)]);
    }

    #[test]
    fn a_wall_clock_that_is_set_later_gets_its_first_anchor_then() {
        assert_eq!(observed(4, &[(5, None), (9, Some(77))]), [(9, 77)]);
    }

    #[test]
    fn a_jump_either_way_gets_an_anchor() {
        let start = 1_000 * SECOND;
        let clocks = [
            (0, Some(start)),
            (SECOND, Some(start + 9 * SECOND)),
            (2 * SECOND, Some(start + 2 * SECOND)),
        ];
        assert_eq!(
            observed(4, &clocks),
            [(0, start), (SECOND, start + 9 * SECOND), (2 * SECOND, start + 2 * SECOND)]
        );
    }

    #[test]
    fn a_drift_up_to_the_allowed_one_gets_none_and_one_nanosecond_more_does() {
        let half = SECOND / 2;
        assert_eq!(observed(4, &[(0, Some(0)), (SECOND, Some(SECOND + half))]).len(), 1);
        assert_eq!(observed(4, &[(0, Some(0)), (SECOND, Some(SECOND + half + 1))]).len(), 2);
    }

    #[test]
    fn a_slow_drift_gets_an_anchor_as_soon_as_it_adds_up() {
        let clocks =
            (0..100).map(|s| (s * SECOND, Some(s * (SECOND + SECOND / 10)))).collect::<Vec<_>>();
        let monos = observed(64, &clocks).iter().map(|(mono, _)| mono / SECOND).collect::<Vec<_>>();
        assert_eq!(monos, (0..100).step_by(6).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_table_keeps_the_first_and_the_newest() {
        let clocks = (0..9).map(|s| (s, Some(s * 10 * SECOND))).collect::<Vec<_>>();
        let monos = observed(4, &clocks).iter().map(|(mono, _)| *mono).collect::<Vec<_>>();
        assert_eq!(monos, [0, 6, 7, 8]);
        assert_eq!(observed(2, &clocks).len(), 2);
        assert_eq!(observed(1, &clocks).len(), 1);
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        let clocks = [(u64::MAX, Some(u64::MAX)), (0, Some(0)), (u64::MAX, Some(0))];
        assert_eq!(observed(8, &clocks).len(), 3);
    }
}
