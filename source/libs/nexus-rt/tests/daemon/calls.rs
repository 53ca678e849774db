//! Calls of one daemon to another, and to itself.

use rustix::process::Signal;

use crate::echod::NAMES;
use crate::process::{Setup, dir, eventually, start, text};

fn other() -> Setup {
    Setup { name: NAMES[1], ..Setup::default() }
}

#[test]
fn a_call_comes_back_with_its_own_answer() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let _other = start(dir.path(), &other());
    let mut connection = daemon.connect();
    for n in 0..100 {
        assert_eq!(text(&mut connection, format!("cotherd e{n}").as_bytes()), format!("ok e{n}"));
    }
}

#[test]
fn calls_under_way_together_get_their_answers_in_order() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let _other = start(dir.path(), &other());
    let mut connections: Vec<_> = (0..20).map(|_| daemon.connect()).collect();
    for (n, connection) in connections.iter_mut().enumerate() {
        connection.send(format!("cotherd e{n}").as_bytes()).unwrap();
    }
    for (n, connection) in connections.iter_mut().enumerate() {
        let mut reply = [0; 64];
        let len = connection.recv(&mut reply, std::time::Duration::from_secs(60)).unwrap();
        assert_eq!(String::from_utf8_lossy(&reply[..len]), format!("ok e{n}"));
    }
}

#[test]
fn a_daemon_may_call_itself() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    assert_eq!(text(&mut daemon.connect(), b"cechod emyself"), "ok emyself");
}

#[test]
fn a_daemon_calls_as_itself_where_it_has_a_socket_of_its_own() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup { serve: "echod", ..Setup::default() });
    let me = nexus_abi::ServiceId::from_name("echod");
    assert_eq!(text(&mut daemon.connect(), b"cechod i"), format!("ok {me} 1 3"));
}

#[test]
fn nobody_there_is_said_at_once() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    assert_eq!(text(&mut connection, b"cotherd e"), "not ready");
    assert_eq!(text(&mut connection, b"cunknown e"), "not ready");
}

#[test]
fn calls_die_with_their_callee_and_its_next_life_is_found() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    let callee = start(dir.path(), &other());
    assert_eq!(text(&mut connection, b"cotherd e1"), "ok e1");
    callee.pause();
    connection.send(b"cotherd e2").unwrap();
    let mut second = daemon.connect();
    second.send(b"cotherd e3").unwrap();
    eventually("both are under way", || daemon.total(&mut daemon.connect(), "requests") > 4);
    drop(callee);
    let mut reply = [0; 16];
    for connection in [&mut connection, &mut second] {
        let len = connection.recv(&mut reply, std::time::Duration::from_secs(60)).unwrap();
        assert_eq!(&reply[..len], b"died");
    }
    assert_eq!(text(&mut connection, b"cotherd e4"), "not ready");
    let _callee = start(dir.path(), &other());
    assert_eq!(text(&mut connection, b"cotherd e5"), "ok e5");
    assert_eq!(daemon.total(&mut connection, "port_calls_died"), 2);
}

#[test]
fn a_callee_that_died_unnoticed_is_called_in_its_next_life() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    let callee = start(dir.path(), &other());
    assert_eq!(text(&mut connection, b"cotherd e1"), "ok e1");
    daemon.pause();
    drop(callee);
    let _callee = start(dir.path(), &other());
    connection.send(b"cotherd e2").unwrap();
    daemon.signal(Signal::CONT);
    let mut reply = [0; 16];
    let len = connection.recv(&mut reply, std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(&reply[..len], b"ok e2");
}

#[test]
fn calls_beyond_the_places_for_them_are_busy() {
    let dir = dir();
    let setup = Setup { connections: 100, per_sender: 100, ..Setup::default() };
    let daemon = start(dir.path(), &setup);
    let callee = start(dir.path(), &other());
    callee.pause();
    let mut connections: Vec<_> = (0..64).map(|_| daemon.connect()).collect();
    for connection in &mut connections {
        connection.send(b"cotherd e").unwrap();
    }
    let mut last = daemon.connect();
    eventually("all places are taken", || daemon.total(&mut last, "requests") > 64);
    assert_eq!(text(&mut last, b"cotherd e"), "busy");
    callee.signal(Signal::CONT);
    for connection in &mut connections {
        let mut reply = [0; 16];
        let len = connection.recv(&mut reply, std::time::Duration::from_secs(60)).unwrap();
        assert_eq!(&reply[..len], b"ok e");
    }
    assert_eq!(text(&mut last, b"cotherd e"), "ok e");
}
