use nexus_abi::{Incarnation, Rights, ServiceId};
use nexus_wire::metrics::{
    BatchAck, BatchWriter, HelloReply, HistogramItem, Item, LiveSpan, Lookup, Op, Recorded,
    Register, Registered, Reply, Request, Resume, ScrapeWriter, SeriesValue, SeriesView, SpanEnd,
    SpanStart, SpansWriter, SparseBuckets, Update, WholeSpan, WindowView, bounds_to_bytes, encode,
    plain_reply,
};
use nexus_wire::{
    AttrBytes, AuditReply, Fields, Help, Kind, LabelBytes, LossReason, MetricStatus, NameBytes,
    SeriesId, SpanId, SpanStatus, TraceId, Unit,
};

use crate::examples::{Examples, ledger_row};
use crate::examples_range;

const NONCE: u32 = 7;

fn execd() -> ServiceId {
    ServiceId::from_name("execd")
}

fn update<V>(name: &'static str, labels: &'static str, value: V) -> Update<'static, V> {
    let name = NameBytes::new(name.as_bytes()).unwrap();
    Update { name, labels: LabelBytes::new(labels.as_bytes()).unwrap(), value }
}

fn span_start(attrs: &'static str) -> SpanStart<'static> {
    SpanStart {
        span: SpanId::new(execd(), 2),
        trace: TraceId::new(execd(), 1),
        parent: SpanId::new(execd(), 1),
        start_ns: 1_000_000_000,
        name: NameBytes::new(b"exec.path").unwrap(),
        attrs: AttrBytes::new(attrs.as_bytes()).unwrap(),
    }
}

fn span_end() -> SpanEnd<'static> {
    SpanEnd {
        span: SpanId::new(execd(), 2),
        end_ns: 1_000_250_000,
        status: SpanStatus::Ok,
        attrs: AttrBytes::new(b"result=ok\n").unwrap(),
    }
}

fn series(slot: u32) -> SeriesId {
    SeriesId::new(std::num::NonZeroU32::MIN, slot)
}

fn bounds() -> Vec<u8> {
    bounds_to_bytes(&[1000, 5000], &mut [0; 16]).unwrap().to_vec()
}

pub(crate) fn all() -> Examples {
    let mut examples: Examples = requests().into_iter().map(encoded).collect();
    examples.push(named("BATCH request", batch()));
    for op in ["counter_inc", "gauge_set", "hist_observe", "span_start", "span_end", "ping"] {
        examples.push(plain(op, "reply", MetricStatus::Ok));
    }
    examples.push(plain("UPDATE", "reply", MetricStatus::Ok));
    examples.push(plain("REGISTER", "refusal", MetricStatus::Conflict));
    examples.push(plain("BATCH", "refusal", MetricStatus::InvalidArgs));
    examples.extend(replies());
    examples.push(encoded(("RANGE", examples_range::request())));
    examples.push(named("RANGE reply", examples_range::reply(NONCE)));
    examples
}

fn named(name: &str, frame: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (format!("metricsd {name}"), frame.into())
}

fn encoded((name, request): (&str, Request<'_>)) -> (String, Vec<u8>) {
    named(&format!("{name} request"), encode(&request, NONCE, &mut [0; 512]).unwrap())
}

fn plain(op: &str, direction: &str, status: MetricStatus) -> (String, Vec<u8>) {
    let is_named = |known: &Op| crate::page::same(op, &format!("{known:?}"));
    let number = Op::ALL.iter().copied().find(is_named).unwrap().raw();
    named(&format!("{op} {direction}"), plain_reply(number, status, NONCE))
}

fn requests() -> Vec<(&'static str, Request<'static>)> {
    let Update { name, labels, .. } = update("sched.wakeups", "svc=timed\n", 0);
    let help = Help::new("Waking a thread").unwrap();
    let bounds = Box::leak(bounds().into_boxed_slice());
    let histogram = Register::new(Kind::Histogram, Unit::Nanoseconds, name, labels, help);
    let resume = Resume { epoch: 3, incarnation: Incarnation::new(12) };
    vec![
        ("counter_inc", Request::CounterInc(update("sched.wakeups", "svc=timed\n", 3))),
        ("gauge_set", Request::GaugeSet(update("sched.depth", "", -2))),
        ("hist_observe", Request::HistObserve(update("exec_ns", "", 1500))),
        ("span_start", Request::SpanStart(span_start("bundle=demo\n"))),
        ("span_end", Request::SpanEnd(span_end())),
        ("ping", Request::Ping),
        ("HELLO", Request::Hello(Some(resume))),
        ("REGISTER", Request::Register(histogram.with_bounds(bounds).unwrap())),
        ("LOOKUP", Request::Lookup(Lookup { kind: Kind::Histogram, name, labels })),
        ("UPDATE", Request::Update { series: series(5), value: 3 }),
        ("SCRAPE", Request::Scrape { cursor: 0, with_help: true }),
        ("SPANS", Request::Spans { cursor: 0 }),
        ("AUDIT", Request::Audit { cursor: 0 }),
        ("STATUS", Request::Status),
    ]
}

fn batch() -> Vec<u8> {
    let mut out = [0; 1024];
    let mut buckets = [0; 32];
    let buckets = SparseBuckets::encode([(0, 4), (2, 1)].into_iter(), &mut buckets).unwrap();
    let mut writer = BatchWriter::new(9, NONCE, &mut out);
    assert!(writer.value(series(5), 120));
    assert!(writer.value(series(6), u64::MAX));
    let end_ns = 1_000_250_000;
    for item in [
        Item::Histogram(HistogramItem { series: series(7), sum: 9000, buckets }),
        Item::Span(WholeSpan { start: span_start(""), end_ns, status: SpanStatus::Error }),
        Item::Open(span_start("")),
        Item::Close(span_end()),
        Item::Lost { reason: LossReason::SpanRingFull, count: 2 },
        Item::Recorded(Recorded { counted: 5, observed: 2, sum: 9000 }),
        Item::Earlier,
    ] {
        assert!(writer.item(&item));
    }
    writer.finish().unwrap().to_vec()
}

fn hello() -> HelloReply {
    HelloReply {
        epoch: 3,
        service: execd(),
        incarnation: Incarnation::new(13),
        rights: Rights::SCRAPE,
        resumed: true,
        applied_seq: 8,
        events_per_s: 2000,
        bytes_per_s: 262_144,
        now_ns: 5_000_000_000,
    }
}

fn replies() -> Examples {
    let mut out = [0; 4096];
    let out = &mut out[..];
    let bounds = bounds();
    let registered = Registered::new(series(5), &bounds).unwrap();
    let (ok, folded) = (MetricStatus::Ok, MetricStatus::Folded);
    let ack = BatchAck { applied_seq: 9, refused_items: 0 };
    let state = Fields::parse(b"boot=3\nready=1\n").unwrap();
    let rows = || std::iter::once(ledger_row());
    let mut spans = SpansWriter::new(NONCE, 5_000_000_000, out);
    let incarnation = Incarnation::new(13);
    assert!(spans.span(&LiveSpan { service: execd(), incarnation, start: span_start("") }));
    let spans = spans.finish(0).unwrap().to_vec();
    vec![
        named("HELLO reply", hello().encode(NONCE, out).unwrap()),
        named("REGISTER reply", registered.encode(Op::Register, ok, NONCE, out).unwrap()),
        named("LOOKUP reply", registered.encode(Op::Lookup, folded, NONCE, out).unwrap()),
        named("BATCH reply", ack.encode(ok, NONCE)),
        named("SCRAPE reply", scrape()),
        named("SPANS reply", spans),
        named("AUDIT reply", AuditReply::encode_metricsd(NONCE, 0, rows(), out).unwrap()),
        named("STATUS reply", Reply::encode_status(NONCE, state, out).unwrap()),
    ]
}

/// A counter, a gauge and a histogram.
fn scrape() -> Vec<u8> {
    let bounds = bounds();
    let counts = [4_u64, 0, 1].map(u64::to_le_bytes).concat();
    let window = WindowView { number: 1, count: 5, sum: 120, min: 3, max: 60, last: 120 };
    let counter = SeriesView {
        service: execd(),
        slot: 0,
        unit: Unit::None,
        overflow: false,
        catchup: false,
        created_ns: 1,
        name: "jobs_total",
        labels: "queue=mail\n",
        help: "",
        value: SeriesValue::Counter(120),
        short: window,
        long: WindowView::default(),
    };
    let gauge = SeriesValue::Gauge(-2);
    let histogram = SeriesValue::Histogram { sum: 9000, bounds: &bounds, counts: &counts };
    let mut out = [0; 1024];
    let mut writer = ScrapeWriter::new(NONCE, 3, 5_000_000_000, &mut out);
    assert!(writer.series(&counter));
    assert!(writer.series(&SeriesView { slot: 1, overflow: true, value: gauge, ..counter }));
    assert!(writer.series(&SeriesView { slot: 2, value: histogram, ..counter }));
    writer.finish(3).unwrap().to_vec()
}
