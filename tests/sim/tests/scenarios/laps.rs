//! A life that counts its spans beyond 32 bits: every trace keeps a name of its own, and no live
//! span is taken for another.

use std::collections::BTreeSet;

use nexus_abi::{Rights, ServiceId};
use nexus_bounded::Nanos;
use nexus_wire::metrics::{self, Request, SpanEnd, SpanStart};
use nexus_wire::{AttrBytes, MetricStatus, NameBytes, SpanId, SpanStatus, TraceId};
use sim::{Bed, Seen, app, machine};
use simkit::{Client, Config};

struct Counting {
    bed: Bed,
    client: Client,
    service: ServiceId,
}

impl Counting {
    fn new() -> Self {
        let mut bed = Bed::new(Config::kind(1), &machine(1));
        let client = bed.world.client(&app(0), Rights::NONE);
        Self { bed, client, service: ServiceId::from_name(&app(0)) }
    }

    fn ask(&mut self, request: &Request<'_>) -> MetricStatus {
        let frame = metrics::encode(request, 5, &mut [0; 512]).unwrap().to_vec();
        let reply = self.bed.world.call(self.client, "metricsd", &frame).unwrap();
        MetricStatus::from_raw(reply[4]).unwrap()
    }

    /// The span of this count begins a trace.
    fn begin(&mut self, local: u32) -> MetricStatus {
        self.ask(&Request::SpanStart(SpanStart {
            span: SpanId::new(self.service, local),
            trace: TraceId::new(self.service, local),
            parent: SpanId::NONE,
            start_ns: 1,
            name: NameBytes::new(b"work").unwrap(),
            attrs: AttrBytes::new(b"").unwrap(),
        }))
    }

    fn end(&mut self, local: u32) -> MetricStatus {
        let span = SpanId::new(self.service, local);
        let attrs = AttrBytes::new(b"").unwrap();
        self.ask(&Request::SpanEnd(SpanEnd { span, end_ns: 9, status: SpanStatus::Ok, attrs }))
    }

    fn whole(&mut self, local: u32) {
        assert_eq!((self.begin(local), self.end(local)), (MetricStatus::Ok, MetricStatus::Ok));
    }

    /// Lap, and count in it, of each trace in the journal, in the order in which they ended.
    fn traces(&mut self) -> Vec<(u8, u32)> {
        self.bed.world.run_for(Nanos::from_secs(60));
        let spans = self.bed.journal().into_iter().filter(|seen| seen.scope == "spans");
        spans.map(|seen| lap_and_count(&seen)).collect()
    }
}

/// A trace is 8 digits of boot, 6 of incarnation, 2 of lap, 8 of service, 8 of the count.
fn lap_and_count(seen: &Seen) -> (u8, u32) {
    let trace = seen.field("trace").unwrap();
    let lap = u8::from_str_radix(&trace[14..16], 16).unwrap();
    (lap, u32::from_str_radix(&trace[24..], 16).unwrap())
}

/// Less than half of all counts lie between neighbours.
const LAP: [u32; 5] = [1, 1 << 30, 1 << 31, 3 << 30, u32::MAX];

#[test]
fn the_lap_rises_whenever_the_count_starts_over_and_no_trace_is_named_twice() {
    let mut counting = Counting::new();
    for _ in 0..4 {
        LAP.into_iter().for_each(|local| counting.whole(local));
    }
    let traces = counting.traces();
    let expected = (0..4).flat_map(|lap| LAP.map(|local| (lap, local)));
    assert!(traces.iter().copied().eq(expected), "{traces:?}");
    assert_eq!(traces.iter().collect::<BTreeSet<_>>().len(), 20);
}

#[test]
fn a_span_that_lives_across_laps_keeps_its_trace_and_its_number() {
    let mut counting = Counting::new();
    assert_eq!(counting.begin(LAP[4]), MetricStatus::Ok);
    LAP[..4].iter().for_each(|local| counting.whole(*local));
    // The number is taken for as long as the span lives; whoever comes to it again is refused.
    assert_eq!(counting.begin(LAP[4]), MetricStatus::InvalidArgs);
    counting.whole(7);
    assert_eq!(counting.end(LAP[4]), MetricStatus::Ok);
    assert_eq!(counting.end(LAP[4]), MetricStatus::NotFound);
    let traces = counting.traces();
    let mut expected = LAP[..4].iter().map(|local| (1, *local)).collect::<Vec<_>>();
    expected.extend([(2, 7), (0, LAP[4])]);
    assert_eq!(traces, expected);
}
