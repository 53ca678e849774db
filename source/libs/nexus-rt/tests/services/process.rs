//! The daemons, and a program that forks, in processes of their own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use logd::Logd;
use metricsd::Metricsd;
use nexus_bounded::Nanos;
use nexus_port::Service;
use nexus_recipe::{Budget, Recipe, ShareRule};
use nexus_retention::Keep;
use nexus_rt::linux::client::Connection;
use nexus_rt::linux::daemon::{Config, Daemon, StateDisk};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use statefsd::Statefsd;
use tempfile::TempDir;

use crate::watched::{ASK, Watched};
use crate::{allocations, fork};

/// Services with a socket of their own at both daemons: some that the recipe names and strangers,
/// more than either daemon has seats for.
pub(crate) const SERVED: [&str; 20] = [
    "logd",
    "metricsd",
    "statefsd",
    "policyd",
    "execd",
    "bundlemgrd",
    "timed",
    "obsctl",
    "s0",
    "s1",
    "s2",
    "s3",
    "s4",
    "s5",
    "s6",
    "s7",
    "s8",
    "s9",
    "s10",
    "s11",
];

/// The group of those who may read.
pub(crate) const READERS: u32 = 54321;

/// The smallest recipe there is, with budgets that let the load reach what it is to fill, and a
/// short patience with those who do not read.
fn recipe() -> Recipe {
    let text = include_str!("../../../../../recipes/observability/device-2mib.toml");
    let mut recipe = Recipe::parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    let wide = Budget {
        events_per_s: 9000,
        events_burst: 9000,
        bytes_per_s: 8 << 20,
        bytes_burst: 8 << 20,
    };
    (recipe.logd.budget, recipe.metricsd.budget) = (wide, wide);
    recipe.metricsd.export.interval = Nanos::from_millis(100);
    recipe.port.slow_reader = Nanos::from_millis(50);
    recipe.port.readers_group = Some(READERS.to_string());
    recipe
}

/// A process of ours; it is killed with its handle.
pub(crate) struct Process {
    child: Child,
    pub(crate) dir: PathBuf,
    name: &'static str,
}

/// A fresh run directory.
pub(crate) fn dir() -> TempDir {
    tempfile::Builder::new().prefix("nexus-rt-").tempdir().unwrap()
}

/// Becomes somebody else, in this thread. Only root can.
pub(crate) fn become_user(user: u32, group: u32, groups: &[u32]) {
    let groups: Vec<Gid> = groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    set_thread_groups(&groups).unwrap();
    set_thread_res_gid(group, group, group).unwrap();
    set_thread_res_uid(user, user, user).unwrap();
}

/// Starts what [`role`] knows by this name, to run as `user` if one is given.
pub(crate) fn start(name: &'static str, dir: &Path, user: Option<u32>) -> Process {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "process::role", "--nocapture", "--test-threads=1"])
        .env("ROLE", name)
        .env("ROLE_DIR", dir)
        .env("ROLE_USER", user.map_or(String::new(), |user| user.to_string()))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Process { child: command.spawn().unwrap(), dir: dir.to_owned(), name }
}

/// Starts a daemon and waits until it answers.
pub(crate) fn daemon(name: &'static str, dir: &Path) -> Process {
    daemon_of(name, dir, None)
}

/// As [`daemon`], of a user that only root can give it.
pub(crate) fn daemon_of(name: &'static str, dir: &Path, user: Option<u32>) -> Process {
    let mut daemon = start(name, dir, user);
    eventually("the daemon answers", || {
        assert!(daemon.child.try_wait().unwrap().is_none(), "{name} has ended");
        let connection = Connection::open(dir, name);
        connection.is_ok_and(|mut c| c.call(ASK, &mut [0; 8]).is_ok())
    });
    daemon
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
    /// A connection as `service`, or as our user if that is empty.
    pub(crate) fn connect(&self, service: &str) -> std::io::Result<Connection> {
        match service {
            "" => Connection::open(&self.dir, self.name),
            service => Connection::open(self.dir.join("svc").join(service), self.name),
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.join(format!("{}.sock", self.name))
    }

    /// Allocations since the first event.
    pub(crate) fn allocations(&self) -> u64 {
        let mut count = [0; 8];
        let len = self.connect("obsctl").unwrap().call(ASK, &mut count).unwrap();
        assert_eq!(len, 8);
        u64::from_le_bytes(count)
    }

    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
#[ignore = "what the other tests start"]
fn role() {
    // Without a role all ignored tests were asked for, and nobody needs a process.
    let Ok(role) = env::var("ROLE") else { return };
    let dir = PathBuf::from(env::var_os("ROLE_DIR").unwrap());
    // The process has one thread that does anything.
    if let Ok(user) = env::var("ROLE_USER").unwrap().parse() {
        become_user(user, user, &[]);
    }
    match role.as_str() {
        "logd" => serve("logd", &[], &dir, logd::share, Logd::new),
        "metricsd" => serve("metricsd", &["logd"], &dir, metricsd::share, Metricsd::new),
        "forking" => fork::program(&dir),
        other => panic!("nobody plays {other}"),
    }
}

fn serve<S: Service>(
    name: &'static str,
    callees: &'static [&'static str],
    dir: &Path,
    share: fn(&Recipe) -> ShareRule,
    make: fn(&Recipe, u32, Keep) -> S,
) {
    allocations::count_this_thread();
    let recipe = recipe();
    let files = statefsd::for_share(&share(&recipe), u32::MAX).unwrap();
    let state =
        StateDisk { dir: dir.join(format!("{name}.state")), bytes: files.statefsd.disk_bytes };
    let config = Config {
        name,
        run_dir: dir.to_owned(),
        serve: SERVED.map(str::to_owned).to_vec(),
        callees,
        limits: recipe.port.clone(),
        senders: recipe.senders.clone(),
        state: Some(state),
    };
    let mut daemon = Daemon::open(&config).unwrap();
    let files = Statefsd::new(&files, daemon.boot()).unwrap();
    daemon.host("statefsd", files, |image| image).unwrap();
    let service = Watched::new(make(&recipe, daemon.boot(), Keep::Files));
    daemon.run(service).unwrap();
}
