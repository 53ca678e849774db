//! obsctl as people and scripts run it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::support::{Folder, daemons, eventually, obsctl, programs, text};

/// A demo whose temporary folders lie in `folder`.
fn demo(folder: &Folder, args: &[&str]) -> Child {
    Command::new(programs().join("obsctl"))
        .arg("demo")
        .args(args)
        .env("TMPDIR", &folder.0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // As a shell starts it: Ctrl-C reaches the whole group.
        .process_group(0)
        .spawn()
        .unwrap()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

/// Reads what the demo says until a line has `word`.
fn await_line(child: &mut Child, word: &str) -> BufReader<std::process::ChildStdout> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(word) {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "the demo ended before it said {word}");
    }
    out
}

/// Names of what lies in the folder.
fn entries(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(&folder.0).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Command lines of all processes that mention the folder.
fn processes(folder: &Folder) -> Vec<String> {
    let needle = folder.0.to_str().unwrap();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(needle)).collect()
}

fn assert_demo_is_sound(output: &Output, folder: &Folder) {
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("read back from the journal"), "{said}");
    assert!(!said.contains("BROKEN"), "{said}");
    assert!(said.contains("hostprobe"), "{said}");
    assert_eq!(entries(folder), [""; 0], "something is left behind");
    assert_eq!(processes(folder), [""; 0], "somebody is left behind");
}

#[test]
fn the_demo_shows_the_way_to_the_journal_and_back_and_leaves_nothing_behind() {
    let folder = Folder::new("demo");
    let output = demo(&folder, &["--seconds", "4"]).wait_with_output().unwrap();
    assert_demo_is_sound(&output, &folder);
}

/// Interrupts the demo while a snapshot is shown, by a signal to its whole group.
fn ended_by(signal: Signal, folder: &Folder) -> Output {
    let mut child = demo(folder, &[]);
    // Then the producer has been seen at work, too.
    let mut out = await_line(&mut child, "probe.read");
    kill_process_group(pid(&child), signal).unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut out, &mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    Output { stdout: rest, ..output }
}

#[test]
fn an_interrupted_demo_sums_up_and_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::HUP] {
        let folder = Folder::new("interrupted");
        assert_demo_is_sound(&ended_by(signal, &folder), &folder);
    }
}

#[test]
fn a_demo_that_keeps_leaves_sound_images_in_its_folder_and_nothing_elsewhere() {
    let (folder, kept) = (Folder::new("keeping"), Folder::new("kept"));
    let state = kept.0.join("state");
    // The second one goes on with what the first has left.
    for _ in 0..2 {
        let keep = ["--seconds", "4", "--keep", state.to_str().unwrap()];
        let output = demo(&folder, &keep).wait_with_output().unwrap();
        assert_demo_is_sound(&output, &folder);
        let said = text(&output.stdout);
        for daemon in ["logd", "metricsd"] {
            let image = state.join(format!("{daemon}.img"));
            assert!(said.contains(&format!("obsctl fsck {}", image.display())), "{said}");
            let looked = obsctl(&folder, &["fsck", image.to_str().unwrap()]);
            assert!(looked.status.success(), "{}", text(&looked.stdout));
        }
    }
    let boots = std::fs::read_to_string(state.join("logd.boot")).unwrap();
    assert_eq!(boots, "2\n");
    let read = as_the_readme_says(&state);
    assert!(read.status.success(), "{}", text(&read.stderr));
    let said = text(&read.stdout);
    assert!(said.contains("host_context_switches_total  hostprobe"), "{said}");
}

/// Reads what is kept in a folder by the command in the README.
fn as_the_readme_says(state: &Path) -> Output {
    let commands = include_str!("../../../../README.md").lines().map(str::trim);
    let mut reads = commands.filter_map(|line| line.strip_prefix("target/release/obsctl "));
    let command = format!("exec \"$0\" {}", reads.next().unwrap().replace("DIR", "\"$1\""));
    let sh = ["-c", &command];
    Command::new("sh").args(sh).args([&programs().join("obsctl"), state]).output().unwrap()
}

#[test]
fn a_demo_whose_folder_others_may_enter_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, kept) = (Folder::new("refused"), Folder::new("open"));
    std::fs::set_permissions(&kept.0, std::fs::Permissions::from_mode(0o755)).unwrap();
    let keep = ["--keep", kept.0.to_str().unwrap()];
    let output = demo(&folder, &keep).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("chmod 0700 it"), "{}", text(&output.stderr));
    assert_eq!(entries(&folder), [""; 0], "something is left behind");
}

#[test]
fn a_demo_that_is_killed_leaves_nobody_running_and_its_folder_to_the_next_demo() {
    let folder = Folder::new("killed");
    let mut child = demo(&folder, &[]);
    let _out = await_line(&mut child, "probe.read");
    assert_eq!(processes(&folder).len(), 3, "logd, metricsd and hostprobe");
    kill_process(pid(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    eventually("the parts end", || processes(&folder).is_empty());
    let left = format!("obsctl-demo.{}", child.id());
    assert_eq!(entries(&folder), [&*left]);

    let next = demo(&folder, &["--seconds", "4"]).wait_with_output().unwrap();
    assert_demo_is_sound(&next, &folder);
    assert!(text(&next.stderr).contains(&left), "{}", text(&next.stderr));
}

#[test]
fn the_demo_shows_each_kind_and_spans_as_they_come_back_in_80_columns() {
    let folder = Folder::new("view");
    let output = demo(&folder, &["--seconds", "8"]).wait_with_output().unwrap();
    assert_demo_is_sound(&output, &folder);
    let said = text(&output.stdout);
    let pictures = said.split("demo: read back").next().unwrap();
    let last = pictures.rsplit("metricsd: boot").next().unwrap();
    let back = last.split("METRIC IN THE JOURNAL").nth(1).unwrap();
    let back = back.split("\n\n").next().unwrap();
    for kind in ["counter", "gauge", "histogram"] {
        let of_host = |line: &str| line.contains("hostprobe") && line.contains(kind);
        assert!(back.lines().any(of_host), "{kind}: {last}");
    }
    assert!(last.contains("SPAN IN THE JOURNAL") && last.contains("probe.read"), "{last}");
    // But for the path of its folder.
    let own = pictures.lines().filter(|line| !line.starts_with("demo:"));
    let wide = own.into_iter().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);
}

#[test]
fn a_demo_whose_recipe_is_wrong_says_so_and_leaves_nothing_behind() {
    let folder = Folder::new("wrong");
    let recipe = Folder::new("recipe");
    let file = recipe.0.join("bad.toml");
    std::fs::write(&file, "colour = 3\n").unwrap();
    let output = demo(&folder, &["--config", file.to_str().unwrap()]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("colour"), "{}", text(&output.stderr));
    assert_eq!(entries(&folder), [""; 0]);
}

#[test]
fn json_is_one_object_a_line() {
    let folder = Folder::new("json");
    let _daemons = daemons(&folder);
    for args in [
        &["log", "a message", "k=v"][..],
        &["count", "n_total", "2", "k=v"],
        &["count", "--observe", "d_ns", "5000"],
        &["run", "--", "true"],
    ] {
        assert!(obsctl(&folder, args).status.success(), "{args:?}");
    }
    for (command, keys) in [
        ("logs", &["id", "mono_ns", "service", "level", "scope", "message", "fields"][..]),
        ("metrics", &["name", "labels", "kind", "unit"]),
        ("spans", &["trace", "span", "name", "duration_ns", "status"]),
        ("audit", &["kind"]),
        ("status", &["daemon", "reachable"]),
    ] {
        let output = obsctl(&folder, &[command, "-o", "json"]);
        let said = text(&output.stdout);
        assert!(!said.is_empty(), "{command}: {}", text(&output.stderr));
        for line in said.lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            for key in keys {
                assert!(object.get(key).is_some(), "{command} has no {key}: {line}");
            }
        }
    }
}

#[test]
fn a_cursor_goes_on_where_it_was() {
    let folder = Folder::new("cursor");
    let _daemons = daemons(&folder);
    let log = |message| assert!(obsctl(&folder, &["log", message]).status.success());
    log("before");
    let output = text(&obsctl(&folder, &["logs", "--show-cursor"]).stdout);
    let cursor = output.lines().last().and_then(|line| line.strip_prefix("-- cursor: ")).unwrap();
    log("behind");
    let args = ["logs", "--scope", "obsctl", "--after-cursor", cursor];
    let output = text(&obsctl(&folder, &args).stdout);
    assert!(output.contains("behind") && !output.contains("before"), "{output}");
}

#[test]
fn the_newest_records_are_the_last_ones_in_order() {
    let folder = Folder::new("newest");
    let _daemons = daemons(&folder);
    for message in ["one", "two", "three"] {
        obsctl(&folder, &["log", message]);
    }
    let said = |args: &[&str]| text(&obsctl(&folder, args).stdout);
    let newest = said(&["logs", "-n", "2", "--scope", "obsctl"]);
    let messages: Vec<_> = newest.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(messages, ["two", "three"]);
    let reverse = said(&["logs", "-n", "2", "-r", "--scope", "obsctl"]);
    let messages: Vec<_> = reverse.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(messages, ["three", "two"]);
    assert_eq!(said(&["logs", "--scope", "obsctl", "--since", "-1h"]).lines().count(), 3);
    assert_eq!(said(&["logs", "--scope", "obsctl", "--until", "-1h"]).lines().count(), 0);
}

#[test]
fn a_command_keeps_its_exit_status_and_needs_no_daemon() {
    let folder = Folder::new("run");
    let output = obsctl(&folder, &["run", "--", "sh", "-c", "exit 7"]);
    assert_eq!(output.status.code(), Some(7));
    assert!(text(&output.stderr).contains("no span"), "{}", text(&output.stderr));
}

#[test]
fn daemons_that_are_away_are_named() {
    let folder = Folder::new("away");
    for args in
        [&["logs"][..], &["metrics"], &["spans"], &["audit"], &["log", "x"], &["count", "x"]]
    {
        let output = obsctl(&folder, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains("cannot be reached"), "{}", text(&output.stderr));
    }
    let status = obsctl(&folder, &["status"]);
    assert_eq!(status.status.code(), Some(2));
    assert!(text(&status.stdout).contains("away"));
}

#[test]
fn bad_words_are_refused_with_what_is_right() {
    let folder = Folder::new("words");
    let _daemons = daemons(&folder);
    for (args, hint) in [
        (&["logs", "--since", "soon"][..], "10 min ago"),
        (&["logs", "-p", "loud"], "error, warn"),
        (&["logs", "--field", "UPPER"], "key=value"),
        (&["logs", "--after-cursor", "x"], "BOOT:ID"),
        (&["count", "n_total", "-5"], "gauge"),
        (&["log", "x", "novalue"], "key=value"),
        (&["log", "x", "service=logd"], "invalid_args"),
    ] {
        let output = obsctl(&folder, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(hint), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn shells_get_their_completions() {
    let folder = Folder::new("shells");
    for shell in ["bash", "zsh", "fish", "elvish"] {
        let output = obsctl(&folder, &["completions", shell]);
        assert!(output.status.success() && text(&output.stdout).contains("audit"), "{shell}");
    }
}
