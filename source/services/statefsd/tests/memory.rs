//! All memory is taken at start: none while a disk fails and heals, and while it serves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocation_counter::measure;
use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{
    BlockDevice, BlockError, BlockOutcome, BlockRequest, CallId, Event, Now, Service, SubmitError,
    Token, World,
};
use nexus_recipe::{ShareRule, StateRecipe};
use nexus_wire::files::{
    Append, FileName, FilePrefix, List, NewFile, Op, Read, Replace, Reply, Request, Target,
    decode_reply, encode,
};
use simkit::Disk;
use statefsd::{Statefsd, for_share, memory};

const RECIPE: &str = include_str!("../../../../recipes/observability/state.toml");

/// A world that takes no memory, and keeps what is to be asked of the disk.
struct Still {
    replies: u64,
    /// As the last HELLO told it.
    epoch: u64,
    asked: [Option<Asked>; 4],
    bytes: Box<[u8; 64 * 512]>,
}

#[derive(Clone, Copy)]
struct Asked {
    call: CallId,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Read(u32, u32),
    /// Of so many bytes; the store has one write under way at a time.
    Write(u32, usize),
    Flush,
}

impl World for Still {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        assert!(!frame.is_empty());
        self.replies += 1;
        if let Some((_, Reply::Hello(hello))) = decode_reply(Op::Hello, 1, frame) {
            self.epoch = hello.epoch;
        }
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn submit_block(&mut self, call: CallId, request: BlockRequest<'_>) -> Result<(), SubmitError> {
        let kind = match request {
            BlockRequest::Read { sector, sectors } => Kind::Read(sector, sectors),
            BlockRequest::Write { sector, bytes } => {
                self.bytes[..bytes.len()].copy_from_slice(bytes);
                Kind::Write(sector, bytes.len())
            }
            BlockRequest::Flush => Kind::Flush,
        };
        let place = self.asked.iter_mut().find(|place| place.is_none());
        *place.ok_or(SubmitError::Busy)? = Some(Asked { call, kind });
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

struct Bed {
    service: Statefsd,
    world: Still,
    disk: Disk,
    now: u64,
    taken: u64,
}

impl Bed {
    fn event(&mut self, event: Event<'_>) {
        let now = Now { mono: Mono(self.now), wall: None };
        let Self { service, world, .. } = self;
        let info = measure(|| service.handle(now, event, world));
        self.taken += info.count_total;
        self.service.check_invariants();
    }

    /// Lets the disk do all that it is asked for.
    fn settle(&mut self) {
        self.event(Event::Wake);
        while let Some(asked) = self.world.asked.iter_mut().find_map(Option::take) {
            let request = match asked.kind {
                Kind::Read(sector, sectors) => BlockRequest::Read { sector, sectors },
                Kind::Write(sector, len) => {
                    BlockRequest::Write { sector, bytes: &self.world.bytes[..len] }
                }
                Kind::Flush => BlockRequest::Flush,
            };
            let outcome = match self.disk.carry_out(request) {
                BlockOutcome::Read(bytes) => Ok(bytes.to_vec()),
                BlockOutcome::Done => Ok(Vec::new()),
                BlockOutcome::Failed(error) => Err(error),
            };
            let outcome = match &outcome {
                Ok(bytes) if bytes.is_empty() => BlockOutcome::Done,
                Ok(bytes) => BlockOutcome::Read(bytes),
                Err(error) => BlockOutcome::Failed(*error),
            };
            self.event(Event::Block { call: asked.call, outcome });
        }
    }

    fn ask(&mut self, from: Sender, request: &Request<'_>) {
        let mut out = [0; 4096];
        let frame = encode(request, 1, &mut out).unwrap();
        self.event(Event::Request { from, token: Token::from_raw(1), frame });
    }
}

fn day(bed: &mut Bed, from: Sender, at: u32) {
    let name = |text| FileName::new(text).unwrap();
    let log = Target { name: name("log"), draft: false };
    let seg = Target { name: name("seg"), draft: true };
    let any = FilePrefix::new("").unwrap();
    for request in [
        Request::Hello,
        Request::Create(NewFile { name: name("log"), capacity: 30_000 }),
        Request::Append(Append { to: log, at: at % 20 * 1000, bytes: &[7; 1000] }),
        Request::Draft(NewFile { name: name("seg"), capacity: 5000 }),
        Request::Append(Append { to: seg, at: 0, bytes: &[9; 4000] }),
        Request::Stat(seg),
        Request::Replace(Replace { name: name("value"), bytes: &[8; 3000] }),
        Request::Sync { epoch: bed.world.epoch },
        Request::Finish(seg),
        Request::List(List { prefix: any, after: any }),
        Request::Read(Read { draft: false, name: name("value"), at: 100, max: 4000 }),
        Request::Read(Read { draft: false, name: name("seg"), at: 100, max: 4000 }),
        Request::Delete(if at % 20 == 19 { log } else { seg }),
    ] {
        bed.ask(from, &request);
        if at.is_multiple_of(3) {
            bed.settle();
        }
    }
    bed.settle();
}

#[test]
fn no_memory_is_taken_after_the_start() {
    let recipe = StateRecipe::parse(RECIPE).unwrap();
    let service = Statefsd::new(&recipe, 1).unwrap();
    let world = Still { replies: 0, epoch: 0, asked: [None; 4], bytes: Box::new([0; 64 * 512]) };
    let disk = Disk::new(recipe.statefsd.disk_bytes / 512);
    let mut bed = Bed { service, world, disk, now: 0, taken: 0 };
    let life = |life| {
        let service = ServiceId::from_name("metricsd");
        Sender::stamped(service, 1, Incarnation::new(life), Rights::NONE)
    };
    bed.settle();
    for at in 0..300 {
        let me = life(at / 50 + 1);
        day(&mut bed, me, at);
        bed.now += 1_000_000_000;
        if at % 50 == 49 {
            bed.event(Event::PeerGone {
                id: me.id,
                incarnation: me.incarnation,
                reason: ExitReason::Exited(0),
            });
            let now = bed.disk.requests();
            bed.disk.fail(now, u64::MAX, BlockError::Io);
            day(&mut bed, me, at);
            bed.disk.fail(0, 0, BlockError::Io);
            bed.now += 60_000_000_000;
            bed.settle();
        }
    }
    bed.event(Event::Stop);
    bed.settle();
    assert!(bed.service.stopped());
    assert_eq!(bed.world.replies, 306 * 13);
    assert!(bed.service.store().synced().0 > 100);
    assert_eq!(bed.taken, 0);
}

#[test]
fn what_is_taken_counts_and_is_what_was_told_before() {
    let share = ShareRule { name: "logd".into(), bytes: 1 << 20, files: 700, open: 30 };
    for recipe in [StateRecipe::parse(RECIPE).unwrap(), for_share(&share, u32::MAX).unwrap()] {
        let mut made = None;
        let taken = measure(|| made = Some(Box::new(Statefsd::new(&recipe, 1).unwrap())));
        assert!(taken.count_total > 10);
        assert_eq!(taken.bytes_current.unsigned_abs(), memory(&recipe).unwrap());
    }
}
