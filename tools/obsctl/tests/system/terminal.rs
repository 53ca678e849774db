//! Colours stand on terminals only.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{Folder, daemons, obsctl, programs, text};

/// What obsctl prints on a terminal of 80 columns and 24 lines.
fn on_terminal(folder: &Folder, args: &[&str], env: &[(&str, &str)]) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&ours, size).unwrap();
    let path = ptsname(&ours, Vec::new()).unwrap();
    let theirs =
        rustix::fs::open(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let mut child = Command::new(programs().join("obsctl"))
        .args(args)
        .env("NEXUS_RUN_DIR", &folder.0)
        .env_remove("NO_COLOR")
        .envs(env.iter().copied())
        .stdin(Stdio::from(theirs.try_clone().unwrap()))
        .stdout(Stdio::from(theirs))
        .spawn()
        .unwrap();
    let (mut said, mut ours) = (Vec::new(), File::from(ours));
    let mut buffer = [0; 4096];
    // The end of a terminal that nobody has open any more is an error.
    while let Ok(len @ 1..) = ours.read(&mut buffer) {
        said.extend_from_slice(&buffer[..len]);
    }
    assert!(child.wait().unwrap().success());
    text(&said)
}

#[test]
fn colours_stand_on_terminals_only_and_not_where_they_are_unwanted() {
    let folder = Folder::new("colours");
    let _daemons = daemons(&folder);
    assert!(obsctl(&folder, &["log", "-p", "warn", "hot"]).status.success());
    let logs = ["logs", "--scope", "obsctl"];
    assert!(on_terminal(&folder, &logs, &[]).contains("\u{1b}[33mhot\u{1b}[0m"));
    let plain = on_terminal(&folder, &logs, &[("NO_COLOR", "1")]);
    assert!(plain.contains("hot") && !plain.contains('\u{1b}'), "{plain:?}");
    assert!(!text(&obsctl(&folder, &logs).stdout).contains('\u{1b}'));
}

#[test]
fn top_takes_the_terminal_and_gives_it_back() {
    let folder = Folder::new("screen");
    let _daemons = daemons(&folder);
    let said = on_terminal(&folder, &["top", "--seconds", "1"], &[]);
    let (enter, leave) = ("\u{1b}[?1049h", "\u{1b}[?1049l");
    assert!(said.contains(enter) && said.contains(leave), "{said:?}");
    assert!(said.contains("q: quit") && said.contains("GAUGE"), "{said:?}");
}
