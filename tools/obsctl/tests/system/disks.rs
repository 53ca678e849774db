//! Disks that are full or take no writes from the start: the daemons serve, count, say why nothing
//! is kept, and keep again when they can.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::support::{Daemon, Folder, eventually, obsctl, programs, status, text};

/// Starts a daemon that keeps what it has in `folder`, by way of `before`.
fn started(folder: &Folder, name: &str, before: &[&str], options: &[&str]) -> Daemon {
    let (program, words) = before.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(words).arg(programs().join(name)).arg("--run-dir").arg(&folder.0);
    command.arg("--state-dir").arg(folder.0.join("state")).args(options).stderr(Stdio::null());
    Daemon::spawn(folder, name, &mut command)
}

/// Both, with what they need to be proven.
fn both(folder: &Folder, before: &[&str]) -> (Daemon, Daemon) {
    let logd = started(folder, "logd", before, &["--serve", "metricsd"]);
    let metricsd = started(folder, "metricsd", before, &[]);
    eventually("metricsd is ready", || status(folder, "export_ready").as_deref() == Some("true"));
    (logd, metricsd)
}

fn says(folder: &Folder, key: &str, word: &str) {
    eventually(&format!("{key} is {word}"), || status(folder, key).as_deref() == Some(word));
}

/// Programs count and log as if there were a disk.
fn serves(folder: &Folder) {
    assert!(obsctl(folder, &["count", "n_total", "3"]).status.success());
    assert!(obsctl(folder, &["log", "a message"]).status.success());
    let said = text(&obsctl(folder, &["metrics", "n_total"]).stdout);
    assert!(said.contains("n_total"), "{said}");
    assert!(text(&obsctl(folder, &["logs"]).stdout).contains("a message"));
}

#[test]
fn a_disk_that_is_full_from_the_start_is_named_and_used_when_it_has_room() {
    let folder = Folder::new("full");
    // No file may be as large as an image.
    let daemons = both(&folder, &["sh", "-c", "ulimit -S -f 16; exec \"$0\" \"$@\""]);
    says(&folder, "retention_reason", "full");
    says(&folder, "retention", "full");
    serves(&folder);
    for Daemon(child) in [&daemons.0, &daemons.1] {
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let room = Rlimit { current: None, maximum: None };
        prlimit(pid, Resource::Fsize, room).unwrap();
    }
    says(&folder, "retention_state", "keeping");
    says(&folder, "retention", "ok");
    serves(&folder);
    // What was counted before there was room is kept, too.
    for daemon in [daemons.1, daemons.0] {
        daemon.signal(Signal::TERM);
        assert!(daemon.ended().0.success());
    }
    let state = folder.0.join("state");
    let args = ["history", "n_total", "--tier", "raw", "-o", "json", "--state-dir"];
    let output = obsctl(&folder, &[&args[..], &[state.to_str().unwrap()]].concat());
    let said = text(&output.stdout);
    let added = said.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["added"].as_u64().unwrap()
    });
    assert_eq!(added.sum::<u64>(), 6, "{}", text(&output.stderr));
}

#[test]
fn a_disk_that_takes_no_writes_is_named_and_stops_nobody() {
    let folder = Folder::new("readonly");
    // With -D the daemon is our own child and strace is the stranger.
    let fault = "inject=pwrite64:error=EROFS";
    let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e"];
    let _daemons = both(&folder, &[&strace[..], &[fault]].concat());
    says(&folder, "retention_reason", "read_only");
    says(&folder, "retention", "read_only");
    serves(&folder);
}
