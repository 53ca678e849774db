//! Does one thing many times, for counting instructions: `cost CASE COUNT [SERIES]`.
//!
//! Run it under callgrind, counting in `serve_one` only, with two counts; the difference of the
//! totals, divided by the difference of the counts, is the cost of one. Cases:
//!
//! - `name`: one by-name counter frame, decoded, charged, counted, answered
//! - `id`: the same by `SeriesId`
//! - `batch`: a BATCH of 32 counters
//! - `batch64`: a BATCH of 64; the difference to `batch` is 32 items without their frame
//! - `memory`: prints what a counter series takes, see `print_memory`; COUNT means nothing
//!
//! SERIES (default 64) series exist; each frame goes to the next of them.
#![expect(clippy::expect_used, reason = "a tool for measuring may stop")]

use metricsd::{Metricsd, counter_series_bytes};
use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_recipe::{Budget, Recipe};
use nexus_wire::metrics::{
    BatchWriter, Op, Register, Reply, Request, Update, decode_reply, encode,
};
use nexus_wire::{Help, Kind, LabelBytes, NameBytes, SeriesId, Unit};

const RECIPE: &str = include_str!("../../../../recipes/observability/metrics.toml");

/// Keeps the last reply.
struct Last {
    reply: [u8; 64],
    len: usize,
}

impl World for Last {
    fn reply(&mut self, _: Token, frame: &[u8]) {
        self.len = frame.len().min(self.reply.len());
        self.reply[..self.len].copy_from_slice(&frame[..self.len]);
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        // Under way for ever, so that no export is among what is counted.
        Ok(())
    }

    fn print(&mut self, _: &str) {}
}

struct Bench {
    service: Metricsd,
    world: Last,
    from: Sender,
    now: Mono,
}

impl Bench {
    fn send(&mut self, frame: &[u8]) {
        // Time goes on by a microsecond: windows turn as they do in life.
        self.now = Mono(self.now.0 + 1000);
        self.serve_one(frame);
    }

    /// What is counted.
    #[inline(never)]
    fn serve_one(&mut self, frame: &[u8]) {
        let now = Now { mono: self.now, wall: None };
        let event = Event::Request { from: self.from, token: Token::from_raw(1), frame };
        self.service.handle(now, event, &mut self.world);
    }
}

fn recipe() -> Recipe {
    let mut recipe = Recipe::parse(RECIPE).expect("the shipped recipe");
    let most = u32::MAX;
    let limits = &mut recipe.metricsd;
    limits.budget =
        Budget { events_per_s: most, events_burst: most, bytes_per_s: most, bytes_burst: most };
    // So that the floors of others leave room for 4096.
    limits.series += 512;
    limits.series_per_sender = limits.series;
    limits.series_per_metric = limits.series;
    limits.series_floor = 3;
    limits.registrations = limits.series;
    recipe
}

/// A name of 24 bytes and labels of 40, as the memory figure has them.
fn key(series: usize) -> (&'static str, String) {
    ("requests_finished_total_", format!("method=get\npath=/of/the/thing/n{series:07}\n"))
}

fn by_name(series: usize) -> Vec<u8> {
    let (name, labels) = key(series);
    let name = NameBytes::new(name.as_bytes()).expect("a name");
    let labels = LabelBytes::new(labels.as_bytes()).expect("labels");
    let update = Update { name, labels, value: 1 };
    let mut out = [0; 512];
    encode(&Request::CounterInc(update), 1, &mut out).expect("a frame").to_vec()
}

fn register(bench: &mut Bench, series: usize) -> SeriesId {
    let (name, labels) = key(series);
    let name = NameBytes::new(name.as_bytes()).expect("a name");
    let labels = LabelBytes::new(labels.as_bytes()).expect("labels");
    let help = Help::new("").expect("a help");
    let register = Register::new(Kind::Counter, Unit::None, name, labels, help);
    let mut out = [0; 512];
    let frame = encode(&Request::Register(register), 1, &mut out).expect("a frame").to_vec();
    bench.send(&frame);
    let reply = &bench.world.reply[..bench.world.len];
    match decode_reply(Op::Register, 1, reply) {
        Some((_, Reply::Registered(registered))) => registered.series,
        other => panic!("{other:?}"),
    }
}

fn by_id(series: SeriesId) -> Vec<u8> {
    let mut out = [0; 64];
    encode(&Request::Update { series, value: 1 }, 1, &mut out).expect("a frame").to_vec()
}

fn batches(bench: &mut Bench, ids: &[SeriesId], size: usize, count: usize) {
    let mut out = [0; 4096];
    for seq in 1..=count {
        let mut writer = BatchWriter::new(seq as u32, 1, &mut out);
        for item in 0..size {
            let id = ids[(seq * size + item) % ids.len()];
            assert!(writer.value(id, seq as u64));
        }
        let frame = writer.finish().expect("a frame");
        bench.send(frame);
    }
}

/// A line each: a further series of a metric, and the first of one of its own with a registration.
fn print_memory() {
    let (name, labels) = key(0);
    let bytes = counter_series_bytes(name.len(), labels.len());
    println!("{}", bytes.series);
    println!("{}", bytes.series + bytes.metric + bytes.registration);
}

fn main() {
    let mut args = std::env::args().skip(1);
    let case = args.next().expect("a case");
    let count: usize = args.next().and_then(|n| n.parse().ok()).expect("a count");
    if case == "memory" {
        return print_memory();
    }
    let series: usize = args.next().map_or(64, |n| n.parse().expect("a number of series"));
    let from = Sender::stamped(ServiceId::from_name("execd"), 1, Incarnation::new(1), Rights::NONE);
    let mut bench = Bench {
        service: Metricsd::new(&recipe(), 1, metricsd::Keep::Nothing),
        world: Last { reply: [0; 64], len: 0 },
        from,
        now: Mono(1_000_000_000),
    };
    let frames: Vec<Vec<u8>> = match case.as_str() {
        "name" => (0..series).map(by_name).collect(),
        _ => Vec::new(),
    };
    let ids: Vec<SeriesId> = match case.as_str() {
        "name" => Vec::new(),
        _ => (0..series).map(|at| register(&mut bench, at)).collect(),
    };
    let frames = if case == "id" { ids.iter().map(|id| by_id(*id)).collect() } else { frames };
    for frame in &frames {
        bench.send(frame);
    }
    match case.as_str() {
        "name" | "id" => frames.iter().cycle().take(count).for_each(|frame| bench.send(frame)),
        "batch" => batches(&mut bench, &ids, 32, count),
        "batch64" => batches(&mut bench, &ids, 64, count),
        other => panic!("no case {other}"),
    }
    let status = bench.world.reply[4];
    assert!(status == 0, "status {status}");
}
