//! For how long clients of a metricsd on Linux wait while it keeps windows of 4096 series, also on
//! a disk that takes a second for each sync. On a busy machine the longest wait is that for a
//! processor; what the daemon itself does meanwhile is the time on one that its loop takes.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use metricsd::{Keep, Metricsd};
use nexus_bounded::Nanos;
use nexus_port::{BlockDevice, BlockOutcome, BlockRequest};
use nexus_recipe::Recipe;
use nexus_rt::linux::client::Connection;
use nexus_rt::linux::daemon::{Config, Daemon, Image, StateDisk};
use statefsd::Statefsd;

use crate::change;

/// The word that makes this program the daemon.
pub(crate) const DAEMON: &str = "daemon";
const SERIES: u32 = 4096;
/// A segment takes 9 s.
const SECONDS: u64 = 20;
/// Nothing is kept.
const NOTHING: &str = "nothing";

/// Prints the figures.
pub(crate) fn print() {
    println!("\n## From sending an update to its answer, over {SECONDS} s with {SERIES} series\n");
    println!("| what is kept | updates | median, ms | longest, ms | the loop's time in one, ms |");
    println!("|---|---|---|---|---|");
    for (what, delay) in [
        ("nothing", NOTHING),
        ("windows, segments of 9 s", "0"),
        ("the same, each sync takes 1 s", "1000"),
    ] {
        let (mut times, worked) = measured(delay);
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        let [median, longest, worked] = [median, longest, worked].map(ms);
        println!("| {what} | {} | {median:.3} | {longest:.3} | {worked:.3} |", times.len());
    }
}

/// A daemon that ends with its handle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The time of each update, and the most that the daemon's loop has worked in one of them.
fn measured(delay: &str) -> (Vec<Duration>, Duration) {
    let dir = std::env::temp_dir().join(format!("keeping-{}-{delay}", std::process::id()));
    std::fs::create_dir(&dir).expect("a folder");
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    let daemon = command.arg(DAEMON).arg(&dir).arg(delay).spawn().expect("a daemon");
    let daemon = Running(daemon);
    let measured = updates(&dir.join("run"), daemon.0.id());
    drop(daemon);
    std::fs::remove_dir_all(&dir).expect("the folder is ours");
    measured
}

/// The time that the first thread of a process, which is its loop, has spent on a processor.
fn worked(process: u32) -> Duration {
    let path = format!("/proc/{process}/task/{process}/schedstat");
    let text = std::fs::read_to_string(path).expect("the kernel accounts for threads");
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds come first"))
}

/// All series change each second, one after another, and each answer is waited for.
fn updates(run_dir: &Path, daemon: u32) -> (Vec<Duration>, Duration) {
    let begin = Instant::now();
    let mut connection = loop {
        match Connection::open(run_dir, "metricsd") {
            Ok(connection) => break connection,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(30), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let (mut times, mut reply, begin) = (Vec::new(), [0; 4096], Instant::now());
    let mut most = Duration::ZERO;
    for second in 0..SECONDS {
        for series in 0..SERIES {
            let frame = change(series, second);
            let (before, start) = (worked(daemon), Instant::now());
            let len = connection.call(&frame, &mut reply).expect("an answer");
            times.push(start.elapsed());
            most = most.max(worked(daemon) - before);
            assert_eq!(reply[..len].get(4), Some(&0), "the update is taken");
        }
        let next = begin + Duration::from_secs(second + 1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    (times, most)
}

/// Windows of 25 ms, so that segments of 360 come often.
fn recipe() -> Recipe {
    let mut recipe = crate::recipe(SERIES);
    let limits = &mut recipe.metricsd;
    (limits.window_short, limits.window_long) = (Nanos::from_millis(250), Nanos::from_millis(1500));
    limits.retention.raw_interval = Nanos::from_millis(25);
    limits.retention.sync_interval = Nanos::from_secs(1);
    recipe
}

/// Serves as metricsd on a disk that takes `delay` milliseconds for each sync.
pub(crate) fn serve(dir: &Path, delay: &str) {
    let recipe = recipe();
    let state = statefsd::for_share(&metricsd::share(&recipe), u32::MAX).expect("a share");
    let is_kept = delay != NOTHING;
    let image = StateDisk { dir: dir.join("state"), bytes: state.statefsd.disk_bytes };
    let config = Config {
        name: "metricsd",
        run_dir: dir.join("run"),
        serve: Vec::new(),
        callees: &["logd"],
        limits: recipe.port.clone(),
        senders: recipe.senders.clone(),
        state: is_kept.then_some(image),
    };
    let mut daemon = Daemon::open(&config).expect("a folder to serve in");
    let keep = if is_kept { Keep::Files } else { Keep::Nothing };
    let files = Statefsd::new(&state, daemon.boot()).expect("a legal recipe");
    let delay = Duration::from_millis(delay.parse().unwrap_or_default());
    daemon.host("statefsd", files, |image| Slow { image, delay }).expect("a thread");
    let service = Metricsd::new(&recipe, daemon.boot(), keep);
    daemon.run(service).expect("it serves until it is killed");
}

/// A disk that takes its time for a sync.
struct Slow {
    image: Image,
    delay: Duration,
}

impl BlockDevice for Slow {
    fn sectors(&self) -> u32 {
        self.image.sectors()
    }

    fn carry_out(&mut self, request: BlockRequest<'_>) -> BlockOutcome<'_> {
        if request == BlockRequest::Flush {
            std::thread::sleep(self.delay);
        }
        self.image.carry_out(request)
    }
}
