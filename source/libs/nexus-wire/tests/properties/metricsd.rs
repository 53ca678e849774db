//! Requests to metricsd.

use nexus_wire::metrics::{
    self, BatchWriter, Frame, HistogramItem, Item, Lookup, Op, Recorded, Refusal, Register,
    Request, Resume, SpanEnd, SpanStart, SparseBuckets, Update, ValueItem, WholeSpan,
};
use nexus_wire::{Help, Kind, MetricStatus, SeriesId, SpanStatus};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::any::{
    attrs, bounds, incarnation, kind, labels, leak, loss, name, series, span, span_status, text,
    trace, unit,
};

fn update<V: std::fmt::Debug>(
    value: impl Strategy<Value = V>,
) -> impl Strategy<Value = Update<'static, V>> {
    (name(), labels(), value).prop_map(|(name, labels, value)| Update { name, labels, value })
}

fn unsigned() -> impl Strategy<Value = u64> {
    0..=i64::MAX.cast_unsigned()
}

pub(crate) fn span_start() -> impl Strategy<Value = SpanStart<'static>> {
    (span(), trace(), span(), any::<u64>(), name(), attrs()).prop_map(
        |(span, trace, parent, start_ns, name, attrs)| SpanStart {
            span,
            trace,
            parent,
            start_ns,
            name,
            attrs,
        },
    )
}

fn span_end() -> impl Strategy<Value = SpanEnd<'static>> {
    (span(), any::<u64>(), span_status(), attrs())
        .prop_map(|(span, end_ns, status, attrs)| SpanEnd { span, end_ns, status, attrs })
}

fn register() -> impl Strategy<Value = Register<'static>> {
    let help = text(120).prop_filter_map("a help has no control character", Help::new);
    (kind(), unit(), name(), labels(), help, bounds(24)).prop_map(
        |(kind, unit, name, labels, help, bounds)| {
            let plain = Register::new(kind, unit, name, labels, help);
            let with = plain.with_bounds(bounds);
            assert_eq!(with.is_some(), kind == Kind::Histogram || bounds.is_empty());
            with.unwrap_or(plain)
        },
    )
}

fn resume() -> impl Strategy<Value = Resume> {
    (1..=u32::MAX, incarnation())
        .prop_filter("life 0 is none", |(_, incarnation)| incarnation.raw() != 0)
        .prop_map(|(epoch, incarnation)| Resume { epoch, incarnation })
}

pub(crate) fn request() -> impl Strategy<Value = Request<'static>> {
    prop_oneof![
        update(unsigned()).prop_map(Request::CounterInc),
        update(any::<i64>()).prop_map(Request::GaugeSet),
        update(unsigned()).prop_map(Request::HistObserve),
        span_start().prop_map(Request::SpanStart),
        span_end().prop_map(Request::SpanEnd),
        Just(Request::Ping),
        proptest::option::of(resume()).prop_map(Request::Hello),
        register().prop_map(Request::Register),
        (kind(), name(), labels()).prop_map(|(kind, name, labels)| Request::Lookup(Lookup {
            kind,
            name,
            labels
        })),
        (series(), any::<u64>()).prop_map(|(series, value)| Request::Update { series, value }),
        batch().prop_map(|batch| {
            let Ok(Frame { request, .. }) = metrics::decode(leak(batch.frame())) else {
                panic!("a written BATCH is legal");
            };
            request
        }),
        (any::<u32>(), any::<bool>())
            .prop_map(|(cursor, with_help)| Request::Scrape { cursor, with_help }),
        any::<u32>().prop_map(|cursor| Request::Spans { cursor }),
        any::<u32>().prop_map(|cursor| Request::Audit { cursor }),
        Just(Request::Status),
        crate::range::range(),
    ]
}

/// A legal frame.
pub(crate) fn frame() -> impl Strategy<Value = Vec<u8>> {
    (request(), any::<u32>()).prop_map(|(request, nonce)| encoded(&request, nonce))
}

fn encoded(request: &Request<'_>, nonce: u32) -> Vec<u8> {
    metrics::encode(request, nonce, &mut [0; 8192]).unwrap().to_vec()
}

#[derive(Clone, Debug)]
struct AnyBatch {
    seq: u32,
    nonce: u32,
    values: Vec<(SeriesId, u64)>,
    items: Vec<Item<'static>>,
}

impl AnyBatch {
    fn frame(&self) -> Vec<u8> {
        let mut out = [0; 8192];
        let mut writer = BatchWriter::new(self.seq, self.nonce, &mut out);
        for (series, value) in &self.values {
            assert!(writer.value(*series, *value));
        }
        for item in &self.items {
            assert!(writer.item(item));
        }
        assert_eq!(writer.is_empty(), self.values.is_empty() && self.items.is_empty());
        writer.finish().unwrap().to_vec()
    }
}

fn batch() -> impl Strategy<Value = AnyBatch> {
    (any::<u32>(), any::<u32>(), vec((series(), any::<u64>()), 0..40), vec(item(), 0..6))
        .prop_map(|(seq, nonce, values, items)| AnyBatch { seq, nonce, values, items })
}

fn item() -> impl Strategy<Value = Item<'static>> {
    let buckets = btree_map(0u8..25, any::<u64>(), 0..=25).prop_map(|pairs| {
        let out = Box::leak(vec![0; pairs.len() * 9].into_boxed_slice());
        SparseBuckets::encode(pairs.into_iter(), out).unwrap()
    });
    prop_oneof![
        (series(), any::<u64>(), buckets).prop_map(|(series, sum, buckets)| {
            Item::Histogram(HistogramItem { series, sum, buckets })
        }),
        (span_start(), any::<u64>(), span_status()).prop_map(|(start, end_ns, status)| {
            Item::Span(WholeSpan { start, end_ns, status })
        }),
        span_start().prop_map(Item::Open),
        span_end().prop_map(Item::Close),
        (loss(), any::<u64>()).prop_map(|(reason, count)| Item::Lost { reason, count }),
        Just(Item::Earlier),
        any::<[u64; 3]>().prop_map(|[counted, observed, sum]| {
            Item::Recorded(Recorded { counted, observed, sum })
        }),
    ]
}

proptest! {
    #[test]
    fn a_decoded_request_is_what_was_encoded(request in request(), nonce in any::<u32>()) {
        let frame = encoded(&request, nonce);
        prop_assert_eq!(metrics::decode(&frame), Ok(Frame { nonce, request }));
        prop_assert_eq!(frame.get(3), Some(&request.op().raw()));
    }

    #[test]
    fn a_request_that_does_not_fit_is_not_encoded(request in request(), nonce in any::<u32>()) {
        let frame = encoded(&request, nonce);
        for len in 0..frame.len() {
            prop_assert!(metrics::encode(&request, nonce, &mut vec![0; len]).is_err());
        }
    }

    #[test]
    fn a_decoded_batch_is_what_was_written(batch in batch()) {
        let frame = batch.frame();
        let Ok(Frame { nonce, request: Request::Batch(decoded) }) = metrics::decode(&frame) else {
            panic!("a written BATCH is legal");
        };
        prop_assert_eq!((nonce, decoded.seq), (batch.nonce, batch.seq));
        prop_assert_eq!(decoded.len() as usize, batch.values.len() + batch.items.len());
        let values = batch.values.iter();
        let values =
            values.map(|(series, value)| ValueItem { series: Some(*series), value: *value });
        prop_assert_eq!(decoded.values().collect::<Vec<_>>(), values.collect::<Vec<_>>());
        prop_assert_eq!(decoded.items().collect::<Vec<_>>(), batch.items);
    }

    /// Whatever the room, what was refused left no trace, and the rest is legal.
    #[test]
    fn a_batch_writer_writes_items_whole_or_not_at_all(batch in batch(), room in 0usize..600) {
        let mut out = vec![0; room];
        let mut writer = BatchWriter::new(batch.seq, batch.nonce, &mut out);
        let fits = |(series, value): &&(SeriesId, u64)| writer.value(*series, *value);
        let values = batch.values.iter().take_while(fits).count();
        let items = batch.items.iter().filter(|item| writer.item(item)).count();
        match writer.finish() {
            Err(_) => prop_assert!(room < 16 && values == 0 && items == 0),
            Ok(frame) => {
                let decoded = metrics::decode(frame);
                let Ok(Frame { request: Request::Batch(decoded), .. }) = decoded else {
                    panic!("a written BATCH is legal");
                };
                prop_assert_eq!(decoded.values().len(), values);
                prop_assert_eq!(decoded.items().count(), items);
            }
        }
    }

    #[test]
    fn sparse_buckets_ascend_and_end_with_the_last_bucket(
        pairs in vec((0u8..28, any::<u64>()), 0..6),
        room in 0usize..60,
    ) {
        let mut out = vec![0; room];
        let indexes: Vec<u8> = pairs.iter().map(|(index, _)| *index).collect();
        let legal = indexes.is_sorted_by(|a, b| a < b) && indexes.iter().all(|index| *index <= 24);
        let buckets = SparseBuckets::encode(pairs.iter().copied(), &mut out);
        prop_assert_eq!(buckets.is_some(), legal && pairs.len() * 9 <= room);
        if let Some(buckets) = buckets {
            prop_assert_eq!(buckets.iter().collect::<Vec<_>>(), pairs);
        }
    }
}

fn refusal(frame: &[u8]) -> Option<MetricStatus> {
    metrics::decode(frame).err().map(|refusal: Refusal| refusal.status)
}

#[test]
fn what_no_frame_may_carry_is_not_encoded() {
    let name = nexus_wire::NameBytes::new(b"n").unwrap();
    let labels = nexus_wire::LabelBytes::new(b"").unwrap();
    let none = nexus_abi::Incarnation::new(0);
    let one = nexus_abi::Incarnation::new(1);
    let help = Help::new("").unwrap();
    let mut register = Register::new(Kind::Histogram, nexus_wire::Unit::None, name, labels, help)
        .with_bounds(&[1, 0, 0, 0, 0, 0, 0, 0])
        .unwrap();
    register.kind = Kind::Gauge;
    for request in [
        Request::CounterInc(Update { name, labels, value: 1 << 63 }),
        Request::HistObserve(Update { name, labels, value: u64::MAX }),
        Request::Hello(Some(Resume { epoch: 0, incarnation: one })),
        Request::Hello(Some(Resume { epoch: 1, incarnation: none })),
        Request::Register(register),
    ] {
        assert!(metrics::encode(&request, 0, &mut [0; 512]).is_err(), "{request:?}");
    }
}

#[test]
fn nobody_calls_his_own_span_abandoned() {
    let attrs = nexus_wire::AttrBytes::new(b"").unwrap();
    let span = nexus_wire::SpanId::from_raw(1);
    let end = |status| Request::SpanEnd(SpanEnd { span, end_ns: 0, status, attrs });
    let frame = encoded(&end(SpanStatus::Abandoned), 0);
    let expected = Frame { nonce: 0, request: end(SpanStatus::Error) };
    assert_eq!(metrics::decode(&frame), Ok(expected));
}

/// A length beyond its bound is told apart from a frame that is merely wrong, in every operation.
#[test]
fn lengths_beyond_their_bounds_are_over_limit() {
    let frame = |op: Op, body: &[u8]| [b"MT\x01", &[op.raw()][..], &[0; 4], body].concat();
    let register = |name, labels: u16, help, bounds| {
        let [low, high] = labels.to_le_bytes();
        frame(Op::Register, &[1, 0, name, low, high, help, bounds])
    };
    let histogram = |count| {
        let head = [1, 0, 0, 0, 0, 0, 1, 0, 1];
        frame(Op::Batch, &[&head[..], &[1; 16], &[count]].concat())
    };
    let over = Some(MetricStatus::OverLimit);
    for frame in [
        register(0, 0, 0, 0),
        register(49, 0, 0, 0),
        register(1, 193, 0, 0),
        register(1, 0, 121, 0),
        register(1, 0, 0, 25),
        frame(Op::Lookup, &[1, 0, 0, 0]),
        frame(Op::Lookup, &[1, 1, 193, 0]),
        histogram(26),
    ] {
        assert_eq!(refusal(&frame), over, "{frame:?}");
    }
    assert_eq!(refusal(&register(48, 192, 120, 24)), Some(MetricStatus::InvalidArgs));
    assert_eq!(refusal(&histogram(25)), Some(MetricStatus::InvalidArgs));
}
