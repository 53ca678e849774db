//! A forked child is inert until it says otherwise: nothing that it counts or logs is told, neither
//! as its parent's nor at all. When it installs telemetry it is a life of its own.
#![expect(unsafe_code, reason = "fork, which the standard library does not have")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::exit;
use std::time::{Duration, Instant};

use nexus_abi::ServiceId;
use nexus_metrics::counter;
use nexus_rt::linux::client::Connection;
use nexus_rt::linux::telemetry::{self, Telemetry};
use nexus_wire::logs::{self, Found, Head, Search, Version};
use nexus_wire::metrics::{self, Reply, Request, SeriesValue};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::process::{daemon, dir, start};

const PATIENCE: Duration = Duration::from_secs(30);

/// As whom the child speaks when it does: as another service, and as its parent's.
const CHILDREN: [&str; 2] = ["svc/timed", "svc/execd"];

#[test]
fn a_forked_child_tells_nothing_until_it_says_otherwise_and_then_only_its_own() {
    let dir = dir();
    let _logd = daemon("logd", dir.path());
    let _metricsd = daemon("metricsd", dir.path());
    assert!(start("forking", dir.path(), None).ended().success());
}

/// The program that forks. It speaks as `execd`.
pub(crate) fn program(dir: &Path) {
    let own = dir.join("svc/execd");
    let telemetry = telemetry::install(&own).unwrap();
    let mut told = 0;
    for (round, child) in (0..).zip(CHILDREN) {
        record(7, "by the parent");
        told += 7;
        let (mut here, there) = UnixStream::pair().unwrap();
        let pid = fork(|| as_child(&telemetry, &dir.join(child), there));
        assert_eq!(said(&mut here), b'i', "the child has counted and logged, and is inert");
        record(5, "by the parent");
        told += 5;
        flush(&telemetry);
        assert_eq!(value(dir, "execd"), told, "of the child nothing is told as its parent's");
        assert_eq!(value(dir, "timed"), 10 * u64::from(round > 0));
        here.write_all(b"g").unwrap();
        assert_eq!(said(&mut here), b't', "the child has told its own");
        told += if child == "svc/execd" { 10 } else { 0 };
        let status = waitpid(Some(pid), WaitOptions::empty()).unwrap().map(|(_, status)| status);
        assert_eq!(status.and_then(|status| status.exit_status()), Some(0));
        // What the parent has told it tells no more, and its connections live on.
        flush(&telemetry);
        assert_eq!((value(dir, "execd"), value(dir, "timed")), (told, 10));
    }
    record(1, "at last");
    drop(telemetry);
    assert_eq!(value(dir, "execd"), told + 1);
    let records = [("by the parent", 4), ("by the inert child", 0), ("by the child", 2)];
    for (message, times) in [records.as_slice(), &[("at last", 1)]].concat() {
        assert_eq!(journal(dir).iter().filter(|said| *said == message).count(), times, "{message}");
    }
}

fn as_child(inherited: &Telemetry, dir: &Path, mut parent: UnixStream) {
    // A span, too: it would be told as the parent's, whose numbers it takes.
    let span = nexus_metrics::span!("inert");
    record(100, "by the inert child");
    drop(span);
    assert!(!inherited.flush(Duration::ZERO), "nobody is there who could flush");
    nexus_log::flush();
    parent.write_all(b"i").unwrap();
    assert_eq!(said(&mut parent), b'g');
    let own = telemetry::install(dir).unwrap();
    assert!(telemetry::install(dir).is_err(), "it is a process that has installed telemetry");
    record(10, "by the child");
    flush(&own);
    drop(own);
    parent.write_all(b"t").unwrap();
}

fn record(count: u64, message: &'static str) {
    counter!("forked_total").add(count);
    match message {
        "by the parent" => nexus_log::info!("fork", "by the parent"),
        "by the child" => nexus_log::info!("fork", "by the child"),
        "by the inert child" => nexus_log::info!("fork", "by the inert child"),
        _ => nexus_log::info!("fork", "at last"),
    }
}

fn said(other: &mut UnixStream) -> u8 {
    let mut byte = [0];
    other.read_exact(&mut byte).unwrap();
    byte[0]
}

fn flush(telemetry: &Telemetry) {
    let begin = Instant::now();
    while !telemetry.flush(PATIENCE) {
        assert!(begin.elapsed() < PATIENCE, "the daemons are there");
    }
}

/// Forks; the child does `body` and ends, well if that does not panic.
fn fork(body: impl FnOnce()) -> Pid {
    // SAFETY: the child has a copy of this thread alone. It uses what the standard library and the
    // allocator allow after a fork of a program with threads (glibc and musl keep the allocator
    // usable), and no lock of ours that another thread may have held: that it does not is what this
    // test shows of telemetry. It never returns into the caller's frames.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    match Pid::from_raw(pid) {
        Some(child) => child,
        None => exit(i32::from(catch_unwind(AssertUnwindSafe(body)).is_err())),
    }
}

/// The counter as metricsd has it of `service`; 0 if it has none.
fn value(dir: &Path, service: &str) -> u64 {
    let mut connection = Connection::open(dir, "metricsd").unwrap();
    let (mut cursor, mut frame, mut reply) = (0, [0; 64], [0; 4096]);
    loop {
        let request = Request::Scrape { cursor, with_help: false };
        let request = metrics::encode(&request, 1, &mut frame).unwrap();
        let len = connection.call(request, &mut reply).unwrap();
        let decoded = metrics::decode_reply(metrics::Op::Scrape, 1, &reply[..len]);
        let Some((_, Reply::Scrape(page))) = decoded else { panic!("no page in {reply:?}") };
        let mut series = page.series();
        let own = ServiceId::from_name(service);
        let found = series.find(|found| found.name == "forked_total" && found.service == own);
        if let Some(SeriesValue::Counter(value)) = found.map(|found| found.value) {
            return value;
        }
        if page.next_cursor == 0 {
            return 0;
        }
        cursor = page.next_cursor;
    }
}

/// The messages in logd of the program and its children.
fn journal(dir: &Path) -> Vec<String> {
    let mut connection = Connection::open(dir, "logd").unwrap();
    let head = Head { version: Version::V2, nonce: 1 };
    let search = Search { scope: "fork", max: 100, ..Search::ALL };
    let (mut frame, mut reply) = ([0; 512], [0; 4096]);
    let request = logs::encode(&logs::Request::Search(search), head, &mut frame).unwrap();
    let len = connection.call(request, &mut reply).unwrap();
    let decoded = logs::decode_reply(logs::Op::Search, head, &reply[..len]);
    let Some((_, logs::Reply::Search(page))) = decoded else { panic!("no page in {reply:?}") };
    assert!(!page.more, "all of it is on one page");
    let message = |found| match found {
        Found::Record(record) => Some(record.message.to_owned()),
        Found::Gap(_) => None,
    };
    page.found().filter_map(message).collect()
}
