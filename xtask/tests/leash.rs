//! What `cargo xtask` starts on a leash ends with it, even if it is killed the hard way.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// Looks until something holds; a test that would wait for ever is ended by who runs it.
fn until(holds: impl Fn() -> bool) {
    while !holds() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The name of a process; nothing once it has ended, collected or not.
fn name_of(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, state) = stat.split_once('(')?.1.rsplit_once(") ")?;
    (!state.starts_with('Z')).then(|| name.to_owned())
}

fn is_asleep(pid: &str) -> bool {
    name_of(pid).is_some_and(|name| name == "sleep")
}

/// A shell that has started `command` and waits for it; and the process that this has become.
fn parent_of(command: &str) -> (Child, String) {
    let script = format!("{command} & echo $!; wait");
    let mut shell = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pid = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut pid).unwrap();
    (shell, pid.trim().to_owned())
}

fn kill(shell: &mut Child) {
    shell.kill().unwrap();
    shell.wait().unwrap();
}

#[test]
fn who_is_on_a_leash_ends_with_who_holds_it() {
    let (mut shell, pid) = parent_of(&format!("{XTASK} leash $$ sleep 600"));
    until(|| is_asleep(&pid));
    kill(&mut shell);
    until(|| name_of(&pid).is_none());
}

#[test]
fn who_is_on_none_goes_on() {
    let (mut shell, pid) = parent_of("sleep 600");
    until(|| is_asleep(&pid));
    kill(&mut shell);
    assert!(is_asleep(&pid));
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
}

#[test]
fn nobody_is_tied_to_who_did_not_start_it() {
    let output = Command::new(XTASK).args(["leash", "1", "true"]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("process 1 did not start this one"), "{said}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let leash = format!("{XTASK} leash $$ no-such-program; true");
    let output = Command::new("sh").args(["-c", &leash]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot run no-such-program"), "{said}");
}
