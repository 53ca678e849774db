//! Any legal value of the types that frames of both services carry.
//!
//! Values borrow in this crate; here what they borrow is leaked, so that strategies can hand out
//! plain values. A test ends soon.

use nexus_abi::{Incarnation, Rights, ServiceId};
use nexus_wire::{
    AttrBytes, Fields, FieldsWriter, Kind, LabelBytes, LedgerRow, Level, LogStatus, LossReason,
    MetricStatus, NameBytes, RecordId, SeriesId, SpanId, SpanStatus, TraceId, Unit,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn leak<T: ?Sized + 'static>(value: impl Into<Box<T>>) -> &'static T {
    Box::leak(value.into())
}

pub(crate) fn bytes(min: usize, max: usize) -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), min..=max).prop_map(leak)
}

/// Text of at most `max` bytes.
pub(crate) fn text(max: usize) -> impl Strategy<Value = &'static str> {
    vec(any::<char>(), 0..=max / 2).prop_map(move |chars| {
        let mut text = String::new();
        for char in chars {
            if text.len() + char.len_utf8() <= max {
                text.push(char);
            }
        }
        leak(text)
    })
}

/// Keys and values in order; texts as their writer takes them.
pub(crate) fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = "[^\n]{0,12}".prop_filter("a value has no newline", |text| !text.contains('\n'));
    btree_map("[a-z0-9_.-]{1,9}", value, 0..8).prop_map(|pairs| pairs.into_iter().collect())
}

/// Canonical fields of at most `max` bytes.
pub(crate) fn fields(max: usize) -> impl Strategy<Value = Fields<'static>> {
    pairs().prop_map(move |pairs| {
        let mut writer = FieldsWriter::new(Box::leak(vec![0; max].into_boxed_slice()));
        for (key, value) in pairs {
            // What no longer fits is left out: any legal value will do.
            let _fits = writer.field(&key, value);
        }
        writer.finish().unwrap()
    })
}

pub(crate) fn name() -> impl Strategy<Value = NameBytes<'static>> {
    bytes(1, 48).prop_map(|bytes| NameBytes::new(bytes).unwrap())
}

pub(crate) fn labels() -> impl Strategy<Value = LabelBytes<'static>> {
    bytes(0, 192).prop_map(|bytes| LabelBytes::new(bytes).unwrap())
}

pub(crate) fn attrs() -> impl Strategy<Value = AttrBytes<'static>> {
    bytes(0, 192).prop_map(|bytes| AttrBytes::new(bytes).unwrap())
}

pub(crate) fn span() -> impl Strategy<Value = SpanId> {
    any::<u64>().prop_map(SpanId::from_raw)
}

pub(crate) fn trace() -> impl Strategy<Value = TraceId> {
    any::<u64>().prop_map(TraceId::from_raw)
}

pub(crate) fn series() -> impl Strategy<Value = SeriesId> {
    (1..=u64::MAX).prop_map(|raw| SeriesId::from_raw(raw).unwrap())
}

pub(crate) fn record_id() -> impl Strategy<Value = RecordId> {
    any::<u64>().prop_map(RecordId)
}

pub(crate) fn service() -> impl Strategy<Value = ServiceId> {
    any::<u64>().prop_map(ServiceId::from_raw)
}

pub(crate) fn incarnation() -> impl Strategy<Value = Incarnation> {
    (0..=Incarnation::MAX.raw()).prop_map(Incarnation::new)
}

pub(crate) fn rights() -> impl Strategy<Value = Rights> {
    any::<u8>().prop_map(Rights::from_raw)
}

pub(crate) fn kind() -> impl Strategy<Value = Kind> {
    select(Kind::ALL)
}

pub(crate) fn unit() -> impl Strategy<Value = Unit> {
    select(Unit::ALL)
}

pub(crate) fn level() -> impl Strategy<Value = Level> {
    select(Level::ALL)
}

pub(crate) fn loss() -> impl Strategy<Value = LossReason> {
    select(LossReason::ALL)
}

/// What a sender can say: nobody calls his own span abandoned.
pub(crate) fn span_status() -> impl Strategy<Value = SpanStatus> {
    select(&[SpanStatus::Ok, SpanStatus::Error][..])
}

pub(crate) fn metric_status() -> impl Strategy<Value = MetricStatus> {
    select(MetricStatus::ALL)
}

pub(crate) fn log_status() -> impl Strategy<Value = LogStatus> {
    select(LogStatus::ALL)
}

/// Ascending words as they stand in frames, at most `max`.
pub(crate) fn bounds(max: usize) -> impl Strategy<Value = &'static [u8]> {
    proptest::collection::btree_set(any::<u64>(), 0..=max)
        .prop_map(|bounds| leak(bounds.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>()))
}

pub(crate) fn rows(max: usize) -> impl Strategy<Value = Vec<LedgerRow>> {
    let row = (any::<[u64; 11]>(), any::<[u64; 9]>()).prop_map(|(words, refused)| {
        let [service, offered, accepted, folded, dropped, repeated, redacted, ..] = words;
        let [.., lost_by_client, kept, events_left, bytes_left] = words;
        LedgerRow {
            service,
            offered,
            accepted,
            folded,
            refused,
            dropped,
            repeated,
            redacted,
            lost_by_client,
            kept,
            events_left,
            bytes_left,
        }
    });
    vec(row, 0..=max)
}
