//! Numbers are neither span nor trace, and a trace is no span.

use nexus_wire::{SpanId, TraceId};

fn parent_of(_: SpanId, _: TraceId) {}

fn main() {
    parent_of(1_u64, 2_u64);
    parent_of(TraceId::from_raw(2), SpanId::from_raw(1));
}
