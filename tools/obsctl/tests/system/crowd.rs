//! Thousands of idle, half-open, hostile and slow connections at the real daemons with the recipe
//! that they bring: a modest program's work goes on with exact results, and every connection and
//! every frame is accounted for in what obsctl shows.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nexus_rt::linux::client::Connection;
use nexus_wire::logs::{self, Head, NewRecord, Version};
use nexus_wire::metrics::{self, Update};
use nexus_wire::{LabelBytes, Level, LogStatus, MetricStatus, NameBytes};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketType, sockopt,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use crate::support::{Daemon, Folder, eventually, programs, status, text};

/// Who does not go, each with more connections than a sender may have, and even with as many as one
/// may have more than there are in all.
const IDLE: (u64, &[&str]) = (
    40,
    &[
        "i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8", "i9", "i10", "i11", "i12", "i13",
        "i14", "i15", "i16",
    ],
);
/// Connections there are at a time, as the recipe says.
const PLACES: u64 = 512;
/// Who says at once that it will say nothing.
const HALF_OPEN: (u64, &[&str]) = (300, &["h0", "h1", "h2", "h3"]);
/// Who sends what nobody should, and waits for the answers.
const HOSTILE: (u64, &str) = (400, "vandal");
/// Who asks and asks and never reads.
const SLOW: (u64, &[&str]) = (30, &["s0", "s1", "s2"]);
const MODEST: &str = "timed";

/// What the hostile one sends: nothing, noise, too much, and heads of both protocols that are cut.
const HOSTILE_FRAMES: [&[u8]; 5] = [b"", b"noise", &[b'L'; 4097], b"LO\x02", b"MT\x01\x63"];

struct Crowd<'a> {
    folder: &'a Folder,
    daemon: &'static str,
    /// Connections that were made.
    made: AtomicU64,
}

impl Crowd<'_> {
    /// A connection as `service`, without the manners of a client. It waits for room.
    fn connect(&self, service: &str) -> OwnedFd {
        let path = self.folder.0.join("svc").join(service).join(format!("{}.sock", self.daemon));
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        let patience = Some(Duration::from_secs(60));
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, patience).unwrap();
        self.made.fetch_add(1, Ordering::Relaxed);
        socket
    }

    fn idle(&self) -> Vec<OwnedFd> {
        let (each, services) = IDLE;
        (0..each).flat_map(|_| services.iter().map(|service| self.connect(service))).collect()
    }

    /// Half of them say that they will send nothing and stay for a while, the others go.
    fn half_open(&self) {
        let (each, services) = HALF_OPEN;
        let mut stay = Vec::new();
        for n in 0..each {
            for service in services {
                let socket = self.connect(service);
                rustix::net::shutdown(&socket, Shutdown::Write).unwrap();
                if n % 2 == 0 {
                    stay.push(socket);
                }
            }
            if stay.len() > 100 {
                stay.clear();
            }
        }
    }

    /// One connection at a time, so that there is nobody who holds fewer.
    fn hostile(&self) {
        let (visits, service) = HOSTILE;
        for _ in 0..visits {
            let socket = self.connect(service);
            for frame in HOSTILE_FRAMES {
                rustix::net::send(&socket, frame, SendFlags::NOSIGNAL).unwrap();
                let mut reply = [0; 4096];
                let (len, _) =
                    rustix::net::recv(&socket, &mut reply[..], RecvFlags::empty()).unwrap();
                assert!(len >= 9, "every frame is answered, whatever is in it");
            }
        }
    }

    fn slow(&self) -> Vec<OwnedFd> {
        let (each, services) = SLOW;
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let ask = |service: &&str| {
            let socket = self.connect(service);
            // Until nothing more goes: either it waits for us to read, or it has cut us off.
            while rustix::net::send(&socket, b"LO\x01\x03", flags).is_ok() {}
            socket
        };
        (0..each).flat_map(|_| services.iter().map(ask)).collect()
    }
}

/// What obsctl says as a service with a socket of its own, and how often it was asked.
struct Watch<'a> {
    folder: &'a Folder,
    calls: Cell<u64>,
}

impl Watch<'_> {
    fn lines(&self, args: &[&str]) -> Vec<Value> {
        self.calls.set(self.calls.get() + 1);
        let obsctl = Command::new(programs().join("obsctl"))
            .args(args)
            .args(["-o", "json"])
            .env("NEXUS_RUN_DIR", self.folder.0.join("svc/obsctl"))
            .output()
            .unwrap();
        let said = text(&obsctl.stdout);
        assert!(!said.is_empty(), "{}", text(&obsctl.stderr));
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The totals of a daemon's port.
    fn port(&self, daemon: &str) -> impl Fn(&str) -> u64 + use<> {
        let mut lines = self.lines(&["status"]).into_iter();
        let report = lines.find(|line| line["daemon"] == daemon).unwrap();
        move |name| {
            let total = report["state"][format!("port_{name}")].as_u64();
            total.unwrap_or_else(|| panic!("{name} is in {report}"))
        }
    }
}

/// One item of work, and whether the daemon took it.
fn work(daemon: &str, connection: &mut Connection, n: u64) -> bool {
    let (mut frame, mut reply) = ([0; 512], [0; 4096]);
    if daemon == "metricsd" {
        let (name, labels) = (NameBytes::new(b"modest_total"), LabelBytes::new(b""));
        let update = Update { name: name.unwrap(), labels: labels.unwrap(), value: n };
        let request = metrics::Request::CounterInc(update);
        let frame = metrics::encode(&request, 7, &mut frame).unwrap();
        let len = connection.call(frame, &mut reply).unwrap();
        let reply = metrics::decode_reply(metrics::Op::CounterInc, 7, &reply[..len]);
        return reply.is_some_and(|(status, _)| status == MetricStatus::Ok);
    }
    let head = Head { version: Version::V2, nonce: 7 };
    let message = format!("item {n}");
    let record = NewRecord { level: Level::Info, scope: "modest", message: &message, fields: b"" };
    let mut text = [0; size_of::<logs::RecordText>()];
    let record = record.join(&mut text).unwrap();
    let frame = logs::encode(&logs::Request::Append(record), head, &mut frame).unwrap();
    let len = connection.call(frame, &mut reply).unwrap();
    let reply = logs::decode_reply(logs::Op::Append, head, &reply[..len]);
    reply.is_some_and(|(status, _)| status == LogStatus::Ok)
}

/// Works as long as there is a crowd, within its budget; gives how much it did.
fn modest(crowd: &Crowd<'_>, over: &AtomicBool) -> u64 {
    let folder = crowd.folder.0.join("svc").join(MODEST);
    let mut connection = Connection::open(folder, crowd.daemon).unwrap();
    connection.set_patience(Duration::from_secs(60));
    crowd.made.fetch_add(1, Ordering::Relaxed);
    let mut done = 0;
    while done < 100 || (done < 900 && !over.load(Ordering::Relaxed)) {
        done += 1;
        assert!(work(crowd.daemon, &mut connection, done), "item {done} is taken");
        thread::sleep(Duration::from_millis(1));
    }
    done
}

fn start(folder: &Folder) -> (Daemon, Daemon) {
    let slow = SLOW.1.iter().chain(IDLE.1).chain(HALF_OPEN.1);
    let names = slow.copied().chain([HOSTILE.1, MODEST, "obsctl"]);
    let options: Vec<&str> = names.flat_map(|name| ["--serve", name]).collect();
    let logd = Daemon::start(folder, "logd", &options);
    let metricsd = Daemon::start(folder, "metricsd", &options);
    (logd, metricsd)
}

/// The crowd comes; gives how much the modest one did meanwhile.
fn come_and_go(crowd: &Crowd<'_>, watch: &Watch<'_>) -> u64 {
    let over = AtomicBool::new(false);
    let (done, held) = thread::scope(|scope| {
        let modest = scope.spawn(|| modest(crowd, &over));
        let idle = scope.spawn(|| crowd.idle());
        let slow = scope.spawn(|| crowd.slow());
        let rude = [scope.spawn(|| crowd.half_open()), scope.spawn(|| crowd.hostile())];
        rude.into_iter().for_each(|thread| thread.join().unwrap());
        let held = [idle.join().unwrap(), slow.join().unwrap()];
        over.store(true, Ordering::Relaxed);
        (modest.join().unwrap(), held)
    });
    eventually("who does not read is cut off", || {
        let port = watch.port(crowd.daemon);
        assert!(port("connections") <= PLACES, "however many want more");
        port("slow_cut") + port("crowded_cut") > 0
    });
    drop(held);
    done
}

/// Every connection was taken, and each that is not there any more has ended in one way.
fn assert_connections_add_up(crowd: &Crowd<'_>, watch: &Watch<'_>, before: u64, calls: u64) {
    let daemon = crowd.daemon;
    let made = crowd.made.load(Ordering::Relaxed);
    assert!(made >= 2000, "{made}");
    let taken = || {
        let port = watch.port(daemon);
        (port("accepted") - before == made + watch.calls.get() - calls).then_some(port)
    };
    let mut port = None;
    eventually("every connection is taken", || {
        port = taken();
        port.is_some()
    });
    let port = port.unwrap();
    assert_eq!((port("refused"), port("broken"), port("accept_pauses")), (0, 0, 0));
    let cut = port("slow_cut") + port("crowded_cut");
    assert_eq!(port("accepted"), port("connections") + port("ended") + port("evicted") + cut);
    // The idle ones alone were more than there are places, and none of them went by itself.
    let idle = IDLE.0 * IDLE.1.len() as u64;
    assert!(port("evicted") >= idle - PLACES, "{}", port("evicted"));
    assert_eq!(port("oversized"), HOSTILE.0, "each hostile visit brought one");
}

/// Who did how much, by the ledger.
fn assert_ledger(crowd: &Crowd<'_>, watch: &Watch<'_>, done: u64) {
    let audit = watch.lines(&["audit"]);
    let broken = |line: &&Value| line["holds"] == false || line["balances"] == false;
    assert_eq!(audit.iter().find(broken), None);
    let row = |sender: &str| {
        let own = |line: &&Value| line["daemon"] == crowd.daemon && line["sender"] == sender;
        audit.iter().find(own).unwrap_or_else(|| panic!("{sender} is in {audit:?}")).clone()
    };
    let modest = row(MODEST);
    assert_eq!((&modest["offered"], &modest["accepted"]), (&done.into(), &done.into()));
    let vandal = row(HOSTILE.1);
    let frames = HOSTILE.0 * HOSTILE_FRAMES.len() as u64;
    assert_eq!((&vandal["offered"], &vandal["accepted"]), (&frames.into(), &0.into()));
}

fn crowd_at(daemon: &'static str) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let folder = Folder::new("crowd");
    let _daemons = start(&folder);
    let watch = Watch { folder: &folder, calls: Cell::new(0) };
    // Later metricsd does not connect to logd any more.
    eventually("metricsd is ready", || status(&folder, "export_ready").as_deref() == Some("true"));
    let before = watch.port(daemon)("accepted");
    let calls = watch.calls.get();
    let crowd = Crowd { folder: &folder, daemon, made: AtomicU64::new(0) };
    let done = come_and_go(&crowd, &watch);
    assert_connections_add_up(&crowd, &watch, before, calls);
    assert_ledger(&crowd, &watch, done);
    let kept = match daemon {
        "logd" => watch.lines(&["logs", "--scope", "modest", "-n", "1000"]).len() as u64,
        _ => watch.lines(&["metrics", "modest_total"])[0]["value"].as_u64().unwrap(),
    };
    let expected = if daemon == "logd" { done } else { done * (done + 1) / 2 };
    assert_eq!(kept, expected, "every item is there, once");
}

#[test]
fn a_crowd_at_logd_costs_a_modest_program_nothing_and_is_counted_exactly() {
    crowd_at("logd");
}

#[test]
fn a_crowd_at_metricsd_costs_a_modest_program_nothing_and_is_counted_exactly() {
    crowd_at("metricsd");
}
