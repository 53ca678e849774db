//! The state disk of a daemon: what is kept, what a slow or broken disk does to the daemon
//! (nothing), and whom the folder is for.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nexus_wire::FileStatus;
use nexus_wire::files::{Append, Replace, Reply, Request};
use rustix::process::{Resource, Rlimit, Signal, prlimit};
use tempfile::TempDir;

use crate::echod::NAMES;
use crate::files::{Answer, Files, file, name};
use crate::hosted::DIE;
use crate::process::{Process, Setup, command, dir, eventually, start, started, text};

/// A folder for state beside the run directory.
struct Place {
    dir: TempDir,
    setup: Setup,
}

impl Place {
    fn new() -> Self {
        let dir = dir();
        let setup = Setup { state: Some(dir.path().join("state")), ..Setup::default() };
        Self { dir, setup }
    }

    fn run(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn start(&self) -> Process {
        start(&self.run(), &self.setup)
    }

    fn refusal(&self) -> String {
        let output = command(&self.run(), &self.setup).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    /// From now on syncs wait.
    fn shut(&self) {
        fs::write(self.dir.path().join("state.shut"), "").unwrap();
    }

    fn open(&self) {
        fs::remove_file(self.dir.path().join("state.shut")).unwrap();
    }
}

fn assert_echoes(daemon: &Process, count: u32) {
    let mut connection = daemon.connect();
    for n in 0..count {
        let frame = format!("e{n}");
        assert_eq!(text(&mut connection, frame.as_bytes()), frame);
    }
}

#[test]
fn what_was_not_synced_when_the_daemon_was_told_to_end_is_there_again() {
    let place = Place::new();
    let daemon = place.start();
    assert_eq!(Files::of(&daemon).replace("value", b"hello"), FileStatus::Ok);
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.ended();
    assert!(status.success(), "{said}");
    assert!(said.contains("echod: statefsd: 0 files as of sync "), "{said}");
    let daemon = place.start();
    assert_eq!(Files::of(&daemon).read("value").unwrap(), b"hello");
}

#[test]
fn a_daemon_without_a_folder_for_state_has_no_files() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    assert_eq!(text(&mut daemon.connect(), b"cstatefsd x"), "not ready");
}

#[test]
fn what_was_synced_survives_kills_and_nothing_is_there_twice() {
    const PIECE: usize = 700;
    let pattern = |len: usize| (0..len).map(|at| (at / 7 + at * 31) as u8).collect::<Vec<_>>();
    let place = Place::new();
    let mut synced = 0;
    for round in 0..12 {
        let daemon = place.start();
        let mut files = Files::of(&daemon);
        let held = files.read("log").unwrap_or_default();
        assert_eq!(held, pattern(held.len()), "in round {round}");
        assert!(held.len() >= synced && held.len() <= synced + 2 * PIECE, "in round {round}");
        if round == 0 {
            assert_eq!(files.create("log", 100_000), FileStatus::Ok);
        }
        let (mut len, epoch) = (held.len(), files.epoch());
        for _ in 0..round % 5 + 1 {
            let piece = &pattern(len + PIECE)[len..];
            assert_eq!(files.append("log", len as u32, piece), FileStatus::Ok);
            assert_eq!(files.status(&Request::Sync { epoch }), FileStatus::Ok);
            len += PIECE;
        }
        synced = len;
        // It is killed somewhere in the middle of the next ones.
        let piece = &pattern(len + PIECE)[len..];
        files.send(&Request::Append(Append { to: file("log"), at: len as u32, bytes: piece }));
        files.send(&Request::Sync { epoch });
        std::thread::sleep(std::time::Duration::from_micros(200 * round as u64));
        daemon.signal(Signal::KILL);
        drop(daemon.ended());
    }
}

#[test]
fn a_disk_that_never_ends_a_sync_stops_nobody_else() {
    let place = Place::new();
    let daemon = place.start();
    let mut files = Files::of(&daemon);
    assert_eq!(files.replace("value", b"hello"), FileStatus::Ok);
    let sync = Request::Sync { epoch: files.epoch() };
    place.shut();
    files.send(&sync);
    assert_echoes(&daemon, 1000);
    let mut buffer = [0; 64];
    let early = files.0.try_recv(&mut buffer).map_err(|error| error.kind());
    assert_eq!(early, Err(std::io::ErrorKind::WouldBlock), "it is not durable yet");
    place.open();
    assert_eq!(files.receive(&sync, |status, _| status), Answer::Came(FileStatus::Ok));
}

#[test]
fn calls_beyond_the_places_for_them_are_busy_while_the_disk_is() {
    let place = Place::new();
    let daemon = place.start();
    let mut files = Files::of(&daemon);
    assert_eq!(files.replace("value", b"hello"), FileStatus::Ok);
    let sync = Request::Sync { epoch: files.epoch() };
    place.shut();
    let mut callers = (0..8).map(|_| Files(daemon.connect())).collect::<Vec<_>>();
    callers.iter_mut().for_each(|caller| caller.send(&sync));
    let calls = |connection: &mut _| daemon.total(connection, "port_disk_calls");
    let before = calls(&mut files.0);
    eventually("all places are taken", || {
        let more = Request::Hello;
        files.send(&more);
        let answer = files.receive(&more, |status, _| status);
        answer == Answer::None("busy".into())
    });
    assert!(calls(&mut files.0) >= before);
    place.open();
    for caller in &mut callers {
        assert_eq!(caller.receive(&sync, |status, _| status), Answer::Came(FileStatus::Ok));
    }
    assert_eq!(files.status(&Request::Hello), FileStatus::Ok);
    assert!(daemon.total(&mut files.0, "port_disk_busy") > 0);
}

#[test]
fn a_daemon_that_is_told_to_end_waits_for_its_disk() {
    let place = Place::new();
    let daemon = place.start();
    assert_eq!(Files::of(&daemon).replace("value", b"hello"), FileStatus::Ok);
    place.shut();
    let mut connection = daemon.connect();
    daemon.signal(Signal::TERM);
    // It serves for as long as it waits.
    assert_eq!(text(&mut connection, b"eon"), "eon");
    place.open();
    assert!(daemon.ended().0.success());
    assert_eq!(Files::of(&place.start()).read("value").unwrap(), b"hello");
}

#[test]
fn a_disk_that_does_not_end_in_time_is_not_waited_for_and_what_is_lost_is_said() {
    let place = Place::new();
    let daemon = place.start();
    assert_eq!(Files::of(&daemon).replace("value", b"hello"), FileStatus::Ok);
    place.shut();
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.ended();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains(
            "was not done 5 s after it was to end, with files that are not on the state disk yet"
        ),
        "{said}"
    );
}

#[test]
fn the_death_of_the_disk_thread_ends_its_calls_and_nothing_else() {
    let place = Place::new();
    let daemon = place.start();
    let mut files = Files::of(&daemon);
    files.0.send(&[b"cstatefsd ", DIE].concat()).unwrap();
    let died = files.receive(&Request::Hello, |status, _| status);
    assert_eq!(died, Answer::None("died".into()));
    files.send(&Request::Hello);
    let after = files.receive(&Request::Hello, |status, _| status);
    assert_eq!(after, Answer::None("not ready".into()));
    assert_echoes(&daemon, 100);
    assert_eq!(daemon.total(&mut files.0, "port_disk_died"), 1);
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.ended();
    assert!(status.success(), "{said}");
    assert_eq!(said.matches("echod: its disk thread has died").count(), 1, "{said}");
}

#[test]
fn a_second_writer_is_told_who_the_first_is() {
    let place = Place::new();
    let daemon = place.start();
    let mut files = Files::of(&daemon);
    let elsewhere = place.dir.path().join("elsewhere");
    let output = command(&elsewhere, &place.setup).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8(output.stderr).unwrap();
    let image = place.state().join("echod.img");
    let pid = daemon.pid().as_raw_nonzero();
    let expected = format!("{}: another process (process {pid}) writes to it", image.display());
    assert!(why.contains(&expected) && why.contains("choose another --state-dir"), "{why}");
    assert_eq!(files.replace("value", b"hello"), FileStatus::Ok);
    // Another daemon has an image of its own there.
    let other = Setup { name: NAMES[1], ..place.setup.clone() };
    let _other = start(&elsewhere, &other);
    assert!(place.state().join("otherd.img").exists());
}

#[test]
fn the_folder_is_made_for_nobody_else_and_refused_if_others_may_enter() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let place = Place::new();
    for umask in ["000", "277"] {
        let plain = command(&place.run(), &place.setup);
        let mut masked = Command::new("sh");
        masked.args([
            "-c",
            &format!("mkdir -p '{}'; umask {umask}; exec \"$0\" \"$@\"", place.run().display()),
        ]);
        masked.arg(plain.get_program()).args(plain.get_args());
        masked.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let daemon = started(&place.run(), NAMES[0], masked);
        drop(Files::of(&daemon));
        assert_eq!(mode(&place.state()), 0o700);
        assert_eq!(mode(&place.state().join("echod.img")) & 0o077, 0);
        drop(daemon);
        fs::remove_dir_all(place.state()).unwrap();
    }
    fs::create_dir(place.state()).unwrap();
    for others in [0o755, 0o710, 0o702] {
        fs::set_permissions(place.state(), fs::Permissions::from_mode(others)).unwrap();
        let why = place.refusal();
        let expected = format!("state: others may enter it (mode {others:04o})");
        assert!(why.contains(&expected) && why.contains("chmod 0700 it"), "{why}");
    }
}

#[test]
fn what_is_no_folder_no_file_or_no_number_is_left_alone() {
    let place = Place::new();
    fs::write(place.state(), "precious").unwrap();
    assert!(place.refusal().contains("state: is not a folder"));
    assert_eq!(fs::read_to_string(place.state()).unwrap(), "precious");
    fs::remove_file(place.state()).unwrap();
    drop(place.start());
    let image = place.state().join("echod.img");
    fs::remove_file(&image).unwrap();
    symlink(place.run().join("echod.lock"), &image).unwrap();
    assert!(place.refusal().contains("echod.img: is a link"));
    fs::remove_file(&image).unwrap();
    fs::create_dir(&image).unwrap();
    assert!(place.refusal().contains("echod.img: "));
    fs::remove_dir(&image).unwrap();
    fs::write(place.state().join("echod.boot"), "x").unwrap();
    assert!(place.refusal().contains("state/echod.boot: does not hold"));
    let place = Place {
        setup: Setup { state: Some("/no/such/parent/state".into()), ..place.setup.clone() },
        ..place
    };
    assert!(place.refusal().contains("/no/such/parent/state: "));
}

#[test]
fn an_image_that_is_no_store_of_ours_is_left_alone_and_the_daemon_serves() {
    let place = Place::new();
    drop(Files::of(&place.start()));
    let image = place.state().join("echod.img");
    let len = fs::metadata(&image).unwrap().len();
    let precious = "precious".repeat(len as usize / 8);
    fs::write(&image, &precious).unwrap();
    let daemon = place.start();
    assert_echoes(&daemon, 10);
    let mut files = Files(daemon.connect());
    eventually("the disk was looked at", || daemon.total(&mut files.0, "port_disk_reads") >= 2);
    assert_eq!(files.status(&Request::Hello), FileStatus::NotReady);
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.ended();
    assert!(status.success() && said.contains("no disk: not a state disk"), "{said}");
    assert_eq!(fs::read_to_string(&image).unwrap(), precious);
}

#[test]
fn starts_are_counted_on_although_the_run_directory_is_new() {
    let place = Place::new();
    let epochs = (0..3).map(|_| {
        let daemon = place.start();
        let epoch = Files::of(&daemon).epoch();
        drop(daemon);
        fs::remove_dir_all(place.run()).unwrap();
        epoch >> 48
    });
    assert_eq!(epochs.collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_folder_that_vanishes_is_said_and_no_sync_is_answered_ok_any_more() {
    let place = Place::new();
    let daemon = place.start();
    let mut files = Files::of(&daemon);
    assert_eq!(files.replace("value", b"hello"), FileStatus::Ok);
    fs::remove_dir_all(place.state()).unwrap();
    assert_eq!(files.sync(), FileStatus::IoError);
    assert_echoes(&daemon, 100);
    assert_eq!(files.status(&Request::Hello), FileStatus::NotReady);
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.ended();
    assert!(status.success(), "{said}");
    assert_eq!(said.matches("echod.img: was taken away").count(), 1, "{said}");
}

#[test]
fn a_folder_that_is_gone_at_the_next_start_is_made_anew_and_holds_nothing() {
    let place = Place::new();
    let daemon = place.start();
    let mut files = Files::of(&daemon);
    assert_eq!(files.replace("value", b"hello"), FileStatus::Ok);
    assert_eq!(files.sync(), FileStatus::Ok);
    daemon.signal(Signal::TERM);
    assert!(daemon.ended().0.success());
    fs::remove_dir_all(place.state()).unwrap();
    let daemon = place.start();
    let mut files = Files::of(&daemon);
    assert_eq!(files.read("value"), None);
    assert_eq!(files.replace("value", b"again"), FileStatus::Ok);
    assert_eq!(files.sync(), FileStatus::Ok);
    drop(daemon);
    assert_eq!(Files::of(&place.start()).read("value").unwrap(), b"again");
}

#[test]
fn a_full_disk_stops_nobody_and_heals_when_there_is_room() {
    let mut place = Place::new();
    place.setup.file_bytes = Some(16 * 1024);
    let daemon = place.start();
    let mut files = Files(daemon.connect());
    eventually("it was tried", || daemon.total(&mut files.0, "port_disk_failed") >= 1);
    assert_eq!(files.status(&Request::Hello), FileStatus::NoSpace);
    assert_echoes(&daemon, 100);
    let room = Rlimit { current: None, maximum: None };
    prlimit(Some(daemon.pid()), Resource::Fsize, room).unwrap();
    let mut files = Files::of(&daemon);
    assert_eq!(files.replace("value", b"hello"), FileStatus::Ok);
    assert_eq!(files.sync(), FileStatus::Ok);
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.ended();
    assert!(status.success(), "{said}");
    assert!(said.contains("no disk: no room under the device"), "{said}");
}

/// A daemon some of whose calls of the system fail.
fn injected(place: &Place, fault: &str) -> Process {
    let strace = Command::new("strace").arg("-V").output();
    assert!(strace.is_ok(), "strace is not there; `cargo xtask setup` installs it");
    let plain = command(&place.run(), &place.setup);
    let mut traced = Command::new("strace");
    // With -D the daemon is our own child and strace is the stranger.
    traced.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64,fdatasync", "-e"]);
    traced.arg(format!("inject={fault}"));
    traced.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    traced.arg(plain.get_program()).args(plain.get_args());
    traced.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    started(&place.run(), NAMES[0], traced)
}

#[test]
fn a_disk_that_takes_no_writes_or_reports_errors_is_named() {
    for (fault, status, why) in [
        ("pwrite64:error=EROFS", FileStatus::ReadOnly, "the device takes no writes"),
        ("pwrite64:error=ENOSPC", FileStatus::NoSpace, "no room under the device"),
        ("fdatasync:error=EIO", FileStatus::NotReady, "the device reports an error"),
    ] {
        let place = Place::new();
        let daemon = injected(&place, fault);
        let mut files = Files(daemon.connect());
        eventually("it was tried", || daemon.total(&mut files.0, "port_disk_failed") >= 1);
        assert_eq!(files.status(&Request::Hello), status, "{fault}");
        assert_echoes(&daemon, 100);
        daemon.signal(Signal::TERM);
        let (ended, said) = daemon.ended();
        assert!(ended.success() && said.contains(why), "{fault}: {said}");
    }
}

#[test]
fn a_sync_that_failed_once_is_told_and_the_disk_serves_again() {
    let place = Place::new();
    drop(Files::of(&place.start()));
    // Whatever is under way at the second sync of this life fails; then the disk is well.
    let daemon = injected(&place, "fdatasync:error=EIO:when=2");
    let mut files = Files::of(&daemon);
    let epoch = files.epoch();
    let statuses = (0..4_u8).map(|n| {
        let replaced = files.replace("value", &[n; 100]);
        if replaced == FileStatus::Ok { files.sync() } else { replaced }
    });
    assert!(statuses.collect::<Vec<_>>().contains(&FileStatus::IoError));
    let mut files = Files::of(&daemon);
    assert!(files.epoch() > epoch, "what was not synced is gone, and the epoch says so");
    assert_eq!(files.replace("value", b"hello"), FileStatus::Ok);
    assert_eq!(files.sync(), FileStatus::Ok);
}

#[test]
fn nothing_is_allocated_for_files_once_the_disk_serves() {
    let place = Place::new();
    let daemon = place.start();
    let mut files = Files::of(&daemon);
    let work = |files: &mut Files, round: u32| {
        let value = [round as u8; 3000];
        assert_eq!(
            files.status(&Request::Replace(Replace { name: name("value"), bytes: &value })),
            FileStatus::Ok
        );
        assert_eq!(files.sync(), FileStatus::Ok);
        assert_eq!(files.read("value").unwrap(), value);
        assert!(files.ask(&Request::Hello, |_, reply| matches!(reply, Reply::Hello(_))));
    };
    work(&mut files, 0);
    let before = daemon.total(&mut files.0, "allocations");
    (1..50).for_each(|round| work(&mut files, round));
    assert_eq!(daemon.total(&mut files.0, "allocations"), before);
    assert!(daemon.total(&mut files.0, "port_disk_syncs") > 50);
}
