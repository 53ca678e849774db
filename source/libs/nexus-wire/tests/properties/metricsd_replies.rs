//! Replies of metricsd.

use nexus_wire::metrics::{
    BatchAck, HelloReply, LiveSpan, Op, Registered, Reply, ScrapeWriter, SeriesValue, SeriesView,
    SpansWriter, WindowView, decode_reply, plain_reply,
};
use nexus_wire::{AuditReply, MetricStatus};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::any::{
    bounds, bytes, fields, incarnation, metric_status, rights, rows, series, service, text, unit,
};
use crate::metricsd::span_start;

pub(crate) fn op() -> impl Strategy<Value = Op> {
    select(Op::ALL)
}

fn hello() -> impl Strategy<Value = HelloReply> {
    let numbers = any::<(u32, bool, u32, u32, u32, u64)>();
    (service(), incarnation(), rights(), numbers).prop_map(
        |(service, incarnation, rights, numbers)| {
            let (epoch, resumed, applied_seq, events_per_s, bytes_per_s, now_ns) = numbers;
            HelloReply {
                epoch,
                service,
                incarnation,
                rights,
                resumed,
                applied_seq,
                events_per_s,
                bytes_per_s,
                now_ns,
            }
        },
    )
}

fn window() -> impl Strategy<Value = WindowView> {
    any::<(u64, u32, i128, i64, i64, i64)>().prop_map(|(number, count, sum, min, max, last)| {
        WindowView { number, count, sum, min, max, last }
    })
}

fn value() -> impl Strategy<Value = SeriesValue<'static>> {
    let histogram = (any::<i128>(), bounds(24)).prop_flat_map(|(sum, bounds)| {
        let counts = bounds.len() + 8;
        bytes(counts, counts).prop_map(move |counts| SeriesValue::Histogram { sum, bounds, counts })
    });
    prop_oneof![
        any::<u64>().prop_map(SeriesValue::Counter),
        any::<i64>().prop_map(SeriesValue::Gauge),
        histogram,
    ]
}

fn view() -> impl Strategy<Value = SeriesView<'static>> {
    let texts = (text(48), text(192), text(120));
    (service(), any::<(u32, bool, bool, u64)>(), unit(), texts, value(), window(), window())
        .prop_map(|(service, numbers, unit, (name, labels, help), value, short, long)| {
            let (slot, overflow, catchup, created_ns) = numbers;
            SeriesView {
                service,
                slot,
                unit,
                overflow,
                catchup,
                created_ns,
                name,
                labels,
                help,
                value,
                short,
                long,
            }
        })
}

fn live_span() -> impl Strategy<Value = LiveSpan<'static>> {
    (service(), incarnation(), span_start()).prop_map(|(service, incarnation, start)| LiveSpan {
        service,
        incarnation,
        start,
    })
}

/// The reply decodes with its own operation and nonce, and with no other.
fn decoded(op: Op, nonce: u32, frame: &[u8]) -> (MetricStatus, Reply<'_>) {
    for other in Op::ALL.iter().copied().filter(|other| *other != op) {
        assert_eq!(decode_reply(other, nonce, frame), None);
    }
    assert_eq!(decode_reply(op, nonce ^ 1, frame), None);
    assert!((0..frame.len()).all(|len| decode_cut(op, nonce, &frame[..len])));
    decode_reply(op, nonce, frame).unwrap()
}

/// Whether a reply that was cut is not taken for whole: of a BATCH's ack only the plain head may.
fn decode_cut(op: Op, nonce: u32, cut: &[u8]) -> bool {
    match decode_reply(op, nonce, cut) {
        None => true,
        Some((status, reply)) => {
            op == Op::Batch && status != MetricStatus::Ok && reply == Reply::Plain
        }
    }
}

proptest! {
    #[test]
    fn a_refusal_of_any_operation_decodes(
        op in op(),
        status in metric_status(),
        nonce in any::<u32>(),
    ) {
        let frame = plain_reply(op.raw(), status, nonce);
        let bodiless = op.raw() < 16 || op == Op::Update;
        let succeeded = matches!(status, MetricStatus::Ok | MetricStatus::Folded);
        if bodiless || !succeeded {
            prop_assert_eq!(decoded(op, nonce, &frame), (status, Reply::Plain));
        } else {
            prop_assert_eq!(decode_reply(op, nonce, &frame), None);
        }
    }

    #[test]
    fn a_hello_reply_comes_back(hello in hello(), nonce in any::<u32>()) {
        let mut out = [0; 64];
        let frame = hello.encode(nonce, &mut out).unwrap();
        prop_assert_eq!(decoded(Op::Hello, nonce, frame), (MetricStatus::Ok, Reply::Hello(hello)));
    }

    #[test]
    fn a_registration_comes_back(
        series in series(),
        bounds in bounds(24),
        folded in any::<bool>(),
        lookup in any::<bool>(),
        nonce in any::<u32>(),
    ) {
        let status = if folded { MetricStatus::Folded } else { MetricStatus::Ok };
        let op = if lookup { Op::Lookup } else { Op::Register };
        let registered = Registered::new(series, bounds).unwrap();
        let mut out = [0; 256];
        let frame = registered.encode(op, status, nonce, &mut out).unwrap();
        prop_assert_eq!(decoded(op, nonce, frame), (status, Reply::Registered(registered)));
        prop_assert!(registered.encode(op, MetricStatus::Conflict, nonce, &mut [0; 256]).is_err());
        prop_assert!(registered.encode(Op::Update, status, nonce, &mut [0; 256]).is_err());
    }

    #[test]
    fn an_ack_comes_back_with_any_status(
        numbers in any::<(u32, u32)>(),
        status in metric_status(),
        nonce in any::<u32>(),
    ) {
        let ack = BatchAck { applied_seq: numbers.0, refused_items: numbers.1 };
        let frame = ack.encode(status, nonce);
        prop_assert_eq!(decode_reply(Op::Batch, nonce, &frame), Some((status, Reply::Batch(ack))));
    }

    #[test]
    fn scraped_series_come_back(
        views in vec(view(), 0..5),
        numbers in any::<(u32, u32, u64, u32)>(),
    ) {
        let (nonce, epoch, now_ns, next_cursor) = numbers;
        let mut out = [0; 4096];
        let mut writer = ScrapeWriter::new(nonce, epoch, now_ns, &mut out);
        let written = views.iter().take_while(|view| writer.series(view)).count();
        let frame = writer.finish(next_cursor).unwrap();
        let (status, Reply::Scrape(reply)) = decoded(Op::Scrape, nonce, frame) else {
            panic!("not a SCRAPE reply");
        };
        prop_assert_eq!(status, MetricStatus::Ok);
        let head = (reply.epoch, reply.now_ns, reply.next_cursor);
        prop_assert_eq!(head, (epoch, now_ns, next_cursor));
        prop_assert_eq!(reply.series().collect::<Vec<_>>(), &views[..written]);
    }

    #[test]
    fn live_spans_come_back(
        spans in vec(live_span(), 0..20),
        numbers in any::<(u32, u64, u32)>(),
    ) {
        let (nonce, now_ns, next_cursor) = numbers;
        let mut out = [0; 4096];
        let mut writer = SpansWriter::new(nonce, now_ns, &mut out);
        let written = spans.iter().take_while(|span| writer.span(span)).count();
        let frame = writer.finish(next_cursor).unwrap();
        let (MetricStatus::Ok, Reply::Spans(reply)) = decoded(Op::Spans, nonce, frame) else {
            panic!("not a SPANS reply");
        };
        prop_assert_eq!((reply.now_ns, reply.next_cursor), (now_ns, next_cursor));
        prop_assert_eq!(reply.spans().collect::<Vec<_>>(), &spans[..written]);
    }

    #[test]
    fn ledger_rows_come_back(rows in rows(20), nonce in any::<u32>(), next_cursor in any::<u32>()) {
        let mut out = [0; 4096];
        let frame = AuditReply::encode_metricsd(nonce, next_cursor, rows.iter().copied(), &mut out);
        let decoded = decoded(Op::Audit, nonce, frame.unwrap());
        let (MetricStatus::Ok, Reply::Audit(reply)) = decoded else {
            panic!("not an AUDIT reply");
        };
        prop_assert_eq!(reply.next_cursor, next_cursor);
        prop_assert_eq!(reply.rows().collect::<Vec<_>>(), rows);
    }

    #[test]
    fn the_state_comes_back(state in fields(512), nonce in any::<u32>()) {
        let mut out = [0; 1024];
        let frame = Reply::encode_status(nonce, state, &mut out).unwrap();
        let expected = (MetricStatus::Ok, Reply::Status(state));
        prop_assert_eq!(decoded(Op::Status, nonce, frame), expected);
    }
}

#[test]
fn a_writer_whose_head_did_not_fit_stays_failed() {
    let view = SeriesView {
        service: nexus_abi::ServiceId::from_raw(1),
        slot: 0,
        unit: nexus_wire::Unit::None,
        overflow: false,
        catchup: false,
        created_ns: 0,
        name: "",
        labels: "",
        help: "",
        value: SeriesValue::Counter(0),
        short: WindowView::default(),
        long: WindowView::default(),
    };
    let mut out = [0; 20];
    let mut writer = ScrapeWriter::new(0, 0, 0, &mut out);
    assert!(!writer.series(&view));
    assert!(writer.finish(0).is_err());
}
