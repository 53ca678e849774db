//! What a daemon of former lives has kept, asked of the one that runs.

use rustix::process::Signal;
use serde_json::Value as Json;

use crate::support::{Daemon, Folder, daemons_with, eventually, obsctl, status, text};

struct Machine {
    folder: Folder,
    state: String,
}

impl Machine {
    fn new() -> Self {
        let folder = Folder::new("lives");
        let state = folder.0.join("state").to_str().unwrap().to_owned();
        Self { folder, state }
    }

    /// A life: both daemons, and what a program has logged and done in it.
    fn life(&self, message: &str) -> (Daemon, Daemon) {
        let daemons = daemons_with(&self.folder, &["--state-dir", &self.state]);
        let has_read = || status(&self.folder, "retention").as_deref() == Some("ok");
        eventually("logd has read what former lives have left", has_read);
        assert!(obsctl(&self.folder, &["log", "--scope", "lives", message]).status.success());
        assert!(obsctl(&self.folder, &["run", "--name", message, "--", "true"]).status.success());
        eventually("the span has come", || self.says(&["spans"]).contains(message));
        daemons
    }

    fn says(&self, args: &[&str]) -> String {
        let output = obsctl(&self.folder, args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Messages of the records that `obsctl log` wrote, with their boots.
    fn logged(&self, args: &[&str]) -> Vec<(u64, String)> {
        let said = self.says(&[&["logs", "-o", "json", "--scope", "lives"], args].concat());
        let lines = said.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        let records = lines.filter(|line| line["kind"] == "record");
        records
            .map(|line| {
                (line["boot"].as_u64().unwrap(), line["message"].as_str().unwrap().to_owned())
            })
            .collect()
    }
}

#[test]
fn a_running_daemon_shows_what_former_boots_have_left() {
    let machine = Machine::new();
    // The first life is cut off once its record is durable, the second ends in order.
    let cut = machine.life("first");
    eventually("it is on the disk", || {
        let kept = obsctl(&machine.folder, &["logs", "--state-dir", &machine.state]);
        text(&kept.stdout).contains("first")
    });
    cut.0.kill();
    cut.1.kill();
    let (logd, metricsd) = machine.life("second");
    for daemon in [metricsd, logd] {
        daemon.signal(Signal::TERM);
        assert!(daemon.ended().0.success());
    }
    let _third = machine.life("third");
    let [first, second, third] = ["first", "second", "third"].map(str::to_owned);
    let ask = |args: &[&str]| machine.logged(args);
    assert_eq!(ask(&[]), [(3, third.clone())]);
    for before in [&["-b", "-1"][..], &["--boot", "2"]] {
        assert_eq!(ask(before), [(2, second.clone())]);
    }
    assert_eq!(ask(&["-b", "-2"]), [(1, first.clone())]);
    assert_eq!(ask(&["--boot", "all"]), [(1, first), (2, second), (3, third)]);
    let boots = machine.says(&["logs", "--list-boots", "-o", "json"]);
    let boots: Vec<Json> = boots.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(boots.len(), 3);
    for (args, name) in [(&["spans"][..], "third"), (&["spans", "-b", "-1"], "second")] {
        let said = machine.says(args);
        let others = ["first", "second", "third"].into_iter().filter(|other| *other != name);
        assert!(said.contains(name) && !others.into_iter().any(|o| said.contains(o)), "{said}");
    }
    let none = obsctl(&machine.folder, &["logs", "-b", "-3"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("boot"), "{}", text(&none.stderr));
}
