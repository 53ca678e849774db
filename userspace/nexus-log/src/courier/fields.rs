use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_wire::{FIELDS_BYTES_MAX, FieldsWriter, SpanId, TraceId};

use crate::limits::FIELDS_MAX;
use crate::record::{Record, SpanLife};

/// The author's fields, and up to six of ours.
const LINES_MAX: usize = FIELDS_MAX + 6;

/// Room for the fields of one record.
pub(super) type Buffer = [u8; FIELDS_BYTES_MAX];

/// The fields of a record as logd wants them: the author's, and what there is to say besides.
/// `logged_at` is said only of records that had to wait.
pub(super) fn complete<'b>(
    record: &Record<'_>,
    service: Option<ServiceId>,
    logged_at: Option<Mono>,
    out: &'b mut Buffer,
) -> Option<&'b [u8]> {
    let span = record.span.zip(service);
    let ours = [
        ("at_ns", logged_at.map(|at| Value::Number(at.0))),
        ("cut", count(record.cut)),
        ("fields_cut", count(record.fields_cut)),
        ("span_id", span.map(|(span, of)| Value::Id(SpanId::new(of, span.span).raw()))),
        ("trace_id", span.map(|(span, of)| Value::Id(TraceId::new(of, span.trace).raw()))),
        ("trace_life", span.and_then(|(span, _)| span.life).map(Value::Life)),
    ];
    let ours = ours.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let theirs = record.fields.split_terminator('\n').filter_map(|line| line.split_once('='));
    let theirs = theirs.map(|(key, value)| (key, Value::Text(value)));
    let mut lines = [("", Value::Text("")); LINES_MAX];
    let mut used = 0;
    for (place, line) in lines.iter_mut().zip(theirs.chain(ours)) {
        *place = line;
        used += 1;
    }
    let lines = lines.get_mut(..used)?;
    lines.sort_unstable_by_key(|(key, _)| *key);
    let mut writer = FieldsWriter::new(out);
    for (key, value) in lines {
        if !writer.field(key, *value) {
            return None;
        }
    }
    writer.finish().ok().map(|fields| fields.as_str().as_bytes())
}

fn count(count: u16) -> Option<Value<'static>> {
    (count > 0).then_some(Value::Number(u64::from(count)))
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a str),
    Number(u64),
    Id(u64),
    Life(SpanLife),
}

impl core::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Id(id) => write!(f, "{id:016x}"),
            Self::Life(SpanLife { boot, life }) => write!(f, "{boot}.{life}"),
        }
    }
}
