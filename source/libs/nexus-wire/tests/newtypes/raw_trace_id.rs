use nexus_wire::{SpanId, TraceId};

fn take(_: SpanId, _: TraceId) {}

fn main() {
    let span = SpanId::from_raw(7);
    take(span, 7);
    take(span, span);
}
