//! Does the same requests again and again, so that the instructions of a service can be counted:
//! `instrumented SERVICE COUNT`. `cargo xtask bench` runs it, once as it is and once with the
//! feature `off` of nexus-metrics: what lies between is what instrumentation costs the service.
#![expect(clippy::unwrap_used, reason = "an example may stop")]

use logd::Logd;
use metricsd::Metricsd;
use nexus_abi::{FRAME_BYTES_MAX, Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_log::memory::Captured;
use nexus_metrics::{Flusher, Pace};
use nexus_port::{Event, Now, Service};
use nexus_wire::bundles::BundleName;
use nexus_wire::policy::{Action, Check, Object};
use nexus_wire::sessions::{EndpointName, Reply, SessionId};
use nexus_wire::timers::Qos;
use nexus_wire::{bundles, entropy, exec, policy, sessions, timers};
use services::{Host, ME, spawn_services};
use simkit::{Client, Link, Start, World};

#[path = "../tests/services/mod.rs"]
mod services;

const NONCE: u32 = 7;
/// From one request to the next, so that no budget is met and all that follows has happened.
const PAUSE: Nanos = Nanos::from_millis(50);
/// Requests before those that count: call sites have their handles then.
const WARM: u64 = 20;

/// What is counted: what a service does with an event, and what it asks the world for.
#[inline(never)]
fn serve_one<S: Service>(
    service: &mut S,
    now: Now,
    event: Event<'_>,
    world: &mut impl nexus_port::World,
) {
    service.handle(now, event, world);
}

/// What is counted, too: a turn of whoever brings it to metricsd.
#[inline(never)]
fn flush_one(recorded: &mut Recorded, now: Mono) {
    recorded.flusher.poll(now, &mut recorded.metricsd);
}

struct Counted<S>(S);

impl<S: Service> Service for Counted<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl nexus_port::World) {
        serve_one(&mut self.0, now, event, world);
    }

    fn deadline(&self) -> Option<Mono> {
        self.0.deadline()
    }

    fn stopped(&self) -> bool {
        self.0.stopped()
    }
}

/// Counts what the service of this name does.
struct Counting<'a>(&'a str);

impl Host for Counting<'_> {
    fn spawn<S: Service + 'static>(
        &self,
        world: &mut World,
        name: &str,
        mut make: impl FnMut(Start) -> S + 'static,
    ) {
        if name == self.0 {
            world.spawn(name, move |start| Counted(make(start)));
        } else {
            world.spawn(name, make);
        }
    }
}

/// What the service records.
struct Recorded {
    logged: Captured,
    flusher: Flusher<&'static nexus_metrics::Client>,
    metricsd: Link,
}

struct Bench {
    world: World,
    recorded: Recorded,
    me: Client,
}

impl Bench {
    fn new(service: &'static str) -> Self {
        let mut world = World::new(1);
        let recipe = guest::recipe();
        let of_logd = recipe.clone();
        world.spawn("logd", move |start| Logd::new(&of_logd, start.boot, logd::Keep::Nothing));
        world.spawn("metricsd", move |start| {
            Metricsd::new(&recipe, start.boot, metricsd::Keep::Nothing)
        });
        let pace = Pace { interval: PAUSE, ..Pace::DEFAULT };
        let recorded = Recorded {
            logged: nexus_log::memory::capture(),
            flusher: Flusher::for_forked_child(nexus_metrics::global(), pace),
            metricsd: world.link(service, Rights::NONE, "metricsd"),
        };
        spawn_services(&Counting(service), &mut world);
        // All of them have what they ask others for first.
        world.run_for(Nanos::from_secs(1));
        let me = world.client(ME, Rights::NONE);
        Self { world, recorded, me }
    }

    /// Sends a request; the answer, which must be good.
    fn ask(&mut self, service: &str, frame: &[u8]) -> Vec<u8> {
        self.world.send(self.me, service, frame).unwrap();
        flush_one(&mut self.recorded, self.world.now().mono);
        self.world.run_for(PAUSE);
        let mut replies = self.world.replies(self.me);
        assert_eq!(replies.len(), 1, "{service} owes an answer");
        let answer = replies.remove(0).result.unwrap();
        assert_eq!(answer[4], 0, "{service} refuses at {}", self.world.now().mono.0);
        answer
    }
}

fn is_allowed(bench: &mut Bench, out: &mut [u8; FRAME_BYTES_MAX]) {
    let (action, object) = (Action::Spawn, Object::new("demo.hello").unwrap());
    let check = Check { subject: ServiceId::from_name(ME), action, object };
    let frame = policy::encode(&policy::Frame { nonce: NONCE, check }, out).unwrap();
    bench.ask("policyd", frame);
}

fn sleeps(bench: &mut Bench, out: &mut [u8; FRAME_BYTES_MAX]) {
    let deadline = bench.world.now().mono.after(Nanos::from_millis(5));
    let request = timers::Request::SleepUntil { qos: Qos::Idle, deadline };
    let frame = timers::encode(&timers::Frame { nonce: NONCE, request }, out).unwrap();
    bench.ask("timed", frame);
}

fn draws(bench: &mut Bench, _: &mut [u8; FRAME_BYTES_MAX]) {
    bench.ask("entropyd", &entropy::request(NONCE, 32));
}

fn fetches(bench: &mut Bench, out: &mut [u8; FRAME_BYTES_MAX]) {
    let name = BundleName::new("demo.hello").unwrap();
    let fetch = bundles::Request::Fetch { name, at: 0, max: 512 };
    bench.ask("bundlemgrd", bundles::encode(&fetch, NONCE, out).unwrap());
}

fn starts(bench: &mut Bench, out: &mut [u8; FRAME_BYTES_MAX]) {
    let name = BundleName::new("demo.hello").unwrap();
    bench.ask("execd", exec::encode(&exec::Request::Start { name }, NONCE, out).unwrap());
}

fn opens(bench: &mut Bench, out: &mut [u8; FRAME_BYTES_MAX]) -> SessionId {
    let open = sessions::Request::Open { peer: EndpointName::new("dsoftbusd-peer").unwrap() };
    let answer = bench.ask("dsoftbusd", sessions::encode(&open, NONCE, out).unwrap());
    match sessions::decode_reply(open.op(), NONCE, &answer).unwrap() {
        (_, Reply::Opened(session)) => session,
        other => panic!("no session: {other:?}"),
    }
}

fn talks(bench: &mut Bench, out: &mut [u8; FRAME_BYTES_MAX]) {
    let session = opens(bench, out);
    let ask = sessions::Request::Ask { session, bytes: b"hello" };
    bench.ask("dsoftbusd", sessions::encode(&ask, NONCE, out).unwrap());
    let close = sessions::Request::Close { session };
    bench.ask("dsoftbusd", sessions::encode(&close, NONCE, out).unwrap());
    // The other side has a place again once it has heard nothing for long.
    bench.world.run_for(nexus_session::IDLE_ACCEPTED);
}

fn run(service: &'static str, count: u64, request: Request) {
    let mut bench = Bench::new(service);
    let mut out = [0; FRAME_BYTES_MAX];
    for _ in 0..WARM + count {
        request(&mut bench, &mut out);
    }
    assert!(bench.recorded.logged.records().is_empty(), "what is logged costs more");
    println!("{service}: {count} requests");
}

type Request = fn(&mut Bench, &mut [u8; FRAME_BYTES_MAX]);

const CASES: [(&str, Request); 6] = [
    ("policyd", is_allowed),
    ("timed", sleeps),
    ("entropyd", draws),
    ("bundlemgrd", fetches),
    ("execd", starts),
    ("dsoftbusd", talks),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [service, count] = args.as_slice() else {
        return Err("usage: instrumented SERVICE COUNT".into());
    };
    let case = CASES.iter().find(|(name, _)| name == service).ok_or("no such service")?;
    run(case.0, count.parse()?, case.1);
    Ok(())
}
