//! The twin of all the others: checked values pass.

use nexus_abi::ServiceId;
use nexus_wire::metrics::{Lookup, Request, SpanEnd, Update};
use nexus_wire::{AttrBytes, Kind, LabelBytes, Labels, MetricName, SeriesId, SpanId, SpanStatus};

fn main() {
    let service = ServiceId::from_name("execd");
    let name = MetricName::new("jobs_total").expect("a name").as_name_bytes();
    let labels = LabelBytes::new(b"queue=mail\n").expect("labels");
    let labels = Labels::parse(labels).expect("canonical").as_label_bytes();
    let series = SeriesId::from_raw(1 << 32).expect("a series");
    let attrs = AttrBytes::new(b"").expect("none");
    let span = SpanId::new(service, 1);
    let _ = Request::CounterInc(Update { name, labels, value: 1 });
    let _ = Request::Lookup(Lookup { kind: Kind::Counter, name, labels });
    let _ = Request::Update { series, value: 1 };
    let _ = Request::SpanEnd(SpanEnd { span, end_ns: 0, status: SpanStatus::Ok, attrs });
}
