//! What handles, families and spans record, on one thread and on many.

use std::sync::Barrier;
use std::thread;

use nexus_bounded::Mono;
use nexus_metrics::limits::{FAMILY_SLOTS, OPEN_SPANS_MAX, PAGES_MAX, RING_WORDS};
use nexus_metrics::{
    Bounds, CounterFamily, HistogramFamily, LossReason, SpanContext, SpanStatus, StaticName, Steps,
    counter, counter_family, gauge, histogram, histogram_family, key, memory, span,
};

#[test]
fn call_sites_of_one_series_count_together_and_others_apart() {
    let recording = memory::record();
    counter!("test_total", "kind" => "a").inc();
    counter!("test_total", "kind" => "a").add(2);
    counter!("test_total", "kind" => "b").inc();
    assert_eq!(recording.counter("test_total", &[("kind", "a")]), 3);
    assert_eq!(recording.counter("test_total", &[("kind", "b")]), 1);
    assert_eq!(recording.counter("test_total", &[]), 0);
}

#[test]
fn a_gauge_goes_either_way_and_is_unknown_before_it_is_set() {
    let recording = memory::record();
    let gauge = gauge!("test_gauge");
    assert_eq!(recording.gauge("test_gauge", &[]), None);
    gauge.add(-3);
    assert_eq!(recording.gauge("test_gauge", &[]), Some(-3));
    for value in [i64::MIN, i64::MAX, 0] {
        gauge.set(value);
        assert_eq!(recording.gauge("test_gauge", &[]), Some(value));
    }
}

#[test]
fn a_histogram_counts_by_bounds_and_sums() {
    const BOUNDS: Bounds = Bounds::listed(&[10, 20]);
    let recording = memory::record();
    for value in [0, 10, 11, 20, 21, 1000] {
        histogram!("test_sizes", bounds = BOUNDS).observe(value);
    }
    let observed = recording.histogram("test_sizes", &[]);
    let observed = observed.map(|observed| (observed.bounds, observed.counts, observed.sum));
    assert_eq!(observed, Some((vec![10, 20], vec![2, 2, 2], 1062)));
}

#[test]
fn the_default_bounds_follow_from_the_unit() {
    let recording = memory::record();
    histogram!("test_ns", unit = Nanoseconds).observe(u64::MAX);
    histogram!("test_plain").observe(1);
    let observed = |name| recording.histogram(name, &[]);
    assert_eq!(observed("test_ns").map(|it| it.bounds[0]), Some(1024));
    assert_eq!(observed("test_ns").map(|it| it.sum), Some(i64::MAX as u64));
    assert_eq!(observed("test_plain").map(|it| (it.bounds[0], it.counts[0])), Some((1, 1)));
}

#[test]
fn a_family_remembers_its_label_sets_and_folds_the_surplus() {
    static FAMILY: CounterFamily<2> = counter_family!("test_family_total", ["a", "b"]);
    let recording = memory::record();
    for round in 0..3 {
        for at in 0..FAMILY_SLOTS + 10 {
            FAMILY.with([&at.to_string(), "x"]).inc();
        }
        let overflow = [("a", "_overflow"), ("b", "_overflow")];
        assert_eq!(recording.counter("test_family_total", &overflow), 10 * (round + 1));
        assert_eq!(recording.lost(LossReason::SeriesTableFull), 10 * (round + 1));
    }
    assert_eq!(recording.counter("test_family_total", &[("a", "7"), ("b", "x")]), 3);
}

#[test]
fn values_that_are_no_labels_are_counted_in_the_overflow() {
    static FAMILY: HistogramFamily<1> = histogram_family!("test_odd", ["a"], unit = Bytes);
    let recording = memory::record();
    FAMILY.with(["one\ntwo"]).observe(1);
    FAMILY.with([&"x".repeat(129)]).observe(1);
    FAMILY.with(["fine"]).observe(1);
    let counts = |label| recording.histogram("test_odd", &[("a", label)]).map(|it| it.counts[0]);
    assert_eq!((counts("_overflow"), counts("fine")), (Some(2), Some(1)));
}

#[test]
fn many_threads_count_exactly_also_without_pages_of_their_own() {
    const THREADS: usize = PAGES_MAX + 40;
    let recording = memory::record();
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                counter!("test_threads_total").inc();
                barrier.wait();
                (0..100).for_each(|_| counter!("test_threads_total").inc());
            });
        }
    });
    assert_eq!(recording.counter("test_threads_total", &[]), 101 * THREADS as u64);
}

#[test]
fn what_a_thread_counted_outlives_it_and_its_page_passes_on() {
    let recording = memory::record();
    for _ in 0..4 * PAGES_MAX {
        thread::spawn(|| counter!("test_passing_total").inc()).join().ok();
    }
    assert_eq!(recording.counter("test_passing_total", &[]), 4 * PAGES_MAX as u64);
}

#[test]
fn a_thread_still_counts_while_its_storage_is_torn_down() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            counter!("test_last_total").inc();
            drop(span!("test.last"));
        }
    }
    thread_local!(static LAST: Last = const { Last });
    let recording = memory::record();
    thread::spawn(|| {
        LAST.with(|_| counter!("test_last_total").inc());
        drop(span!("test.first"));
    })
    .join()
    .ok();
    assert_eq!(recording.counter("test_last_total", &[]), 2);
    let spans = recording.finished_spans().len() as u64;
    assert_eq!(spans + recording.lost(LossReason::SpanRingFull), 2);
}

#[test]
fn a_span_inherits_parent_and_trace_and_has_its_attributes() {
    let recording = memory::record();
    {
        let mut outer = span!("test.outer", bundle = "demo.hello", attempt = 2, dry = false);
        let _inner = span!("test.inner");
        outer.attr(key!("code"), -3);
        assert_eq!(SpanContext::current().map(SpanContext::trace), Some(outer.context().trace()));
    }
    assert_eq!(SpanContext::current(), None);
    let spans = recording.finished_spans();
    let (inner, outer) = (&spans[0], &spans[1]);
    assert_eq!((inner.name.as_str(), outer.name.as_str()), ("test.inner", "test.outer"));
    assert_eq!((inner.parent, inner.trace), (outer.span, outer.trace));
    assert_eq!((outer.parent, outer.trace), (0, outer.span));
    assert_eq!(outer.status, SpanStatus::Ok);
    let attrs: Vec<_> = outer.attrs.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(attrs, ["attempt=2", "bundle=demo.hello", "code=-3", "dry=false"]);
}

#[test]
fn a_span_fails_when_told_to_or_when_its_thread_panics() {
    let recording = memory::record();
    span!("test.fails").fail();
    let panicked = thread::spawn(|| {
        let _span = span!("test.panics");
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(panicked.join().is_err());
    let statuses: Vec<_> = recording.finished_spans().iter().map(|span| span.status).collect();
    assert_eq!(statuses, [SpanStatus::Error, SpanStatus::Error]);
}

#[test]
fn a_context_makes_a_parent_on_another_thread() {
    let recording = memory::record();
    let outer = span!("test.here");
    let context = outer.context();
    thread::spawn(move || drop(span!(parent = context, "test.there"))).join().ok();
    drop(outer);
    let spans = recording.finished_spans();
    let there = spans.iter().find(|span| span.name == "test.there");
    assert_eq!(there.map(|it| (it.parent, it.trace)), Some((context.span(), context.trace())));
}

#[test]
fn spans_may_end_in_any_order() {
    let recording = memory::record();
    let first = span!("test.first");
    let second = span!("test.second");
    drop(first);
    assert_eq!(SpanContext::current(), Some(second.context()));
    drop(span!("test.third"));
    drop(second);
    assert_eq!(SpanContext::current(), None);
    let spans = recording.finished_spans();
    assert_eq!(
        spans.iter().map(|span| &*span.name).collect::<Vec<_>>(),
        ["test.first", "test.third", "test.second",]
    );
    assert_eq!(spans[1].parent, spans[2].span);
}

#[test]
fn steps_are_parts_of_a_whole_one_behind_the_other_and_the_last_ends_as_it_does() {
    let recording = memory::record();
    let mut steps = Steps::begin(StaticName::literal("test.whole"), (key!("of"), "a"), Mono(1));
    steps.step(StaticName::literal("test.first"), Mono(2));
    steps.step(StaticName::literal("test.last"), Mono(5));
    steps.end(Mono(9), SpanStatus::Error);
    let spans = recording.finished_spans();
    let seen = spans.iter().map(|span| (&*span.name, span.duration_ns, span.status));
    let expected = [
        ("test.first", 3, SpanStatus::Ok),
        ("test.last", 4, SpanStatus::Error),
        ("test.whole", 8, SpanStatus::Error),
    ];
    assert!(seen.eq(expected), "{spans:?}");
    let [first, last, whole] = &spans[..] else { panic!("three of them") };
    assert_eq!(whole.attr("of"), Some("a"));
    assert_eq!([first.parent, last.parent, whole.parent], [whole.span, whole.span, 0]);
}

#[test]
fn spans_beyond_the_bounds_are_dropped_and_counted() {
    let recording = memory::record();
    let open: Vec<_> = (0..OPEN_SPANS_MAX + 3).map(|_| span!("test.deep")).collect();
    assert_eq!(recording.lost(LossReason::SpanRingFull), 3);
    drop(open);
    assert_eq!(recording.finished_spans().len(), OPEN_SPANS_MAX);
    (0..RING_WORDS).for_each(|_| drop(span!("test.many")));
    let kept = recording.finished_spans().len() - OPEN_SPANS_MAX;
    assert_eq!(kept, RING_WORDS / 5);
    assert_eq!(recording.lost(LossReason::SpanRingFull), (3 + RING_WORDS - kept) as u64);
}

#[test]
fn an_attribute_that_does_not_fit_or_comes_twice_is_left_out_and_counted() {
    let recording = memory::record();
    let long = "x".repeat(129);
    {
        let mut span = span!("test.attrs", long = &long, short = 1);
        span.attr(key!("short"), 2);
        span.attr(key!("other"), 3);
    }
    let spans = recording.finished_spans();
    assert_eq!((spans[0].attr("short"), spans[0].attr("other")), (Some("1"), Some("3")));
    assert_eq!((spans[0].attr("long"), recording.lost(LossReason::TooLarge)), (None, 2));
}

#[test]
fn a_span_inside_the_value_of_an_attribute_is_a_child() {
    let compute = || {
        drop(span!("test.compute"));
        7
    };
    let recording = memory::record();
    drop(span!("test.whole", value = compute()));
    let spans = recording.finished_spans();
    assert_eq!((spans[0].parent, spans[1].attr("value")), (spans[1].span, Some("7")));
}
