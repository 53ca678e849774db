//! The daemons when logd stops, dies, comes back: nobody waits, and everything adds up.

use std::process::Stdio;

use rustix::process::Signal;

use crate::support::{Daemon, Folder, daemons, eventually, obsctl, status, text};

fn count(folder: &Folder, name: &str, value: &str) {
    let output = obsctl(folder, &["count", name, value]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

fn total(folder: &Folder, name: &str) -> Option<u64> {
    let said = text(&obsctl(folder, &["metrics", name, "-o", "json"]).stdout);
    let series: serde_json::Value = serde_json::from_str(said.lines().next()?).ok()?;
    series.get("value")?.as_u64()
}

fn assert_audit_holds(folder: &Folder) {
    let output = obsctl(folder, &["audit"]);
    let said = text(&output.stdout);
    assert!(output.status.success() && !said.contains("BROKEN"), "{said}");
}

#[test]
fn a_stopped_logd_holds_up_nobody_and_gets_everything_when_it_goes_on() {
    let folder = Folder::new("stopped");
    let (logd, _metricsd) = daemons(&folder);
    logd.signal(Signal::STOP);
    for _ in 0..20 {
        count(&folder, "n_total", "3");
        assert!(obsctl(&folder, &["run", "--", "true"]).status.success());
    }
    assert_eq!(total(&folder, "n_total"), Some(60));
    logd.signal(Signal::CONT);
    let spans = || text(&obsctl(&folder, &["spans", "-o", "json"]).stdout).lines().count();
    eventually("all spans are in the journal", || spans() == 20);
    assert_audit_holds(&folder);
}

#[test]
fn a_logd_that_starts_anew_is_told_what_its_former_life_had() {
    let folder = Folder::new("restarted");
    let (logd, _metricsd) = daemons(&folder);
    count(&folder, "n_total", "5");
    assert!(obsctl(&folder, &["run", "--", "true"]).status.success());
    let stored = || {
        let said = text(&obsctl(&folder, &["logs", "--scope", "spans"]).stdout);
        said.lines().count() == 1
    };
    eventually("the span is in the journal", stored);
    logd.kill();
    count(&folder, "n_total", "7");
    assert_eq!(total(&folder, "n_total"), Some(12), "ingest goes on without logd");
    let _logd = Daemon::start(&folder, "logd", &["--serve", "metricsd"]);
    assert!(obsctl(&folder, &["run", "--", "true"]).status.success());
    eventually("metricsd has noticed", || status(&folder, "logd_boot").as_deref() == Some("2"));
    let logs = |args: &[&str]| text(&obsctl(&folder, &[&["logs"], args].concat()).stdout);
    eventually("the gap is on record", || {
        logs(&["--scope", "metricsd", "--field", "reason=logd_restarted"]).lines().count() > 0
    });
    eventually("the series are told again", || {
        logs(&["--scope", "metrics", "--field", "name=n_total"]).contains("value=12")
    });
    assert_audit_holds(&folder);
}

#[test]
fn a_metricsd_that_starts_anew_takes_up_its_work() {
    let folder = Folder::new("anew");
    let (_logd, metricsd) = daemons(&folder);
    count(&folder, "n_total", "5");
    metricsd.kill();
    let _metricsd = Daemon::start(&folder, "metricsd", &[]);
    count(&folder, "n_total", "2");
    assert_eq!(total(&folder, "n_total"), Some(2), "by name is counted from the new start on");
    eventually("it is ready", || status(&folder, "export_ready").as_deref() == Some("true"));
    assert_audit_holds(&folder);
}

/// logd, and a metricsd whose words are heard, which has something to export.
fn about_to_end(folder: &Folder) -> (Daemon, Daemon) {
    let logd = Daemon::start(folder, "logd", &["--serve", "metricsd"]);
    let metricsd = Daemon::start_saying(folder, "metricsd", &[], Stdio::piped());
    eventually("metricsd is ready", || status(folder, "export_ready").as_deref() == Some("true"));
    count(folder, "n_total", "3");
    (logd, metricsd)
}

#[test]
fn a_metricsd_that_ends_tells_logd_its_last_values_and_has_nothing_to_say() {
    let folder = Folder::new("done");
    let (_logd, metricsd) = about_to_end(&folder);
    metricsd.signal(Signal::TERM);
    let (ended, said) = metricsd.ended();
    assert!(ended.success(), "{said}");
    assert!(!said.contains("ended with"), "{said}");
    let logs = ["logs", "--scope", "metrics", "--field", "name=n_total"];
    assert!(text(&obsctl(&folder, &logs).stdout).contains("value=3"));
}

#[test]
fn a_metricsd_that_ends_while_logd_is_stopped_loses_patience_and_says_what_is_lost() {
    let folder = Folder::new("patience");
    let (logd, metricsd) = about_to_end(&folder);
    logd.signal(Signal::STOP);
    metricsd.signal(Signal::TERM);
    // A second signal does not make it forget its work.
    metricsd.signal(Signal::TERM);
    let (ended, said) = metricsd.ended();
    assert_eq!(ended.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("metricsd: was not done 5 s after it was to end, with "), "{said}");
    assert!(last.contains("records that logd has not acknowledged"), "{said}");
    assert!(!last.contains("with 0 records"), "{said}");
    assert!(!folder.0.join("metricsd.sock").exists());
}

#[test]
fn a_metricsd_that_ends_without_logd_does_not_wait_but_says_what_is_lost() {
    let folder = Folder::new("alone");
    let (logd, metricsd) = about_to_end(&folder);
    logd.kill();
    count(&folder, "n_total", "4");
    metricsd.signal(Signal::TERM);
    let (ended, said) = metricsd.ended();
    assert!(ended.success(), "nobody was there to wait for: {said}");
    assert!(said.lines().last().unwrap().starts_with("metricsd: ended with "), "{said}");
}
