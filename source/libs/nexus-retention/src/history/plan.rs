//! Which tiers are read from when to when.

use core::ops::Range as Numbers;

use nexus_bounded::Nanos;
use nexus_wire::Tier;
use nexus_wire::metrics::{Moment, Range};

/// Tiers there are.
const TIERS: usize = crate::manifest::TIERS;

/// From shortest to longest.
const ORDER: [Tier; TIERS] = [Tier::Raw, Tier::Short, Tier::Long];

/// What there is of a tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Length of its windows, not 0.
    pub window: Nanos,
    /// When its oldest window began, and when its newest one ended, if there are any.
    pub kept: Option<(Moment, Moment)>,
}

/// The tiers, raw first. Each one's windows are as long as some of the one before.
pub type Tiers = [Extent; TIERS];

/// A time in which one tier is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The tier.
    pub tier: Tier,
    /// Length of its windows.
    pub window: Nanos,
    /// Windows that begin then or later.
    pub from: Moment,
    /// Windows that begin before that.
    pub to: Moment,
}

impl Span {
    /// The windows of a boot.
    #[must_use]
    pub fn windows(&self, boot: u32) -> Numbers<u64> {
        let first = |moment: Moment| match moment.boot.cmp(&boot) {
            core::cmp::Ordering::Less => 0,
            core::cmp::Ordering::Equal => moment.mono_ns.div_ceil(self.window.0),
            core::cmp::Ordering::Greater => u64::MAX,
        };
        first(self.from)..first(self.to)
    }
}

/// What is read, and how it is put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The longest tier of those that are read.
    pub tier: Tier,
    /// Its windows.
    pub window: Nanos,
    /// Length of a step, a multiple of all windows that are read.
    pub step: Nanos,
    /// What is read, one behind another.
    pub spans: [Option<Span>; TIERS],
}

impl Plan {
    /// What a question asks for. Tiers that are named are read alone. Otherwise it is the longest
    /// whose windows are no longer than a step, or, if it does not reach back as far as is asked,
    /// a longer one that reaches back further; and where it ends, because what came later is not
    /// rolled up yet, the shorter ones go on.
    #[must_use]
    pub fn of(range: &Range<'_>, tiers: &Tiers) -> Self {
        let longest = match ORDER.iter().position(|tier| *tier == range.tier) {
            Some(named) => named,
            None => choose(range, tiers),
        };
        let shortest = if range.tier == Tier::Auto { 0 } else { longest };
        let window = tiers.get(longest).map_or(Nanos(1), |tier| tier.window);
        let mut spans = [None; TIERS];
        let mut from = range.from;
        let reads = (shortest..=longest).rev();
        for (place, at) in spans.iter_mut().zip(reads) {
            let Some((tier, extent)) = ORDER.get(at).zip(tiers.get(at)) else { continue };
            let end = extent.kept.map_or(from, |(_, end)| end).max(from);
            let to = if at == shortest { range.to } else { end.min(range.to) };
            if from < to {
                *place = Some(Span { tier: *tier, window: extent.window, from, to });
                from = to;
            }
        }
        let tier = ORDER.get(longest).copied().unwrap_or(Tier::Raw);
        Self { tier, window, step: align(Nanos(range.step_ns), window), spans }
    }

    /// How many windows of a span make a step.
    #[must_use]
    pub const fn ratio(&self, span: &Span) -> u64 {
        let ratio = self.step.0 / span.window.0;
        if ratio == 0 { 1 } else { ratio }
    }
}

/// The next multiple of a window, at least one.
fn align(step: Nanos, window: Nanos) -> Nanos {
    let times = step.0.div_ceil(window.0).max(1);
    // What would be longer than time itself is as long as it can be.
    let most = u64::MAX / window.0;
    Nanos(times.min(most) * window.0)
}

/// The tier that is read if none is named.
fn choose(range: &Range<'_>, tiers: &Tiers) -> usize {
    let is_short = |tier: &&Extent| tier.window.0 <= range.step_ns;
    let base = tiers.iter().skip(1).take_while(is_short).count();
    let oldest = |at: usize| tiers.get(at).and_then(|tier| tier.kept).map(|(oldest, _)| oldest);
    let reaches = |at: &usize| oldest(*at).is_some_and(|oldest| oldest <= range.from);
    let furthest = (base..TIERS).filter(|at| oldest(*at).is_some()).min_by_key(|at| oldest(*at));
    (base..TIERS).find(reaches).or(furthest).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    const fn at(boot: u32, seconds: u64) -> Moment {
        Moment { boot, mono_ns: seconds * SECOND }
    }

    /// Raw from 1000 s on, the others from 500 s and 0 s on, all in boot 1.
    const TIERS_KEPT: Tiers = [
        Extent { window: Nanos(SECOND), kept: Some((at(1, 1000), at(1, 2000))) },
        Extent { window: Nanos(10 * SECOND), kept: Some((at(1, 500), at(1, 1800))) },
        Extent { window: Nanos(60 * SECOND), kept: Some((at(1, 0), at(1, 1200))) },
    ];

    fn plan(from: Moment, to: Moment, step_s: u64, tier: Tier) -> Plan {
        let range = Range { from, to, step_ns: step_s * SECOND, tier, ..Range::ALL };
        Plan::of(&range, &TIERS_KEPT)
    }

    fn read(plan: &Plan) -> Vec<(Tier, u64, u64)> {
        let spans = plan.spans.iter().flatten();
        spans
            .map(|span| (span.tier, span.from.mono_ns / SECOND, span.to.mono_ns / SECOND))
            .collect()
    }

    #[test]
    fn the_longest_tier_within_a_step_is_read_and_shorter_ones_where_it_ends() {
        let long = plan(at(1, 600), at(1, 3000), 120, Tier::Auto);
        assert_eq!((long.tier, long.step), (Tier::Long, Nanos(120 * SECOND)));
        assert_eq!(
            read(&long),
            [(Tier::Long, 600, 1200), (Tier::Short, 1200, 1800), (Tier::Raw, 1800, 3000)]
        );
        let short = plan(at(1, 600), at(1, 1700), 59, Tier::Auto);
        assert_eq!((short.tier, short.step), (Tier::Short, Nanos(60 * SECOND)));
        assert_eq!(read(&short), [(Tier::Short, 600, 1700)]);
        assert_eq!(read(&plan(at(1, 1500), at(1, 1600), 0, Tier::Auto)), [(Tier::Raw, 1500, 1600)]);
    }

    #[test]
    fn what_is_older_than_a_tier_is_read_from_a_longer_one() {
        let back = plan(at(1, 600), at(1, 1900), 1, Tier::Auto);
        assert_eq!((back.tier, back.step), (Tier::Short, Nanos(10 * SECOND)));
        assert_eq!(read(&back), [(Tier::Short, 600, 1800), (Tier::Raw, 1800, 1900)]);
        assert_eq!(plan(at(1, 10), at(1, 1900), 1, Tier::Auto).tier, Tier::Long);
        assert_eq!(plan(Moment::FIRST, at(1, 1900), 1, Tier::Auto).tier, Tier::Long, "furthest");
    }

    #[test]
    fn a_tier_that_is_named_is_read_alone() {
        let long = plan(at(1, 600), at(1, 3000), 0, Tier::Long);
        assert_eq!((long.tier, long.step), (Tier::Long, Nanos(60 * SECOND)));
        assert_eq!(read(&long), [(Tier::Long, 600, 3000)]);
        let raw = plan(at(1, 600), at(1, 3000), 3600, Tier::Raw);
        assert_eq!((read(&raw), raw.step.0), (vec![(Tier::Raw, 600, 3000)], 3600 * SECOND));
    }

    #[test]
    fn windows_are_those_that_begin_in_the_span() {
        let span = Span {
            tier: Tier::Short,
            window: Nanos(10),
            from: Moment { boot: 2, mono_ns: 11 },
            to: Moment { boot: 4, mono_ns: 40 },
        };
        for (boot, windows) in
            [(1, u64::MAX..u64::MAX), (2, 2..u64::MAX), (3, 0..u64::MAX), (4, 0..4), (5, 0..0)]
        {
            assert_eq!(span.windows(boot), windows, "boot {boot}");
        }
    }

    fn moment() -> impl Strategy<Value = Moment> {
        (0..3_u32, 0..5000_u64).prop_map(|(boot, seconds)| at(boot, seconds))
    }

    fn tiers() -> impl Strategy<Value = Tiers> {
        let kept = || proptest::option::of((moment(), moment()));
        [kept(), kept(), kept()].prop_map(|kept| {
            let windows = [1, 10, 60].map(|seconds| Nanos(seconds * SECOND));
            let mut tiers = TIERS_KEPT;
            for ((tier, window), kept) in tiers.iter_mut().zip(windows).zip(kept) {
                *tier = Extent { window, kept: kept.map(|(a, b)| (a.min(b), a.max(b))) };
            }
            tiers
        })
    }

    proptest! {
        #[test]
        fn spans_cover_what_is_asked_for_without_overlap(
            tiers in tiers(), a in moment(), b in moment(), step_ns: u64,
            tier in proptest::sample::select(Tier::ALL),
        ) {
            let (from, to) = (a.min(b), a.max(b));
            let plan = Plan::of(&Range { from, to, step_ns, tier, ..Range::ALL }, &tiers);
            let mut reached = from;
            for span in plan.spans.iter().flatten() {
                prop_assert_eq!(span.from, reached);
                prop_assert!(span.from < span.to && plan.step.0.is_multiple_of(span.window.0));
                prop_assert_eq!(plan.ratio(span) * span.window.0, plan.step.0);
                reached = span.to;
            }
            prop_assert_eq!(reached, to);
            prop_assert!(tier == Tier::Auto || plan.tier == tier);
        }
    }
}
