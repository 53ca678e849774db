//! A daemon in a process of its own.

use std::env;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nexus_bounded::Nanos;
use nexus_recipe::{PortLimits, SenderRule};
use nexus_rt::linux::client::Connection;
use nexus_rt::linux::daemon::{Config, Daemon, StateDisk};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, kill_process, setrlimit, waitpid,
};
use statefsd::Statefsd;
use tempfile::TempDir;

use crate::allocations;
use crate::echod::{Echod, NAMES};
use crate::hosted::{Gate, Mortal, share};

/// What the tests vary.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) connections: u32,
    pub(crate) per_sender: u32,
    pub(crate) pending: u32,
    pub(crate) slow_ms: u64,
    pub(crate) descriptors: u64,
    pub(crate) readers: &'static str,
    pub(crate) serve: &'static str,
    /// The folder of state; without one nothing is kept.
    pub(crate) state: Option<PathBuf>,
    /// Bytes that a file may have at most.
    pub(crate) file_bytes: Option<u64>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            name: NAMES[0],
            connections: 64,
            per_sender: 64,
            pending: 8,
            slow_ms: 60_000,
            descriptors: 1024,
            readers: "",
            serve: "",
            state: None,
            file_bytes: None,
        }
    }
}

/// A running daemon; it is killed with its handle.
pub(crate) struct Process {
    child: Child,
    pub(crate) dir: PathBuf,
}

/// A fresh run directory.
pub(crate) fn dir() -> TempDir {
    tempfile::Builder::new().prefix("nexus-rt-").tempdir().unwrap()
}

/// The command that runs this program's one ignored test, the daemon.
pub(crate) fn command(dir: &Path, setup: &Setup) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "process::daemon", "--nocapture", "--test-threads=1"])
        .env("ECHOD_DIR", dir)
        .env("ECHOD_NAME", setup.name)
        .env("ECHOD_CONNECTIONS", setup.connections.to_string())
        .env("ECHOD_PER_SENDER", setup.per_sender.to_string())
        .env("ECHOD_PENDING", setup.pending.to_string())
        .env("ECHOD_SLOW_MS", setup.slow_ms.to_string())
        .env("ECHOD_DESCRIPTORS", setup.descriptors.to_string())
        .env("ECHOD_READERS", setup.readers)
        .env("ECHOD_SERVE", setup.serve)
        .envs(setup.state.iter().map(|dir| ("ECHOD_STATE", dir)))
        .envs(setup.file_bytes.iter().map(|bytes| ("ECHOD_FILE_BYTES", bytes.to_string())))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Starts a daemon in `dir` and waits until it answers.
pub(crate) fn start(dir: &Path, setup: &Setup) -> Process {
    started(dir, setup.name, command(dir, setup))
}

/// As [`start`] for a command that was changed.
pub(crate) fn started(dir: &Path, name: &str, mut command: Command) -> Process {
    let process = Process { child: command.spawn().unwrap(), dir: dir.to_owned() };
    eventually("the daemon answers", || {
        Connection::open(dir, name).is_ok_and(|mut c| c.call(b"eup", &mut [0; 8]).is_ok())
    });
    process
}

/// Waits until `what` holds; a minute is more than any machine needs.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never happens that {what}");
        sleep(Duration::from_millis(2));
    }
}

impl Process {
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.dir, NAMES[0]).unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops the daemon until it gets SIGCONT; it does nothing any more when this returns.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        let pid = Pid::from_child(&self.child);
        let status = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
        assert!(status.is_some_and(|(_, status)| status.stopped()), "the daemon has stopped");
    }

    /// A total of the port or the service, asked for over `connection`.
    pub(crate) fn total(&self, connection: &mut Connection, name: &str) -> u64 {
        total(&text(connection, b"s"), name)
    }

    /// Waits for the end; gives what was said on the console.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A total in an answer to `s`.
pub(crate) fn total(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("{name} is in {status}")).parse().unwrap()
}

/// The answer to `frame` as text.
pub(crate) fn text(connection: &mut Connection, frame: &[u8]) -> String {
    let mut reply = [0; 4096];
    let len = connection.call(frame, &mut reply).unwrap();
    String::from_utf8_lossy(&reply[..len]).into_owned()
}

#[test]
#[ignore = "the daemon that the other tests start"]
fn daemon() {
    if env::var_os("ECHOD_NAME").is_none() {
        // All ignored tests were asked for, and nobody needs a daemon.
        return;
    }
    allocations::count_this_thread();
    let var = |name: &str| env::var(format!("ECHOD_{name}")).unwrap();
    let number = |name: &str| var(name).parse::<u64>().unwrap();
    let small = |name: &str| u32::try_from(number(name)).unwrap();
    let descriptors = Some(number("DESCRIPTORS"));
    setrlimit(Resource::Nofile, Rlimit { current: descriptors, maximum: descriptors }).unwrap();
    if let Ok(bytes) = env::var("ECHOD_FILE_BYTES") {
        let current = Some(bytes.parse().unwrap());
        setrlimit(Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
    }
    let state = env::var_os("ECHOD_STATE");
    let recipe = statefsd::for_share(&share(), u32::MAX).unwrap();
    let bytes = recipe.statefsd.disk_bytes;
    let rule = |name: &str, uid| SenderRule {
        name: name.to_owned(),
        uid,
        logd_budget: None,
        metricsd_budget: None,
    };
    let config = Config {
        name: NAMES.into_iter().find(|name| *name == var("NAME")).unwrap(),
        run_dir: var("DIR").into(),
        serve: var("SERVE").split_whitespace().map(str::to_owned).collect(),
        callees: &NAMES,
        limits: PortLimits {
            connections: small("CONNECTIONS"),
            connections_per_sender: small("PER_SENDER"),
            frames_per_turn: 16,
            pending_replies: small("PENDING"),
            slow_reader: Nanos::from_millis(number("SLOW_MS")),
            drain_interval: Nanos::from_millis(2),
            readers_group: Some(var("READERS")).filter(|group| !group.is_empty()),
        },
        senders: Box::new([rule("named", Some(7777))]),
        state: state.as_ref().map(|dir| StateDisk { dir: dir.into(), bytes }),
    };
    let served = Daemon::open(&config).and_then(|mut daemon| {
        let files = Statefsd::new(&recipe, daemon.boot()).unwrap();
        let gate = Path::new(state.as_deref().unwrap_or_default()).with_extension("shut");
        daemon.host("statefsd", Mortal::new(files), |image| Gate::new(image, gate))?;
        daemon.run(Echod::new())
    });
    if let Err(error) = served {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
