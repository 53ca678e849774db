//! The whole table over the sockets of Linux, with both daemons in this process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_port::Service;
use nexus_recipe::{Recipe, ShareRule};
use nexus_rt::linux::client::Connection;
use nexus_rt::linux::daemon::{Config, Daemon, StateDisk};
use nexus_rt::linux::monotonic;
use nexus_rt::linux::telemetry::{self, Telemetry};
use nexus_wire::LogStatus;
use nexus_wire::logs::{Head, Op, Reply, Request, Version, decode_reply, encode};
use selftest_client::{Client, Goal, run};
use statefsd::Statefsd;

const ME: &str = "selftest-client";
const GUEST: &str = include_str!("../../../../recipes/observability/guest.toml");

/// A client with a connection to each daemon.
struct Sockets {
    dir: PathBuf,
    recipe: Recipe,
    open: Vec<(ServiceId, Connection)>,
    telemetry: Telemetry,
    printed: Vec<String>,
}

/// Starts a daemon that serves until this process ends. It listens when this returns.
fn start<S: Service + 'static>(
    (name, callees): (&'static str, &'static [&'static str]),
    dir: &Path,
    recipe: &Recipe,
    share: fn(&Recipe) -> ShareRule,
    make: fn(&Recipe, u32) -> S,
) {
    let state = statefsd::for_share(&share(recipe), u32::MAX).unwrap();
    let config = Config {
        name,
        run_dir: dir.to_owned(),
        serve: vec!["metricsd".to_owned(), ME.to_owned()],
        callees,
        limits: recipe.port.clone(),
        senders: recipe.senders.clone(),
        state: Some(StateDisk { dir: dir.join("state"), bytes: state.statefsd.disk_bytes }),
    };
    let (mut daemon, recipe) = (Daemon::open(&config).unwrap(), recipe.clone());
    std::thread::spawn(move || {
        let boot = daemon.boot();
        let store = Statefsd::new(&state, boot).unwrap();
        daemon.host("statefsd", store, |image| image).unwrap();
        daemon.run(make(&recipe, boot))
    });
}

impl Sockets {
    fn to(&mut self, name: &str) -> &mut Connection {
        let id = ServiceId::from_name(name);
        if !self.open.iter().any(|(service, _)| *service == id) {
            let folder = self.dir.join("svc").join(ME);
            self.open.push((id, Connection::open(folder, name).unwrap()));
        }
        &mut self.open.iter_mut().find(|(service, _)| *service == id).unwrap().1
    }

    /// logd has its files: if it had to wait for them it has said so, and says no more of it while
    /// only we are to write.
    fn waits_until_logd_keeps(&mut self) {
        let head = Head { version: Version::V2, nonce: 1 };
        let (mut out, mut answer) = ([0; FRAME_BYTES_MAX], [0; FRAME_BYTES_MAX]);
        let frame = encode(&Request::Status, head, &mut out).unwrap();
        loop {
            let length = self.to("logd").call(frame, &mut answer).unwrap();
            let keeps = match decode_reply(Op::Status, head, &answer[..length]) {
                Some((LogStatus::Ok, Reply::Status(state))) => state.get("retention") == Some("ok"),
                other => panic!("{other:?}"),
            };
            if keeps {
                return;
            }
            self.pause(Nanos::from_millis(10));
        }
    }
}

impl Client for Sockets {
    fn id(&self) -> ServiceId {
        ServiceId::from_name(ME)
    }

    fn now(&mut self) -> Mono {
        monotonic()
    }

    fn pause(&mut self, length: Nanos) {
        std::thread::sleep(Duration::from_nanos(length.0));
    }

    fn call(&mut self, to: ServiceId, frame: &[u8], answer: &mut [u8]) -> Option<usize> {
        let name = ["logd", "metricsd"].into_iter().find(|name| ServiceId::from_name(name) == to);
        self.to(name?).call(frame, answer).ok()
    }

    fn flush(&mut self) {
        self.telemetry.flush(Duration::from_secs(5));
    }

    fn logd_is_proven(&mut self) {
        start(("metricsd", &["logd"]), &self.dir, &self.recipe, metricsd::share, |recipe, boot| {
            Metricsd::new(recipe, boot, Keep::Files)
        });
        // What was held up until now comes in a window that says so; what is proven has to be in
        // windows of its own.
        self.flush();
        self.pause(self.recipe.metricsd.retention.raw_interval);
    }

    fn print(&mut self, line: &str) {
        self.printed.push(line.to_owned());
    }
}

#[test]
fn all_cases_hold_over_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = Recipe::parse(GUEST).unwrap();
    start(("logd", &[]), dir.path(), &recipe, logd::share, |recipe, boot| {
        Logd::new(recipe, boot, Keep::Files)
    });
    let telemetry = telemetry::install(dir.path().join("svc").join(ME)).unwrap();
    let (open, printed) = (Vec::new(), Vec::new());
    let mut client = Sockets { dir: dir.path().to_owned(), recipe, open, telemetry, printed };
    client.waits_until_logd_keeps();
    let all_hold = run(&mut client, Goal::Retention);
    let markers = Goal::Retention.tables().iter().copied().flatten().map(|case| case.marker);
    assert_eq!(client.printed, markers.collect::<Vec<_>>());
    assert!(all_hold);
}
