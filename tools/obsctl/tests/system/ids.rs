//! From spans to what was logged in them, and to nothing else.

use crate::support::{Folder, daemons, eventually, obsctl, text};

fn run(folder: &Folder, args: &[&str]) {
    let output = obsctl(folder, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
}

/// The value behind `key=` in a line.
fn word<'a>(line: &'a str, key: &str) -> &'a str {
    let rest = line.split_once(&format!("{key}=")).unwrap().1;
    rest.split_whitespace().next().unwrap()
}

fn program(message: &str) -> String {
    format!("{} log {message}", env!("CARGO_BIN_EXE_obsctl"))
}

fn logs(folder: &Folder, args: &[&str]) -> Vec<String> {
    let output = obsctl(folder, &[&["logs", "-o", "json"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let message = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["message"].as_str().unwrap().to_owned()
    };
    text(&output.stdout).lines().map(message).collect()
}

fn ended(folder: &Folder, name: &str) -> Option<String> {
    let said = text(&obsctl(folder, &["spans", "--name", name]).stdout);
    said.lines().find(|line| !line.contains(" running ")).map(str::to_owned)
}

#[test]
fn a_span_leads_to_its_own_records_only() {
    let folder = Folder::new("ids");
    let _daemons = daemons(&folder);
    for name in ["first", "second"] {
        run(&folder, &["run", "--name", name, "--", "sh", "-c", &program(&format!("in.{name}"))]);
    }
    run(&folder, &["log", "outside"]);
    eventually("both have ended", || {
        ["first", "second"].iter().all(|name| ended(&folder, name).is_some())
    });
    for name in ["first", "second"] {
        let line = ended(&folder, name).unwrap();
        let (span, trace) = (word(&line, "span"), word(&line, "trace"));
        let own = [format!("in.{name}")];
        assert_eq!(logs(&folder, &["--span", span]), own, "{line}");
        assert_eq!(logs(&folder, &["--trace", trace]), own, "{line}");
        assert_eq!(logs(&folder, &["--trace", trace, "--span", span]), own);
        let json = text(&obsctl(&folder, &["spans", "--name", name, "-o", "json"]).stdout);
        let json: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
        assert_eq!(logs(&folder, &["--trace", json["trace"].as_str().unwrap()]), own);
    }
    let unknown = obsctl(&folder, &["logs", "--span", "0123456789abcdef"]);
    assert!(text(&unknown.stderr).contains("neither the journal"), "{}", text(&unknown.stderr));
}

#[test]
fn the_same_wire_ids_of_another_life_are_another_trace() {
    let folder = Folder::new("lives");
    let (_logd, _metricsd) = daemons(&folder);
    run(&folder, &["run", "--name", "first", "--", "sh", "-c", &program("in")]);
    eventually("it has ended", || ended(&folder, "first").is_some());
    let line = ended(&folder, "first").unwrap();
    let (span, trace) = (word(&line, "span"), word(&line, "trace"));
    let (life, wire) = trace.rsplit_once('.').unwrap();
    let (boot, life) = life.split_once('.').unwrap();
    let other = format!("{boot}.{}", life.parse::<u32>().unwrap() + 1);
    // A record of another life in which the program counted up to the same number.
    let fields = [format!("span_id={span}"), format!("trace_id={wire}")];
    run(
        &folder,
        &["log", "of another life", &fields[0], &fields[1], &format!("trace_life={other}")],
    );
    // One that does not say its life, long after the span.
    std::thread::sleep(std::time::Duration::from_millis(200));
    run(&folder, &["log", "of no life", &fields[0], &fields[1]]);
    assert_eq!(logs(&folder, &["--span", span]), ["in"]);
    assert_eq!(logs(&folder, &["--trace", trace]), ["in"]);
    assert_eq!(logs(&folder, &["--trace", &format!("{other}.{wire}")]), ["of another life"]);
}

#[test]
fn commands_within_commands_are_one_tree() {
    let folder = Folder::new("nested");
    let _daemons = daemons(&folder);
    let own = env!("CARGO_BIN_EXE_obsctl");
    let script = format!("{own} run --name inner -- {own} log deep");
    run(&folder, &["run", "--name", "outer", "--", "sh", "-c", &script]);
    eventually("both have ended", || {
        ["outer", "inner"].iter().all(|name| ended(&folder, name).is_some())
    });
    let trace = ended(&folder, "outer").unwrap();
    let trace = word(&trace, "trace");
    assert_eq!(word(&ended(&folder, "inner").unwrap(), "trace"), trace);
    assert_eq!(logs(&folder, &["--trace", trace]), ["deep"]);
    let tree = |args: &[&str]| {
        let said = text(&obsctl(&folder, &[&["spans", "--tree"], args].concat()).stdout);
        said.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // The newest span is the inner one; its trace is shown whole.
    let lines = tree(&["-n", "1"]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].starts_with("`- outer") && lines[2].starts_with("   `- inner"), "{lines:?}");
    let torn = tree(&["--name", "inner"]);
    assert!(torn[1].ends_with("(parent not shown)"), "{torn:?}");
}

#[test]
fn what_a_program_logs_in_a_span_says_its_life() {
    let folder = Folder::new("program");
    let _daemons = daemons(&folder);
    let telemetry = nexus_rt::linux::telemetry::install(&folder.0).unwrap();
    // metricsd has to have said which life this is.
    eventually("the life is known", || {
        telemetry.flush(std::time::Duration::from_secs(1));
        nexus_metrics::global().life().is_some()
    });
    {
        let _span = nexus_metrics::span!("bake");
        nexus_log::info!("oven", "in the span");
    }
    nexus_log::info!("oven", "outside");
    telemetry.flush(std::time::Duration::from_secs(10));
    eventually("it has ended", || ended(&folder, "bake").is_some());
    let line = ended(&folder, "bake").unwrap();
    let (span, trace) = (word(&line, "span"), word(&line, "trace"));
    assert_eq!(logs(&folder, &["--span", span]), ["in the span"]);
    let record = text(&obsctl(&folder, &["logs", "--trace", trace]).stdout);
    assert!(trace.starts_with(&format!("{}.", word(&record, "trace_life"))), "{record} {trace}");
}
