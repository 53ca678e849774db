//! Thousands of idle, hostile, half-open and slow connections do no harm and are counted.

use std::time::Duration;

use nexus_abi::ServiceId;
use nexus_rt::linux::client::Connection;
use rustix::process::{Resource, Rlimit, Signal, geteuid, getrlimit, setrlimit};

use crate::process::{Process, Setup, dir, eventually, start, text, total};

fn many_descriptors() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

fn connected(daemon: &Process, count: u32) -> Vec<Connection> {
    (0..count)
        .map(|_| {
            let mut tries = Err(std::io::ErrorKind::WouldBlock.into());
            eventually("the backlog has room", || {
                tries = Connection::open(&daemon.dir, "echod");
                tries.is_ok()
            });
            tries.unwrap()
        })
        .collect()
}

#[test]
fn two_thousand_idle_connections_leave_the_daemon_serving() {
    many_descriptors();
    let dir = dir();
    let setup =
        Setup { connections: 2500, per_sender: 2500, descriptors: 4000, ..Setup::default() };
    let daemon = start(dir.path(), &setup);
    let mut first = daemon.connect();
    let idle = connected(&daemon, 2000);
    eventually("all are connected", || daemon.total(&mut first, "port_connections") == 2001);
    assert_eq!(text(&mut first, b"ehello"), "ehello");
    assert_eq!(daemon.total(&mut first, "port_evicted"), 0);
    drop(idle);
    eventually("all are gone", || daemon.total(&mut first, "port_connections") == 1);
}

#[test]
fn when_all_places_are_taken_the_idlest_connection_goes() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup { connections: 10, ..Setup::default() });
    eventually("the first visitor has left", || {
        daemon.total(&mut daemon.connect(), "port_connections") == 1
    });
    let mut all = connected(&daemon, 10);
    for connection in &mut all {
        assert_eq!(text(connection, b"ehello"), "ehello");
    }
    // The third was silent for longest.
    for at in [0, 1, 3, 4, 5, 6, 7, 8, 9] {
        assert_eq!(text(&mut all[at], b"eagain"), "eagain");
    }
    let mut newcomer = daemon.connect();
    assert_eq!(text(&mut newcomer, b"emay I"), "emay I");
    assert_eq!(daemon.total(&mut newcomer, "port_evicted"), 1);
    let gone: Vec<_> =
        (0..10).filter(|at| all[*at].call(b"ehello", &mut [0; 8]).is_err()).collect();
    assert_eq!(gone, [2]);
}

#[test]
fn a_sender_at_its_own_limit_evicts_its_own_and_nobody_elses() {
    let dir = dir();
    let setup = Setup { per_sender: 4, serve: "quiet", ..Setup::default() };
    let daemon = start(dir.path(), &setup);
    let mut quiet = Connection::open(dir.path().join("svc/quiet"), "echod").unwrap();
    assert_eq!(text(&mut quiet, b"ehello"), "ehello");
    let greedy = connected(&daemon, 50);
    assert_eq!(text(&mut quiet, b"ehello"), "ehello");
    eventually("only four are left", || daemon.total(&mut quiet, "port_connections") == 5);
    assert!(daemon.total(&mut quiet, "port_evicted") >= 46);
    drop(greedy);
}

#[test]
fn when_all_places_are_taken_the_greediest_sender_makes_room() {
    let dir = dir();
    let setup = Setup { connections: 8, serve: "quiet other", ..Setup::default() };
    let daemon = start(dir.path(), &setup);
    let open = |name: &str| Connection::open(dir.path().join("svc").join(name), "echod").unwrap();
    let mut quiet = open("quiet");
    assert_eq!(text(&mut quiet, b"ehello"), "ehello");
    let mut greedy = connected(&daemon, 20);
    for connection in &mut greedy[13..] {
        assert_eq!(text(connection, b"ehello"), "ehello");
    }
    let mut newcomer = open("other");
    assert_eq!(text(&mut newcomer, b"ehello"), "ehello");
    assert_eq!(text(&mut quiet, b"estill"), "estill");
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let dir = dir();
    let setup = Setup { connections: 256, per_sender: 256, ..Setup::default() };
    let daemon = start(dir.path(), &setup);
    let mut watcher = daemon.connect();
    for _ in 0..20 {
        drop(connected(&daemon, 100));
    }
    eventually("all are gone", || daemon.total(&mut watcher, "port_connections") == 1);
    assert_eq!(daemon.total(&mut watcher, "gone"), 1, "who never spoke is not reported");
}

#[test]
fn a_storm_of_connections_delays_others_by_a_bounded_number_of_them_and_is_attributed() {
    /// What the loop accepts and reads in one turn.
    const ACCEPTS: u64 = 64;
    const FRAMES: u64 = 16;
    many_descriptors();
    let dir = dir();
    let daemon = start(dir.path(), &Setup { per_sender: 16, serve: "quiet", ..Setup::default() });
    let mut quiet = Connection::open(dir.path().join("svc/quiet"), "echod").unwrap();
    let before = daemon.total(&mut quiet, "port_accepted");
    // While it stands still a crowd gathers, as large as the system lets one wait.
    daemon.pause();
    let storm: Vec<_> =
        (0..600).map_while(|_| Connection::open(&daemon.dir, "echod").ok()).collect();
    let crowd = storm.len() as u64;
    assert!(crowd >= 2 * ACCEPTS, "more than one turn's connections wait, not {crowd}");
    (0..FRAMES + 4).for_each(|_| quiet.send(b"s").unwrap());
    daemon.signal(Signal::CONT);
    for frame in 0..FRAMES + 4 {
        let mut reply = [0; 4096];
        let len = quiet.recv(&mut reply, Duration::from_secs(60)).unwrap();
        let accepted = total(&String::from_utf8_lossy(&reply[..len]), "port_accepted") - before;
        let turns = frame / FRAMES + 1;
        assert!(accepted <= turns * ACCEPTS, "{accepted} accepted before frame {frame} was read");
    }
    eventually("all were accepted", || daemon.total(&mut quiet, "port_accepted") == before + crowd);
    assert_eq!(daemon.total(&mut quiet, "port_evicted"), crowd - 16);
    let stormer = ServiceId::from_name(&format!("uid.{}", geteuid().as_raw()));
    assert_eq!(daemon.total(&mut quiet, "port_busiest_sender"), stormer.raw());
    // All but the quiet one's are of that user; some were there to see that the daemon answers.
    assert_eq!(daemon.total(&mut quiet, "port_busiest_accepted"), before - 1 + crowd);
}

#[test]
fn who_does_not_read_its_answers_is_not_read_and_then_cut_off() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup { slow_ms: 50, ..Setup::default() });
    let mut watcher = daemon.connect();
    let mut deaf = daemon.connect();
    let mut sent = 0;
    while deaf.send(b"b").is_ok() {
        sent += 1;
    }
    eventually("it is cut off", || daemon.total(&mut watcher, "port_slow_cut") == 1);
    assert!(daemon.total(&mut watcher, "requests") < sent, "its questions are not taken in");
    assert!(daemon.total(&mut watcher, "port_replies_gone") >= 1, "its answer is a loss");
}

#[test]
fn who_reads_late_but_in_time_gets_every_answer() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut late = daemon.connect();
    let mut sent = 0;
    while sent < 500 && late.send(b"b").is_ok() {
        sent += 1;
    }
    let mut watcher = daemon.connect();
    assert_eq!(text(&mut watcher, b"ehello"), "ehello");
    for _ in 0..sent {
        let len = late.recv(&mut [0; 4096], Duration::from_secs(60)).unwrap();
        assert_eq!(len, 4096);
    }
    assert_eq!(text(&mut late, b"eall there"), "eall there");
}

#[test]
fn when_too_many_answers_wait_the_longest_waiting_connection_goes() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup { pending: 3, ..Setup::default() });
    let mut watcher = daemon.connect();
    let deaf: Vec<_> = (0..4)
        .map(|_| {
            let mut deaf = daemon.connect();
            while deaf.send(b"b").is_ok() {}
            deaf
        })
        .collect();
    eventually("one is cut off", || daemon.total(&mut watcher, "port_crowded_cut") == 1);
    assert_eq!(daemon.total(&mut watcher, "port_connections"), 4);
    drop(deaf);
}

#[test]
fn without_descriptors_newcomers_wait_and_nobody_is_harmed() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup { descriptors: 30, ..Setup::default() });
    let mut watcher = daemon.connect();
    let mut waiting = connected(&daemon, 40);
    eventually("accepting pauses", || daemon.total(&mut watcher, "port_accept_pauses") > 0);
    let last = waiting.split_off(20);
    drop(waiting);
    // Now there are descriptors for those who waited.
    for mut connection in last {
        connection.set_patience(Duration::from_secs(60));
        assert_eq!(text(&mut connection, b"eat last"), "eat last");
    }
}

#[test]
fn nothing_is_allocated_once_the_first_frame_was_received() {
    let dir = dir();
    let setup = Setup {
        connections: 40,
        pending: 3,
        slow_ms: 20,
        serve: "a b watcher",
        ..Setup::default()
    };
    let daemon = start(dir.path(), &setup);
    let mut watcher = Connection::open(dir.path().join("svc/watcher"), "echod").unwrap();
    assert_eq!(text(&mut watcher, b"ehello"), "ehello");
    let before = daemon.total(&mut watcher, "allocations");
    assert!(before > 0, "allocations are counted");
    for round in 0..10 {
        let mut several = connected(&daemon, 45);
        let served =
            ["a", "b"].map(|name| Connection::open(dir.path().join("svc").join(name), "echod"));
        for connection in &mut several {
            // Some are evicted by then.
            drop(connection.send(b"b"));
            drop(connection.send(format!("a{round}").as_bytes()));
            drop(connection.send(b""));
        }
        while several.last_mut().is_some_and(|deaf| deaf.send(b"b").is_ok()) {}
        assert!(served.iter().all(Result::is_ok));
        assert_eq!(text(&mut watcher, b"cechod eme"), "ok eme");
        assert_eq!(text(&mut watcher, b"cotherd eme"), "not ready");
        assert_eq!(text(&mut watcher, b"w"), "woken");
    }
    assert!(daemon.total(&mut watcher, "port_evicted") > 0);
    assert_eq!(daemon.total(&mut watcher, "allocations"), before);
}
