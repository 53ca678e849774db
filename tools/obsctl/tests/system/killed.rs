//! metricsd is killed again and again while programs count, and what it keeps is held against what
//! they counted: nothing twice, and nothing missing but what was not durable yet.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nexus_metrics::{counter, gauge, histogram};
use nexus_rt::linux::client::Connection;
use nexus_rt::linux::telemetry::{self, Telemetry};
use nexus_wire::metrics::{Request, Update, encode};
use nexus_wire::{LabelBytes, NameBytes};
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value as Json;

use crate::support::{Daemon, Folder, eventually, obsctl, status, text};

const RECIPE: &str = include_str!("../../../../recipes/observability/metrics.toml");

/// What makes a life of some seconds what one of some minutes is with the recipe as it is.
const SOONER: [(&str, &str); 6] = [
    ("\nraw_interval = \"1 s\"", "\nraw_interval = \"100 ms\""),
    ("\nsync_interval = \"10 s\"", "\nsync_interval = \"500 ms\""),
    ("\nerror_sync_interval = \"1 s\"", "\nerror_sync_interval = \"500 ms\""),
    ("\nwindow_short = \"10 s\"", "\nwindow_short = \"1 s\""),
    ("\nwindow_long = \"60 s\"", "\nwindow_long = \"6 s\""),
    ("\ninterval = \"10 s\"", "\ninterval = \"1 s\""),
];
const SYNC_NS: u64 = 500_000_000;
const WINDOW_NS: u64 = 100_000_000;

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// A program that counts without a pause, and remembers when it had counted how much.
struct Load {
    stop: Arc<AtomicBool>,
    counted: Arc<AtomicU64>,
    thread: Option<JoinHandle<Vec<(u64, u64)>>>,
    ticks: Option<JoinHandle<()>>,
    telemetry: Telemetry,
}

impl Load {
    fn start(folder: &Folder) -> Self {
        let telemetry = telemetry::install(&folder.0).unwrap();
        let (stop, counted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ends, total) = (Arc::clone(&stop), Arc::clone(&counted));
        let thread = std::thread::spawn(move || {
            let mut history = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                for value in 0..50 {
                    counter!("load_total").inc();
                    histogram!("load_sizes").observe(value);
                    total.fetch_add(1, Ordering::Relaxed);
                }
                let all = total.load(Ordering::Relaxed);
                gauge!("load_level").set(all.cast_signed());
                history.push((now_ns(), all));
                std::thread::sleep(Duration::from_millis(2));
            }
            history
        });
        let (ends, run_dir) = (Arc::clone(&stop), folder.0.clone());
        let ticks = Some(std::thread::spawn(move || tick(&run_dir, &ends)));
        Self { stop, counted, thread: Some(thread), ticks, telemetry }
    }

    /// Stops counting; when it had counted how much. All of it is told.
    fn end(&mut self) -> Vec<(u64, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        let history = self.thread.take().unwrap().join().unwrap();
        self.ticks.take().unwrap().join().unwrap();
        // It may be about to try again to reach metricsd.
        eventually("metricsd has all of it", || self.telemetry.flush(Duration::from_secs(10)));
        history
    }
}

/// One life of metricsd, as it was when it was killed.
struct Killed {
    at_ns: u64,
    /// The total that it had heard and made durable, as it said.
    durable: u64,
}

/// Counts by name, which needs no flush, for as long as it lives.
fn tick(folder: &Path, ends: &AtomicBool) {
    let name = NameBytes::new(b"ticks_total").unwrap();
    let labels = LabelBytes::new(b"").unwrap();
    let update = Update { name, labels, value: 1 };
    let mut frame = [0; 64];
    let frame = encode(&Request::CounterInc(update), 1, &mut frame).unwrap();
    let mut connection = None;
    while !ends.load(Ordering::Relaxed) {
        connection = connection
            .or_else(|| Connection::open(folder, "metricsd").ok())
            .and_then(|mut open| open.call(frame, &mut [0; 64]).ok().map(|_| open));
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Campaign {
    folder: Folder,
    lives: Vec<Killed>,
    /// Totals of the counter as they were exported, newest of each look.
    exported: Vec<u64>,
}

impl Campaign {
    fn new() -> Self {
        let folder = Folder::new("killed");
        let mut recipe = RECIPE.to_owned();
        for (slow, soon) in SOONER {
            assert!(recipe.contains(slow), "{slow}");
            recipe = recipe.replace(slow, soon);
        }
        std::fs::write(folder.0.join("recipe.toml"), recipe).unwrap();
        Self { folder, lives: Vec::new(), exported: Vec::new() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.0.join(name).to_str().unwrap().to_owned()
    }

    fn logd(&self) -> Daemon {
        let recipe = self.path("recipe.toml");
        Daemon::start(&self.folder, "logd", &["--serve", "metricsd", "--config", &recipe])
    }

    fn metricsd(&self) -> Daemon {
        let (recipe, state) = (self.path("recipe.toml"), self.path("state"));
        Daemon::start(&self.folder, "metricsd", &["--config", &recipe, "--state-dir", &state])
    }

    fn status(&self, key: &str) -> Option<String> {
        status(&self.folder, key)
    }

    fn last_sync_ns(&self) -> u64 {
        self.status("retention_last_sync_ns").and_then(|at| at.parse().ok()).unwrap_or(0)
    }

    /// The counter as metricsd has it.
    fn total(&self) -> Option<u64> {
        let said = text(&obsctl(&self.folder, &["metrics", "load_total", "-o", "json"]).stdout);
        let series: Json = serde_json::from_str(said.lines().next()?).ok()?;
        series["value"].as_u64()
    }

    /// Lets metricsd live until it has made durable what it has heard, and some time more, and
    /// kills it.
    fn life(&mut self, number: u64) {
        let metricsd = self.metricsd();
        eventually("metricsd hears of the counter", || self.total().is_some());
        std::thread::sleep(Duration::from_millis(number * 373 % 700));
        let durable = self.total().unwrap();
        let heard_ns = now_ns();
        // The window in which it was heard is over, sampled and synced.
        eventually("it is durable", || self.last_sync_ns() > heard_ns + 2 * WINDOW_NS);
        self.look_at_exports();
        std::thread::sleep(Duration::from_millis(number * 211 % 500));
        let at_ns = now_ns();
        metricsd.kill();
        self.lives.push(Killed { at_ns, durable });
    }

    /// Totals of the counter that have come to the journal do not fall.
    fn look_at_exports(&mut self) {
        let of_load = ["logs", "--scope", "metrics", "--field", "name=load_total", "-n", "9"];
        let said = text(&obsctl(&self.folder, &of_load).stdout);
        let values = said.lines().filter_map(|line| {
            let value = line.split(' ').find_map(|word| word.strip_prefix("value="));
            value.and_then(|value| value.parse::<u64>().ok())
        });
        let values: Vec<_> = values.collect();
        assert!(values.is_sorted(), "{values:?}");
        let newest = self.exported.last().copied().unwrap_or(0);
        if let Some(last) = values.last() {
            assert!(*last >= newest, "{last} was exported after {newest}");
            self.exported.push(*last);
        }
    }

    /// What is kept of a counter: what was added, by boot and begin of the window.
    fn kept(&self, name: &str) -> BTreeMap<(u64, u64), u64> {
        let state = self.path("state");
        let history = ["history", name, "--tier", "raw", "-o", "json", "--state-dir", &state];
        let output = obsctl(&self.folder, &history);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let mut kept = BTreeMap::new();
        for line in text(&output.stdout).lines() {
            let line: Json = serde_json::from_str(line).unwrap();
            let at = (line["boot"].as_u64().unwrap(), line["mono_ns"].as_u64().unwrap());
            assert_eq!(line["windows"], 1, "{line}");
            let before = kept.insert(at, line["added"].as_u64().unwrap());
            assert_eq!(before, None, "{line} stands twice");
        }
        kept
    }

    /// Where each life says that what was kept before it ends: boot, end, and since when it keeps.
    fn said(&self) -> BTreeMap<u64, [u64; 3]> {
        let args = ["logs", "--scope", "metricsd", "--field", "event=retention.v1", "-o", "json"];
        let said = text(&obsctl(&self.folder, &args).stdout);
        let records = said.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        let number = |record: &Json, key: &str| {
            record["fields"][key].as_str().and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        let keeping = records.filter(|record| record["fields"]["state"] == "keeping");
        keeping
            .map(|record| {
                let all = ["before_boot", "before_end_ns", "from_ns"];
                (number(&record, "boot"), all.map(|key| number(&record, key)))
            })
            .collect()
    }
}

/// How much had been counted at a time.
fn counted_at(history: &[(u64, u64)], at_ns: u64) -> u64 {
    let behind = history.partition_point(|(time, _)| *time <= at_ns);
    behind.checked_sub(1).and_then(|at| history.get(at)).map_or(0, |(_, counted)| *counted)
}

/// Begin of the last window of a boot.
fn last_of(kept: &BTreeMap<(u64, u64), u64>, boot: u64) -> u64 {
    let own: Range<(u64, u64)> = (boot, 0)..(boot + 1, 0);
    kept.range(own).next_back().map_or(0, |((_, at), _)| *at)
}

fn killed(kills: u64) {
    let mut campaign = Campaign::new();
    let _logd = campaign.logd();
    let mut load = Load::start(&campaign.folder);
    let begin = Instant::now();
    for number in 0..kills {
        campaign.life(number);
    }
    let metricsd = campaign.metricsd();
    let boot = || campaign.status("retention_state").as_deref() == Some("keeping");
    eventually("the last life keeps windows", boot);
    let history = load.end();
    let counted = load.counted.load(Ordering::Relaxed);
    campaign.look_at_exports();
    metricsd.signal(Signal::TERM);
    assert!(metricsd.ended().0.success());

    let state = campaign.path("state");
    let checked = obsctl(&campaign.folder, &["fsck", "--state-dir", &state]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    let (kept, ticks) = (campaign.kept("load_total"), campaign.kept("ticks_total"));
    let sum: u64 = kept.values().sum();
    let said = campaign.said();
    let (mut gaps, mut tails) = (Vec::new(), 0);
    for (life, boot) in campaign.lives.iter().zip(1..) {
        let end = last_of(&ticks, boot).max(last_of(&kept, boot)) + WINDOW_NS;
        let [before, before_end, from] = said[&(boot + 1)];
        assert_eq!(before, boot, "what is kept of boot {boot} is on record");
        assert!(end <= before_end && before_end <= from, "boot {boot}");
        gaps.push(life.at_ns.saturating_sub(before_end));
        tails += counted_at(&history, life.at_ns) - life.durable;
    }
    gaps.sort_unstable();
    let [median, most] = [gaps[gaps.len() / 2], gaps[gaps.len() - 1]].map(|ns| ns / 1_000_000);
    let late = gaps.iter().filter(|gap| **gap > SYNC_NS).count();
    println!(
        "{kills} kills in {} s: {counted} counted, {} not kept (at most {tails} were not durable); \
         from the last window to the kill {median} ms in the middle, {most} ms at most, {late} \
         longer than the sync interval",
        begin.elapsed().as_secs(),
        counted - sum.min(counted),
    );
    assert!(sum <= counted, "{sum} of {counted}: something is kept twice");
    assert!(counted - sum <= tails, "{} of {tails}", counted - sum);
    assert!(campaign.exported.len() as u64 + 9 > kills, "totals were exported all the while");
    let last = campaign.exported.last().copied().unwrap_or(0);
    assert!(last <= counted);
}

#[test]
fn what_was_durable_is_kept_once_however_often_metricsd_is_killed() {
    killed(10);
}

#[test]
#[ignore = "long: 200 kills"]
fn what_was_durable_is_kept_once_after_two_hundred_kills() {
    killed(200);
}
