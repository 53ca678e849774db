//! What it costs the disk to keep windows: metricsd over statefsd, and every sector counted.

use nexus_abi::Rights;
use nexus_bounded::Nanos;
use nexus_wire::Kind;
use sim::{Bed, app, machine, update};
use simkit::Client;

use crate::kept::bed;

/// Series of one sender.
const OF_A_SENDER: u64 = 250;
/// A beginning of five minutes; in an hour raw segments are sealed ten times, one of 10 s once.
const WARM: u64 = 300;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

/// Bytes in a while.
struct Bytes {
    /// Of how many seconds.
    seconds: u64,
    /// That metricsd handed to statefsd for files.
    handed: u64,
    /// That the disk was written.
    written: u64,
}

impl Bytes {
    /// Device bytes for each byte that was handed over.
    fn amplification(&self) -> f64 {
        self.written as f64 / self.handed as f64
    }

    fn written_a_day(&self) -> u64 {
        self.written * DAY / self.seconds
    }
}

/// So many series change every so many seconds: two of five are counters, two gauges that walk, one
/// a gauge that is set and stays.
struct Load {
    clients: Vec<Client>,
    series: u64,
    value: u64,
}

impl Load {
    fn new(bed: &mut Bed, series: u64) -> Self {
        let senders = series.div_ceil(OF_A_SENDER);
        let client = |number| bed.world.client(&app(number as usize), Rights::NONE);
        Self { clients: (0..senders).map(client).collect(), series, value: 1 }
    }

    fn change_all(&mut self, bed: &mut Bed) {
        for series in 0..self.series {
            self.value = self
                .value
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let (kind, name) = match series % 5 {
                0 | 1 => (Kind::Counter, "app_counter_total"),
                _ => (Kind::Gauge, "app_gauge"),
            };
            let value = if series % 5 == 4 { 500 } else { (self.value >> 55) as i64 };
            let frame = update(kind, name, &format!("n={series}\n"), value);
            let client = self.clients[(series / OF_A_SENDER) as usize];
            bed.world.post(client, "metricsd", &frame).unwrap();
            if series % OF_A_SENDER == OF_A_SENDER - 1 {
                bed.world.settle();
            }
        }
    }
}

/// What some time costs, and how much a day the daemon says that it expects for 200 series.
fn cost(series: u64, every: u64, seconds: u64) -> (Bytes, u64) {
    let recipe = machine(series.div_ceil(OF_A_SENDER) as usize);
    let mut bed = bed(&recipe);
    let mut load = Load::new(&mut bed, series);
    let mut before = (0, 0);
    for second in (0..WARM + seconds).step_by(every as usize) {
        if second == WARM {
            before = bed.written();
        }
        load.change_all(&mut bed);
        bed.world.run_for(Nanos::from_secs(every));
    }
    let after = bed.written();
    let status = bed.status("metricsd");
    assert_eq!(status["retention_state"], "keeping", "{status:?}");
    assert!(bed.state("metricsd", "retention_raw_segments") >= seconds / 360, "{status:?}");
    let told = bed.state("metricsd", "retention_flash_bytes_per_day");
    let (handed, written) = (after.0 - before.0, after.1 - before.1);
    (Bytes { seconds, handed, written }, told)
}

#[test]
fn what_is_written_a_day_is_what_the_recipe_makes_expected() {
    let (bytes, told) = cost(200, 10, HOUR);
    let (written, expected) =
        (bytes.written_a_day(), metricsd::flash_bytes_per_day(&machine(1), 200));
    println!("200 series that change every 10 s: {written} bytes a day, {expected} expected");
    assert_eq!(told, expected);
    assert!(written <= 32_000_000, "{written}");
    assert!(expected <= 32_000_000, "{expected}");
    // Expected is what it takes if series do not change together.
    assert!(written <= expected && expected < written / 2 * 3, "{written} and {expected}");
}

/// No target: ten times the samples have their price.
#[test]
fn series_that_change_every_second_cost_more_and_less_than_ten_times_as_much() {
    let (slow, _) = cost(200, 10, HOUR / 3);
    let (quick, _) = cost(200, 1, HOUR / 3);
    let (slow, quick) = (slow.written_a_day(), quick.written_a_day());
    println!("200 series that change every second: {quick} bytes a day");
    assert!((2 * slow..10 * slow).contains(&quick), "{quick} and {slow}");
}

#[test]
fn the_disk_is_written_at_most_twice_what_it_is_handed() {
    let (bytes, _) = cost(2000, 10, HOUR / 3);
    let (Bytes { handed, written, .. }, factor) = (&bytes, bytes.amplification());
    println!("2000 series every 10 s: {handed} bytes handed over, {written} written, {factor:.2}");
    assert!(*handed > 1_000_000, "{handed}");
    assert!(factor <= 2.0, "{factor}");
}
