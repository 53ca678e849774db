//! No daemon allocates once it has received, whatever is done to it.

use std::path::Path;

use nexus_metrics::{Client, Flusher, MetricName, Pace, SpanName, SpanStatus, Transport as _};
use nexus_rt::linux::{Link, monotonic};
use nexus_wire::logs::{self, AppendBatchWriter, Head, NewRecord, Search, Version};
use nexus_wire::{Level, metrics};

use crate::load::{Load, requests};
use crate::process::{Process, daemon, dir, eventually};
use crate::watched::ALLOCATE;

const LOGD: &str = include_str!("../../../nexus-wire/tests/vectors/logd.jsonl");
const METRICSD: &str = include_str!("../../../nexus-wire/tests/vectors/metricsd.jsonl");

/// What a daemon says of itself. Its operation is the same at both.
fn status(daemon: &Process) -> String {
    let mut buffer = [0; 64];
    let request = match daemon.socket().ends_with("logd.sock") {
        true => logs::encode(&logs::Request::Status, HEAD, &mut buffer).unwrap(),
        false => metrics::encode(&metrics::Request::Status, 1, &mut buffer).unwrap(),
    };
    let mut reply = [0; 4096];
    let len = daemon.connect("obsctl").unwrap().call(request, &mut reply).unwrap();
    String::from_utf8_lossy(&reply[..len]).into_owned()
}

const HEAD: Head = Head { version: Version::V2, nonce: 1 };

fn total(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.split_once(&format!("{name}="))).map(|v| v.1);
    value.unwrap_or_else(|| panic!("{name} is in {status}")).parse().unwrap()
}

/// The load has gone where it was to go: connections and answers were cut off, frames refused.
fn assert_rough(status: &str) {
    for name in ["port_accepted", "port_frames", "port_ended", "port_evicted", "port_oversized"] {
        assert!(total(status, name) > 10, "{name} in {status}");
    }
    let cut = total(status, "port_slow_cut") + total(status, "port_crowded_cut");
    assert!(cut > 0 && total(status, "port_replies_gone") > 0, "{status}");
    assert!(total(status, "senders_displaced") > 0, "{status}");
}

/// An allocation would have been seen.
fn assert_counts(daemon: &Process) {
    let mut reply = [0; 16];
    daemon.connect("obsctl").unwrap().call(ALLOCATE, &mut reply).unwrap();
    assert_eq!(daemon.allocations(), 1);
}

fn batch_of_records(buffer: &mut [u8]) -> Vec<u8> {
    let mut batch = AppendBatchWriter::new(1, buffer);
    let record = NewRecord {
        level: Level::Warn,
        scope: "load",
        message: "password=hunter2 and more",
        fields: b"a=1\nb=2\n",
    };
    while batch.record(&record) {}
    batch.finish().unwrap().to_vec()
}

/// Requests to logd that the vectors of its first versions lack.
fn newer_requests() -> Vec<Vec<u8>> {
    let searches = [
        Search { gaps: true, ..Search::ALL },
        Search { backward: true, scope: "load", ..Search::ALL },
    ];
    let requests = [logs::Request::Hello, logs::Request::Status, logs::Request::Anchors]
        .into_iter()
        .chain([logs::Request::Audit { cursor: 0 }, logs::Request::Stats])
        .chain(searches.map(logs::Request::Search));
    requests.map(|r| logs::encode(&r, HEAD, &mut [0; 512]).unwrap().to_vec()).collect()
}

#[test]
fn logd_allocates_nothing_after_its_first_receive() {
    let dir = dir();
    let logd = daemon("logd", dir.path());
    let batches = vec![batch_of_records(&mut [0; 4096]); 8];
    let frames = [newer_requests(), requests(LOGD), batches].concat();
    Load { daemon: &logd, frames, rounds: 120 }.run();
    let status = status(&logd);
    assert_rough(&status);
    assert!(total(&status, "dropped") > 100, "the journal has run over: {status}");
    assert!(total(&status, "redacted") > 100, "{status}");
    assert_eq!(logd.allocations(), 0);
    assert_counts(&logd);
}

/// Requests to metricsd that its first version lacked; what a client library sends comes from one.
fn readings() -> Vec<Vec<u8>> {
    use metrics::Request;
    let requests = [
        Request::Scrape { cursor: 0, with_help: true },
        Request::Scrape { cursor: 30, with_help: false },
        Request::Spans { cursor: 0 },
        Request::Audit { cursor: 0 },
        Request::Status,
        Request::Hello(None),
    ];
    requests.map(|r| metrics::encode(&r, 1, &mut [0; 512]).unwrap().to_vec()).to_vec()
}

/// A program with its client library, which comes back again and again.
struct Producer<'a> {
    flusher: Flusher<&'a Client>,
    client: &'a Client,
    link: Link,
}

impl<'a> Producer<'a> {
    fn new(client: &'a Client, dir: &Path, name: &str) -> Self {
        let link = Link::new(dir.join("svc").join(name), "metricsd");
        Self { flusher: Flusher::new(client, Pace::DEFAULT), client, link }
    }

    /// In a crowd what it says may come too late or never.
    fn visit_often(&mut self) {
        for n in 0..400 {
            self.record(n % 40);
            self.flusher.request_flush(monotonic());
            for _ in 0..20 {
                self.flusher.poll(monotonic(), &mut self.link);
            }
            if n % 100 == 99 {
                self.link.close();
            }
        }
    }

    /// More names and labels than one sender may have, all of them told.
    fn tell_too_much(&mut self) {
        (0..80).for_each(|n| self.record(n));
        self.flusher.request_flush(monotonic());
        eventually("all is told", || {
            self.flusher.poll(monotonic(), &mut self.link);
            self.flusher.is_settled(monotonic())
        });
    }

    fn record(&mut self, n: u32) {
        let label = n.to_string();
        let names = [format!("n{n}_total"), "same_total".to_owned()];
        for name in names.iter().filter_map(|name| MetricName::new(name)) {
            if let Ok(counter) = self.client.counter(name, &[("n", &label)]) {
                self.client.add(counter, 1);
            }
        }
        let name = SpanName::new("work").unwrap();
        if let Some(span) = self.client.begin_span(name, None, monotonic()) {
            self.client.end_span(span, monotonic(), SpanStatus::Ok);
        }
    }
}

#[test]
fn metricsd_allocates_nothing_after_its_first_receive() {
    let dir = dir();
    let logd = daemon("logd", dir.path());
    let metricsd = daemon("metricsd", dir.path());
    let frames = [readings(), requests(METRICSD)].concat();
    let load = Load { daemon: &metricsd, frames, rounds: 60 };
    std::thread::scope(|scope| {
        for name in ["execd", "timed", "s0"] {
            scope.spawn(|| Producer::new(&Client::new(), dir.path(), name).visit_often());
        }
        load.run();
    });
    // And logd dies under it, and comes back.
    drop(logd);
    load.run();
    let logd = daemon("logd", dir.path());
    Producer::new(&Client::new(), dir.path(), "obsctl").tell_too_much();
    let status = self::status(&metricsd);
    assert_rough(&status);
    assert!(total(&status, "folds") > 0, "caps were met: {status}");
    eventually("the new logd has the series", || total(&self::status(&metricsd), "logd_boot") == 2);
    assert_eq!(metricsd.allocations(), 0);
    assert_counts(&metricsd);
    assert_eq!(logd.allocations(), 0, "what metricsd exports makes logd allocate nothing either");
}
