//! What status, spans and the exit status say when something is lost, and when nothing is.

use nexus_rt::linux::client::Connection;
use nexus_wire::metrics::{Request, Update, encode};
use nexus_wire::state;
use nexus_wire::{LabelBytes, MetricName};

use crate::support::{Daemon, Folder, daemons, eventually, obsctl, status, text};

fn json(folder: &Folder) -> Vec<serde_json::Value> {
    let said = text(&obsctl(folder, &["status", "-o", "json"]).stdout);
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn everything_that_is_looked_for_in_a_state_is_there_and_numbers_are_numbers() {
    let folder = Folder::new("keys");
    let _daemons = daemons(&folder);
    let said = json(&folder);
    for (daemon, keys) in said.iter().zip([state::logd::ALL, state::metricsd::ALL]) {
        for key in keys {
            assert!(!daemon["state"][key].is_null(), "no {key} in {daemon}");
        }
        assert!(daemon["state"]["boot"].is_u64());
        let rows = daemon["ledger"].as_array().unwrap();
        assert!(rows.iter().any(|row| row["events_max"].is_u64() && row["offered"].is_u64()));
    }
    let output = obsctl(&folder, &["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let said = text(&output.stdout);
    assert!(said.contains("AT MOST") && said.contains("16384"), "{said}");
}

#[test]
fn a_journal_that_went_with_its_logd_is_shown_as_a_loss() {
    let folder = Folder::new("gone");
    let (logd, _metricsd) = daemons(&folder);
    assert!(obsctl(&folder, &["run", "--", "true"]).status.success());
    logd.kill();
    let _logd = Daemon::start(&folder, "logd", &[]);
    assert!(obsctl(&folder, &["run", "--name", "after", "--", "true"]).status.success());
    eventually("metricsd has noticed", || status(&folder, "logd_boot").as_deref() == Some("2"));
    let output = obsctl(&folder, &["status"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("logd began anew 1 time"), "{}", text(&output.stdout));
    let spans = |args: &[&str]| text(&obsctl(&folder, &[&["spans"], args].concat()).stdout);
    eventually("spans tell of the gap", || spans(&[]).contains("logd_restarted"));
    assert!(
        spans(&["--tree"]).contains("lost between metricsd and logd"),
        "{}",
        spans(&["--tree"])
    );
    let gaps = spans(&["-o", "json"]);
    let gap = gaps.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let gap = gap.into_iter().find(|object| object["kind"] == "gap").unwrap();
    assert!(gap["reason"] == "logd_restarted" && gap["count"].as_u64() > Some(0), "{gap}");
}

#[test]
fn refused_reads_are_no_loss_and_what_a_sender_misses_is() {
    let folder = Folder::new("reads");
    let _daemons = daemons(&folder);
    // Beyond the budget of anybody: questions are refused, and asked again.
    let mut connection = Connection::open(&folder.0, "metricsd").unwrap();
    let (mut frame, mut reply) = ([0; 64], [0; 4096]);
    let ping = encode(&Request::Ping, 1, &mut frame).unwrap();
    eventually("a question is refused", || {
        (0..500).any(|_| {
            connection.call(ping, &mut reply).unwrap();
            reply[4] == 3
        })
    });
    let output = obsctl(&folder, &["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let gap = ["log", "records are missing", "count=3", "event=gap.v1", "from_ns=1", "gap=1"];
    assert!(obsctl(&folder, &gap).status.success());
    let output = obsctl(&folder, &["status"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("says 3 records of its own did not reach logd"), "{said}");
}

#[test]
fn a_metric_in_quarantine_is_named_and_breaks_nobody() {
    let folder = Folder::new("quarantine");
    let _daemons = daemons(&folder);
    let mut connection = Connection::open(&folder.0, "metricsd").unwrap();
    for value in 0..300 {
        let (mut frame, mut reply) = ([0; 256], [0; 64]);
        let labels = format!("path={value}\n");
        let name = MetricName::new("reads_total").unwrap().as_name_bytes();
        let labels = LabelBytes::new(labels.as_bytes()).unwrap();
        let request = Request::CounterInc(Update { name, labels, value: 1 });
        let frame = encode(&request, value, &mut frame).unwrap();
        connection.call(frame, &mut reply).unwrap();
    }
    let output = obsctl(&folder, &["status"]);
    assert_eq!(output.status.code(), Some(1), "anybody could break a daemon otherwise");
    let said = text(&output.stdout);
    let line = said.lines().find(|line| line.contains("quarantine")).unwrap();
    assert!(line.contains("counter reads_total") && line.contains("label path"), "{line}");
    let until = line.split("until ").nth(1).unwrap();
    assert!(until.contains(':') && !until.starts_with('['), "a time of the calendar: {line}");
}
