//! RANGE: two hours of a metric, and a reply with an entry of each sort.

use nexus_abi::ServiceId;
use nexus_wire::metrics::{
    Counts, Moment, Range, RangeClock, RangeCursor, RangeEntry, RangeHead, RangeLost, RangeRow,
    RangeSeries, RangeValue, RangeWriter, Request, bounds_to_bytes,
};
use nexus_wire::{HistoryLoss, Kind, LabelBytes, Labels, Tier, Unit};

const SECOND: u64 = 1_000_000_000;

const fn at(boot: u32, seconds: u64) -> Moment {
    Moment { boot, mono_ns: seconds * SECOND }
}

pub(crate) fn request() -> Request<'static> {
    Request::Range(Range {
        cursor: RangeCursor([1, 2, 3, 4]),
        from: at(2, 3600),
        to: at(3, 3600),
        step_ns: 60 * SECOND,
        tier: Tier::Auto,
        service: Some(ServiceId::from_name("execd")),
        is_prefix: true,
        name: "jobs",
        labels: Labels::parse(LabelBytes::new(b"queue=mail\n").unwrap()).unwrap(),
    })
}

fn series(kind: Kind, name: &'static str) -> RangeSeries<'static> {
    RangeSeries {
        boot: 3,
        service: ServiceId::from_name("execd"),
        kind,
        unit: Unit::None,
        overflow: false,
        name,
        labels: "queue=mail\n",
        bounds: &[],
    }
}

const fn row(value: RangeValue<'_>) -> RangeRow<'_> {
    RangeRow { step: 7, windows: 6, catchup: false, value }
}

pub(crate) fn reply(nonce: u32) -> Vec<u8> {
    let mut out = [0; 1024];
    let head = RangeHead {
        now: at(3, 5000),
        tier: Tier::Short,
        window_ns: 10 * SECOND,
        step_ns: 60 * SECOND,
    };
    let (mut bounds, mut counts) = ([0; 16], [0; 32]);
    let bounds = bounds_to_bytes(&[1000, 5000], &mut bounds).unwrap();
    let counts = Counts::encode([(0, 4), (2, 1)].into_iter(), &mut counts).unwrap();
    let lost =
        RangeLost { why: HistoryLoss::Damaged, of_series: true, from: at(3, 480), to: at(3, 540) };
    let gauge = RangeValue::Gauge { count: 60, sum: -120, min: -3, max: 0, last: -2 };
    let mut writer = RangeWriter::new(nonce, &head, &mut out);
    for entry in [
        RangeEntry::Clock(RangeClock { at: at(3, 5), wall_ns: 1_700_000_000 * SECOND }),
        RangeEntry::Series(series(Kind::Counter, "jobs_total")),
        RangeEntry::Row(RangeRow { catchup: true, ..row(RangeValue::Counter { delta: 120 }) }),
        RangeEntry::Lost(lost),
        RangeEntry::Series(RangeSeries { overflow: true, ..series(Kind::Gauge, "jobs") }),
        RangeEntry::Row(row(gauge)),
        RangeEntry::Series(RangeSeries { bounds, ..series(Kind::Histogram, "jobs_ns") }),
        RangeEntry::Row(row(RangeValue::Histogram { sum: 9000, counts })),
    ] {
        assert!(writer.entry(&entry));
    }
    writer.finish(RangeCursor([1, 2, 3, 5])).unwrap().to_vec()
}
