//! logd as people run it: the program, its options, its socket.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nexus_rt::linux::client::Connection;

const STATS: [u8; 4] = [b'L', b'O', 1, 3];

fn logd(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logd")).args(args).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits until a daemon in `dir` answers.
fn connected(dir: &Path, daemon: &mut Child) -> Connection {
    let begin = Instant::now();
    loop {
        if let Ok(connection) = Connection::open(dir, "logd") {
            return connection;
        }
        assert!(daemon.try_wait().unwrap().is_none(), "logd has ended");
        assert!(begin.elapsed() < Duration::from_secs(60), "logd does not answer");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_recipe_is_checked_and_its_memory_explained() {
    let checked = logd(&["--check-config"]);
    assert!(checked.status.success());
    assert!(said(&checked.stdout).contains("logd      total"), "{}", said(&checked.stdout));
}

#[test]
fn a_bad_recipe_is_refused_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = dir.path().join("bad.toml");
    std::fs::write(&recipe, "[logd]\njournal_records = \"many\"\n").unwrap();
    let recipe = recipe.to_str().unwrap();
    for args in [["--check-config", recipe], ["--config", recipe]] {
        let refused = logd(&args);
        assert_eq!(refused.status.code(), Some(2));
        let why = said(&refused.stderr);
        assert!(why.contains("bad.toml") && why.contains("journal_records"), "{why}");
    }
}

#[test]
fn it_serves_over_unix_sockets_only_and_stops_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let strace = Command::new("strace").arg("-V").output().is_ok();
    let mut command = if strace {
        // With -D logd is our own child and strace is the stranger.
        let mut traced = Command::new("strace");
        traced.args(["-D", "-f", "-e", "trace=socket,socketpair", "-o"]).arg(&trace);
        traced.arg(env!("CARGO_BIN_EXE_logd"));
        traced
    } else {
        eprintln!("SKIPPED in part: strace is not there; `cargo xtask setup` installs it");
        Command::new(env!("CARGO_BIN_EXE_logd"))
    };
    let mut logd = command.arg("--run-dir").arg(dir.path()).stderr(Stdio::piped()).spawn().unwrap();
    let mut connection = connected(dir.path(), &mut logd);
    let mut reply = [0; 64];
    let len = connection.call(&STATS, &mut reply).unwrap();
    assert_eq!((len, &reply[..5]), (37, [b'L', b'O', 1, 0x83, 0].as_slice()));

    let pid = logd.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = logd.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert!(said(&ended.stderr).contains("logd: ready\n"), "{}", said(&ended.stderr));
    assert!(!dir.path().join("logd.sock").exists());
    if strace {
        let calls = std::fs::read_to_string(&trace).unwrap();
        let made: Vec<_> = calls.lines().filter(|line| line.contains("socket")).collect();
        assert!(!made.is_empty());
        assert!(made.iter().all(|line| line.contains("AF_UNIX")), "{calls}");
    }
}
