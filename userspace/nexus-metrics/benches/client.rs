//! What recording costs, each next to its yardstick in the same run.
//!
//! ```text
//! cargo bench -p nexus-metrics
//! ```
//!
//! All rows take turns in short rounds; a row's figure is its lower quartile, so that other
//! programs on the machine do not stretch it. With two threads both update the same metric, and a
//! round is the time of the thread that took longer. Ratios carry to other machines, nanoseconds
//! do not.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU64, compiler_fence};
use std::thread;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use nexus_metrics::{
    Bounds, Counter, CounterFamily, counter, counter_family, gauge, histogram, memory, span,
};

const ROUNDS: usize = 400;
const OPERATIONS: u32 = 20_000;
/// Not more than a ring holds.
const SPANS: u32 = 400;

struct Row {
    name: &'static str,
    operations: u32,
    run: fn(u32),
    /// The row that it is compared with, and how much of that it may cost.
    target: Option<(&'static str, f64)>,
}

const ADD: &str = "relaxed fetch_add";
const CLOCKS: &str = "two clock reads, 64 bytes to a ring";

const ROWS: &[Row] = &[
    Row { name: ADD, operations: OPERATIONS, run: bare_add, target: None },
    Row {
        name: "counter by handle",
        operations: OPERATIONS,
        run: handle,
        target: Some((ADD, 0.6)),
    },
    Row {
        name: "counter by call site",
        operations: OPERATIONS,
        run: site,
        target: Some((ADD, 0.6)),
    },
    Row { name: "counter by family, 2 labels", operations: OPERATIONS, run: family, target: None },
    Row { name: "gauge", operations: OPERATIONS, run: set_gauge, target: None },
    Row { name: "histogram, powers of two", operations: OPERATIONS, run: observe, target: None },
    Row { name: "histogram, 16 bounds", operations: OPERATIONS, run: observe_listed, target: None },
    Row { name: CLOCKS, operations: SPANS, run: bare_span, target: None },
    Row {
        name: "span with 2 attributes",
        operations: SPANS,
        run: spans,
        target: Some((CLOCKS, 2.0)),
    },
];

static BARE: AtomicU64 = AtomicU64::new(0);
static FAMILY: CounterFamily<2> = counter_family!("bench_family_total", ["method", "status"]);
const LISTED: Bounds = Bounds::listed(&[
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
]);

/// Does it `count` times; the fence keeps the compiler from folding the loop.
#[inline(always)]
fn repeat(count: u32, mut operation: impl FnMut(u32)) {
    for at in 0..count {
        operation(at);
        compiler_fence(SeqCst);
    }
}

fn bare_add(count: u32) {
    repeat(count, |_| {
        BARE.fetch_add(1, Relaxed);
    });
}

fn handle(count: u32) {
    let counter: Counter = black_box(counter!("bench_handle_total"));
    repeat(count, |_| counter.inc());
}

fn site(count: u32) {
    repeat(count, |_| counter!("bench_site_total").inc());
}

fn family(count: u32) {
    repeat(count, |_| FAMILY.with([black_box("get"), black_box("200")]).inc());
}

fn set_gauge(count: u32) {
    repeat(count, |at| gauge!("bench_gauge").set(i64::from(at)));
}

fn observe(count: u32) {
    repeat(count, |at| histogram!("bench_ns", unit = Nanoseconds).observe(u64::from(at) << 12));
}

fn observe_listed(count: u32) {
    repeat(count, |at| histogram!("bench_listed", bounds = LISTED).observe(u64::from(at)));
}

fn spans(count: u32) {
    repeat(count, |at| {
        let _span = span!("bench.span", method = black_box("GET"), status = at);
    });
}

/// What any span must do: read the clock twice, and leave a record of 64 bytes.
fn bare_span(count: u32) {
    const RECORDS: usize = 512;
    thread_local! {
        static RING: RefCell<(Vec<[u64; 8]>, usize)> = RefCell::new((vec![[0; 8]; RECORDS], 0));
    }
    let anchor = Instant::now();
    repeat(count, |at| {
        let start = Instant::now();
        let method = black_box("GET").as_bytes();
        compiler_fence(SeqCst);
        let end = Instant::now();
        let since = |time: Instant| (time - anchor).as_nanos() as u64;
        let (id, len) = (u64::from(at), method.len() as u64);
        let text = u64::from(method[0]) | u64::from(method[1]) << 8 | u64::from(method[2]) << 16;
        RING.with_borrow_mut(|(ring, head)| {
            ring[*head % RECORDS] = [since(start), since(end), 1, id, id, text, len, 0];
            *head += 1;
        });
    });
}

fn time(row: &Row) -> f64 {
    let start = Instant::now();
    (row.run)(row.operations);
    per_operation(start.elapsed(), row)
}

fn per_operation(time: Duration, row: &Row) -> f64 {
    time.as_nanos() as f64 / f64::from(row.operations)
}

fn lower_quartile(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 4]
}

/// ns per operation of each row.
fn one_thread() -> Vec<f64> {
    let mut times = vec![Vec::new(); ROWS.len()];
    for _ in 0..ROUNDS {
        for (row, times) in ROWS.iter().zip(&mut times) {
            times.push(time(row));
            drop(memory::record());
        }
    }
    times.iter_mut().map(|times| lower_quartile(times)).collect()
}

/// ns per operation and thread of each row, two threads at it.
fn two_threads() -> Vec<f64> {
    let barrier = Barrier::new(2);
    let rounds = || {
        let mut times = vec![Vec::new(); ROWS.len()];
        for _ in 0..ROUNDS {
            for (row, times) in ROWS.iter().zip(&mut times) {
                barrier.wait();
                times.push(time(row));
                if barrier.wait().is_leader() {
                    drop(memory::record());
                }
            }
        }
        times
    };
    let (mut ours, theirs) = thread::scope(|scope| {
        let other = scope.spawn(rounds);
        (rounds(), other.join().unwrap_or_default())
    });
    for (ours, theirs) in ours.iter_mut().flatten().zip(theirs.iter().flatten()) {
        *ours = ours.max(*theirs);
    }
    ours.iter_mut().map(|times| lower_quartile(times)).collect()
}

fn allocated(row: &Row) -> u64 {
    let run = measure(|| (row.run)(row.operations));
    drop(memory::record());
    run.count_total
}

fn main() {
    let one = one_thread();
    let two = two_threads();
    let of = |name: &str| {
        let place = ROWS.iter().position(|row| row.name == name);
        place.map_or(f64::NAN, |place| one[place])
    };
    println!("{:38} {:>8} {:>8} {:>8} {:>8}", "", "1 thread", "2", "ratio", "target");
    for (at, row) in ROWS.iter().enumerate() {
        let (one, two) = (one[at], two[at]);
        let target = row
            .target
            .map_or(String::new(), |(name, target)| format!("{:8.2} {target:8.2}", one / of(name)));
        let allocations = allocated(row);
        println!("{:38} {one:8.2} {two:8.2} {target} {allocations} allocations", row.name);
    }
}
