//! What the tests of obsctl share: the programs, folders that go, and a pair of daemons.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The folder with obsctl, logd, metricsd and hostprobe, built if need be.
pub(crate) fn programs() -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "logd", "-p", "metricsd", "-p", "hostprobe"])
            .status();
        assert!(built.is_ok_and(|status| status.success()), "the programs do not build");
    });
    let obsctl = Path::new(env!("CARGO_BIN_EXE_obsctl"));
    obsctl.parent().map(Path::to_path_buf).unwrap()
}

/// A new folder that goes with this value. Its path is short: sockets lie in it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("obsctl-{name}.{process}.{count}"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs obsctl on the daemons in `folder`.
pub(crate) fn obsctl(folder: &Folder, args: &[&str]) -> Output {
    obsctl_at(&folder.0, args)
}

/// Runs obsctl with `run_dir` as its run directory.
pub(crate) fn obsctl_at(run_dir: &Path, args: &[&str]) -> Output {
    Command::new(programs().join("obsctl"))
        .args(args)
        .env("NEXUS_RUN_DIR", run_dir)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A daemon, killed with this value.
pub(crate) struct Daemon(pub(crate) Child);

impl Daemon {
    /// Starts `name` in `folder` and waits for its socket.
    pub(crate) fn start(folder: &Folder, name: &str, options: &[&str]) -> Self {
        Self::start_saying(folder, name, options, Stdio::null())
    }

    /// As [`Self::start`]; what it says goes `to`.
    pub(crate) fn start_saying(folder: &Folder, name: &str, options: &[&str], to: Stdio) -> Self {
        let mut command = Command::new(programs().join(name));
        command.arg("--run-dir").arg(&folder.0).args(options).stderr(to);
        Self::spawn(folder, name, &mut command)
    }

    /// As [`Self::start`], by any command that makes `name` serve in `folder`.
    pub(crate) fn spawn(folder: &Folder, name: &str, command: &mut Command) -> Self {
        let socket = folder.0.join(format!("{name}.sock"));
        drop(std::fs::remove_file(&socket));
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        eventually(&format!("{name} serves"), || socket.exists());
        Self(child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; gives what it said, if that was piped.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            stderr.read_to_string(&mut said).unwrap();
        }
        (self.0.wait().unwrap(), said)
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// logd with a socket for metricsd, and metricsd, which has proven itself.
pub(crate) fn daemons(folder: &Folder) -> (Daemon, Daemon) {
    daemons_with(folder, &[])
}

/// The same, with options for both.
pub(crate) fn daemons_with(folder: &Folder, options: &[&str]) -> (Daemon, Daemon) {
    let logd = Daemon::start(folder, "logd", &[&["--serve", "metricsd"], options].concat());
    let metricsd = Daemon::start(folder, "metricsd", options);
    eventually("metricsd is ready", || status(folder, "export_ready").as_deref() == Some("true"));
    (logd, metricsd)
}

/// A value of the daemons' state.
pub(crate) fn status(folder: &Folder, key: &str) -> Option<String> {
    let said = text(&obsctl(folder, &["status", "--verbose"]).stdout);
    let line = said.lines().find_map(|line| line.trim().strip_prefix(&format!("{key} ")));
    line.map(|value| value.trim().to_owned())
}

/// Waits until it holds; the test fails if it does not in a long time.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "not in half a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
