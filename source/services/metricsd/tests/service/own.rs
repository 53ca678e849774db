//! metricsd's own metrics.

use crate::common::{Bench, recipe, roomy, secs, sender};
use nexus_wire::Kind;

#[test]
fn metricsd_counts_itself_under_its_own_name_without_a_frame() {
    let mut bench = Bench::new(&recipe(&[]));
    let (own, who) = (sender("metricsd"), sender("execd"));
    for _ in 0..5 {
        bench.inc(who, "n", "", 1);
    }
    bench.inc(who, "n", "bad", 1);
    bench.pause(secs(10));
    bench.wake();
    // The SCRAPE that reads them is not among them yet.
    assert_eq!(bench.one(own, "metricsd_frames_total", "").value, 6);
    assert_eq!(bench.one(own, "metricsd_items_refused_total", "reason=invalid\n").value, 1);
    // A gauge says what is now: the reader has a seat.
    assert_eq!(bench.one(own, "metricsd_senders", "").value, 3);
    assert_eq!(bench.ledger(own).offered, 0, "no frame, no budget");
}

#[test]
fn own_gauges_say_what_is_now_at_any_time() {
    let mut bench = Bench::new(&recipe(&[]));
    let own = sender("metricsd");
    for number in 0..5 {
        bench.inc(sender("execd"), &format!("n{number}"), "", 1);
        let series = bench.scrape_all().len();
        assert_eq!(bench.state("series"), series.to_string());
        assert_eq!(bench.one(own, "metricsd_series", "").value, series as i128, "no window passed");
    }
}

#[test]
fn own_metrics_outlive_the_loss_of_their_seat() {
    let mut bench = Bench::new(&roomy(&[("senders", "16"), ("sessions", "16")]));
    for n in 0..50 {
        bench.pause(secs(1));
        bench.inc(sender(&format!("s{n}")), "n", "", 1);
    }
    bench.pause(secs(10));
    bench.wake();
    let all = bench.scrape_all();
    let own = sender("metricsd").service();
    assert!(all.iter().any(|series| series.service == own));
    let counters = all.iter().filter(|series| series.kind == Kind::Counter);
    let total: i128 = counters.map(|series| series.value).sum();
    // 50 of the senders, the rest metricsd's own frames and nothing twice.
    let frames: i128 = bench.state("frames").parse().unwrap();
    assert!(total >= 50 && total <= 50 + frames, "{total}");
}

#[test]
fn every_total_of_a_port_is_told_however_many() {
    let mut bench = Bench::new(&recipe(&[]));
    let totals = (0..48).rev().map(|number| (format!("port_total_{number:02}"), number));
    bench.last.totals = totals.collect();
    for number in 0..48 {
        assert_eq!(bench.state(&format!("port_total_{number:02}")), number.to_string());
    }
}

#[test]
fn nobody_can_make_a_status_too_long_to_be_told() {
    let mut bench = Bench::new(&roomy(&[("series_per_metric", "8")]));
    let totals = (0..24).map(|number| (format!("port_busiest_accepted_{number:02}"), u64::MAX));
    bench.last.totals = totals.collect();
    for metric in 0..20 {
        for value in 0..20 {
            let name = format!("{metric:-<48}");
            let labels = format!("{:_<32}={value}\n", "key");
            bench.inc(sender("execd"), &name, &labels, u64::MAX >> 4);
        }
    }
    assert_eq!(bench.state("quarantined"), "20");
}
