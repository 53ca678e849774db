//! Views that go on.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::support::{Daemon, Folder, daemons, obsctl, programs, text};

/// An obsctl that goes on, killed with this value, and the lines that it prints.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(folder: &Folder, args: &[&str]) -> Self {
        let mut child = Command::new(programs().join("obsctl"))
            .args(args)
            .env("NEXUS_RUN_DIR", &folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)).ok()
        });
        Self { child, lines }
    }

    /// The next line with `word`; the test fails if there is none in a long time.
    fn await_line(&self, word: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(30));
            let line = line.unwrap_or_else(|_| panic!("no line with {word}"));
            if line.contains(word) {
                return line;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn log(folder: &Folder, message: &str) {
    let output = obsctl(folder, &["log", message]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn logs_go_on_across_a_restart_of_logd_and_say_so_first() {
    let folder = Folder::new("follow");
    let (logd, _metricsd) = daemons(&folder);
    (0..15).for_each(|n| log(&folder, &format!("old {n}")));
    let follower = Follower::start(&folder, &["logs", "-f", "--scope", "obsctl"]);
    assert!(follower.await_line("old").ends_with("old 5"), "the newest ten");
    follower.await_line("old 14");
    log(&folder, "before");
    follower.await_line("before");
    logd.kill();
    let _logd = Daemon::start(&folder, "logd", &[]);
    log(&folder, "behind");
    let next = follower.await_line("");
    assert_eq!(next, "-- logd has started anew, boot 2 --");
    follower.await_line("behind");
}

#[test]
fn spans_go_on_in_the_order_of_time_and_none_comes_twice() {
    let folder = Folder::new("spans");
    let _daemons = daemons(&folder);
    let follower = Follower::start(&folder, &["spans", "-f"]);
    let names = ["one", "two", "three"];
    for name in names {
        assert!(obsctl(&folder, &["run", "--name", name, "--", "true"]).status.success());
    }
    let shown: Vec<String> = names.map(|_| follower.await_line(" ok ")).to_vec();
    for (line, name) in shown.iter().zip(names) {
        assert!(line.contains(&format!(" {name} ")), "{shown:?}");
    }
    assert!(follower.lines.recv_timeout(Duration::from_secs(3)).is_err(), "something comes twice");
}

#[test]
fn metrics_come_again() {
    let folder = Folder::new("metrics");
    let _daemons = daemons(&folder);
    let follower = Follower::start(&folder, &["metrics", "-f", "metricsd_series"]);
    follower.await_line("metricsd_series");
    follower.await_line("metricsd_series");
}

#[test]
fn top_shows_who_sends_and_ends_in_time() {
    let folder = Folder::new("top");
    let _daemons = daemons(&folder);
    let output = obsctl(&folder, &["top", "--seconds", "1"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for word in ["logd: boot 1", "live spans 0", "lost on export 0", "KEPT NOW", "GAUGE"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains('?'), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}
