//! What people read: safely shown, and told what to do.

use rustix::process::Signal;

use crate::support::{Folder, daemons, eventually, obsctl, text};

#[test]
fn no_text_of_a_sender_steers_a_terminal_or_forges_a_line() {
    let folder = Folder::new("escape");
    let _daemons = daemons(&folder);
    let evil = "a\u{1b}[2J\u{9b}31m\u{202e}b\u{7f}";
    let field = format!("k={evil}");
    let name = format!("n\u{202e}{}", 1);
    for args in [
        &["log", "--scope", evil, &format!("{evil}\nJan 1 root[x] info: forged"), &field][..],
        &["count", "n_total", &field],
        &["run", "--name", &name, "--", "true"],
    ] {
        let output = obsctl(&folder, args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    }
    eventually("the span has come", || text(&obsctl(&folder, &["spans"]).stdout).contains(" ok "));
    for args in [
        &["logs"][..],
        &["logs", "-n", "5", "-r"],
        &["spans"],
        &["spans", "--tree"],
        &["metrics", "--describe"],
        &["top", "--seconds", "1"],
        &["status", "-v"],
    ] {
        let said = text(&obsctl(&folder, args).stdout);
        let treacherous = |char: &char| {
            (char.is_control() && *char != '\n') || ('\u{202a}'..='\u{202e}').contains(char)
        };
        assert_eq!(said.chars().find(treacherous), None, "{args:?}: {said:?}");
        assert!(!said.lines().any(|line| line.starts_with("Jan 1 root")), "{args:?}: {said}");
    }
    let json = text(&obsctl(&folder, &["logs", "-o", "json", "--field", &field]).stdout);
    let record: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!(record["fields"]["k"], evil, "JSON loses nothing");
    assert_eq!(record["scope"], evil);
}

#[test]
fn helps_are_shown_and_origins_have_names() {
    let folder = Folder::new("helps");
    let _daemons = daemons(&folder);
    let said = text(&obsctl(&folder, &["metrics", "metricsd_spans_live", "--describe"]).stdout);
    assert!(said.contains("\n    Spans that live") && said.contains(" (unit: none)\n"), "{said}");
    let json = ["metrics", "metricsd_export_queue_bytes", "--describe", "-o", "json"];
    let said = text(&obsctl(&folder, &json).stdout);
    let series: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(series["unit"], "bytes");
    assert!(series["help"].as_str().is_some_and(|help| !help.is_empty()), "{said}");
    eventually("snapshots have names", || {
        let said = text(&obsctl(&folder, &["logs", "--scope", "metrics"]).stdout);
        said.contains("origin=metricsd")
    });
    let two = ["--field", "kind=gauge", "--field", "name=metricsd_series"];
    let said = text(&obsctl(&folder, &[&["logs"], &two[..]].concat()).stdout);
    assert!(said.lines().all(|line| line.contains("info: metricsd_series ")), "{said}");
    assert!(!said.is_empty());
}

#[test]
fn nobody_of_that_name_is_said_and_bad_words_need_no_daemon() {
    let folder = Folder::new("nobody");
    for (args, hint) in [
        (&["logs", "--since", "-1h", "--until", "-2h"][..], "is before --since"),
        (&["logs", "--since", "soon"], "10 min ago"),
        (&["logs", "--field", "UPPER=1"], "key=value"),
        (&["spans", "--until", "soon"], "10 min ago"),
        (&["logs", "--trace", "x"], "is no trace"),
        (&["count", "n_total", "many"], "neither a whole number"),
        (&["count", "n_total", "-1"], "only a gauge"),
        (&["count", "Bad Name"], "a lower-case letter"),
        (&["demo", "--seconds", "0"], "--seconds"),
        (&["demo", "--run-dir", "/tmp"], "--run-dir"),
    ] {
        let output = obsctl(&folder, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(hint), "{args:?}: {}", text(&output.stderr));
    }
    let _daemons = daemons(&folder);
    for view in ["logs", "spans"] {
        let output = obsctl(&folder, &[view, "-u", "nosuch"]);
        assert!(text(&output.stderr).contains("no sender is known as nosuch"), "{view}");
        let output = obsctl(&folder, &[view, "-u", "timed"]);
        assert_eq!(text(&output.stderr), "", "{view}: silent, but known");
    }
    assert!(obsctl(&folder, &["count", "n_total", "kind=rye"]).status.success());
    let nothing = obsctl(&folder, &["run", "--", "no-such-command-anywhere"]);
    assert_eq!(nothing.status.code(), Some(127));
}

#[test]
fn a_daemon_that_does_not_answer_is_named() {
    let folder = Folder::new("stuck");
    let (logd, _metricsd) = daemons(&folder);
    logd.signal(Signal::STOP);
    let output = obsctl(&folder, &["logs"]);
    logd.signal(Signal::CONT);
    assert_eq!(output.status.code(), Some(2));
    let why = text(&output.stderr);
    assert!(why.contains("logd has not answered") && why.contains("its process"), "{why}");
}

#[test]
fn exit_statuses_are_explained() {
    let folder = Folder::new("help");
    let help = text(&obsctl(&folder, &["--help"]).stdout);
    for word in ["Exit status:", "quarantine", "127"] {
        assert!(help.contains(word), "{help}");
    }
}
