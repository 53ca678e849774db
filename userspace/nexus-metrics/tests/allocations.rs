//! Recording allocates nothing once everything has been touched.

use allocation_counter::measure;
use nexus_metrics::{CounterFamily, counter, counter_family, gauge, histogram, key, span};

static FAMILY: CounterFamily<2> = counter_family!("test_requests_total", ["method", "status"]);

fn record(at: u64) {
    counter!("test_total").inc();
    gauge!("test_gauge").set(7);
    histogram!("test_ns", unit = Nanoseconds).observe(at << 10);
    FAMILY.with(["get", "200"]).inc();
    FAMILY.with(["post", "overflown\n"]).inc();
    let mut span = span!("test.span", method = "GET", at = at);
    span.attr(key!("code"), 3);
}

#[test]
fn recording_allocates_nothing_after_its_first_time() {
    record(0);
    // More spans than the ring holds: dropping allocates nothing either.
    assert_eq!(measure(|| (1..10_000).for_each(record)).count_total, 0);
}

#[test]
fn the_count_of_allocations_counts() {
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
}
