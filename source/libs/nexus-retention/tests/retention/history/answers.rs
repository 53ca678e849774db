use nexus_bounded::Nanos;
use nexus_retention::history::Refusal;
use nexus_retention::name::SegmentName;
use nexus_retention::segment::{Kind, Meta};
use nexus_wire::metrics::{Moment, Range, RangeCursor};
use nexus_wire::{LabelBytes, Labels, Tier};
use proptest::prelude::*;

use super::archive::{Archive, Manner, PLAIN, SECOND, SIXTIES, ask, expected, named};
use crate::bed::{self, ANCHOR, Model, RAW, Series, TENS, Value, model};

fn manner() -> impl Strategy<Value = Manner> {
    (1000..4097_usize, prop_oneof![Just(7_usize), 100..5000_usize], 1..5_u32, 1..80_u32)
        .prop_map(|(frame, piece, series, reads)| Manner { frame, piece, series, reads })
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        Just(Moment::FIRST),
        Just(Moment::LAST),
        (1..4_u32, 0..400 * SECOND).prop_map(|(boot, mono_ns)| Moment { boot, mono_ns }),
    ]
}

fn question() -> impl Strategy<Value = Range<'static>> {
    let steps = prop_oneof![
        Just(0),
        Just(SECOND),
        Just(7 * SECOND),
        Just(60 * SECOND),
        1..100 * SECOND,
        Just(u64::MAX),
    ];
    let name = proptest::sample::select(&["", "series_", "series_1", "none"][..]);
    let labels = proptest::sample::select(&["", "parity=1\n", "at=2\nparity=0\n"][..]);
    (moment(), moment(), steps, name, labels, any::<bool>()).prop_map(
        |(a, b, step_ns, name, labels, is_prefix)| Range {
            from: a.min(b),
            to: a.max(b),
            step_ns,
            tier: Tier::Raw,
            name,
            is_prefix,
            labels: Labels::parse(LabelBytes::new(labels.as_bytes()).unwrap()).unwrap(),
            ..Range::ALL
        },
    )
}

proptest! {
    #[test]
    fn what_was_recorded_comes_back_in_steps_however_it_is_cut(
        first in model(RAW).prop_map(named), second in model(RAW).prop_map(named),
        windows in 1..100_usize, group in 1..64_usize,
        range in question(), manner in manner(),
    ) {
        let mut archive = Archive::default();
        // As many groups as a segment may have.
        let windows = windows.min(64 * group);
        archive.add_model(1, &first, windows, group);
        archive.add_model(3, &second, windows, group);
        let answer = ask(&archive, range, manner).unwrap();
        let step = Nanos(answer.head.unwrap().step_ns);
        prop_assert!(step.0 >= range.step_ns.clamp(SECOND, u64::MAX / SECOND * SECOND));
        prop_assert_eq!(answer.steps, expected(&[(1, &first), (3, &second)], &range, step));
        prop_assert!(answer.lost.is_empty());
    }

    #[test]
    fn any_cursor_is_refused_or_answered(
        model in model(RAW).prop_map(named), words: [u64; 4], small: [u8; 4], row in 0..70_u64,
    ) {
        let mut archive = Archive::default();
        archive.add_model(1, &model, 50, 10);
        let first = archive.files.keys().next().unwrap().1.first;
        let [batch, series, group, flag] = small.map(|byte| u64::from(byte % 6));
        let place = ((flag % 2) << 16) | (group << 8) | row;
        let near = [(1 << 32) | 1, first, (batch << 32) | series, place];
        for words in [words, near] {
            let range = Range { cursor: RangeCursor(words), tier: Tier::Raw, ..Range::ALL };
            match ask(&archive, range, PLAIN) {
                Err(Refusal::Cursor | Refusal::Gone) => {}
                Ok(answer) => {
                    let all = expected(&[(1, &model)], &range, Nanos(SECOND));
                    prop_assert!(answer.steps.iter().all(|(who, step)| all.get(who) == Some(step)));
                }
            }
        }
    }
}

/// Twenty minutes of three series, a second a window.
fn minutes() -> Model {
    let windows: Vec<_> = (0..1200).map(|number| (number, number == 130)).collect();
    let of = |kind, value: &dyn Fn(u64) -> Option<Value>| {
        Series::new("", kind, (0..1200).map(value).collect())
    };
    let histogram = |at: u64| Value::Histogram(vec![at % 3, 1, at % 7], i128::from(at));
    let series = vec![
        of(Kind::Counter, &|at| Some(Value::Counter(at * at))),
        of(Kind::Gauge, &|at| {
            (at % 5 != 2).then_some(Value::Gauge((at * 7919 % 1000).cast_signed()))
        }),
        of(Kind::Histogram { buckets: 3 }, &|at| (at % 100 < 40).then(|| histogram(at))),
    ];
    named(Model { tier: RAW, windows, series })
}

/// Rolls the first `count` segments of a tier up into one of longer windows.
fn roll_up(archive: &mut Archive, from: Tier, ratio: u64, to: Tier, count: usize) {
    let tier = if to == Tier::Short { TENS } else { SIXTIES };
    let files = archive.files.iter().filter(|((of, _), _)| *of == from.raw());
    let files: Vec<_> = files.take(count).map(|(_, bytes)| bytes.clone()).collect();
    let out = bed::roll_up(&files, ratio, Meta { boot: 1, tier }).unwrap();
    archive.add(to, SegmentName { boot: 1, first: 0 }, out);
}

/// Raw in segments of two minutes; eight of them also in windows of 10 s, all that also in 60 s.
fn rolled() -> (Archive, Model) {
    let (mut archive, model) = (Archive::default(), minutes());
    archive.add_model(1, &model, 120, 64);
    roll_up(&mut archive, Tier::Raw, 10, Tier::Short, 8);
    roll_up(&mut archive, Tier::Short, 6, Tier::Long, 1);
    roll_up(&mut archive, Tier::Raw, 10, Tier::Short, 9);
    (archive, model)
}

const fn at(seconds: u64) -> Moment {
    Moment { boot: 1, mono_ns: seconds * SECOND }
}

/// Windows are counted in their tiers; everything else is the same from whichever tier.
fn without_windows(steps: super::archive::Steps) -> Vec<String> {
    steps.iter().map(|(who, step)| format!("{who:?} {:?}", (step.total, step.is_catchup))).collect()
}

#[test]
fn longer_windows_say_the_same_and_shorter_ones_go_on_where_they_end() {
    let (archive, model) = rolled();
    for (from, to, step) in [(0, 1200, 60), (120, 1140, 120), (240, 1200, 600), (60, 300, 180)] {
        let range = Range { from: at(from), to: at(to), step_ns: step * SECOND, ..Range::ALL };
        let answer = ask(&archive, range, PLAIN).unwrap();
        let head = answer.head.unwrap();
        assert_eq!((head.tier, head.step_ns), (Tier::Long, step * SECOND));
        let expected = expected(&[(1, &model)], &range, Nanos(step * SECOND));
        assert_eq!(without_windows(answer.steps), without_windows(expected), "{from} to {to}");
    }
}

#[test]
fn steps_between_the_tiers_are_read_from_the_shorter_one() {
    let (archive, model) = rolled();
    let range = Range { from: at(100), to: at(1200), step_ns: 20 * SECOND, ..Range::ALL };
    let answer = ask(&archive, range, PLAIN).unwrap();
    assert_eq!(answer.head.unwrap().tier, Tier::Short);
    let expected = expected(&[(1, &model)], &range, Nanos(20 * SECOND));
    assert_eq!(without_windows(answer.steps), without_windows(expected));
}

#[test]
fn an_answer_goes_on_when_more_is_rolled_up_meanwhile() {
    let (mut archive, model) = (Archive::default(), minutes());
    archive.add_model(1, &model, 120, 64);
    roll_up(&mut archive, Tier::Raw, 10, Tier::Short, 3);
    let range = Range { step_ns: 10 * SECOND, from: at(0), to: at(1200), ..Range::ALL };
    let manner = Manner { reads: 1, ..PLAIN };
    let mut steps = super::archive::Answer::default();
    let mut cursor = RangeCursor::START;
    for rolled_up in (3..40).map(|at: usize| at.min(10)) {
        roll_up(&mut archive, Tier::Raw, 10, Tier::Short, rolled_up);
        cursor = steps.once(&archive, Range { cursor, ..range }, manner).unwrap();
        if cursor == RangeCursor::START {
            break;
        }
    }
    assert!(steps.frames > 3, "it was cut: {} frames", steps.frames);
    let expected = expected(&[(1, &model)], &range, Nanos(10 * SECOND));
    assert_eq!(without_windows(steps.steps), without_windows(expected));
}

/// What one answer tells of an archive that has three segments when it begins, and one more behind
/// each frame. `says`: whether the archive says up to where it is recorded.
fn answer_while_it_grows(model: &Model, says: bool) -> super::archive::Answer {
    let mut archive = Archive::default();
    let (mut answer, mut cursor) = (super::archive::Answer::default(), RangeCursor::START);
    let range = Range { tier: Tier::Raw, ..Range::ALL };
    for segments in 3.. {
        let windows = (segments * 120).min(1200);
        let mut part = model.clone();
        part.windows.truncate(windows);
        archive.add_model(1, &part, 120, 64);
        archive.recorded = if says { windows as u64 } else { 0 };
        let manner = Manner { reads: 1, ..PLAIN };
        cursor = answer.once(&archive, Range { cursor, ..range }, manner).unwrap();
        if cursor == RangeCursor::START {
            break;
        }
    }
    assert!(answer.frames > 8, "it was cut: {} frames", answer.frames);
    answer
}

#[test]
fn an_answer_ends_where_it_ended_when_it_began_and_only_because_that_is_said() {
    let model = minutes();
    for (says, end) in [(true, 360), (false, 1200)] {
        let answer = answer_while_it_grows(&model, says);
        let range = Range { tier: Tier::Raw, to: at(end), ..Range::ALL };
        assert_eq!(answer.steps, expected(&[(1, &model)], &range, Nanos(SECOND)), "{says}");
    }
}

#[test]
fn each_segment_says_when_it_was() {
    let (archive, _) = rolled();
    let range = Range { tier: Tier::Short, ..Range::ALL };
    let answer = ask(&archive, range, Manner { frame: 1000, ..PLAIN }).unwrap();
    assert_eq!(answer.clocks.len(), 1);
    let clock = answer.clocks[0];
    assert_eq!((clock.at.boot, clock.at.mono_ns), (1, ANCHOR.mono.0));
    assert_eq!(Some(clock.wall_ns), ANCHOR.wall.map(|wall| wall.0));
}

#[test]
fn a_cursor_to_what_is_gone_is_refused() {
    let (archive, _) = rolled();
    let range = Range { tier: Tier::Raw, ..Range::ALL };
    let cursor = RangeCursor([1 << 32 | 1, 7, 0, 0]);
    let refused = ask(&archive, Range { cursor, ..range }, PLAIN).err();
    assert_eq!(refused, Some(Refusal::Gone), "no segment begins there");
    let cursor = RangeCursor([2 << 32 | 1, 0, 0, 0]);
    let refused = ask(&archive, Range { cursor, ..range }, PLAIN).err();
    assert_eq!(refused, Some(Refusal::Gone), "that tier is not read");
    let refused = ask(&archive, Range { cursor: RangeCursor([9; 4]), ..range }, PLAIN).err();
    assert_eq!(refused, Some(Refusal::Cursor));
}
