//! RANGE, both ways.

use nexus_abi::ServiceId;
use nexus_wire::metrics::{
    Counts, Moment, Op, Range, RangeClock, RangeCursor, RangeEntry, RangeHead, RangeLost, RangeRow,
    RangeSeries, RangeValue, RangeWriter, Reply, Request, decode, decode_reply, encode,
};
use nexus_wire::{HistoryLoss, Kind, LabelBytes, Labels, MetricStatus, Tier, Unit};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::any::{bounds, kind, leak, service, text, unit};

fn moment() -> impl Strategy<Value = Moment> {
    any::<(u32, u64)>().prop_map(|(boot, mono_ns)| Moment { boot, mono_ns })
}

fn moments() -> impl Strategy<Value = (Moment, Moment)> {
    (moment(), moment()).prop_map(|(a, b)| (a.min(b), a.max(b)))
}

fn labels() -> impl Strategy<Value = Labels<'static>> {
    btree_map("[a-z]{4,9}", "[a-z]{0,9}", 0..4).prop_map(|pairs| {
        let lines: String = pairs.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let bytes = LabelBytes::new(leak::<[u8]>(lines.into_bytes())).unwrap();
        // A key that claims an identity is no label.
        Labels::parse(bytes).unwrap_or(Labels::EMPTY)
    })
}

pub(crate) fn range() -> impl Strategy<Value = Request<'static>> {
    let numbers = (any::<[u64; 4]>(), any::<u64>(), any::<bool>());
    (numbers, moments(), select(Tier::ALL), service(), text(48), labels()).prop_map(
        |((cursor, step_ns, is_prefix), (from, to), tier, service, name, labels)| {
            Request::Range(Range {
                cursor: RangeCursor(cursor),
                from,
                to,
                step_ns,
                tier,
                service: Some(service).filter(|service| service.raw() != 0),
                is_prefix,
                name,
                labels,
            })
        },
    )
}

fn series() -> impl Strategy<Value = RangeSeries<'static>> {
    let names = (text(48), text(192));
    (any::<(u32, bool)>(), service(), kind(), unit(), names, bounds(24)).prop_map(
        |((boot, overflow), service, kind, unit, (name, labels), bounds)| {
            let bounds = if kind == Kind::Histogram { bounds } else { &[] };
            RangeSeries { boot, service, kind, unit, overflow, name, labels, bounds }
        },
    )
}

/// What a series of a kind may do.
fn value(series: &RangeSeries<'_>, numbers: (u64, i128, [i64; 3])) -> RangeValue<'static> {
    let (count, sum, [min, max, last]) = numbers;
    match series.kind {
        Kind::Counter => RangeValue::Counter { delta: count },
        Kind::Gauge => RangeValue::Gauge { count: count.max(1), sum, min, max, last },
        Kind::Histogram => {
            let most = series.bounds.len() as u64 / 8;
            let mut indexes = vec![count % (most + 1), sum as u64 % (most + 1)];
            indexes.sort_unstable();
            indexes.dedup();
            let counts = indexes.into_iter().map(|index| (index as u8, count));
            let out = Box::leak(Box::new([0; 32]));
            RangeValue::Histogram { sum, counts: Counts::encode(counts, out).unwrap() }
        }
    }
}

/// A series, and entries that may stand behind it.
fn entries() -> impl Strategy<Value = Vec<RangeEntry<'static>>> {
    let clock = (moment(), any::<u64>())
        .prop_map(|(at, wall_ns)| RangeEntry::Clock(RangeClock { at, wall_ns }));
    let lost = (select(HistoryLoss::ALL), any::<bool>(), moments()).prop_map(
        |(why, of_series, (from, to))| RangeEntry::Lost(RangeLost { why, of_series, from, to }),
    );
    let row = any::<(u64, u32, bool, (u64, i128, [i64; 3]))>();
    (series(), vec(clock, 0..2), vec(row, 0..5), vec(lost, 0..2)).prop_map(
        |(series, clocks, rows, losses)| {
            let row = |(step, windows, catchup, numbers): (u64, u32, bool, _)| {
                let value = value(&series, numbers);
                RangeEntry::Row(RangeRow { step, windows: windows.max(1), catchup, value })
            };
            let series = std::iter::once(RangeEntry::Series(series));
            let rows = rows.into_iter().map(row);
            clocks.into_iter().chain(series).chain(rows).chain(losses).collect()
        },
    )
}

fn head() -> impl Strategy<Value = RangeHead> {
    let tier = select(&[Tier::Raw, Tier::Short, Tier::Long][..]);
    (moment(), tier, 1..=u64::from(u32::MAX), 1..=u64::from(u32::MAX)).prop_map(
        |(now, tier, window_ns, times)| RangeHead {
            now,
            tier,
            window_ns,
            step_ns: window_ns * times,
        },
    )
}

proptest! {
    #[test]
    fn a_question_comes_back(request in range(), nonce in any::<u32>()) {
        let mut out = [0; 512];
        let frame = encode(&request, nonce, &mut out).unwrap();
        let decoded = decode(frame).unwrap();
        prop_assert_eq!((decoded.nonce, decoded.request), (nonce, request));
        for len in 8..frame.len() {
            prop_assert!(decode(&frame[..len]).is_err());
        }
    }

    #[test]
    fn entries_come_back_as_far_as_they_fit(
        head in head(),
        all in vec(entries(), 0..6),
        next in any::<[u64; 4]>(),
        nonce in any::<u32>(),
        room in 100..4096_usize,
    ) {
        let all = all.concat();
        let mut out = [0; 4096];
        let mut writer = RangeWriter::new(nonce, &head, &mut out[..room]);
        let written = all.iter().take_while(|entry| writer.entry(entry)).count();
        prop_assert_eq!(writer.is_empty(), written == 0);
        // Whoever has to wait goes on in the same buffer.
        let paused = writer.pause();
        let writer = RangeWriter::resume(paused, &mut out[..room]);
        let frame = writer.finish(RangeCursor(next)).unwrap();
        let Some((MetricStatus::Ok, Reply::Range(reply))) = decode_reply(Op::Range, nonce, frame)
        else {
            panic!("not a RANGE reply");
        };
        prop_assert_eq!((reply.next, reply.head), (RangeCursor(next), head));
        prop_assert_eq!(reply.entries().collect::<Vec<_>>(), &all[..written]);
        for len in 0..frame.len() {
            prop_assert!(decode_reply(Op::Range, nonce, &frame[..len]).is_none());
        }
    }
}

const HEAD: RangeHead =
    RangeHead { now: Moment::FIRST, tier: Tier::Raw, window_ns: 10, step_ns: 20 };

const COUNTER: RangeSeries<'_> = RangeSeries {
    boot: 1,
    service: ServiceId::from_raw(1),
    kind: Kind::Counter,
    unit: Unit::None,
    overflow: false,
    name: "n",
    labels: "",
    bounds: &[],
};

const fn row(value: RangeValue<'_>) -> RangeEntry<'_> {
    RangeEntry::Row(RangeRow { step: 1, windows: 1, catchup: false, value })
}

#[test]
fn a_row_stands_behind_a_series_of_its_kind_only() {
    let delta = row(RangeValue::Counter { delta: 1 });
    let mut out = [0; 512];
    let mut writer = RangeWriter::new(1, &HEAD, &mut out);
    assert!(!writer.entry(&delta), "of which series");
    assert!(writer.entry(&RangeEntry::Series(RangeSeries { kind: Kind::Gauge, ..COUNTER })));
    assert!(!writer.entry(&delta), "a gauge has no delta");
    assert!(writer.entry(&RangeEntry::Series(COUNTER)) && writer.entry(&delta));
    let frame = writer.finish(RangeCursor::START).unwrap();
    assert!(decode_reply(Op::Range, 1, frame).is_some());
    // Wherever the kind of the second series stands, changed it is not that of its row.
    let mut changed = frame.to_vec();
    let kinds = (0..frame.len()).filter(|at| frame[*at] == Kind::Counter.raw());
    let refused = kinds.filter(|at| {
        changed[*at] = Kind::Gauge.raw();
        let is_refused = decode_reply(Op::Range, 1, &changed).is_none();
        changed[*at] = Kind::Counter.raw();
        is_refused
    });
    assert!(refused.count() > 0);
}

#[test]
fn a_bucket_that_the_histogram_has_not_is_refused() {
    let bounds = 5_u64.to_le_bytes();
    let histogram = RangeSeries { kind: Kind::Histogram, bounds: &bounds, ..COUNTER };
    for (index, is_there) in [(1, true), (2, false)] {
        let (mut out, mut counts) = ([0; 512], [0; 16]);
        let counts = Counts::encode(std::iter::once((index, 3)), &mut counts).unwrap();
        let mut writer = RangeWriter::new(1, &HEAD, &mut out);
        assert!(writer.entry(&RangeEntry::Series(histogram)));
        assert_eq!(writer.entry(&row(RangeValue::Histogram { sum: 1, counts })), is_there);
    }
    let mut out = [0; 64];
    assert!(Counts::encode([(1, 1), (1, 1)].into_iter(), &mut out).is_none(), "they ascend");
}

#[test]
fn no_frame_says_what_cannot_be() {
    let mut out = [0; 512];
    let backwards = Range { from: Moment::LAST, to: Moment::FIRST, ..Range::ALL };
    assert!(encode(&Request::Range(backwards), 1, &mut out).is_err());
    for head in [
        RangeHead { tier: Tier::Auto, ..HEAD },
        RangeHead { window_ns: 0, ..HEAD },
        RangeHead { step_ns: 15, ..HEAD },
        RangeHead { step_ns: 0, ..HEAD },
    ] {
        assert!(RangeWriter::new(1, &head, &mut out).finish(RangeCursor::START).is_err());
    }
    let bounds = 5_u64.to_le_bytes();
    let mut writer = RangeWriter::new(1, &HEAD, &mut out);
    assert!(!writer.entry(&RangeEntry::Series(RangeSeries { bounds: &bounds, ..COUNTER })));
    assert!(writer.is_empty());
}
