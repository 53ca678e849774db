//! Segments are sealed on a disk on which no flush ends before updates that came after it have
//! been answered: if one of them ever waited for the disk, both would wait for ever. So it takes no
//! clock to show that ingest does not pause, however slow a disk is.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metricsd::{Keep, Metricsd};
use nexus_bounded::Nanos;
use nexus_port::{BlockDevice, BlockOutcome, BlockRequest};
use nexus_recipe::{Budget, Recipe};
use nexus_rt::linux::client::Connection;
use nexus_rt::linux::daemon::{Config, Daemon, Image, StateDisk};
use nexus_wire::metrics::{Op, Reply, Request, Update, decode_reply, encode};
use nexus_wire::{LabelBytes, MetricStatus, NameBytes};
use statefsd::Statefsd;

const RECIPE: &str = include_str!("../../../../recipes/observability/metrics.toml");

/// A flush waits for so many answers.
const ANSWERS: u64 = 20;
/// So many segments are sealed.
const SEGMENTS: u64 = 3;
/// Far more than an update takes on a busy machine: who waits for so long waits for ever.
const FOR_EVER: Duration = Duration::from_secs(60);

/// What has happened, on both sides.
#[derive(Default)]
struct Seen {
    /// Updates that were answered.
    answered: AtomicU64,
    /// Flushes that ended as they should, and those for which there never were enough answers.
    flushes: AtomicU64,
    stuck: AtomicU64,
}

/// A disk that ends a flush when enough updates were answered after its beginning.
struct Waits {
    image: Image,
    seen: Arc<Seen>,
    patience: Duration,
}

impl Waits {
    fn flush(&self) {
        let Seen { answered, flushes, stuck } = &*self.seen;
        let (goal, begin) = (answered.load(Ordering::SeqCst) + ANSWERS, Instant::now());
        while answered.load(Ordering::SeqCst) < goal {
            if begin.elapsed() > self.patience {
                stuck.fetch_add(1, Ordering::SeqCst);
                return;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        flushes.fetch_add(1, Ordering::SeqCst);
    }
}

impl BlockDevice for Waits {
    fn sectors(&self) -> u32 {
        self.image.sectors()
    }

    fn carry_out(&mut self, request: BlockRequest<'_>) -> BlockOutcome<'_> {
        if request == BlockRequest::Flush {
            self.flush();
        }
        self.image.carry_out(request)
    }
}

/// Windows are short, so that 360 of them are soon a segment.
fn recipe() -> Recipe {
    let mut recipe = Recipe::parse(RECIPE).unwrap();
    let limits = &mut recipe.metricsd;
    (limits.window_short, limits.window_long) = (Nanos::from_millis(20), Nanos::from_millis(120));
    limits.retention.raw_interval = Nanos::from_millis(2);
    limits.retention.sync_interval = Nanos::from_millis(10);
    let most = u32::MAX;
    limits.unknown_budget =
        Budget { events_per_s: most, events_burst: most, bytes_per_s: most, bytes_burst: most };
    recipe.senders = [].into();
    recipe
}

fn serve(dir: PathBuf, seen: Arc<Seen>, patience: Duration) {
    let recipe = recipe();
    let state = statefsd::for_share(&metricsd::share(&recipe), u32::MAX).unwrap();
    let config = Config {
        name: "metricsd",
        run_dir: dir.join("run"),
        serve: Vec::new(),
        callees: &["logd"],
        limits: recipe.port.clone(),
        senders: recipe.senders.clone(),
        state: Some(StateDisk { dir: dir.join("state"), bytes: state.statefsd.disk_bytes }),
    };
    let mut daemon = Daemon::open(&config).unwrap();
    let files = Statefsd::new(&state, daemon.boot()).unwrap();
    daemon.host("statefsd", files, |image| Waits { image, seen, patience }).unwrap();
    let service = Metricsd::new(&recipe, daemon.boot(), Keep::Files);
    daemon.run(service).unwrap();
}

/// A daemon in a thread of its own, which ends with the test.
fn started(dir: &Path, patience: Duration) -> (Arc<Seen>, Connection) {
    let seen = Arc::new(Seen::default());
    let (own, folder) = (Arc::clone(&seen), dir.to_owned());
    std::thread::spawn(move || serve(folder, own, patience));
    let begin = Instant::now();
    loop {
        match Connection::open(dir.join("run"), "metricsd") {
            Ok(connection) => return (seen, connection),
            Err(error) => assert!(begin.elapsed() < FOR_EVER, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Counts under one of some names, and hears that it was taken.
fn count(connection: &mut Connection, number: u64) {
    let labels = format!("n={}\n", number % 64);
    let name = NameBytes::new(b"jobs_total").unwrap();
    let labels = LabelBytes::new(labels.as_bytes()).unwrap();
    let update = Request::CounterInc(Update { name, labels, value: number % 7 });
    let (mut frame, mut reply) = ([0; 128], [0; 4096]);
    let frame = encode(&update, 1, &mut frame).unwrap();
    let len = connection.call(frame, &mut reply).unwrap();
    let (status, _) = decode_reply(Op::CounterInc, 1, &reply[..len]).unwrap();
    assert_eq!(status, MetricStatus::Ok);
}

/// Segments of raw windows that are there.
fn sealed(connection: &mut Connection) -> u64 {
    let (mut frame, mut reply) = ([0; 64], [0; 4096]);
    let frame = encode(&Request::Status, 1, &mut frame).unwrap();
    let len = connection.call(frame, &mut reply).unwrap();
    let Some((_, Reply::Status(fields))) = decode_reply(Op::Status, 1, &reply[..len]) else {
        panic!("no status")
    };
    let found = fields.iter().find(|(key, _)| *key == "retention_raw_segments");
    found.and_then(|(_, value)| value.parse().ok()).unwrap()
}

#[test]
fn no_update_waits_for_a_flush_while_segments_are_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let (seen, mut connection) = started(dir.path(), FOR_EVER);
    let mut answered = 0;
    while sealed(&mut connection) < SEGMENTS {
        for _ in 0..200 {
            count(&mut connection, answered);
            answered += 1;
            seen.answered.store(answered, Ordering::SeqCst);
        }
    }
    let [flushes, stuck] = [&seen.flushes, &seen.stuck].map(|count| count.load(Ordering::SeqCst));
    println!("{answered} updates were answered beside {flushes} flushes");
    assert_eq!(stuck, 0, "somebody waited for the disk");
    assert!(flushes > 2 * SEGMENTS, "{flushes}");
}

#[test]
fn a_flush_for_which_nobody_is_answered_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (seen, _connection) = started(dir.path(), Duration::from_millis(1));
    let begin = Instant::now();
    while seen.stuck.load(Ordering::SeqCst) == 0 {
        assert!(begin.elapsed() < FOR_EVER, "nothing was flushed");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(seen.flushes.load(Ordering::SeqCst), 0);
}
