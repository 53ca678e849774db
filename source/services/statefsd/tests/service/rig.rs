//! statefsd in a world of its own, and clients that speak to it.

use nexus_abi::{ExitReason, Rights};
use nexus_bounded::Nanos;
use nexus_port::{BlockError, SECTOR_BYTES};
use nexus_recipe::StateRecipe;
use nexus_wire::FileStatus;
use nexus_wire::files::{
    Append, FileName, FilePrefix, HelloReply, List, NewFile, Op, Read, Replace, Reply, Request,
    StatReply, Target, decode_reply, encode,
};
use simkit::{Client, Config, Disk, Fate, Ticket, World};
use statefsd::Statefsd;

pub(crate) const NAME: &str = "statefsd";

/// A small disk for two services that know each other's names.
pub(crate) const RECIPE: &str = r#"
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
bytes_per_s = "1 MiB"
bytes_burst = "1 MiB"

[[shares]]
name = "metricsd"
bytes = "48 KiB"
files = 8
open = 3

[[shares]]
name = "logd"
bytes = "32 KiB"
files = 8
open = 3
"#;

pub(crate) const SECTORS: u32 = 288 * 1024 / SECTOR_BYTES as u32;

pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) metricsd: Client,
    pub(crate) logd: Client,
}

pub(crate) fn name(text: &str) -> FileName<'_> {
    FileName::new(text).unwrap()
}

pub(crate) fn file(text: &str) -> Target<'_> {
    Target { name: name(text), draft: false }
}

pub(crate) fn draft(text: &str) -> Target<'_> {
    Target { name: name(text), draft: true }
}

/// Bytes that tell where they were lost.
pub(crate) fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 + at * 31 + seed * 101) as u8).collect()
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::on(Disk::new(SECTORS))
    }

    pub(crate) fn on(disk: Disk) -> Self {
        Self::with(1, RECIPE, Some(disk))
    }

    pub(crate) fn with(seed: u64, recipe: &'static str, disk: Option<Disk>) -> Self {
        let mut world = World::with(Config { seed, ..Config::kind(seed) });
        world.spawn(NAME, move |start| {
            Statefsd::new(&StateRecipe::parse(recipe).unwrap(), start.boot).unwrap()
        });
        if let Some(disk) = disk {
            world.attach(NAME, disk);
        }
        world.settle();
        let metricsd = world.client("metricsd", Rights::NONE);
        let logd = world.client("logd", Rights::NONE);
        Self { world, metricsd, logd }
    }

    /// Sends a request and goes on.
    pub(crate) fn send(&mut self, client: Client, request: &Request<'_>) -> Ticket {
        let mut out = [0; 4096];
        let frame = encode(request, 9, &mut out).unwrap();
        self.world.send(client, NAME, frame).unwrap()
    }

    /// Lets `look` see the answer.
    pub(crate) fn ask<T>(
        &mut self,
        client: Client,
        request: &Request<'_>,
        look: impl FnOnce(FileStatus, Reply<'_>) -> T,
    ) -> T {
        let mut out = [0; 4096];
        let frame = encode(request, 9, &mut out).unwrap();
        let answer = self.world.call(client, NAME, frame).unwrap();
        let (status, reply) = decode_reply(request.op(), 9, &answer).unwrap();
        look(status, reply)
    }

    pub(crate) fn status(&mut self, client: Client, request: &Request<'_>) -> FileStatus {
        self.ask(client, request, |status, _| status)
    }

    pub(crate) fn hello(&mut self, client: Client) -> Result<HelloReply, FileStatus> {
        self.ask(client, &Request::Hello, |status, reply| match reply {
            Reply::Hello(hello) => Ok(hello),
            _ => Err(status),
        })
    }

    pub(crate) fn stat(
        &mut self,
        client: Client,
        target: Target<'_>,
    ) -> Result<StatReply, FileStatus> {
        self.ask(client, &Request::Stat(target), |status, reply| match reply {
            Reply::Stat(stat) => Ok(stat),
            _ => Err(status),
        })
    }

    pub(crate) fn create(&mut self, client: Client, text: &str, capacity: u32) -> FileStatus {
        self.status(client, &Request::Create(NewFile { name: name(text), capacity }))
    }

    pub(crate) fn begin_draft(&mut self, client: Client, text: &str, capacity: u32) -> FileStatus {
        self.status(client, &Request::Draft(NewFile { name: name(text), capacity }))
    }

    pub(crate) fn append(
        &mut self,
        client: Client,
        to: Target<'_>,
        at: u32,
        bytes: &[u8],
    ) -> FileStatus {
        self.status(client, &Request::Append(Append { to, at, bytes }))
    }

    pub(crate) fn replace(&mut self, client: Client, text: &str, bytes: &[u8]) -> FileStatus {
        self.status(client, &Request::Replace(Replace { name: name(text), bytes }))
    }

    pub(crate) fn delete(&mut self, client: Client, target: Target<'_>) -> FileStatus {
        self.status(client, &Request::Delete(target))
    }

    pub(crate) fn finish(&mut self, client: Client, target: Target<'_>) -> FileStatus {
        self.status(client, &Request::Finish(target))
    }

    /// A sync in the present epoch.
    pub(crate) fn sync(&mut self, client: Client) -> FileStatus {
        match self.hello(client) {
            Ok(hello) => self.status(client, &Request::Sync { epoch: hello.epoch }),
            Err(status) => status,
        }
    }

    /// One piece.
    pub(crate) fn read_at(
        &mut self,
        client: Client,
        text: &str,
        at: u32,
        max: u16,
    ) -> Result<(u32, Vec<u8>), FileStatus> {
        let read = Request::Read(Read { draft: false, name: name(text), at, max });
        self.ask(client, &read, |status, reply| match reply {
            Reply::Read(read) => Ok((read.len, read.bytes.to_vec())),
            _ => Err(status),
        })
    }

    /// All of a file, piece by piece.
    pub(crate) fn read(&mut self, client: Client, text: &str) -> Result<Vec<u8>, FileStatus> {
        let mut all = Vec::new();
        loop {
            let (len, piece) = self.read_at(client, text, all.len() as u32, u16::MAX)?;
            if piece.is_empty() {
                assert_eq!(all.len(), len as usize);
                return Ok(all);
            }
            all.extend(piece);
        }
    }

    pub(crate) fn list(&mut self, client: Client, prefix: &str) -> Vec<String> {
        let (mut all, mut more) = (Vec::<String>::new(), true);
        while more {
            let after = all.last().cloned().unwrap_or_default();
            let after = FilePrefix::new(&after).unwrap();
            let list = Request::List(List { prefix: FilePrefix::new(prefix).unwrap(), after });
            more = self.ask(client, &list, |status, reply| {
                assert_eq!(status, FileStatus::Ok);
                let Reply::List(list) = reply else { panic!("no list") };
                all.extend(list.files().map(|file| file.name.as_str().to_owned()));
                list.more
            });
        }
        all
    }

    /// The statuses of the answers to `op` that have come, by ticket; others are gone.
    pub(crate) fn answers(&mut self, client: Client, op: Op) -> Vec<(Ticket, FileStatus)> {
        let replies = self.world.replies(client);
        let status = |frame: &[u8]| decode_reply(op, 9, frame).map(|(status, _)| status);
        let of_op = |it: &simkit::Reply| Some((it.ticket, status(it.result.as_ref().ok()?)?));
        replies.iter().filter_map(of_op).collect()
    }

    /// Power is cut, with that fate of what was written and not flushed, and comes back.
    pub(crate) fn cut(&mut self, fates: &[Fate]) {
        self.world.kill(NAME, ExitReason::Killed(9));
        let after = self.world.disk(NAME).cut(fates);
        self.world.attach(NAME, after);
        self.world.restart(NAME);
        self.world.settle();
    }

    /// Writes and flushes fail from now on.
    pub(crate) fn break_disk(&mut self) {
        let disk = self.world.disk(NAME);
        let now = disk.requests();
        disk.fail(now, u64::MAX, BlockError::Io);
    }

    pub(crate) fn mend_disk(&mut self) {
        self.world.disk(NAME).fail(0, 0, BlockError::Io);
    }

    pub(crate) fn seconds(&mut self, count: u64) {
        self.world.run_for(Nanos::from_secs(count));
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.world.console().iter().map(|line| line.text.as_str()).collect()
    }

    pub(crate) fn service(&self) -> &Statefsd {
        self.world.service(NAME)
    }
}
