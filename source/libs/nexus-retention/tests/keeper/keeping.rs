//! A service that keeps windows, and what it should have kept.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use allocation_counter::measure;
use nexus_abi::Rights;
use nexus_bounded::{Mono, Nanos};
use nexus_port::{Event, Now, Service};
use nexus_recipe::StateRecipe;
use nexus_retention::Keep;
use nexus_retention::keeper::{Keeper, Limits, ShelfLimits, StoreLimits};
use nexus_retention::name::{SegmentName, Tier};
use nexus_retention::record::{Header, Taken, Value, Writer};
use nexus_retention::segment::{Form, Kind, LocalId, Piece, Samples, Segment, Summary};
use nexus_retention::{log, recorder};
use nexus_wire::files::{
    FileName, FilePrefix, List, Read, Replace, Reply, Request, decode_reply, encode,
};
use simkit::{Client, Config, Disk, World};
use statefsd::Statefsd;

use crate::oracle::join;

pub(crate) const STATEFSD: &str = "statefsd";
pub(crate) const OWNER: &str = "metricsd";

/// Bytes of the disk that all of it may take, as the limits below add up.
pub(crate) const BYTES_MAX: u64 = LOG_BYTES + 3 * TIER_BYTES + 2 * 512;
const LOG_BYTES: u64 = 6 * 8 * 512;
const SEGMENT_BYTES: u32 = 12 * 508;
const TIER_BYTES: u64 = 48 * 512;

const RECIPE: &str = r#"
[statefsd]
disk_bytes = "512 KiB"
files = 64
open = 8
pending = 4
retry_min = "1 s"
retry_max = "8 s"

[statefsd.budget]
events_per_s = 1000000
events_burst = 1000000
bytes_per_s = "64 MiB"
bytes_burst = "64 MiB"

[[shares]]
name = "metricsd"
bytes = "128 KiB"
files = 60
open = 7
"#;

pub(crate) const SECTORS: u32 = 512 * 2;

/// Windows of 1 s, 2 s and 4 s, segments of 8 of them.
pub(crate) const TIERS: [Tier; 3] = [
    Tier::raw(Nanos::from_secs(1)),
    Tier::rollup(Nanos::from_secs(2)),
    Tier::rollup(Nanos::from_secs(4)),
];

pub(crate) fn limits() -> Limits {
    let record_bytes = recorder::Limits::RECORD_BYTES_MIN;
    let recorder = recorder::Limits {
        series: 16,
        segment_windows: 8,
        align_windows: 4,
        group_bytes: 2 * record_bytes + 64,
        window_bytes: record_bytes + 4,
        record_bytes,
    };
    let shelf =
        ShelfLimits { ttl: Nanos::from_secs(100_000), bytes: TIER_BYTES, segments: 12, span: 8 };
    let store = StoreLimits {
        tiers: TIERS,
        shelves: [shelf; 3],
        series: 16,
        key_bytes: 16 * 80,
        segment_bytes: SEGMENT_BYTES,
        block_bytes: 0,
        retry_min: Nanos::from_secs(1),
        retry_max: Nanos::from_secs(8),
        ttl_interval: Nanos::from_secs(1),
    };
    let log = log::Limits { files: 6, file_sectors: 8, staged: 12, record_bytes };
    assert!(log.are_possible() && recorder.are_possible() && store.are_possible());
    assert_eq!(log.bytes(), LOG_BYTES);
    Limits { store, recorder, log, sync_interval: Nanos::from_secs(3) }
}

/// The same with windows of 1 s, 4 s and 16 s, segments of 16, 4 and 4 of them: a segment that
/// ends early and the next one may both begin in one longer window.
pub(crate) fn coarse_limits() -> Limits {
    let mut limits = limits();
    (limits.recorder.segment_windows, limits.recorder.align_windows) = (16, 16);
    limits.store.tiers = [1, 4, 16].map(|s| Tier { window: Nanos::from_secs(s), is_rollup: s > 1 });
    let shelves = &mut limits.store.shelves;
    shelves.iter_mut().zip([16, 4, 4]).for_each(|(shelf, span)| shelf.span = span);
    assert!(limits.recorder.are_possible() && limits.store.are_possible());
    limits
}

/// The same with segments of so few bytes that raw ones end early, wherever that is, and longer
/// ones after `span` windows or when they are full.
pub(crate) fn short_limits(segment_bytes: u32, span: u64) -> Limits {
    let mut limits = coarse_limits();
    let [_, longer @ ..] = &mut limits.store.shelves;
    longer.iter_mut().for_each(|shelf| shelf.span = span);
    limits.store.segment_bytes = segment_bytes;
    assert!(limits.store.are_possible());
    limits
}

/// What a series did in a window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Did {
    Counted(u64),
    Was(i64),
    Saw(Vec<u64>, i128),
    /// A gauge, in a longer window.
    Were(Summary),
}

/// By series.
pub(crate) type Window = BTreeMap<String, Did>;
/// By boot and number.
pub(crate) type Windows = BTreeMap<(u32, u64), Window>;

pub(crate) const BOUNDS: [u64; 2] = [10, 100];

const NAMES: [&str; 4] = ["bytes_total", "gauge_a", "gauge_b", "seconds"];

/// What the series do: always the same in the same window, and not all of them in all.
pub(crate) fn did(boot: u32, window: u64) -> Window {
    let x = window * 7 + u64::from(boot) * 1000;
    let all = [
        Did::Counted(x % 13 + 1),
        Did::Was(x as i64 * if window.is_multiple_of(2) { 1 } else { -1 }),
        Did::Was(500),
        Did::Saw(vec![x % 3, 1, x % 2], i128::from(x)),
    ];
    let names = NAMES.iter().map(|name| (*name).to_owned()).zip(all);
    names
        .enumerate()
        .filter(|(at, _)| !(window + *at as u64).is_multiple_of(5))
        .map(|(_, did)| did)
        .collect()
}

fn form(did: &Did) -> Form<'static> {
    match did {
        Did::Counted(_) => Form::Counter,
        Did::Was(_) | Did::Were(_) => Form::Gauge,
        Did::Saw(..) => Form::Histogram(&BOUNDS),
    }
}

/// What a test wants to know, across the lives of the owner.
#[derive(Default)]
pub(crate) struct Known {
    /// What was recorded.
    pub(crate) recorded: Windows,
    /// Of them, what was durable when it was last looked.
    pub(crate) synced: Vec<(u32, u64)>,
    /// Most units of work of one event.
    pub(crate) work_max: u64,
    /// Windows that were skipped.
    pub(crate) skipped: u64,
}

pub(crate) struct Owner {
    pub(crate) keeper: Keeper,
    boot: u32,
    writer: Writer,
    /// Series that are defined, and since which segment.
    segment: Option<(u32, u64)>,
    group: Option<u64>,
    ids: BTreeMap<String, u32>,
    gauges: BTreeMap<String, i64>,
    next: u64,
    until: u64,
    known: Rc<RefCell<Known>>,
}

impl Owner {
    fn new(boot: u32, keep: Keep, until: u64, made: Limits, known: Rc<RefCell<Known>>) -> Self {
        Self {
            keeper: Keeper::new(made, boot, keep),
            boot,
            writer: Writer::new(&limits().recorder),
            segment: None,
            group: None,
            ids: BTreeMap::new(),
            gauges: BTreeMap::new(),
            next: 0,
            until,
            known,
        }
    }

    fn record(&mut self, now: Mono) {
        while self.next < now.0 / 1_000_000_000 && self.next < self.until {
            let window = self.next;
            self.next += 1;
            match self.keeper.open(window) {
                Some(header) => {
                    self.put(&header);
                    self.keeper.close();
                }
                None => self.known.borrow_mut().skipped += 1,
            }
        }
    }

    fn put(&mut self, header: &Header) {
        if self.segment != Some((header.boot, header.segment)) {
            self.segment = Some((header.boot, header.segment));
            self.ids.clear();
        }
        if self.group != Some(header.group) {
            self.group = Some(header.group);
            self.gauges.clear();
        }
        let window = did(self.boot, header.window);
        self.writer.begin(*header);
        let mut series: Vec<_> =
            window.iter().map(|(name, did)| (self.ids.get(name).copied(), name, did)).collect();
        series.sort_by_key(|(id, name, _)| (id.unwrap_or(u32::MAX), (*name).clone()));
        for (id, name, did) in series {
            self.put_one(id, name, did);
        }
        if let Some(record) = self.writer.finish() {
            let taken = measure(|| self.keeper.put(record));
            assert_eq!(taken.count_total, 0, "memory is taken at the start");
        }
        self.known.borrow_mut().recorded.insert((self.boot, header.window), window.clone());
    }

    fn put_one(&mut self, id: Option<u32>, name: &str, did: &Did) {
        let value = match did {
            Did::Counted(added) => Value::Counter(*added),
            Did::Was(last) => {
                let before = self.gauges.insert(name.to_owned(), *last).unwrap_or(0);
                Value::Gauge { last: *last, before }
            }
            Did::Saw(added, sum) => Value::Histogram { added, sum: *sum },
            Did::Were(_) => panic!("of longer windows only"),
        };
        let taken = match id {
            Some(id) => self.writer.put(id, &value),
            None => {
                let id = self.ids.len() as u32;
                self.ids.insert(name.to_owned(), id);
                self.writer.define(id, &form(did), name.as_bytes(), &value)
            }
        };
        assert_eq!(taken, Taken::Yes, "a window fits a record");
    }
}

impl Service for Owner {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl nexus_port::World) {
        match event {
            Event::Completion { call, result } => {
                let mut is_ours = false;
                let taken = measure(|| is_ours = self.keeper.ended(now.mono, call, result));
                assert!(is_ours, "a call of nobody's");
                assert_eq!(taken.count_total, 0, "memory is taken at the start");
            }
            Event::Stop => self.keeper.stop(),
            _ => {}
        }
        self.record(now.mono);
        let before = self.keeper.work();
        self.keeper.step(now, world);
        let mut known = self.known.borrow_mut();
        known.work_max = known.work_max.max(self.keeper.work() - before);
        if self.keeper.is_live() && self.keeper.log().is_synced() {
            known.synced = known.recorded.keys().copied().collect();
        }
    }

    fn deadline(&self) -> Option<Mono> {
        let next = (self.next < self.until).then(|| Mono((self.next + 1) * 1_000_000_000));
        [self.keeper.deadline(), next].into_iter().flatten().min()
    }

    fn stopped(&self) -> bool {
        self.keeper.is_stopped()
    }
}

pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) known: Rc<RefCell<Known>>,
    client: Client,
}

impl Rig {
    /// An owner that records up to `until` windows.
    pub(crate) fn new(disk: Option<Disk>, until: u64) -> Self {
        Self::going_on(disk, until, Keep::Files, Rc::default(), 0)
    }

    /// One whose segments have another time.
    pub(crate) fn with_ttl(disk: Option<Disk>, until: u64, ttl: Nanos) -> Self {
        let mut made = limits();
        made.store.shelves.iter_mut().for_each(|shelf| shelf.ttl = ttl);
        Self::with(disk, until, Keep::Files, made, Rc::default(), 0)
    }

    /// After so many lives of others.
    pub(crate) fn going_on(
        disk: Option<Disk>,
        until: u64,
        keep: Keep,
        known: Rc<RefCell<Known>>,
        lives: u32,
    ) -> Self {
        Self::with(disk, until, keep, limits(), known, lives)
    }

    /// The same of an owner that is made for something else.
    pub(crate) fn with(
        disk: Option<Disk>,
        until: u64,
        keep: Keep,
        made: Limits,
        known: Rc<RefCell<Known>>,
        lives: u32,
    ) -> Self {
        Self::within(World::with(Config::kind(1)), disk, until, keep, made, known, lives)
    }

    /// The same in another world.
    pub(crate) fn within(
        mut world: World,
        disk: Option<Disk>,
        until: u64,
        keep: Keep,
        made: Limits,
        known: Rc<RefCell<Known>>,
        lives: u32,
    ) -> Self {
        world.spawn(STATEFSD, move |start| {
            Statefsd::new(&StateRecipe::parse(RECIPE).unwrap(), start.boot + lives).unwrap()
        });
        if let Some(disk) = disk {
            world.attach(STATEFSD, disk);
        }
        world.settle();
        let shared = Rc::clone(&known);
        world.spawn(OWNER, move |start| {
            Owner::new(start.boot + lives, keep, until, made, Rc::clone(&shared))
        });
        let client = world.client(OWNER, Rights::NONE);
        Self { world, known, client }
    }

    pub(crate) fn seconds(&mut self, count: u64) {
        self.world.run_for(Nanos::from_secs(count));
    }

    /// As [`Self::seconds`]; the owner's files never take more than so many bytes.
    pub(crate) fn seconds_within(&mut self, count: u64, bytes: u64) {
        let end = self.world.now().mono.after(Nanos::from_secs(count));
        loop {
            while self.world.round() {
                let takes = self.takes();
                assert!(takes <= bytes, "{takes}");
            }
            if !self.world.skip_ahead(end) {
                return;
            }
        }
    }

    pub(crate) fn owner(&self) -> &Owner {
        self.world.service(OWNER)
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.owner().keeper
    }

    fn ask<T>(&mut self, request: &Request<'_>, look: impl FnOnce(Reply<'_>) -> T) -> T {
        let mut out = [0; 4096];
        let frame = encode(request, 9, &mut out).unwrap();
        let answer = self.world.call(self.client, STATEFSD, frame).unwrap();
        let (status, reply) = decode_reply(request.op(), 9, &answer).unwrap();
        assert_eq!(status, nexus_wire::FileStatus::Ok, "{request:?}");
        look(reply)
    }

    /// Bytes of the disk that the owner's files take.
    pub(crate) fn used(&mut self) -> u64 {
        self.ask(&Request::Hello, |reply| match reply {
            Reply::Hello(hello) => hello.used,
            _ => panic!("no greeting"),
        })
    }

    /// The same without asking, at any moment.
    pub(crate) fn takes(&self) -> u64 {
        let statefsd: &Statefsd = self.world.service(STATEFSD);
        statefsd.store().used(0).unwrap()
    }

    pub(crate) fn list(&mut self, prefix: &str) -> Vec<String> {
        let prefix = FilePrefix::new(prefix).unwrap();
        let after = FilePrefix::new("").unwrap();
        self.ask(&Request::List(List { prefix, after }), |reply| match reply {
            Reply::List(list) => {
                assert!(!list.more);
                list.files().map(|file| file.name.as_str().to_owned()).collect()
            }
            _ => panic!("no list"),
        })
    }

    /// Puts other bytes in a file's place, durably.
    pub(crate) fn replace(&mut self, name: &str, bytes: &[u8]) {
        let name = FileName::new(name).unwrap();
        self.ask(&Request::Replace(Replace { name, bytes }), |_| {});
        let epoch = self.ask(&Request::Hello, |reply| match reply {
            Reply::Hello(hello) => hello.epoch,
            _ => panic!("no greeting"),
        });
        self.ask(&Request::Sync { epoch }, |_| {});
    }

    pub(crate) fn read(&mut self, name: &str) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let name = FileName::new(name).unwrap();
            let read =
                Request::Read(Read { draft: false, name, at: all.len() as u32, max: u16::MAX });
            let piece = self.ask(&read, |reply| match reply {
                Reply::Read(read) => read.bytes.to_vec(),
                _ => panic!("no bytes"),
            });
            if piece.is_empty() {
                return all;
            }
            all.extend(piece);
        }
    }

    /// What the sealed segments of a tier say; a window stands in one of them.
    pub(crate) fn sealed(&mut self, tier: Tier) -> Windows {
        let mut all = Windows::new();
        for file in self.list(&format!("g1/{tier}.")) {
            let bytes = self.read(&file);
            let name = SegmentName::parse(tier, file.strip_prefix("g1/").unwrap()).unwrap();
            for (window, did) in windows_of(&bytes) {
                let before = all.insert((name.boot, window), did);
                assert_eq!(before, None, "{file}: window {window} stands twice");
            }
        }
        all
    }

    /// What is kept of raw windows: sealed, and in memory.
    pub(crate) fn kept(&mut self) -> Windows {
        let mut all = self.sealed(TIERS[0]);
        for group in self.keeper().groups() {
            let mut series = Vec::new();
            // Series that were defined in an earlier group of the segment have no key here.
            group.each_definition(&mut |id, form, key| {
                series.push((id, form.kind(), String::from_utf8(key.to_vec()).unwrap()));
            });
            let ids = self.owner().ids.clone();
            let mut samples = Samples::new();
            let mut columns = group.columns();
            while let Some(id) = columns.next() {
                let own =
                    || ids.iter().find(|(_, own)| **own == id.0).map(|(name, _)| name.clone());
                let known = series.iter().find(|(other, _, _)| *other == id);
                let name = known.map(|(_, _, name)| name.clone()).or_else(own).unwrap();
                let kind = kind_of(&name);
                columns.read(group, id, kind, &mut samples);
                for (window, row) in group.windows().numbers().iter().zip(0..) {
                    if let Some(did) = did_in(&samples, row) {
                        let place = all.entry((group.boot(), *window)).or_default();
                        assert_eq!(place.insert(name.clone(), did), None, "{window} stands twice");
                    }
                }
            }
        }
        all
    }
}

fn kind_of(name: &str) -> Kind {
    match name {
        "bytes_total" => Kind::Counter,
        "seconds" => Kind::Histogram { buckets: 3 },
        _ => Kind::Gauge,
    }
}

fn did_in(samples: &Samples, row: usize) -> Option<Did> {
    let shape = samples.shape();
    match shape.kind {
        Kind::Counter => samples.counter(row).map(Did::Counted),
        Kind::Gauge if shape.is_rollup => samples.summary(row).map(Did::Were),
        Kind::Gauge => samples.gauge(row).map(Did::Was),
        Kind::Histogram { .. } => {
            samples.histogram(row).map(|(counts, sum)| Did::Saw(counts.collect(), sum))
        }
    }
}

/// What a segment says.
pub(crate) fn windows_of(bytes: &[u8]) -> BTreeMap<u64, Window> {
    let mut segment = Segment::open(bytes).unwrap();
    segment.check().unwrap();
    let mut series: Vec<(LocalId, Kind, String)> = Vec::new();
    segment
        .series(|id, form, key| {
            series.push((id, form.kind(), String::from_utf8(key.to_vec()).unwrap()));
        })
        .unwrap();
    let mut all = BTreeMap::<u64, Window>::new();
    segment
        .groups(|windows| {
            windows.numbers().iter().for_each(|n| {
                all.entry(*n).or_default();
            })
        })
        .unwrap();
    let mut samples = Samples::new();
    for (id, kind, name) in &series {
        segment.read(&[(*id, *kind)], 0..=u64::MAX, &mut samples, |piece| {
            let Piece::Samples { windows, samples, .. } = piece else { panic!("lost") };
            for (window, row) in windows.numbers().iter().zip(0..) {
                let Some(did) = did_in(samples, row) else { continue };
                let into = all.entry(*window).or_default();
                if samples.shape().is_rollup {
                    // Two parts of a longer window may stand in two groups.
                    join(into, name, &did);
                } else {
                    assert_eq!(into.insert(name.clone(), did), None, "{window} stands twice");
                }
            }
        });
    }
    all
}
