//! Starting, stopping, and finding a place taken.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use nexus_rt::linux::client::Connection;
use rustix::process::Signal;

use crate::echod::NAMES;
use crate::process::{Process, Setup, command, dir, eventually, start, started, text};

#[test]
fn a_signal_ends_the_daemon_in_good_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = dir();
        let daemon = start(dir.path(), &Setup { serve: "timed", ..Setup::default() });
        daemon.signal(signal);
        let (status, said) = daemon.ended();
        assert!(status.success(), "{status} {said}");
        assert_eq!(said, "echod: stopping\n");
        assert!(!dir.path().join("echod.sock").exists());
        assert!(!dir.path().join("svc/timed/echod.sock").exists());
    }
}

#[test]
fn what_was_sent_before_the_signal_is_taken_in() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    assert_eq!(text(&mut connection, b"ehello"), "ehello");
    daemon.pause();
    for n in 0..40 {
        connection.send(format!("e{n}").as_bytes()).unwrap();
    }
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::CONT);
    assert!(daemon.ended().0.success());
    for n in 0..40 {
        let mut reply = [0; 8];
        let len = connection.try_recv(&mut reply).unwrap();
        assert_eq!(String::from_utf8_lossy(&reply[..len]), format!("e{n}"));
    }
}

#[test]
fn a_service_may_finish_its_last_call_before_it_ends() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let other = start(dir.path(), &Setup { name: NAMES[1], ..Setup::default() });
    assert_eq!(text(&mut daemon.connect(), b"lotherd"), "noted");
    let mut witness = Connection::open(dir.path(), NAMES[1]).unwrap();
    let before = other.total(&mut witness, "requests");
    daemon.signal(Signal::TERM);
    assert!(daemon.ended().0.success());
    // The witness's own second question is one of them.
    assert_eq!(other.total(&mut witness, "requests"), before + 2);
}

#[test]
fn a_killed_daemons_socket_is_recovered_and_the_start_counted() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    assert_eq!(fs::read_to_string(dir.path().join("echod.boot")).unwrap(), "1\n");
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.ended().0.signal(), Some(9));
    assert!(dir.path().join("echod.sock").exists());
    let daemon = start(dir.path(), &Setup::default());
    assert_eq!(text(&mut daemon.connect(), b"eback"), "eback");
    assert_eq!(fs::read_to_string(dir.path().join("echod.boot")).unwrap(), "2\n");
}

fn refusal(dir: &std::path::Path, setup: &Setup) -> String {
    let output = command(dir, setup).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    let why = refusal(dir.path(), &Setup::default());
    assert!(why.contains("another echod serves here"), "{why}");
    // Nor does it help to take the lock away.
    fs::remove_file(dir.path().join("echod.lock")).unwrap();
    let why = refusal(dir.path(), &Setup::default());
    assert!(why.contains("another echod serves here"), "{why}");
    assert_eq!(text(&mut connection, b"ehello"), "ehello");
    assert_eq!(text(&mut daemon.connect(), b"ehello"), "ehello");
}

#[test]
fn what_is_no_socket_is_not_removed() {
    let dir = dir();
    fs::write(dir.path().join("echod.sock"), "precious").unwrap();
    let why = refusal(dir.path(), &Setup::default());
    assert!(why.contains("echod.sock: is not a socket"), "{why}");
    assert_eq!(fs::read_to_string(dir.path().join("echod.sock")).unwrap(), "precious");
}

#[test]
fn a_damaged_boot_number_is_an_error_that_names_the_file() {
    for damage in ["", "x\n", "4294967295\n", "7", "-1\n"] {
        let dir = dir();
        fs::write(dir.path().join("echod.boot"), damage).unwrap();
        let why = refusal(dir.path(), &Setup::default());
        assert!(why.contains("echod.boot"), "{damage:?}: {why}");
    }
}

#[test]
fn a_folder_that_everybody_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = dir();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let why = refusal(dir.path(), &Setup::default());
    assert!(why.contains("must be a folder that not everybody may write to"), "{why}");
}

#[test]
fn what_is_made_has_its_modes_whatever_the_umask_and_what_is_there_keeps_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let outside = dir();
    let run = outside.path().join("run");
    let start = |umask: &str| {
        let plain = command(&run, &Setup { serve: "timed", ..Setup::default() });
        let mut masked = Command::new("sh");
        masked.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]);
        masked.arg(plain.get_program()).args(plain.get_args());
        masked.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        masked.stdout(Stdio::null()).stderr(Stdio::null());
        started(&run, NAMES[0], masked)
    };
    let modes = || {
        let all = ["", "svc", "svc/timed", "echod.sock", "svc/timed/echod.sock"];
        all.map(|name| fs::metadata(run.join(name)).unwrap().permissions().mode() & 0o777)
    };
    for umask in ["077", "000"] {
        let daemon = start(umask);
        assert_eq!(modes(), [0o755, 0o755, 0o700, 0o666, 0o666], "umask {umask}");
        drop(daemon);
        fs::remove_dir_all(&run).unwrap();
    }
    // Whoever made the folders beforehand decided who may enter.
    for (name, mode) in [("", 0o750), ("svc", 0o711), ("svc/timed", 0o770)] {
        fs::create_dir(run.join(name)).unwrap();
        fs::set_permissions(run.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let _daemon = start("022");
    assert_eq!(modes(), [0o750, 0o711, 0o770, 0o666, 0o666]);
}

#[test]
fn what_a_dead_daemon_left_half_made_is_recovered() {
    let dir = dir();
    // It was killed between the birth of its socket and its naming.
    drop(std::os::unix::net::UnixListener::bind(dir.path().join("echod.new")).unwrap());
    let daemon = start(dir.path(), &Setup::default());
    assert_eq!(text(&mut daemon.connect(), b"ehello"), "ehello");
    assert!(!dir.path().join("echod.new").exists());
}

#[test]
fn names_and_groups_that_do_not_exist_are_refused() {
    let dir = dir();
    let why = refusal(dir.path(), &Setup { serve: "../x", ..Setup::default() });
    assert!(why.contains("\"../x\" cannot be served"), "{why}");
    let why = refusal(dir.path(), &Setup { readers: "no-such-group", ..Setup::default() });
    assert!(why.contains("there is no group \"no-such-group\""), "{why}");
}

#[test]
fn the_service_manager_is_told_when_to_go_on() {
    let dir = dir();
    let path = dir.path().join("manager");
    let manager = UnixDatagram::bind(&path).unwrap();
    let mut command = command(dir.path(), &Setup::default());
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "20000");
    let daemon = started(dir.path(), NAMES[0], command);
    let heard = || {
        let mut buffer = [0; 256];
        let len = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    assert_eq!(heard(), "READY=1\nSTATUS=serving");
    assert_eq!(heard(), "WATCHDOG=1");
    daemon.signal(Signal::TERM);
    eventually("it says that it stops", || heard() == "STOPPING=1");
    assert!(daemon.ended().0.success());
}

#[test]
fn whoever_is_told_that_it_is_ready_may_connect_at_once() {
    let dir = dir();
    // A manager without a path, as containers have them.
    let name = format!("nexus-rt-manager.{}", std::process::id());
    let manager = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&manager).unwrap();
    let mut command = command(dir.path(), &Setup::default());
    let mut daemon = command.env("NOTIFY_SOCKET", format!("@{name}")).spawn().unwrap();
    let mut buffer = [0; 64];
    let len = manager.recv(&mut buffer).unwrap();
    let connected = Connection::open(dir.path(), "echod");
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer[..len]), "READY=1\nSTATUS=serving");
    assert!(connected.is_ok());
}

/// Starts a daemon that serves `a` and `b` under strace, which notes `calls` in the file `log`.
fn traced(dir: &std::path::Path, calls: &str, log: &std::path::Path) -> Process {
    let strace = Command::new("strace").arg("-V").output();
    assert!(strace.is_ok(), "strace is not there; `cargo xtask setup` installs it");
    let plain = command(dir, &Setup { readers: "root", serve: "a b", ..Setup::default() });
    let mut traced = Command::new("strace");
    // With -D the daemon is our own child and strace is the stranger.
    traced.args(["-D", "-f", "-e", &format!("trace={calls}"), "-o"]).arg(log);
    traced.stdout(Stdio::null()).stderr(Stdio::piped());
    traced.arg(plain.get_program()).args(plain.get_args());
    traced.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    started(dir, NAMES[0], traced)
}

#[test]
fn no_socket_but_unix_ones_is_ever_made() {
    let dir = dir();
    let log = dir.path().join("trace");
    let daemon = traced(dir.path(), "socket,socketpair", &log);
    assert_eq!(text(&mut daemon.connect(), b"cechod eself"), "ok eself");
    daemon.signal(Signal::TERM);
    assert!(daemon.ended().0.success());
    let calls = fs::read_to_string(&log).unwrap();
    let made: Vec<_> = calls.lines().filter(|line| line.contains("socket")).collect();
    assert!(made.iter().any(|line| line.contains("AF_UNIX")), "{calls}");
    assert!(made.iter().all(|line| line.contains("AF_UNIX")), "{calls}");
}

#[test]
fn whoever_finds_the_main_socket_finds_the_one_of_its_service_too() {
    let dir = dir();
    let log = dir.path().join("trace");
    let daemon = traced(dir.path(), "rename,renameat,renameat2", &log);
    daemon.signal(Signal::TERM);
    assert!(daemon.ended().0.success());
    let calls = fs::read_to_string(&log).unwrap();
    let at = |socket: &str| {
        let path = format!("{}/{socket}", dir.path().display());
        let at = calls.lines().position(|line| line.contains(&path));
        at.unwrap_or_else(|| panic!("{path} gets its name in {calls}"))
    };
    let main = at("echod.sock");
    assert!(at("svc/a/echod.sock") < main && at("svc/b/echod.sock") < main, "{calls}");
}
