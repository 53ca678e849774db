//! What services do does not depend on who hears of it: each answers the same bytes in the same
//! order with metricsd and logd, without them, and with two that refuse all that they are told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bundlemgrd::Bundlemgrd;
use dsoftbusd::{Dsoftbusd, Says};
use entropyd::{Entropyd, Source};
use execd::{Execd, Left, LoadError, Processes, Program, StartError};
use guest::{Lie, Twin};
use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_abi::{ExitReason, FRAME_BYTES_MAX, Rights, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_bundle::{Manifest, pack};
use nexus_metrics::Pace;
use nexus_port::{CallError, CallId, Token};
use nexus_recipe::{BundlesRecipe, Keys, Policy};
use nexus_wire::bundles::{BundleName, BundleVersion};
use nexus_wire::policy::{Action, Check, Object};
use nexus_wire::sessions::{EndpointName, SessionId};
use nexus_wire::timers::{Qos, TimerId};
use nexus_wire::{bundles, entropy, exec, policy, sessions, timers};
use policyd::Policyd;
use simkit::{Disk, Start, World};
use timed::Timed;

mod recorded;

use recorded::Recorded;

const ME: &str = "selftest-client";
const BUNDLES: &str = include_str!("../../../../recipes/system/bundles.toml");
const KEYS: &str = include_str!("../../../../recipes/system/keys.toml");
const POLICY: &str = include_str!("../../../../recipes/system/policy.toml");

const METRICSD: ServiceId = ServiceId::from_name("metricsd");
/// What is recorded is brought so often.
const TICK: Nanos = Nanos::from_millis(1);
/// Requests that come at once to who answers alone. To who asks others they come one by one: whose
/// turn it is among several processes is chance in this world, and each further process is another
/// chance.
const AT_ONCE: usize = 3;
/// Ticks between those and the next ones: longer than any of them takes.
const TICKS: u32 = 100;
/// How often a workload is done.
const ROUNDS: usize = 5;

/// Who hears what services tell of their work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Daemons {
    Present,
    Absent,
    Refusing,
}

/// To it every frame is malformed.
struct Spoiled;

impl Lie for Spoiled {
    fn request(frame: &mut [u8]) {
        frame.iter_mut().take(1).for_each(|byte| *byte = b'X');
    }
}

fn spawn_daemons(world: &mut World, daemons: Daemons) {
    let recipe = guest::recipe();
    let of_logd = recipe.clone();
    let logd = move |start: Start| Logd::new(&of_logd, start.boot, Keep::Nothing);
    let metricsd = move |start: Start| Metricsd::new(&recipe, start.boot, metricsd::Keep::Nothing);
    match daemons {
        Daemons::Present => {
            world.spawn("logd", logd);
            world.spawn("metricsd", metricsd);
        }
        Daemons::Absent => {}
        Daemons::Refusing => {
            world.spawn("logd", move |start| Twin { service: logd(start), lie: Spoiled });
            world.spawn("metricsd", move |start| Twin { service: metricsd(start), lie: Spoiled });
        }
    }
}

/// Gives out a long count.
struct Counts(u64);

impl Source for Counts {
    fn take(&mut self, into: &mut [u8]) -> bool {
        for byte in into {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.0 >> 56) as u8;
        }
        true
    }
}

/// Processes that end as soon as they have begun.
#[derive(Default)]
struct Short {
    latest: u32,
    ended: u32,
}

impl Processes for Short {
    type Loaded = ();

    fn left(&mut self) -> Option<Left> {
        None
    }

    fn load(&mut self, _: &Program) -> Result<(), LoadError> {
        Ok(())
    }

    fn start(&mut self, (): (), _: Rights) -> Result<u32, StartError> {
        self.latest += 1;
        Ok(self.latest)
    }

    fn kill(&mut self, _: u32) {}

    fn ended(&mut self) -> Option<(u32, ExitReason)> {
        (self.ended < self.latest).then(|| {
            self.ended += 1;
            (self.ended, ExitReason::Exited(0))
        })
    }
}

fn boot() -> &'static [&'static [u8]] {
    let manifest = Manifest {
        name: BundleName::new("demo.hello").unwrap(),
        version: BundleVersion::new("1").unwrap(),
        entry: BundleName::new("demo-hello").unwrap(),
        memory_kib: 64,
        rights: Rights::NONE,
        program_bytes: 0,
    };
    vec![&*pack(&manifest, &[7; 9000]).unwrap().leak()].leak()
}

fn endpoint(name: &'static str, says: Says) -> impl FnMut(Start) -> Dsoftbusd {
    move |_| Dsoftbusd::new(&Keys::parse(KEYS).unwrap().ring(name).unwrap(), says)
}

/// All of them, as each needs some of the others.
fn spawn_services(world: &mut World) {
    world.spawn("statefsd", |start| guest::statefsd(start.boot));
    world.attach("statefsd", Disk::new(guest::state_recipe().statefsd.disk_bytes / 512));
    world.spawn("policyd", |_| Policyd::new(&Policy::parse(POLICY).unwrap()));
    world.spawn("timed", |_| Timed::new());
    world.spawn("entropyd", |_| Entropyd::new(Counts(1)));
    world.spawn("dsoftbusd-peer", endpoint("dsoftbusd-peer", Says::PEER));
    world.spawn("dsoftbusd", endpoint("dsoftbusd", Says::LOCAL));
    let BundlesRecipe { bundlemgrd, execd, .. } = BundlesRecipe::parse(BUNDLES).unwrap();
    let boot = boot();
    world.spawn("bundlemgrd", move |_| Bundlemgrd::new(&bundlemgrd, boot));
    world.spawn("execd", move |_| Execd::new(&execd, Short::default()));
}

type Frames = Vec<Vec<u8>>;

/// Each of these as `encode` writes it, and two frames that are none.
fn frames<T, E: core::fmt::Debug>(
    requests: impl IntoIterator<Item = T>,
    encode: impl Fn(T, u32, &mut [u8; FRAME_BYTES_MAX]) -> Result<usize, E>,
) -> Frames {
    let frames = requests.into_iter().zip(1..).map(|(request, nonce)| {
        let mut frame = [0; FRAME_BYTES_MAX];
        let length = encode(request, nonce, &mut frame).unwrap();
        frame[..length].to_vec()
    });
    frames.chain([vec![], b"no frame".to_vec()]).collect()
}

fn to_policyd() -> Frames {
    let subject = ServiceId::from_name(ME);
    let spawn = Object::new("demo.hello").unwrap();
    let checks = [(Action::Spawn, spawn), (Action::ReadLogs, Object::NONE)];
    let foreign = Check {
        subject: ServiceId::from_name("execd"),
        action: Action::ReadLogs,
        object: Object::NONE,
    };
    let checks = checks.map(|(action, object)| Check { subject, action, object });
    frames(checks.into_iter().chain([foreign]), |check, nonce, out| {
        policy::encode(&policy::Frame { nonce, check }, out).map(<[u8]>::len)
    })
}

fn to_timed() -> Frames {
    use timers::Request::{Cancel, Register, SleepUntil};
    let (qos, deadline) = (Qos::Idle, Mono(50_000_001));
    let requests = [
        Register { qos, deadline },
        Cancel { timer: TimerId(2) },
        SleepUntil { qos, deadline },
        Register { qos, deadline: Mono(u64::MAX) },
    ];
    frames(requests, |request, nonce, out| {
        timers::encode(&timers::Frame { nonce, request }, out).map(<[u8]>::len)
    })
}

fn to_entropyd() -> Frames {
    frames([32, 0, 16], |count, nonce, out| {
        let frame = entropy::request(nonce, count);
        out[..frame.len()].copy_from_slice(&frame);
        Ok::<_, ()>(frame.len())
    })
}

fn to_bundlemgrd() -> Frames {
    use bundles::Request::{Begin, Bring, Commit, Fetch, List, Query};
    let [name, absent] = ["demo.hello", "demo.absent"].map(|name| BundleName::new(name).unwrap());
    let brought = BundleName::new("demo.hoard").unwrap();
    let requests = [
        List { after: None },
        Query { name },
        Fetch { name, at: 0, max: 512 },
        Query { name: absent },
        Begin { name: brought, size: 4 },
        Bring { at: 0, bytes: b"none" },
        Commit,
    ];
    frames(requests, |request, nonce, out| bundles::encode(&request, nonce, out).map(<[u8]>::len))
}

fn to_execd() -> Frames {
    use exec::Request::{Kill, List, Start};
    let [name, absent] = ["demo.hello", "demo.absent"].map(|name| BundleName::new(name).unwrap());
    let requests = [Start { name }, List, Kill { pid: 77 }, Start { name: absent }];
    frames(requests, |request, nonce, out| exec::encode(&request, nonce, out).map(<[u8]>::len))
}

fn to_dsoftbusd() -> Frames {
    use sessions::Request::{Ask, Close, Open};
    let [peer, nobody] = ["dsoftbusd-peer", "nobody"].map(|name| EndpointName::new(name).unwrap());
    let session = SessionId(1);
    let requests = [
        Open { peer },
        Open { peer: nobody },
        Ask { session: SessionId(99), bytes: b"hello" },
        Ask { session, bytes: b"hello" },
        Close { session },
    ];
    frames(requests, |request, nonce, out| sessions::encode(&request, nonce, out).map(<[u8]>::len))
}

/// An answer with the number of its request, in the order in which they came.
type Answers = Vec<(u64, Result<Vec<u8>, CallError>)>;

/// What a service answers to its workload.
fn answers(
    service: &'static str,
    (frames, at_once): (&[Vec<u8>], usize),
    daemons: Daemons,
    spawn: impl FnOnce(&mut World),
) -> Answers {
    let mut world = World::new(1);
    spawn_daemons(&mut world, daemons);
    let pace = Pace { interval: TICK, ..Pace::DEFAULT };
    let mut recorded = Recorded::new(&mut world, (service, &[service]), Rights::NONE, pace);
    spawn(&mut world);
    let me = world.client(ME, Rights::NONE);
    let mut answers = Vec::new();
    for frames in (0..ROUNDS).flat_map(|_| frames.chunks(at_once)) {
        for frame in frames {
            world.send(me, service, frame).unwrap();
        }
        for _ in 0..TICKS {
            recorded.poll(world.now().mono, None);
            world.run_for(TICK);
            answers.extend(world.replies(me).into_iter().map(|reply| (reply.ticket, reply.result)));
        }
    }
    answers
}

#[test]
fn every_service_answers_the_same_with_and_without_those_who_hear_of_its_work() {
    for (service, frames, at_once) in [
        ("policyd", to_policyd(), AT_ONCE),
        ("timed", to_timed(), AT_ONCE),
        ("entropyd", to_entropyd(), AT_ONCE),
        ("bundlemgrd", to_bundlemgrd(), 1),
        ("execd", to_execd(), 1),
        ("dsoftbusd", to_dsoftbusd(), 1),
    ] {
        let told = |daemons| answers(service, (&frames, at_once), daemons, spawn_services);
        let present = told(Daemons::Present);
        assert_eq!(present.len(), ROUNDS * frames.len(), "{service} owes answers");
        let is_ok = |answer: &Result<Vec<u8>, CallError>| matches!(answer, Ok(a) if a[4] == 0);
        assert!(present.iter().any(|(_, answer)| is_ok(answer)), "{service} does nothing");
        assert!(present.iter().any(|(_, answer)| !is_ok(answer)), "{service} refuses nothing");
        for daemons in [Daemons::Absent, Daemons::Refusing] {
            assert_eq!(told(daemons), present, "{service}, {daemons:?}");
        }
    }
}

/// Asks metricsd before it answers.
struct Asking;

impl Lie for Asking {
    fn reply(world: &mut impl nexus_port::World, token: Token, frame: &[u8]) {
        let is_there = world.submit(METRICSD, CallId(99), b"may I?").is_ok();
        let told = if is_there { frame } else { &frame[..5] };
        world.reply(token, told);
    }
}

#[test]
fn a_service_whose_answers_need_metricsd_is_found() {
    let told = |daemons| {
        answers("timed", (&to_timed(), AT_ONCE), daemons, |world| {
            world.spawn("timed", |_| Twin { service: Timed::new(), lie: Asking });
        })
    };
    assert_ne!(told(Daemons::Absent), told(Daemons::Present));
}
