//! logd, statefsd on a disk that fails, somebody who appends, and somebody who reads.

use logd::{Keep, Logd};
use nexus_abi::{ExitReason, Rights};
use nexus_bounded::{Nanos, Wall};
use nexus_recipe::{Recipe, StateRecipe};
use nexus_wire::logs::{
    Found, Head, NewRecord, Op, RecordText, Reply, Request, Search, Version, decode_reply, encode,
};
use nexus_wire::{Level, LogStatus, RecordId};
use simkit::{Client, Config, Disk, Fate, Start, World};
use statefsd::Statefsd;

pub(crate) const LOGD: &str = "logd";
pub(crate) const STATEFSD: &str = "statefsd";
pub(crate) const SECTORS: u32 = 288 * 2;

const STATE: &str = r#"
[statefsd]
disk_bytes = "288 KiB"
files = 17
open = 7
pending = 4
retry_min = "1 s"
retry_max = "8 s"

[statefsd.budget]
events_per_s = 100000
events_burst = 100000
bytes_per_s = "8 MiB"
bytes_burst = "8 MiB"

[[shares]]
name = "logd"
bytes = "48 KiB"
files = 14
open = 4
"#;

/// The recipe for a machine, with a journal and a log small enough to overflow in tests.
pub(crate) fn recipe() -> Recipe {
    let text = include_str!("../../../../../recipes/observability/metrics.toml");
    let mut recipe = Recipe::parse(text).unwrap();
    recipe.logd.journal_records = 64;
    recipe.logd.journal_bytes = 68 * 512;
    (recipe.logd.share_records, recipe.logd.share_bytes) = (4, 36 * 32);
    (recipe.logd.senders, recipe.logd.query_scan_records) = (16, 32);
    let retention = &mut recipe.logd.retention;
    (retention.log_bytes, retention.log_files, retention.wait_bytes) = (12 * 1024, 4, 2048);
    retention.recovered_records = 64;
    retention.retry_max = Nanos::from_secs(4);
    recipe
}

/// Something found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) boot: u32,
    pub(crate) id: u64,
    pub(crate) ts_ns: u64,
    pub(crate) is_gap: bool,
    pub(crate) message: String,
    pub(crate) fields: String,
}

fn append(level: Level, message: &str) -> Vec<u8> {
    let head = Head { version: Version::V2, nonce: 1 };
    let mut text = [0; size_of::<RecordText>()];
    let record = NewRecord { level, scope: "s", message, fields: b"k=v\n" };
    let request = Request::Append(record.join(&mut text).unwrap());
    encode(&request, head, &mut [0; 1024]).unwrap().to_vec()
}

pub(crate) struct Rig {
    pub(crate) world: World,
    producer: Client,
    reader: Client,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::on(Some(Disk::new(SECTORS)), |start| Logd::new(&recipe(), start.boot, Keep::Files))
    }

    pub(crate) fn on(disk: Option<Disk>, make: impl FnMut(Start) -> Logd + 'static) -> Self {
        let config = Config { wall: Some(Wall(1_700_000_000_000_000_000)), ..Config::kind(1) };
        let mut world = World::with(config);
        world.spawn(STATEFSD, |start| {
            Statefsd::new(&StateRecipe::parse(STATE).unwrap(), start.boot).unwrap()
        });
        disk.into_iter().for_each(|disk| world.attach(STATEFSD, disk));
        world.settle();
        world.spawn(LOGD, make);
        world.settle();
        let producer = world.client("execd", Rights::NONE);
        let reader = world.client("reader", Rights::QUERY);
        Self { world, producer, reader }
    }

    /// Sends a record of level error, and does not wait.
    pub(crate) fn send_error(&mut self, message: &str) {
        let frame = append(Level::Error, message);
        self.world.post(self.producer, LOGD, &frame).unwrap();
    }

    /// Appends a record and gives its number.
    pub(crate) fn append(&mut self, level: Level, message: &str) -> u64 {
        let head = Head { version: Version::V2, nonce: 1 };
        let answer = self.world.call(self.producer, LOGD, &append(level, message)).unwrap();
        match decode_reply(Op::Append, head, &answer) {
            Some((LogStatus::Ok, Reply::Append(reply))) => reply.id.0,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn info(&mut self, message: &str) -> u64 {
        self.append(Level::Info, message)
    }

    fn ask<T>(&mut self, request: &Request<'_>, look: impl FnOnce(Reply<'_>) -> T) -> T {
        let head = Head { version: Version::V2, nonce: 1 };
        let mut out = [0; 1024];
        let op = request.op();
        let frame = encode(request, head, &mut out).unwrap();
        let answer = self.world.call(self.reader, LOGD, frame).unwrap();
        let (status, reply) = decode_reply(op, head, &answer).unwrap();
        assert_eq!(status, LogStatus::Ok);
        look(reply)
    }

    /// All pages of a search, with the cursor that each gives.
    pub(crate) fn search(&mut self, mut search: Search<'_>) -> Vec<Seen> {
        let mut all = Vec::new();
        for _ in 0..200 {
            let more = self.ask(&Request::Search(search), |reply| {
                let Reply::Search(page) = reply else { panic!("{reply:?}") };
                all.extend(page.found().map(|found| {
                    let (is_gap, record) = match found {
                        Found::Record(record) => (false, record),
                        Found::Gap(record) => (true, record),
                    };
                    Seen {
                        boot: page.boot,
                        id: record.id.0,
                        ts_ns: record.ts_ns,
                        is_gap,
                        message: record.message.to_owned(),
                        fields: record.fields.as_str().to_owned(),
                    }
                }));
                (search.boot, search.id) = (page.boot, page.next_id);
                page.more
            });
            if !more {
                return all;
            }
        }
        panic!("pages without end");
    }

    /// Everything of all boots, oldest first.
    pub(crate) fn all(&mut self) -> Vec<Seen> {
        self.search(Search { boot: 1, gaps: true, ..Search::ALL })
    }

    /// The messages of the producer.
    pub(crate) fn messages(&mut self) -> Vec<String> {
        let all = self.search(Search { boot: 1, scope: "s", ..Search::ALL });
        all.into_iter().map(|seen| seen.message).collect()
    }

    pub(crate) fn status(&mut self, key: &str) -> String {
        self.ask(&Request::Status, |reply| match reply {
            Reply::Status(fields) => fields.get(key).unwrap().to_owned(),
            other => panic!("{other:?}"),
        })
    }

    pub(crate) fn anchors(&mut self) -> Vec<(u32, u64)> {
        self.ask(&Request::Anchors, |reply| match reply {
            Reply::Anchors(anchors) => anchors.iter().map(|it| (it.boot, it.wall_ns)).collect(),
            other => panic!("{other:?}"),
        })
    }

    pub(crate) fn seconds(&mut self, count: u64) {
        self.world.run_for(Nanos::from_secs(count));
    }

    pub(crate) fn disk(&mut self) -> &mut Disk {
        self.world.disk(STATEFSD)
    }

    /// Power is cut and comes back.
    pub(crate) fn cut(&mut self, fates: &[Fate]) {
        let after = self.disk().cut(fates);
        self.swap(after);
    }

    pub(crate) fn swap(&mut self, disk: Disk) {
        for name in [LOGD, STATEFSD] {
            if self.world.runs(name) {
                self.world.kill(name, ExitReason::Killed(9));
            }
        }
        self.world.attach(STATEFSD, disk);
        self.world.restart(STATEFSD);
        self.world.settle();
        self.world.restart(LOGD);
        self.world.settle();
    }
}

/// The cursor behind everything that a boot may have.
pub(crate) const END: RecordId = RecordId(0);
